from dataclasses import replace
from typing import Any

import pytest

from podtide.api import conflicts
from podtide.core.model.spec import AutoscalerSpec, Key, Mode, TargetRef
from tests.api import decisions

ONE = decisions.spec()
OTHER = replace(ONE, key=Key("shop", "other"))
STORM = TargetRef("orchestration.aibrix.ai/v1alpha1", "StormService", "ss")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(OTHER, True, id="same target"),
        pytest.param(ONE, False, id="itself"),
        pytest.param(replace(OTHER, key=Key("else", "other")), False, id="other namespace"),
        pytest.param(replace(OTHER, target=TargetRef("apps/v1", "Deployment", "db")), False, id="other name"),
        pytest.param(replace(OTHER, target=TargetRef("apps/v1", "StatefulSet", "web")), False, id="other kind"),
        pytest.param(replace(OTHER, target=TargetRef("apps/v1beta1", "Deployment", "web")), True, id="other version"),
    ],
)
def test_two_autoscalers(other: AutoscalerSpec, expected: bool) -> None:
    assert conflicts.is_conflict(ONE, other) is expected


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        pytest.param(("decode", "pool"), ("prefill", "pool"), False, id="two roles"),
        pytest.param(("decode", "pool"), ("decode", "pool"), True, id="one role"),
        pytest.param(("decode", "pool"), (None, None), True, id="a role and the whole"),
        pytest.param(("decode", "replica"), ("prefill", "replica"), True, id="two roles that are only measured"),
    ],
)
def test_roles(mine: tuple[Any, Any], theirs: tuple[Any, Any], expected: bool) -> None:
    first, second = (
        replace(spec, target=replace(STORM, role=role, role_mode=mode))
        for spec, (role, mode) in ((ONE, mine), (OTHER, theirs))
    )
    assert conflicts.is_conflict(first, second) is expected


def test_a_dry_run_disturbs_nobody() -> None:
    assert conflicts.between([ONE, OTHER]) == [(ONE, OTHER)]
    assert conflicts.between([ONE, replace(OTHER, mode=Mode.DRY_RUN)]) == []

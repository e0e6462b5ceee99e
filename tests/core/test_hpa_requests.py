"""What a pod requests: every container, one container, or the pod as a whole."""

import pytest

from podtide.core.algorithms.hpa import requests
from podtide.core.algorithms.hpa.answer import Trouble, TroubleKind
from podtide.core.model.view import ContainerView, PodView
from tests.core.hpa_views import pod

APP = ContainerView("app", {"cpu": 500})
SIDE = ContainerView("side", {"cpu": 100}, restartable=True)
SETUP = ContainerView("setup", {"cpu": 2000})
BARE = ContainerView("bare")


@pytest.mark.parametrize(
    ("subject", "container", "expected"),
    [
        pytest.param(pod("a", containers=(APP, APP)), None, 1000, id="containers add up"),
        pytest.param(pod("a", containers=(APP,), init_containers=(SIDE,)), None, 600, id="sidecars count"),
        pytest.param(
            pod("a", containers=(APP,), init_containers=(SETUP,)), None, 500, id="plain init containers do not"
        ),
        pytest.param(pod("a", containers=(APP,), overhead={"cpu": 50}), None, 500, id="nor does overhead"),
        pytest.param(pod("a", containers=(APP, BARE)), "app", 500, id="one container alone"),
        pytest.param(pod("a", containers=(BARE,), init_containers=(SIDE,)), "side", 100, id="a sidecar alone"),
        pytest.param(
            pod("a", containers=(APP, BARE), pod_requests={"cpu": 900}), None, 900, id="the pod's own replaces them"
        ),
        pytest.param(
            pod("a", containers=(APP,), pod_requests={"cpu": 900}, overhead={"cpu": 50}),
            None,
            950,
            id="and overhead comes on top",
        ),
        pytest.param(
            pod("a", containers=(APP, BARE), pod_requests={"memory": 1}),
            None,
            500,
            id="another resource's: gaps count as none",
        ),
        pytest.param(
            pod("a", containers=(APP,), init_containers=(SETUP, SIDE), pod_requests={"memory": 1}),
            None,
            2000,
            id="raised to what initialising needs",
        ),
        pytest.param(
            pod("a", containers=(APP,), init_containers=(SIDE, SETUP), pod_requests={"memory": 1}),
            None,
            2100,
            id="beside the sidecars started before",
        ),
        pytest.param(
            pod("a", containers=(APP,), pod_requests={"ephemeral-storage": 1}), None, 500, id="storage is not for pods"
        ),
    ],
)
def test_a_pods_request(subject: PodView, container: str | None, expected: int) -> None:
    assert requests.of_pods([subject], "cpu", container) == {"a": expected}


@pytest.mark.parametrize(
    ("subject", "container", "kind", "text"),
    [
        pytest.param(
            pod("a", containers=(APP, BARE)),
            None,
            TroubleKind.MISSING_REQUEST,
            "missing request for cpu in container bare of Pod a",
            id="a container without",
        ),
        pytest.param(
            pod("a", containers=(APP,), init_containers=(ContainerView("mesh", restartable=True),)),
            None,
            TroubleKind.MISSING_REQUEST,
            "missing request for cpu in container mesh of Pod a",
            id="a sidecar without",
        ),
        pytest.param(
            pod("a", containers=(BARE,)),
            "bare",
            TroubleKind.MISSING_REQUEST,
            "missing request for cpu in container bare of Pod a",
            id="the named container without",
        ),
        pytest.param(
            pod("a", containers=(APP,), init_containers=(SETUP,)),
            "setup",
            TroubleKind.CONTAINER_NOT_FOUND,
            "container setup not found in Pod a",
            id="a plain init container is not found",
        ),
        pytest.param(
            pod("a", containers=(BARE,), pod_requests={"memory": 1}),
            None,
            TroubleKind.MISSING_POD_REQUEST,
            "missing pod-level request for cpu in Pod a",
            id="nowhere in the pod",
        ),
    ],
)
def test_a_gap_is_reported_by_name(subject: PodView, container: str | None, kind: TroubleKind, text: str) -> None:
    first = pod("zero", containers=(APP, ContainerView("bare", {"cpu": 1}), ContainerView("setup", {"cpu": 1})))
    assert requests.of_pods([first, subject], "cpu", container) == Trouble(kind, text)

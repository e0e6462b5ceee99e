from typing import Any

import pytest

from podtide.control import sinks


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({}, {"a": 1}, {"a": 1}, id="new"),
        pytest.param({"a": 1}, {}, {"a": None}, id="gone"),
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}, id="only what changed"),
        pytest.param({"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, {"a": {"y": None}}, id="inside an object"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, {"a": [1]}, id="lists are replaced whole"),
        pytest.param({"a": {"x": 1}}, {"a": {"x": 1}}, {}, id="nothing"),
    ],
)
def test_merge_is_the_patch_from_one_to_the_other(
    old: dict[str, Any], new: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert sinks.merge(old, new) == expected

"""The patch languages, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from podtide.local import patching
from podtide.local.refusals import Refusal


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        pytest.param({"a": "b"}, {"a": "c"}, {"a": "c"}, id="replaces"),
        pytest.param({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}, id="null removes"),
        pytest.param({"a": ["b"]}, {"a": [1]}, {"a": [1]}, id="lists are values"),
        pytest.param({"a": {"b": 1}}, {"a": {"c": {"d": None}}}, {"a": {"b": 1, "c": {}}}, id="no nulls appear"),
        pytest.param({"a": [1]}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="an object over a list"),
        pytest.param({}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 1}}}, id="makes the way"),
    ],
)
def test_merge(target: Any, patch: Any, expected: Any) -> None:
    assert patching.merge(target, patch) == expected


@pytest.mark.parametrize(
    ("target", "operations", "expected"),
    [
        pytest.param({"a": 1}, [{"op": "add", "path": "/b", "value": 2}], {"a": 1, "b": 2}, id="add"),
        pytest.param({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}, id="insert"),
        pytest.param({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}, id="append"),
        pytest.param({"a": [1, 2]}, [{"op": "replace", "path": "/a/0", "value": 9}], {"a": [9, 2]}, id="replace"),
        pytest.param({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}, id="remove"),
        pytest.param({"a": 1}, [{"op": "move", "from": "/a", "path": "/b"}], {"b": 1}, id="move"),
        pytest.param({"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": 1, "b": 1}, id="copy"),
        pytest.param({"a/b": {"~": 1}}, [{"op": "test", "path": "/a~1b/~0", "value": 1}], {"a/b": {"~": 1}}, id="~"),
    ],
)
def test_json_patch(target: Any, operations: Any, expected: Any) -> None:
    assert patching.json_patch(target, operations) == expected


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param({"op": "test", "path": "/a", "value": 2}, id="a test that fails"),
        pytest.param({"op": "remove", "path": "/b"}, id="nothing to remove"),
        pytest.param({"op": "replace", "path": "/b", "value": 1}, id="nothing to replace"),
        pytest.param({"op": "add", "path": "/x/y", "value": 1}, id="no parent"),
        pytest.param({"op": "grow", "path": "/a"}, id="no such operation"),
        pytest.param({"op": "add"}, id="no path"),
    ],
)
def test_json_patch_that_does_not_hold(operation: Any) -> None:
    with pytest.raises(Refusal) as refused:
        patching.json_patch({"a": 1}, [operation])
    assert refused.value.code == 422


_TWO = {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        pytest.param(
            _TWO,
            {"containers": [{"name": "b", "image": "3"}]},
            {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "3"}]},
            id="items join by key",
        ),
        pytest.param(
            _TWO,
            {"containers": [{"name": "a", "$patch": "delete"}]},
            {"containers": [{"name": "b", "image": "2"}]},
            id="an item is deleted",
        ),
        pytest.param(
            _TWO,
            {"containers": [{"name": "c", "image": "9"}, {"$patch": "replace"}]},
            {"containers": [{"name": "c", "image": "9"}]},
            id="a list is replaced",
        ),
        pytest.param({"args": ["a"]}, {"args": ["b"]}, {"args": ["b"]}, id="plain lists are values"),
        pytest.param({"finalizers": ["a"]}, {"finalizers": ["b"]}, {"finalizers": ["a", "b"]}, id="finalizers add up"),
        pytest.param(
            {"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {"finalizers": ["b"]}, id="less"
        ),
        pytest.param(
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}},
            {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}},
            {"strategy": {"type": "Recreate"}},
            id="keys that are not retained go",
        ),
        pytest.param({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"c": 2}}, id="a map is replaced"),
    ],
)
def test_strategic(target: Any, patch: Any, expected: Any) -> None:
    assert patching.strategic(target, patch) == expected

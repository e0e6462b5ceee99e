"""Which pods go first, and how rollouts size ReplicaSets."""

from __future__ import annotations

from typing import Any

import pytest

from podtide.local import rollouts, victims
from podtide.local.briefs import Brief
from podtide.local.rollouts import Rules, Size


def _pod(name: str, **other: Any) -> Brief:
    given: dict[str, Any] = {
        "namespace": "shop",
        "name": name,
        "uid": name,
        "owner": "o",
        "phase": "Running",
        "node": name,
        "is_ready": True,
        "is_leaving": False,
        "ready_since": 100.0,
        "created": 100.0,
        "restarts": 0,
        "cost": 0,
        "revision": "",
    }
    return Brief(**{**given, **other})


@pytest.mark.parametrize(
    ("other", "goes"),
    [
        pytest.param({"node": "", "cost": 9}, "b", id="not on a node"),
        pytest.param({"phase": "Pending", "cost": 9}, "b", id="pending"),
        pytest.param({"is_ready": False, "cost": 9}, "b", id="not ready"),
        pytest.param({"cost": -1}, "b", id="cheaper to lose"),
        pytest.param({"cost": 1}, "a", id="dearer to lose"),
        pytest.param({"ready_since": 900.0}, "b", id="ready for a shorter time"),
        pytest.param({"restarts": 3}, "b", id="restarted more often"),
        pytest.param({"created": 900.0}, "b", id="younger"),
        pytest.param({"ready_since": 150.0}, "a", id="about as old counts as equal"),
    ],
)
def test_the_first_to_go(other: dict[str, Any], goes: str) -> None:
    chosen = victims.choose([_pod("a"), _pod("b", **other)], 1, 1000.0)
    assert [pod.name for pod in chosen] == [goes]


def test_crowded_nodes_are_thinned_out() -> None:
    pods = [_pod("a", node="n1"), _pod("b", node="n2"), _pod("c", node="n2")]
    assert victims.choose(pods, 1, 1000.0)[0].node == "n2"


@pytest.mark.parametrize(
    ("replicas", "new", "old", "rules", "expected"),
    [
        pytest.param(4, Size(4, 4), [], Rules(1, 1), (4, []), id="nothing to roll"),
        pytest.param(7, Size(4, 4), [Size(0, 0)], Rules(1, 1), (7, [0]), id="a plain scaling"),
        pytest.param(4, Size(0, 0), [Size(4, 4)], Rules(1, 1), (1, [3]), id="the first step"),
        pytest.param(4, Size(1, 0), [Size(4, 4)], Rules(1, 0), (1, [4]), id="waits for the new one"),
        pytest.param(4, Size(1, 1), [Size(4, 4)], Rules(1, 0), (1, [3]), id="one is ready, one goes"),
        pytest.param(4, Size(4, 3), [Size(1, 1)], Rules(1, 0), (4, [1]), id="the last waits, too"),
        pytest.param(4, Size(4, 4), [Size(1, 1)], Rules(1, 0), (4, [0]), id="the last goes"),
        pytest.param(4, Size(0, 0), [Size(4, 2)], Rules(1, 1), (1, [3]), id="broken ones go first"),
    ],
)
def test_rollouts(replicas: int, new: Size, old: list[Size], rules: Rules, expected: tuple[int, list[int]]) -> None:
    assert rollouts.roll(replicas, new, old, rules) == expected


@pytest.mark.parametrize(
    ("given", "replicas", "expected"),
    [
        ({"maxSurge": "25%", "maxUnavailable": "25%"}, 10, Rules(3, 2)),
        ({"maxSurge": "25%", "maxUnavailable": "25%"}, 1, Rules(1, 0)),
        ({"maxSurge": 0, "maxUnavailable": "10%"}, 4, Rules(0, 1)),
        ({"maxSurge": 2, "maxUnavailable": 0}, 4, Rules(2, 0)),
    ],
)
def test_percentages(given: dict[str, object], replicas: int, expected: Rules) -> None:
    assert rollouts.rules({"rollingUpdate": given}, replicas) == expected


def test_recreate_waits_for_the_old_to_be_gone() -> None:
    assert rollouts.recreate(3, [Size(3, 3, 3)]) == (0, [0])
    assert rollouts.recreate(3, [Size(0, 0, 1)]) == (0, [0])
    assert rollouts.recreate(3, [Size(0, 0, 0)]) == (3, [0])

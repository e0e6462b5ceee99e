"""Pods by what they can carry: ready, starting, stuck, leaving, missing and surplus."""

from typing import Any

import pytest

from podtide.core import pods
from podtide.core.model.view import PodView, TargetView

NOW = 10_000.0


def pod(number: int, **changes: Any) -> PodView:
    return PodView(f"web-{number}", f"uid-{number}", **changes)


def count(*listed: PodView, replicas: int) -> pods.Counts:
    return pods.count(TargetView(NOW, replicas, pods=listed), starting_limit=600.0, now=NOW)


@pytest.mark.parametrize(
    ("one", "state"),
    [
        pytest.param(pod(0), "ready", id="running and ready"),
        pytest.param(pod(0, ready="False", created=NOW - 10), "starting", id="young and not ready"),
        pytest.param(pod(0, ready="Unknown", created=NOW - 10), "starting", id="nobody knows"),
        pytest.param(pod(0, ready=None, phase="Pending", created=NOW - 10), "starting", id="pending"),
        pytest.param(pod(0, phase="Pending", created=NOW - 10), "starting", id="ready but pending"),
        pytest.param(pod(0, ready="False", created=NOW - 600), "starting", id="just young enough"),
        pytest.param(pod(0, ready="False", created=NOW - 601), "stuck", id="too long on its way"),
        pytest.param(pod(0, ready="False", started=NOW - 601), "stuck", id="by its start where nothing else is known"),
        pytest.param(pod(0, ready="False", created=NOW + 50), "starting", id="born in the future"),
        pytest.param(pod(0, deleting=True), "leaving", id="terminating though ready"),
    ],
)
def test_each_pod_is_in_one_state(one: PodView, state: str) -> None:
    found = count(one, replicas=1)
    states = {name: getattr(found, name) for name in ("ready", "starting", "stuck", "leaving")}
    assert states == {**dict.fromkeys(states, 0), state: 1}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pods_are_none(phase: str) -> None:
    assert count(pod(0, phase=phase), replicas=1) == pods.Counts(missing=1)


def test_pods_asked_for_and_not_there_are_missing() -> None:
    assert count(pod(0), pod(1, deleting=True), replicas=5) == pods.Counts(ready=1, leaving=1, missing=4)


def test_a_rollout_surges() -> None:
    found = count(pod(0), pod(1), pod(2, ready="False", created=NOW), replicas=2)
    assert (found.surge, found.missing, found.capacity) == (1, 0, 3)


@pytest.mark.parametrize(
    ("ready", "starting", "stuck", "coming"),
    [
        pytest.param(4, 0, 0, 0, id="all up"),
        pytest.param(1, 2, 0, 3, id="one not created yet"),
        pytest.param(4, 2, 0, 0, id="surge"),
        pytest.param(3, 2, 0, 1, id="one asked for, one surge"),
        pytest.param(2, 0, 2, 0, id="stuck"),
    ],
)
def test_what_is_on_its_way_is_asked_for(ready: int, starting: int, stuck: int, coming: int) -> None:
    listed = [pod(number) for number in range(ready)]
    listed += [pod(10 + number, ready="False", created=NOW - 10) for number in range(starting)]
    listed += [pod(20 + number, ready="False", created=NOW - 9999) for number in range(stuck)]
    assert count(*listed, replicas=4).coming == coming

"""Loads and worlds for the simulator's tests."""

from collections.abc import Sequence
from typing import Any

from podtide.core.model.spec import AutoscalerSpec, Bounds, Cooldown, Hpa, Kpa
from podtide.sim.cluster import Fixed, Nodes
from podtide.sim.runner import World
from podtide.sim.scenario import Kind, Requests, Scenario
from podtide.sim.traces import Trace
from tests.core import ticks

BEGIN = 1_704_067_200.0
"""A Monday."""


def trace(requests: Sequence[float], width: float = 1.0) -> Trace:
    """A load in equal intervals."""
    return Trace("t.csv", width, tuple(requests))


def world(startup: float = 10.0, **changes: Any) -> World:
    """From one replica; `changes` are fields of Nodes or of World."""
    nodes = {name: changes.pop(name) for name in ("grace", "room", "provision") if name in changes}
    usual: dict[str, Any] = {"begin": BEGIN, "end": BEGIN, "replicas": 1, "nodes": Nodes(Fixed(startup), **nodes)}
    return World(**(usual | changes))


def scenario(load: Trace, kind: Kind | None = None, *, slo: float = 1.0, **changes: Any) -> Scenario:
    """A scenario of requests of 200 ms, one at a time per pod."""
    return Scenario(load, kind or Requests(), world(**changes), slo)


def kpa(target: float = 0.7, **changes: Any) -> AutoscalerSpec:
    """Knative's algorithm on requests in flight."""
    rules = Kpa(stable_window=60.0, panic_window=6.0)
    usual: dict[str, Any] = {"bounds": Bounds(1, 50), "cooldown": Cooldown(down=60.0)}
    return ticks.spec(rules, ticks.metric(target=target), **(usual | changes))


def hpa(target: float = 0.7, **changes: Any) -> AutoscalerSpec:
    """Kubernetes' algorithm on requests in flight."""
    usual: dict[str, Any] = {"bounds": Bounds(1, 50), "cooldown": Cooldown()}
    return ticks.spec(Hpa(), ticks.metric(target=target, interval=15.0), **(usual | changes))

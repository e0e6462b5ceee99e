"""What happens in a demo: how much load each workload carries when, and what goes wrong. `local.demo` plays it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LLM, API = ("llm", "vllm"), ("kube-system", "metrics-server")

Workload = tuple[str, str]
"""Namespace and name."""

Curve = Sequence[tuple[float, float]]
"""Share of the duration (0 to 1) and the load then, joined by straight lines; two points at one time are a step."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which every pod of a workload answers its scrapes with an error."""

    workload: Workload
    begin: float
    """Share of the duration."""
    end: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story."""

    name: str
    about: str
    loads: Mapping[Workload, Curve]
    steps: tuple[tuple[Workload, float], ...] = ()
    """The load steps whose way to the patch is timed: the workload, and when, as a share of the duration."""
    outages: tuple[Outage, ...] = field(default=())


def load(curve: Curve, at: float) -> float:
    """The load at a share of the duration."""
    before = curve[0]
    for point in curve:
        if point[0] > at:
            part = (at - before[0]) / (point[0] - before[0])
            return before[1] + part * (point[1] - before[1])
        before = point
    return before[1]


_MANY_CLIENTS = ((0.0, 4.0), (0.2, 4.0), (0.2, 38.0), (1.0, 38.0))
# The step is early, since this workload has the default windows, a minute and three: the more of the quiet time is in
# them, the more scrapes it takes to lift their average over the target. In a minute's demo two do.

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "burst",
            "Load rises, bursts and falls; the TLS workload gets busy, too.",
            {
                LLM: (
                    (0.0, 6.0),
                    (0.15, 6.0),
                    (0.3, 26.0),
                    (0.4, 26.0),
                    (0.4, 72.0),
                    (0.6, 64.0),
                    (0.7, 9.0),
                    (1.0, 5.0),
                ),
                API: _MANY_CLIENTS,
            },
            steps=((LLM, 0.4), (API, 0.2)),
        ),
        Scenario(
            "outage",
            "The load stays, the metrics fail for a while: nothing is shrunk on what is not known.",
            {LLM: ((0.0, 45.0), (1.0, 45.0)), API: _MANY_CLIENTS},
            steps=((API, 0.2),),
            outages=(Outage(LLM, 0.4, 0.7),),
        ),
        Scenario(
            "wave",
            "A day in a minute: load swells and ebbs twice.",
            {
                LLM: ((0.0, 6.0), (0.25, 60.0), (0.5, 6.0), (0.75, 60.0), (1.0, 6.0)),
                API: ((0.0, 4.0), (0.5, 30.0), (1.0, 4.0)),
            },
        ),
    )
}

"""What to do, and why: the core's whole answer for one tick. Status, events, logs and `explain` read only this.

What is made at every tick of every autoscaler is a tuple here: a frozen dataclass takes three times as long to make.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from podtide.core.model.signal import Signal
from podtide.core.model.spec import Bounds, Key


class Action(StrEnum):
    """What the target is to do with a decision."""

    PATCH = "patch"
    KEEP = "keep"
    """Already as desired, or nothing is known that would justify a change."""
    SUPPRESS = "suppress"
    """A change is wanted, but the mode or a conflict forbids it."""


class Note(NamedTuple):
    """One step of a decision: a number went in, a number came out, for a reason."""

    stage: str
    """The step: `kpa`, `combine`, `freshness`, `stabilise`, `rates`, `bounds`, …"""
    before: int | None
    after: int | None
    reason: str
    """One word in the field's terms: `ScaleUpLimit`, `ScaleDownStabilized`, …"""
    message: str = ""
    """The numbers, for a person."""


class Proposal(NamedTuple):
    """What one metric asks for."""

    metric: str
    replicas: int | None
    """None where the metric cannot say."""
    reason: str
    """A word: `ValidMetricFound`, `FailedGetPodsMetric`, `Panic`, …"""
    message: str = ""
    value: float | None = None
    """The observed value in the unit of the target, per pod where the target is per pod."""
    target: float | None = None
    notes: tuple[Note, ...] = ()
    state: Any = None
    """The algorithm's next state for this metric; `settle` keeps it."""
    panicking: bool = False
    excess_burst_capacity: float | None = None
    """How much load the ready pods could take beyond the present one and the head-room wanted; below zero it falls
    short, -1 is also what unlimited head-room says. None where none is wanted."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one metric's load is expected to be when pods that are asked for now are ready."""

    metric: str
    reason: str
    """A word: `TrendForecast`, `DailyForecast`, `Silent`, `Learning`, …"""
    message: str = ""
    ahead: float | None = None
    """Seconds from now."""
    load: float | None = None
    """The load to provide for, of the whole workload; None where no forecast can be believed."""
    low: float | None = None
    """Nine tenths of the past forecasts' outcomes were above this, relative to this forecast."""
    high: float | None = None
    """And nine tenths below this."""
    error: float | None = None
    """The mean error of the past forecasts, as a share of the load; None where there were too few."""
    replicas: int | None = None
    """The count that this load needs."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One of the status conditions, as this tick sees it; the reporter adds the transition time."""

    type: str
    status: bool | None
    """None is Unknown."""
    reason: str
    message: str


class Upkeep(NamedTuple):
    """What `settle` keeps of a decision. `decide` only says it, so that asking twice changes nothing."""

    recommendation: int | None = None
    """The count the metrics asked for, before any limit; None where there was none to keep."""
    outdated: float = 0.0
    """Recommendations made before this may be forgotten."""
    periods: tuple[float, float] | None = None
    """The longest policy periods, up and down, in seconds; None without `behavior`: then no scaling is kept."""
    failing: Mapping[str, float] = MappingProxyType({})
    """Metric id → since when it has been without usable values."""
    to_zero: bool | None = None
    """Whether a scaling to zero would be one that this autoscaler wakes from; None where that is not remembered."""
    is_off: bool = False
    """Whether the workload is at zero and nothing may wake it."""
    is_crowded: bool = False
    """Whether most pods are on their way, and no fewer are asked for than are up: then their load says too little."""
    has_lapsed: bool = False
    """Whether the clock stepped, so that what the memory holds was left out of account."""
    has_missed: bool = False
    """Whether recommendations are missing, another process's or those of a metric that was away: the current count
    stands for them."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The count that one autoscaler wants now."""

    key: Key
    at: float
    version: str
    """The scale's resourceVersion that this rests on."""
    current: int
    desired: int
    action: Action
    reason: str
    """The word that set the result."""
    message: str
    """The same for a person."""
    bounds: Bounds
    """Those in force: the schedule's, if one is active."""
    schedule: str | None = None
    """The active schedule's name."""
    next_transition: float | None = None
    """When the bounds change next by schedule, in seconds; None if they do not."""
    trail: tuple[Note, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    signals: tuple[Signal, ...] = ()
    conditions: tuple[Condition, ...] = ()
    ready: int = 0
    """Ready pods."""
    starting: int = 0
    """Pods on their way."""
    outlooks: tuple[Outlook, ...] = ()
    """The forecasts, where the object has `forecast`."""
    horizon: float | None = None
    """How many seconds ahead the next forecasts are to look; None without any, or while it is not known."""
    shadow: "Decision | None" = None
    """What `spec.shadow` would do, on the same target; it is never carried out."""
    upkeep: Upkeep | None = None
    """None where the target could not be read: then nothing is kept."""


class Outcome(StrEnum):
    """What became of a decision."""

    PATCHED = "patched"
    UNCHANGED = "unchanged"
    SUPPRESSED = "suppressed"
    REFUSED = "refused"
    """409: the scale had changed meanwhile; the next tick decides anew."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of carrying out one decision."""

    outcome: Outcome
    replicas: int
    """The scale's spec.replicas now, as far as known."""
    error: str = ""
    version: str = field(default="", compare=False)
    """The scale's resourceVersion after the patch."""

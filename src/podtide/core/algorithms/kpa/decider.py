"""KPA's arithmetic, one tick: loads and the ready count in, a count and the next state out. `algorithm` calls it.

The steps and their order are Knative's, so that equal inputs give equal answers:
https://github.com/knative/serving/blob/main/pkg/autoscaler/scaling/autoscaler.go
"""

import math
from typing import Final, NamedTuple

from podtide.core.algorithms import ratio
from podtide.core.algorithms.kpa.state import State
from podtide.core.model.decision import Note
from podtide.core.model.figures import plain
from podtide.core.model.spec import Kpa

STAGE: Final = "kpa"


class Scaled(NamedTuple):
    """The answer of one tick."""

    replicas: int
    state: State
    wanted: float
    """The stable window's count before any limit."""
    excess_burst_capacity: float
    """How much load beyond the current one and the wanted head-room the ready pods could take; 0 off, -1 unlimited."""
    notes: tuple[Note, ...]

    @property
    def panicking(self) -> bool:
        """Whether the workload is in panic after this tick."""
        return self.state.panic_since is not None


def scale(
    spec: Kpa, state: State, *, ready: int | None, stable: float | None, panic: float | None, target: float, now: float
) -> Scaled | None:
    """The count for a workload of `ready` pods under these loads, totals averaged over the two windows.

    `target` is the load that one pod should carry. None where an input is missing, or says nothing (NaN, an infinity,
    no load over a target of 0): then nothing is decided and the state stays as it is.
    """
    if ready is None or stable is None or panic is None:
        return None
    wanted, urgent = ratio.ceiling(ratio.over(stable, target)), ratio.ceiling(ratio.over(panic, target))
    if not (math.isfinite(stable) and math.isfinite(panic)) or math.isnan(wanted) or math.isnan(urgent):
        return None
    pods = max(1, ready)
    up = ratio.ceiling(spec.max_scale_up_rate * pods)
    # A down rate below 1 would make an idle workload grow; Knative refuses such a rate.
    down = min(float(pods), ratio.floor(ratio.over(pods, spec.max_scale_down_rate))) if spec.reachable else 0.0
    desired, limits = _limited(wanted, spec, up=up, down=down)
    hurried, _ = _limited(urgent, spec, up=up, down=down)
    notes = [
        Note(STAGE, ready, ratio.count(wanted), "Stable", f"load {plain(stable)} over target {plain(target)}"),
        *limits,
    ]
    # The threshold is tested on the unlimited, already rounded-up count.
    is_over = urgent / pods >= spec.panic_threshold
    panic_since, high = _panic(spec, state, is_over=is_over, now=now)
    if panic_since is not None:
        desired, note = _highest(desired, hurried, high, load=panic, target=target)
        high = desired
        notes.append(note)
    elif state.panic_since is not None:
        notes.append(Note(STAGE, desired, desired, "PanicEnded", f"no crossing for {spec.stable_window:g} s"))
    delay = state.delay
    if spec.reachable and delay is not None:
        delay = delay.record(now, desired)
        if delay.value is not None and delay.value > desired:
            message = f"the highest of the last {delay.window:g} s"
            notes.append(Note(STAGE, desired, delay.value, "ScaleDownDelay", message))
            desired = delay.value
    burst = _excess_burst_capacity(spec, ready=ready, panic=panic, target=target)
    # Written out, as `dataclasses.replace` takes three times as long, and this runs at every tick.
    following = State(high, panic_since, delay, at=now, zero_since=state.zero_since, carriers=state.carriers)
    return Scaled(desired, following, wanted, burst, tuple(notes))


def _limited(wanted: float, spec: Kpa, *, up: float, down: float) -> tuple[int, list[Note]]:
    """A count between the rates, and then at least the activation scale where there is any load."""
    limited = ratio.count(min(max(wanted, down), up))
    notes: list[Note] = []
    if wanted > up:
        message = f"at most {spec.max_scale_up_rate:g} times the ready pods"
        notes.append(Note(STAGE, ratio.count(wanted), limited, "ScaleUpRate", message))
    elif wanted < down:
        message = f"at least the ready pods over {spec.max_scale_down_rate:g}"
        notes.append(Note(STAGE, ratio.count(wanted), limited, "ScaleDownRate", message))
    if spec.activation_scale > 1 and wanted > 0 and limited < spec.activation_scale:
        notes.append(Note(STAGE, limited, spec.activation_scale, "ActivationScale", "there is load"))
        limited = spec.activation_scale
    return limited, notes


def _panic(spec: Kpa, state: State, *, is_over: bool, now: float) -> tuple[float | None, int]:
    """Since when there is panic, and the peak that it holds.

    Panic starts or is extended by a crossing, and ends strictly later than one stable window after the last one.
    """
    if is_over:
        return now, state.high
    if state.panic_since is not None and state.panic_since + spec.stable_window < now:
        return None, 0
    return state.panic_since, state.high


def _highest(desired: int, hurried: int, high: int, *, load: float, target: float) -> tuple[int, Note]:
    """In panic a workload only grows: the highest of both windows' counts and of what was asked for before."""
    if high > max(desired, hurried):
        return high, Note(STAGE, desired, high, "HoldHighest", "in panic nothing shrinks")
    if hurried > desired:
        message = f"panic window's load {plain(load)} over target {plain(target)}"
        return hurried, Note(STAGE, desired, hurried, "Panic", message)
    return desired, Note(STAGE, desired, desired, "Panic", "the stable window asks for no less")


def _excess_burst_capacity(spec: Kpa, *, ready: int, panic: float, target: float) -> float:
    if spec.target_burst_capacity == 0:
        return 0.0
    if spec.target_burst_capacity < 0:
        return -1.0
    total = ready * (target if spec.total_value is None else spec.total_value)
    excess = ratio.floor(total - spec.target_burst_capacity - panic)
    return float(ratio.count(excess)) if not math.isnan(excess) else 0.0

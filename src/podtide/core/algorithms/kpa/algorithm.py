"""Knative's autoscaler as one of Podtide's algorithms: what surrounds its arithmetic. `registry` makes it."""

from dataclasses import dataclass, replace
from typing import Any, Final

from podtide.core import pods
from podtide.core.algorithms import ratio, target
from podtide.core.algorithms.kpa import decider, idle
from podtide.core.algorithms.kpa.state import State, start
from podtide.core.model.decision import Note, Proposal
from podtide.core.model.figures import plain
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Kpa, MetricSpec, TargetType
from podtide.core.model.view import TargetView
from podtide.core.windows.spec import WindowSpec

STABLE: Final = "stable"
PANIC: Final = "panic"
STAGE: Final = "kpa"

# So that a load which is the pods' exact share, computed in floats, does not round up to one pod more.
_JUST_BELOW: Final = 1.0 - 1e-12


@dataclass(frozen=True, slots=True)
class KnativePods:
    """The total load over two windows: a long one that steadies, and a short one that panics."""

    rules: Kpa

    @property
    def state_type(self) -> type[State]:
        """What `propose` hands back for the next tick."""
        return State

    def windows(self) -> tuple[WindowSpec, ...]:
        """The whole workload's load over the stable and the panic window."""
        rules = self.rules
        return (
            WindowSpec(STABLE, rules.stable_window, weighted=rules.weighted),
            WindowSpec(PANIC, rules.panic_window, weighted=rules.weighted),
        )

    def propose(self, metric: MetricSpec, signal: Signal, view: TargetView, state: Any, now: float) -> Proposal:
        """The count that gives each pod its target load; none where a window is empty or says nothing usable."""
        rules = self.rules
        stable, panic = signal.windows.get(STABLE), signal.windows.get(PANIC)
        if stable is None or panic is None:
            empty = STABLE if stable is None else PANIC
            why = str(signal.failure) if signal.failure is not None else f"no value within the {empty} window"
            return _unknown(metric, state, why)
        share = target.per_pod(metric, view)
        if share is None:
            return _unknown(metric, state, "the pods do not say what they request, so there is no utilization")
        ready = pods.ready(view)
        before, notes = self._resumed(state, max(ready, view.replicas), now, interval=metric.interval)
        if metric.threshold.kind is TargetType.VALUE:
            serving = max(1, min(ready, view.replicas))
            before = replace(before, carriers=before.carriers.record(now, serving, keep=rules.stable_window))
        load = target.load(metric, stable, before.carriers, window=rules.stable_window, now=now)
        scaled = decider.scale(
            rules,
            before,
            ready=ready,
            stable=self._steadied(load, carried=share * view.replicas, current=view.replicas, notes=notes),
            panic=target.load(metric, panic, before.carriers, window=rules.panic_window, now=now),
            target=share,
            now=now,
        )
        if scaled is None:
            return _unknown(
                metric, state, f"no count follows from a load of {plain(stable)} over a target of {plain(share)}"
            )
        notes += scaled.notes
        replicas = _on_its_way(scaled, view.replicas, notes)
        since = idle.zero_since(before, replicas, now)
        if view.replicas > 0:  # a pod that is not there is not kept
            replicas, kept = idle.keep_last(rules, replicas, since=since, now=now)
            notes += [kept] if kept else []
        lately = f"{plain(panic)} in {rules.panic_window:g} s"
        return Proposal(
            metric.id,
            replicas,
            notes[-1].reason,
            f"load {plain(stable)} in {rules.stable_window:g} s, {lately}, {ready} ready",
            value=target.shown(metric, stable, pods=ready, share=share),
            target=metric.threshold.value,
            notes=tuple(notes),
            state=scaled.state if since == before.zero_since else replace(scaled.state, zero_since=since),
            panicking=scaled.panicking,
            excess_burst_capacity=scaled.excess_burst_capacity if rules.target_burst_capacity else None,
        )

    def _resumed(self, state: State | None, found: int, now: float, *, interval: float) -> tuple[State, list[Note]]:
        """The state to go on with. Without one, or after a silence that the windows do not span, KPA begins anew.

        A silence ends a panic in Knative, and the count collapses with it. Here it is a restart: on more than one pod
        it begins in panic, so that what was not measured never shrinks a workload.
        """
        rules = self.rules
        # Two intervals on top: a source that is read less often than the window is long is slow, not silent.
        if state is not None and now - state.at <= rules.stable_window + 2.0 * interval:
            # The clock never goes back in one process; between two it may, and then the ages count.
            state = state.moved(now - state.at) if now < state.at else state
            return state.delayed(rules.scale_down_delay), []
        fresh = start(rules, found, now)
        if state is not None:
            fresh = replace(fresh, delay=state.delay).delayed(rules.scale_down_delay)
        if fresh.panic_since is None:
            return fresh, []
        message = f"nothing is known of the load that {found} pods were there for"
        return fresh, [Note(STAGE, found, found, "StartInPanic", message)]

    def _steadied(self, load: float, *, carried: float, current: int, notes: list[Note]) -> float:
        """The stable load, or where it lies within the tolerance, what the current pods should carry.

        Knative has no tolerance, and neither has KPA here unless the user asks for one. It changes the load and not the
        count, so that rates, panic and delay still see a load that grows when the real one does.
        """
        band = self.rules.tolerance
        if not (band.up or band.down) or not current or not ratio.is_within(ratio.over(load, carried), band):
            return load
        notes.append(
            Note(STAGE, current, current, "WithinTolerance", f"load {plain(load)} is close to {plain(carried)}")
        )
        return carried * _JUST_BELOW


def _on_its_way(scaled: decider.Scaled, current: int, notes: list[Note]) -> int:
    """Knative's count, but a rate that limits growth never shrinks.

    The rates count ready pods. With many pods starting, the most they allow can lie below what is asked for already.
    The load needs these pods, so they are capacity on its way and not a surplus.
    """
    needed = ratio.count(min(scaled.wanted, current))
    if scaled.replicas >= needed:
        return scaled.replicas
    notes.append(Note(STAGE, scaled.replicas, needed, "CapacityOnItsWay", f"{current} are asked for, and needed"))
    return needed


def _unknown(metric: MetricSpec, state: Any, why: str) -> Proposal:
    return Proposal(metric.id, None, target.failure_reason(metric), why, target=metric.threshold.value, state=state)

"""Knative's autoscaler as one of Podtide's algorithms: what surrounds its arithmetic. `registry` makes it."""

from dataclasses import dataclass, replace
from typing import Any, Final

from podtide.core import pods
from podtide.core.algorithms import ratio, target
from podtide.core.algorithms.kpa import decider, idle
from podtide.core.algorithms.kpa.state import State, start
from podtide.core.model.decision import Note, Proposal
from podtide.core.model.signal import Signal
from podtide.core.model.spec import Kpa, MetricSpec, TargetType
from podtide.core.model.view import TargetView
from podtide.core.windows.spec import WindowSpec

STABLE: Final = "stable"
PANIC: Final = "panic"
STAGE: Final = "kpa"


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
        ready = pods.count(view, now=now).ready
        before, notes = self._resumed(state, max(ready, view.replicas), now)
        if metric.threshold.kind is TargetType.VALUE:
            serving = max(1, min(ready, view.replicas))
            before = replace(before, carriers=before.carriers.record(now, serving, keep=rules.stable_window))
        load = target.load(metric, stable, before.carriers, window=rules.stable_window, now=now)
        scaled = decider.scale(
            rules,
            before,
            ready=ready,
            stable=load,
            panic=target.load(metric, panic, before.carriers, window=rules.panic_window, now=now),
            target=share,
            now=now,
        )
        if scaled is None:
            return _unknown(metric, state, f"no count follows from a load of {stable:g} over a target of {share:g}")
        notes += scaled.notes
        replicas = self._guarded(scaled, view.replicas, load=load, share=share, notes=notes)
        since = idle.zero_since(before, replicas, now)
        if view.replicas == 0:
            latest = signal.total if signal.total is not None else stable
            replicas, note = idle.wake(replicas, value=latest, activation=metric.activation)
            notes.append(note)
        elif (kept := idle.keep_last(rules, replicas, since=since, now=now))[1] is not None:
            replicas = kept[0]
            notes.append(kept[1])
        return Proposal(
            metric.id,
            replicas,
            notes[-1].reason,
            f"load {stable:g} in {rules.stable_window:g} s, {panic:g} in {rules.panic_window:g} s, {ready} ready",
            value=target.shown(metric, stable, pods=ready, share=share),
            target=metric.threshold.value,
            notes=tuple(notes),
            state=replace(scaled.state, zero_since=since),
            panicking=scaled.panicking,
            excess_burst_capacity=scaled.excess_burst_capacity,
        )

    def _resumed(self, state: State | None, found: int, now: float) -> tuple[State, list[Note]]:
        """The state to go on with. Without one, or after a silence that the windows do not span, KPA begins anew.

        A silence ends a panic in Knative, and the count collapses with it. Here it is a restart: on more than one pod
        it begins in panic, so that what was not measured never shrinks a workload.
        """
        rules = self.rules
        if state is not None and now - state.at <= rules.stable_window:
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

    def _guarded(self, scaled: decider.Scaled, current: int, *, load: float, share: float, notes: list[Note]) -> int:
        """Ours on top of Knative's count: the up rate never shrinks, and a tolerance where the user asked for one."""
        replicas, wanted = scaled.replicas, scaled.wanted
        # The rates count ready pods. With many pods starting, the most they allow can lie below what is asked for
        # already; the load needs these pods, so they are capacity on its way and not a surplus.
        if replicas < (needed := ratio.count(min(wanted, current))):
            notes.append(Note(STAGE, replicas, needed, "CapacityOnItsWay", f"{current} are asked for, and needed"))
            replicas = needed
        if self._is_calm(scaled, current, ratio.over(load, share * current)) and replicas != current:
            notes.append(Note(STAGE, replicas, current, "WithinTolerance", "too little changed"))
            replicas = current
        return replicas

    def _is_calm(self, scaled: decider.Scaled, current: int, share_of_target: float) -> bool:
        band = self.rules.tolerance
        if scaled.panicking or not (band.up or band.down) or current < max(1, self.rules.activation_scale):
            return False
        return ratio.is_within(share_of_target, band)


def _unknown(metric: MetricSpec, state: Any, why: str) -> Proposal:
    return Proposal(metric.id, None, target.failure_reason(metric), why, target=metric.threshold.value, state=state)

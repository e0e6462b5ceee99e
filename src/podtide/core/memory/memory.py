"""One autoscaler's memory as a whole: per metric, per algorithm, and what was decided and done."""

from collections.abc import Sequence
from typing import Any

from podtide.core.forecast import Foresight
from podtide.core.memory import meaning, snapshot
from podtide.core.memory.metric import MetricMemory
from podtide.core.memory.snapshot import Frozen, Saved
from podtide.core.model.history import History
from podtide.core.model.spec import AutoscalerSpec, MetricSpec

BACK = 60.0
"""Seconds that the clock may go back before it counts as another clock. Less is a correction, and harmless."""

AHEAD = 900.0
"""Seconds without a tick or a reading after which the past is not continued."""


class Memory:
    """What one autoscaler knows between two ticks."""

    __slots__ = (
        "changed",
        "clock",
        "crowded",
        "failing",
        "forecasts",
        "has_run",
        "history",
        "horizon",
        "left",
        "metrics",
        "replicas",
        "scaled_to_zero",
        "shadow",
        "since",
        "states",
    )

    def __init__(self, since: float, *, scaled_to_zero: bool | None = None) -> None:
        """An empty memory that begins at `since`.

        `scaled_to_zero` is the condition of that name as the object's status still has it, None if it has none.
        """
        self.since = since
        """When this memory began: the start of the process, or the last step of the clock."""
        self.clock = since
        """The newest time that has been seen."""
        self.metrics: dict[str, MetricMemory] = {}
        self.states: dict[str, Any] = {}
        """Metric id → the algorithm's state."""
        self.history = History()
        self.failing: dict[str, float] = {}
        """Metric id → since when it has been without usable values."""
        self.shadow: Memory | None = None
        """What `spec.shadow` knows."""
        self.forecasts: dict[str, Foresight | Frozen] = {}
        """Metric id → where its load is going; frozen until the first reading after a restart."""
        self.horizon: float | None = None
        """How many seconds ahead forecasts look."""
        self.scaled_to_zero = scaled_to_zero
        """Whether the last scaling was ours and to zero; None where there has been none."""
        self.replicas: int | None = None
        """The target's count when it was last known."""
        self.changed: float | None = None
        """When that count last changed, whoever changed it; None where it has not."""
        self.crowded: float | None = None
        """When most pods were last on their way and the few that were up not idle; None where never."""
        self.left: float | None = None
        """Until when it is known what was done: by another process, which may have done more until it ended, or before
        a scaling to zero that was not answered. None where all of it is known, as after a tick."""
        self.has_run = False
        """Whether the workload has been seen above zero replicas."""

    def is_continued(self, now: float, spec: AutoscalerSpec) -> bool:
        """Whether `now` is on the same clock as what is remembered.

        After a step neither ages nor windows mean anything, so a clock that stepped is treated as a restart: windows
        are refilled and recommendations begin with the current count before anything shrinks.
        """
        if spec.is_exact:
            return True
        return -BACK <= now - self.clock <= AHEAD or AHEAD < now - self.clock <= 10.0 * spec.interval

    def has_missed(self, now: float, spec: AutoscalerSpec) -> bool:
        """Whether ticks of another process may be missing, as after one that ended without a last save.

        What those recommended is unknown, so the current count stands for it, as for a memory that is empty.
        """
        return self.left is not None and now - self.left > 2.0 * spec.interval and not spec.is_exact

    def was_blind(self, now: float, spec: AutoscalerSpec) -> bool:
        """Whether for more than two ticks a metric was without usable values, or nothing was decided at all.

        What would have been asked for meanwhile is unknown. Nothing is decided while a patch waits for its answer.
        """
        failing = min(self.failing.values(), default=now)
        recommended = max((found.at for found in self.history.recommendations), default=now)
        # A clock that is put back makes no gap smaller.
        return max(now, self.clock) - min(failing, recommended) > 2.0 * spec.interval and not spec.is_exact

    def resume(self) -> "Memory":
        """Go on with what another process has left."""
        self.left = self.clock
        if self.shadow is not None:
            self.shadow.resume()
        return self

    def restarted(self, now: float) -> "Memory":
        """An empty memory that begins at `now`. What does not age is taken over."""
        memory = Memory(now, scaled_to_zero=self.scaled_to_zero)
        memory.has_run, memory.replicas, memory.left = self.has_run, self.replicas, self.left
        memory.forecasts, memory.horizon = self.forecasts, self.horizon
        memory.shadow = None if self.shadow is None else self.shadow.restarted(now)
        return memory

    def other(self) -> "Memory":
        """An empty memory for another policy of the same object."""
        memory = Memory(self.since, scaled_to_zero=self.scaled_to_zero)
        memory.has_run, memory.replicas = self.has_run, self.replicas
        return memory

    def restart(self, now: float) -> None:
        """Become an empty memory that begins at `now`."""
        fresh = self.restarted(now)
        for name in Memory.__slots__:
            setattr(self, name, getattr(fresh, name))
        self.pause()

    def pause(self) -> None:
        """Let forecasts go on from nothing but what is usual."""
        for foresight in self.forecasts.values():
            if isinstance(foresight, Foresight):
                foresight.pause()
        if self.shadow is not None:
            self.shadow.pause()

    def of(self, metric: MetricSpec, metrics: Sequence[MetricSpec]) -> MetricMemory | None:
        """What is known of one of the autoscaler's metrics; None where what is kept is of something else."""
        kept = self.metrics.get(metric.id)
        return kept if kept is not None and kept.is_of(metric, metrics) else None

    def keep(self, metric: MetricSpec, metrics: Sequence[MetricSpec]) -> MetricMemory:
        """The same to write to: begun anew where there is none. Metrics that the spec no longer has are forgotten."""
        kept = self.of(metric, metrics)
        if kept is None:
            if metric.id in self.metrics:
                # It has come to mean something else. After a restart it has not: what is usual is still usual.
                self.forecasts.pop(metric.id, None)
            kept = self.metrics[metric.id] = MetricMemory(meaning.digest(metric, metrics))
        if kept.seen is not metrics:
            kept.seen = metrics
            self._keep_only({each.id for each in metrics})
        return kept

    def _keep_only(self, ids: set[str]) -> None:
        for kept in (self.metrics, self.states, self.failing, self.forecasts):
            for gone in kept.keys() - ids:
                del kept[gone]

    def snapshot(self) -> bytes:
        """All of it as bytes, for another process to go on with."""
        return snapshot.pack(self.save())

    def save(self) -> Saved:
        """All of it as plain data."""
        return Saved(
            version=snapshot.VERSION,
            since=self.since,
            clock=self.clock,
            has_run=self.has_run,
            replicas=self.replicas,
            changed=self.changed,
            crowded=self.crowded,
            left=self.left,
            scaled_to_zero=self.scaled_to_zero,
            metrics={id_: metric.save() for id_, metric in self.metrics.items()},
            states={id_: snapshot.plain(state) for id_, state in self.states.items()},
            failing=self.failing,
            forecasts={
                id_: each.data if isinstance(each, Frozen) else each.save() for id_, each in self.forecasts.items()
            },
            horizon=self.horizon,
            shadow=None if self.shadow is None else self.shadow.save(),
            recommendations=self.history.recommendations,
            grown=self.history.grown,
            shrunk=self.history.shrunk,
        )

    @classmethod
    def restore(cls, data: bytes) -> "Memory":
        """The memory that gave this snapshot. ValueError for damaged data or another version's."""
        saved = snapshot.unpack(data)
        try:
            return cls._of(saved)
        except (KeyError, TypeError) as error:
            raise ValueError(f"memory snapshot is damaged: {error!r}") from error

    @classmethod
    def _of(cls, saved: Saved) -> "Memory":
        memory = cls(saved.since, scaled_to_zero=saved.scaled_to_zero)
        memory.clock = saved.clock
        memory.has_run, memory.replicas, memory.changed = saved.has_run, saved.replicas, saved.changed
        memory.crowded, memory.left = saved.crowded, saved.left
        memory.metrics = {id_: MetricMemory.restore(metric) for id_, metric in saved.metrics.items()}
        memory.states = {id_: snapshot.Frozen(state) for id_, state in saved.states.items()}
        memory.failing = saved.failing
        memory.forecasts = {id_: Frozen(data) for id_, data in saved.forecasts.items()}
        memory.horizon = saved.horizon
        memory.shadow = None if saved.shadow is None else cls._of(saved.shadow)
        memory.history = History(saved.recommendations, saved.grown, saved.shrunk)
        return memory

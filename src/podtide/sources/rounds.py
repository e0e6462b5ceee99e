"""One round of a metric: which pods are awaited, and what has come in. Becomes a `Reading`. `sources.pods` fills it."""

from collections.abc import Collection, Mapping

from podtide.core.model.reading import Failure, Reading, Reason, Sample


class Round:
    """The pods that were to answer, their answers, and who is still silent."""

    __slots__ = ("_expected", "_failures", "_series", "_values", "is_early", "opened", "pending")

    def __init__(self, opened: float, pending: Collection[str], failures: Mapping[str, Failure], *, is_early: bool):
        self.opened = opened
        """The loop's time."""
        self.pending = set(pending)
        """Uids of pods that have not answered."""
        self.is_early = is_early
        """Opened when there was first something to read, not at the boundary of an interval."""
        self._expected = {*pending, *failures}
        self._failures = dict(failures)
        self._values: dict[str, float] = {}
        self._series: dict[str, tuple[Sample, ...]] = {}

    def take(self, uid: str, outcome: float | tuple[Sample, ...] | Failure) -> None:
        """Note a pod's answer."""
        self.pending.discard(uid)
        if isinstance(outcome, Failure):
            self._failures[uid] = outcome
        elif isinstance(outcome, tuple):
            self._series[uid] = outcome
        else:
            self._values[uid] = outcome

    def keep(self, uids: Collection[str]) -> None:
        """Await only these; the others are gone, and what they said with them."""
        gone = self._expected.difference(uids)
        self._expected -= gone
        self.pending -= gone
        for uid in gone:
            for answers in (self._failures, self._values, self._series):
                answers.pop(uid, None)

    def close(self, metric: str, at: float) -> Reading:
        """The reading; whoever is still silent is a timeout."""
        for uid in self.pending:
            self._failures[uid] = Failure(Reason.TIMEOUT, "no answer before the next round")
        nobody = None if self._expected else Failure(Reason.NO_PODS, "no pod of the target is ready")
        return Reading(
            metric,
            at,
            values=self._values,
            series=self._series,
            expected=len(self._expected),
            failures=self._failures,
            failure=nobody,
        )

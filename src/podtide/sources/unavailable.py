"""Stands in for a source that does not exist where the controller runs: without a cluster there are no metrics APIs."""

from podtide.aio.mailbox import Mailbox
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, MetricSpec
from podtide.core.model.view import TargetView
from podtide.sources import polling


class Unavailable:
    """Answers every reading with why there is none."""

    def __init__(self, desk: polling.Desk) -> None:
        self._desk = desk

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> polling.Polling:
        """One failure per interval."""
        kind = type(metric.source).__name__.lower()
        failure = Failure(Reason.API, f"metrics of kind {kind} cannot be read here; this controller has no such API")

        async def read(_: TargetView, timeout: float) -> Reading:  # noqa: ARG001 - the signature of a reader
            return Reading(metric.id, self._desk.timer.now(), failure=failure)

        return polling.Polling(self._desk, spec, metric, mailbox, read)

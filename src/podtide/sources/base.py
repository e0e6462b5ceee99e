"""The contract every source keeps. `control.worker` subscribes once per metric; `sources.registry` finds the source."""

from typing import Protocol

from podtide.aio.mailbox import Mailbox
from podtide.core.model.reading import Reading
from podtide.core.model.spec import AutoscalerSpec, MetricSpec
from podtide.core.model.view import TargetView


class Subscription(Protocol):
    """One metric of one autoscaler, being read."""

    def update(self, view: TargetView) -> None:
        """Say what the target looks like now. A view with `failure` changes nothing."""
        ...

    def close(self) -> None:
        """Stop reading; nothing is put into the mailbox afterwards."""
        ...


class Source(Protocol):
    """Something that metrics can be read from."""

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> Subscription:
        """Begin to read. One reading per `metric.interval` goes into the mailbox, whatever happens.

        Nothing is read before the first `update`. What cannot be read is a failure inside the reading.
        """
        ...

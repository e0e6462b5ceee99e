"""Why a metric is not on a page, without looking at every page: `pods` and `endpoint` ask for each that lacks it."""

import math
from collections.abc import Callable

from podtide.core import select
from podtide.core.model.reading import Failure, Reason
from podtide.sources import verdict

PAUSE = 60.0
"""Seconds between two looks of one metric."""
MOST = 1024 * 1024
"""Bytes of a page that are looked over line by line, because the whole process waits for it."""


class Looks:
    """What the last look at a page without the metric has found; it stands for all such pages until the next."""

    __slots__ = ("_at", "_failure", "_metric", "_now")

    def __init__(self, metric: str, now: Callable[[], float]) -> None:
        """`now` tells seconds that only grow."""
        self._metric = metric
        self._now = now
        self._at = -math.inf
        self._failure = Failure(Reason.NO_METRIC)

    def why(self, text: verdict.Text, content_type: str, engine: str) -> Failure:
        """The reason, with the names that are like the metric's or the line that breaks the page."""
        now = self._now()
        if now - self._at >= PAUSE:
            self._at = now
            self._failure = select.missing(
                text, self._metric, engine=engine, openmetrics=verdict.is_openmetrics(content_type), most=MOST
            )
        return self._failure

"""The `endpoint` source: one page or JSON document outside the pods that answers for the whole workload."""

from podtide.aio.mailbox import Mailbox
from podtide.core import derive, exposition, jsonpath, names, select
from podtide.core.model.reading import Failure, Reading, Reason, Sample
from podtide.core.model.spec import AutoscalerSpec, Endpoint, MetricSpec
from podtide.core.model.view import TargetView
from podtide.net import http, page, prepare
from podtide.sources import missing, polling, urls, verdict

WHOLE = ""
"""Stands for a pod's uid in `Reading.series` when the series are those of the whole workload."""


class Endpoints:
    """Subscribes to pages at URLs."""

    def __init__(self, desk: polling.Desk, pages: urls.Urls) -> None:
        self._desk = desk
        self._pages = pages

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> polling.Polling:
        """Begin to read this URL with the first update."""
        source = metric.source
        if not isinstance(source, Endpoint):
            raise TypeError(f"metric {metric.id} is not read from an endpoint")
        accept = verdict.ACCEPT if source.json_path is None else verdict.ACCEPT_JSON
        opened = self._pages.open(spec, source.http, source.url, accept)
        wanted = derive.candidates(metric.select.metric, metric.derive)
        reader = exposition.Reader(wanted)
        looks = missing.Looks(metric.select.metric, self._desk.agenda.now, self._desk.turns)

        async def read(_: TargetView, timeout: float) -> Reading:
            answer = await opened.get(timeout, fresh=metric.interval / 2)
            at = self._desk.timer.now()
            if isinstance(answer, Failure):
                return Reading(metric.id, at, failure=answer)
            if source.json_path is not None:
                return _reading(metric, at, jsonpath.value(answer.body, source.json_path))
            return _reading(metric, at, _value(metric, source, wanted, reader, looks, answer))

        timeout = source.http.timeout
        return polling.Polling(self._desk, spec, metric, mailbox, read, timeout=timeout, ended=opened.close)


def _reading(metric: MetricSpec, at: float, outcome: float | tuple[Sample, ...] | Failure) -> Reading:
    if isinstance(outcome, Failure):
        return Reading(metric.id, at, failure=outcome)
    if isinstance(outcome, tuple):
        return Reading(metric.id, at, series={WHOLE: outcome})
    return Reading(metric.id, at, total=outcome)


def _value(
    metric: MetricSpec,
    source: Endpoint,
    wanted: tuple[str, ...],
    reader: exposition.Reader,
    looks: missing.Looks,
    answer: page.FetchedPage,
) -> float | tuple[Sample, ...] | Failure:
    ask = http.ask_for(source.url, prepare.Prepared())
    found = verdict.series(answer.body, answer.content_type, reader, ask)
    if isinstance(found, Failure):
        return found
    samples = select.first(found, wanted)
    if not samples:
        return looks.why(answer.body, answer.content_type, names.DEFAULT_ENGINE)
    if not derive.is_derived(metric.derive):
        return select.value(samples, metric.select)
    series = tuple(select.matching(samples, metric.select))
    nothing = select.value(samples, metric.select)
    return series or (nothing if isinstance(nothing, Failure) else Failure(Reason.NO_SERIES))

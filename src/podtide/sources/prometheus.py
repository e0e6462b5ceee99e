"""The `prometheus` source: an instant query to Prometheus or anything that speaks its API (Thanos, Mimir, …).

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

import math
from typing import Literal

import msgspec

from podtide.aio.mailbox import Mailbox
from podtide.core import jsonsize
from podtide.core.model.reading import Failure, Reading, Reason
from podtide.core.model.spec import AutoscalerSpec, MetricSpec, Query
from podtide.core.model.view import TargetView
from podtide.kube import errors
from podtide.net import page
from podtide.sources import polling, urls, verdict

_SHOWN = 300
"""Characters of a server's own message that are passed on."""
_EMPTY = "the query found no series; if that means zero, set `ignoreNullValues: true`"
# Thanos and VictoriaMetrics answer from the storage they can reach unless told not to. A sum over half the pods is too
# low, and nothing may shrink by it. Prometheus and Mimir, which never answer so, take no notice.
_WHOLE = {"partial_response": "false", "deny_partial_response": "1"}
_PARTIAL = "the server answered from only a part of its storage; see which of its nodes is away"

Point = tuple[float, str]


class _Series(msgspec.Struct):
    value: Point | None = None
    """None for a native histogram, which has no single number."""
    metric: dict[str, str] = msgspec.field(default_factory=dict)


class _Vector(msgspec.Struct, tag_field="resultType", tag="vector"):
    result: list[_Series]


class _Scalar(msgspec.Struct, tag_field="resultType", tag="scalar"):
    result: Point


class _String(msgspec.Struct, tag_field="resultType", tag="string"):
    result: msgspec.Raw


class _Matrix(msgspec.Struct, tag_field="resultType", tag="matrix"):
    result: msgspec.Raw


class _Answer(msgspec.Struct):
    status: Literal["success", "error"]
    data: _Vector | _Scalar | _String | _Matrix | None = None
    isPartial: bool = False
    """Of VictoriaMetrics: some of its nodes did not answer."""
    errorType: str = ""
    error: str = ""


class Queries:
    """Subscribes to instant queries."""

    def __init__(self, desk: polling.Desk, pages: urls.Urls) -> None:
        self._desk = desk
        self._pages = pages

    def subscribe(self, spec: AutoscalerSpec, metric: MetricSpec, mailbox: Mailbox[Reading]) -> polling.Polling:
        """Begin to ask this query with the first update."""
        source = metric.source
        if not isinstance(source, Query):
            raise TypeError(f"metric {metric.id} is not a query")
        opened = self._pages.open(spec, source.http, address(source), verdict.ACCEPT_JSON)

        async def read(_: TargetView, timeout: float) -> Reading:
            params = parameters(source, timeout)
            answer = await opened.get(timeout, params=params, fresh=metric.interval / 2, explain=refusal)
            outcome = answer if isinstance(answer, Failure) else value(answer, source)
            at = self._desk.timer.now()
            if isinstance(outcome, Failure):
                return Reading(metric.id, at, failure=outcome)
            return Reading(metric.id, at, total=outcome)

        timeout = source.http.timeout
        return polling.Polling(self._desk, spec, metric, mailbox, read, timeout=timeout, ended=opened.close)


def address(source: Query) -> str:
    """Where instant queries are asked."""
    return source.url.rstrip("/") + "/api/v1/query"


def parameters(source: Query, timeout: float) -> dict[str, str]:
    """What is sent with a query."""
    # The server gives up a query nobody waits for any more.
    return {"query": source.query, "timeout": f"{timeout:.3f}", **_WHOLE}


def refusal(answer: page.FetchedPage) -> Failure | None:
    """The server's own words, as it gives them with statuses 400, 422 and 503; None where they are not of its API."""
    if jsonsize.is_crowded(answer.body):
        return None
    try:
        said = msgspec.json.decode(answer.body, type=_Answer)
    except errors.UNREADABLE:
        return None
    return Failure(Reason.API, f"HTTP {answer.status}: {said.errorType}: {said.error[:_SHOWN]}")


def value(answer: page.FetchedPage, source: Query) -> float | Failure:
    """The one number of an answer: a scalar's, or that of a vector's only series.

    No series is a failure, because lost targets look just so. With `ignore_null` it is 0: for a query such as
    `sum(rate(x[1m]))` that has none while nothing happens. Several series are a failure: which one is meant only
    the query can say.
    """
    if jsonsize.is_crowded(answer.body):
        many = f"the answer has {len(answer.body)} bytes and more than {jsonsize.MOST} values"
        return Failure(Reason.TOO_LARGE, f"{source.url}: {many}; aggregate the series, for example with sum()")
    try:
        data = msgspec.json.decode(answer.body, type=_Answer, strict=False)
    except errors.UNREADABLE as error:
        return Failure(Reason.PARSE, f"{source.url}: this is no answer of Prometheus' API ({error}); check `endpoint`")
    if data.status != "success":
        return refusal(answer) or Failure(Reason.API)
    if data.isPartial:
        return Failure(Reason.NO_DATA, f"{source.url}: {_PARTIAL}")
    match data.data:
        case _Scalar(result=point):
            return _number(point, source)
        case _Vector(result=[]):
            return 0.0 if source.ignore_null else Failure(Reason.NO_DATA, _EMPTY)
        case _Vector(result=[one]) if one.value is not None:
            return _number(one.value, source)
        case _Vector(result=[_]):
            return Failure(Reason.NOT_A_NUMBER, "the query's result is a native histogram; take a quantile or a count")
        case _Vector(result=several):
            some = ", ".join(str(one.metric) for one in several[:3])
            return Failure(
                Reason.NOT_A_NUMBER,
                f"the query found {len(several)} series ({some[:_SHOWN]}, …); aggregate them, for example with sum()",
            )
    return Failure(Reason.NOT_A_NUMBER, "the query's result is no instant vector and no scalar; leave out the [range]")


def _number(point: Point, source: Query) -> float | Failure:
    try:
        number = float(point[1])
    except ValueError:
        return Failure(Reason.PARSE, f"{source.url}: {point[1][:_SHOWN]!r} is no number")
    if math.isfinite(number):
        return number
    return Failure(Reason.NOT_A_NUMBER, f"the query's result is {point[1]}; a division by zero is the usual reason")

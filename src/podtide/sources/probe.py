"""One look at one page, with everything said that a person needs to mend what is wrong. Called by `cli.probe`.

The very parts that scrapes are made of, in a row: prepare, ask, judge, read, select.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from podtide.core import exposition, names, select
from podtide.core.model.reading import Failure, Reason, Sample
from podtide.core.model.spec import Http, PodPage, Select
from podtide.core.model.view import PodView
from podtide.net import prepare
from podtide.net.auth import Credentials
from podtide.net.engine import Engine
from podtide.net.page import Ask, FetchedPage, Page
from podtide.sources import addresses, verdict


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe saw."""

    metric: str
    value: float | Failure
    """The pod's one number, or why there is none."""
    series: Sequence[Sample] = ()
    """The series that count towards it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What was seen on the way, by what it is called: `asked`, `status`, `content type`, …"""


def page(text: bytes, wanted: Select, *, openmetrics: bool, engine: str = names.DEFAULT_ENGINE) -> Found:
    """Look for a metric on a page that is at hand."""
    kind = "application/openmetrics-text" if openmetrics else "text/plain"
    facts = {"read as": "OpenMetrics 1.0" if openmetrics else "Prometheus text 0.0.4", "bytes": str(len(text))}
    return _judge(text, kind, wanted, engine, facts)


async def url(address: str, http: Http, wanted: Select, credentials: Credentials, defaults: prepare.Defaults) -> Found:
    """Ask a URL as a scrape would and look for a metric on its page."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        failure = Failure(Reason.CONNECT, f'"{address}" is no URL; write for example http://10.0.0.7:8000/metrics')
        return Found(wanted.metric, failure)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    # Not `host:port`: a person at a terminal may send what they name to where they name.
    way = await prepare.Preparer(credentials, defaults).prepare(prepare.Kind("default", http))
    if isinstance(way, Failure):
        return Found(wanted.metric, way)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    ask = Ask(parts.hostname, port, path, way.context, way.server_name, way.headers)
    return await _ask(ask, wanted, names.DEFAULT_ENGINE, http)


async def pod(
    seen: PodView, namespace: str, source: PodPage, wanted: Select, credentials: Credentials, defaults: prepare.Defaults
) -> Found:
    """Ask a pod as a scrape would and look for a metric on its page."""
    way = await prepare.Preparer(credentials, defaults).prepare(prepare.Kind(namespace, source.http))
    if isinstance(way, Failure):
        return Found(wanted.metric, way)
    ask = addresses.ask(seen, source, way)
    if isinstance(ask, Failure):
        return Found(wanted.metric, ask)
    return await _ask(ask, wanted, addresses.engine(seen), source.http)


async def _ask(ask: Ask, wanted: Select, engine: str, http: Http) -> Found:
    carrier = Engine()
    try:
        answer = await carrier.fetch(ask, http.timeout or 5.0)
    finally:
        await carrier.aclose()
    facts = {"asked": str(ask), "verified": _verified(ask)}
    if isinstance(answer, Failure):
        return Found(wanted.metric, answer, facts=facts)
    facts |= _facts(answer)
    refusal = verdict.refusal(_as_page(answer), ask)
    if refusal is not None:
        return Found(wanted.metric, refusal, facts=facts)
    return _judge(answer.body, answer.content_type, wanted, engine, facts, ask)


def _judge(
    text: bytes, content_type: str, wanted: Select, engine: str, facts: Mapping[str, str], ask: Ask | None = None
) -> Found:
    candidates = names.candidates(wanted.metric, engine)
    openmetrics = verdict.is_openmetrics(content_type)
    found = verdict.series(text, content_type, exposition.Reader(candidates), ask or Ask("page", 0))
    if isinstance(found, Failure):
        return Found(wanted.metric, found, facts=facts)
    samples = select.first(found, candidates)
    if not samples:
        missing = select.missing(text, wanted.metric, engine=engine, openmetrics=openmetrics)
        return Found(wanted.metric, missing, facts=facts)
    counted = select.matching(samples, wanted)
    facts = {**facts, "series on the page": f"{len(samples)} named {samples[0].name}"}
    return Found(wanted.metric, select.value(samples, wanted), counted, facts)


def _facts(answer: FetchedPage) -> dict[str, str]:
    return {
        "status": str(answer.status),
        "content type": answer.content_type or "none",
        "bytes": str(len(answer.body)),
        "took": f"{answer.elapsed * 1000:.1f} ms",
    }


def _verified(ask: Ask) -> str:
    if ask.context is None:
        return "no: plain HTTP"
    if ask.context.verify_mode is ssl.CERT_NONE:
        return "no: any certificate is accepted"
    return f"the certificate, for the name {ask.server_name or ask.host}"


def _as_page(answer: FetchedPage) -> Page:
    return Page(
        answer.status,
        answer.content_type,
        memoryview(answer.body),
        answer.elapsed,
        answer.location,
        answer.www_authenticate,
        answer.server,
    )

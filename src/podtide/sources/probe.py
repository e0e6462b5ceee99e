"""One look at one page, with everything said that a person needs to mend what is wrong. Called by `cli.probe`.

The very parts that scrapes are made of, in a row: prepare, ask, judge, read, select.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from podtide.core import derive, exposition, jsonpath, names, select
from podtide.core.derive import histogram
from podtide.core.model.reading import Failure, Reason, Sample
from podtide.core.model.spec import Derive, Gauge, Http, PodPage, Quantile, Query, Select
from podtide.core.model.view import PodView
from podtide.net import certnames, handshake, http, prepare
from podtide.net.auth import Credentials
from podtide.net.engine import Engine
from podtide.net.page import Ask, FetchedPage, Limits
from podtide.sources import addresses, peers, prometheus, verdict

TIMEOUT = 5.0
"""Seconds for an answer where a source does not say."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for."""

    select: Select
    derive: Derive = field(default_factory=Gauge)
    engine: str = names.DEFAULT_ENGINE
    json_path: str | None = None
    """Where the number stands in a JSON document; None for a page of metrics."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe saw."""

    metric: str
    value: float | Failure
    """The pod's one number, or why there is none."""
    series: Sequence[Sample] = ()
    """The series with the wanted name and labels."""
    parts: Sequence[Sample] = ()
    """Those of them that do not count, because they are parts of a total that does."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What was seen on the way, by what it is called: `asked`, `status`, `content type`, …"""
    pod: str = ""
    """Whose page it was; empty for one that is no pod's."""


def page(text: bytes, wanted: Wanted, *, openmetrics: bool) -> Found:
    """Look for a metric on a page that is at hand."""
    kind = "application/openmetrics-text" if openmetrics else "text/plain"
    read_as = "OpenMetrics 1.0" if openmetrics else "Prometheus text 0.0.4"
    facts = {"read as": "JSON" if wanted.json_path is not None else read_as, "bytes": str(len(text))}
    return _judge(text, kind, wanted, facts)


async def url(address: str, way: Http, wanted: Wanted, credentials: Credentials, defaults: prepare.Defaults) -> Found:
    """Ask a URL as a scrape would and look for a metric on its page."""
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_valid = False
    if not is_valid:
        failure = Failure(Reason.CONNECT, f'"{address}" is no URL; write for example http://10.0.0.7:8000/metrics')
        return Found(wanted.select.metric, failure)
    # No `host:port`: a person at a terminal may send what they name to where they name.
    prepared = await prepare.Preparer(credentials, defaults).prepare(prepare.Kind("default", way))
    if isinstance(prepared, Failure):
        return Found(wanted.select.metric, prepared)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    accept = verdict.ACCEPT if wanted.json_path is None else verdict.ACCEPT_JSON
    headers = (("Accept", accept), *prepared.headers)
    ask = Ask(parts.hostname or "", port, path, prepared.context, prepared.server_name, headers, prepared.http2)
    return await look(ask, wanted, way.timeout or TIMEOUT)


async def pod(
    seen: PodView,
    namespace: str,
    source: PodPage,
    wanted: Wanted,
    credentials: Credentials,
    defaults: prepare.Defaults,
) -> Found:
    """Ask a pod as a scrape would and look for a metric on its page."""
    way = replace(source.http, scheme=addresses.scheme(seen, source))
    prepared = await prepare.Preparer(credentials, defaults).prepare(prepare.Kind(namespace, way))
    if isinstance(prepared, Failure):
        return Found(wanted.select.metric, prepared, pod=seen.name)
    ask = addresses.ask(seen, source, prepared)
    if isinstance(ask, Failure):
        return Found(wanted.select.metric, ask, pod=seen.name)
    found = await look(ask, replace(wanted, engine=addresses.engine(seen)), way.timeout or TIMEOUT)
    return replace(found, pod=seen.name)


async def look(ask: Ask, wanted: Wanted, timeout: float, query: Query | None = None) -> Found:
    """Ask, and tell all that was seen on the way to the number: that of a page, or of a query's result."""
    facts = {"asked": str(ask), "request": _request(ask)}
    if ask.context is not None:
        facts |= await _certificates(ask, timeout)
    answer = await _fetch(ask, timeout)
    if isinstance(answer, Failure):
        return Found(wanted.select.metric, await peers.explained(answer, ask, timeout), facts=facts)
    facts |= _facts(answer)
    refusal = verdict.refusal(answer, ask)
    if refusal is not None and query is not None:
        refusal = prometheus.refusal(answer) or refusal
    if refusal is not None:
        return Found(wanted.select.metric, await peers.explained(refusal, ask, timeout), facts=facts)
    if query is not None:
        return Found(wanted.select.metric, prometheus.value(answer, query), facts=facts)
    return _judge(answer.body, answer.content_type, wanted, facts, ask)


async def _fetch(ask: Ask, timeout: float) -> FetchedPage | Failure:
    if ask.http2:
        client = http.Client(Limits())
        try:
            way = prepare.Prepared(ask.context, ask.server_name, ask.headers, ask.http2)
            return await client.get(str(ask), way, timeout)
        finally:
            await client.aclose()
    carrier = Engine()
    try:
        return await carrier.fetch(ask, timeout)
    except ValueError as error:
        return Failure(Reason.PROTOCOL, f"{ask}: {error}")
    finally:
        await carrier.aclose()


def _judge(text: bytes, content_type: str, wanted: Wanted, facts: Mapping[str, str], ask: Ask | None = None) -> Found:
    metric = wanted.select.metric
    if wanted.json_path is not None:
        return Found(metric, jsonpath.value(text, wanted.json_path), facts=facts)
    candidates = derive.candidates(metric, wanted.derive, wanted.engine)
    openmetrics = verdict.is_openmetrics(content_type)
    page_ = verdict.series(text, content_type, exposition.Reader(candidates), ask or "the page")
    if isinstance(page_, Failure):
        return Found(metric, page_, facts=facts)
    samples = select.first(page_, candidates)
    if not samples:
        missing = select.missing(text, candidates[0], engine=wanted.engine, openmetrics=openmetrics)
        return Found(metric, missing, facts=facts)
    matching = [one for one in samples if select.matches(one.labels, wanted.select.matches)]
    counted = select.matching(samples, wanted.select)
    facts = {**facts, "series on the page": f"{len(samples)} named {samples[0].name}, {len(counted)} counted"}
    parts = (
        [one for one in matching if not any(one is other for other in counted)] if len(counted) < len(matching) else ()
    )
    elsewhere = exposition.check(text, openmetrics=openmetrics)
    if elsewhere is not None:
        facts["elsewhere"] = f"{elsewhere}; this metric is not touched by it, but other readers may refuse the page"
    if isinstance(wanted.derive, Quantile):
        found = Found(metric, select.value(samples, wanted.select), matching, parts=parts, facts=facts)
        return _quantile(wanted.derive.q, counted, found)
    if derive.is_derived(wanted.derive):
        facts["shown"] = "the counter as it stands; its growth takes two readings"
    return Found(metric, select.value(samples, wanted.select), matching, parts=parts, facts=facts)


def _quantile(share: float, counted: Sequence[Sample], found: Found) -> Found:
    """Of everything the histogram has counted since the server began: one page knows of no window."""
    facts = {**found.facts, "shown": f"quantile {share:g} since the server began; over a window it takes two readings"}
    if not counted:
        return replace(found, facts=facts)
    bounds = [(float(one.labels["le"]), one.value) for one in counted if _is_number(one.labels.get("le", ""))]
    result = histogram.quantile(share, bounds)
    nothing = Failure(Reason.NO_DATA, "the histogram has counted nothing yet, or has no +Inf bucket")
    return replace(found, value=nothing if result != result else result, facts=facts)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _request(ask: Ask) -> str:
    """What is sent, without what is secret."""
    host = next((value for name, value in ask.headers if name.lower() == "host"), "")
    shown = [f"Host: {host or str(ask).partition('://')[2].partition('/')[0]}"]
    for name, value in ask.headers:
        if name.lower() == "accept":
            shown.append(f"{name}: {value}")
        elif name.lower() != "host":
            shown.append(f"{name}: (hidden)")
    return f"GET {ask.path} HTTP/{'2' if ask.http2 else '1.1'}; {'; '.join(shown)}"


def _facts(answer: FetchedPage) -> dict[str, str]:
    server = {"server": answer.server} if answer.server else {}
    return {
        "status": str(answer.status),
        "content type": answer.content_type or "none",
        **server,
        "bytes": str(len(answer.body)),
        "took": f"{answer.elapsed * 1000:.1f} ms",
    }


async def _certificates(ask: Ask, timeout: float) -> dict[str, str]:
    """The certificates the server shows, what is checked of them, and whether the name is there."""
    seen = await handshake.look(ask, timeout)
    facts = {"verified": _verified(ask)}
    if isinstance(seen, Failure):
        return facts
    facts["TLS"] = seen.version + (f", {seen.protocol}" if seen.protocol else "")
    for number, certificate in enumerate(seen.chain):
        facts["certificate" if not number else f"issuer {number}"] = _described(certificate, is_first=not number)
    return facts


def _described(certificate: certnames.Certificate, *, is_first: bool) -> str:
    subject = certnames.describe(certificate, "subject") or "no subject"
    issuer = certnames.describe(certificate, "issuer")
    by = "self-signed" if certificate.get("subject") == certificate.get("issuer") else f"issued by {issuer}"
    names_ = f"for {', '.join(certnames.names(certificate)) or 'no name'}; " if is_first else ""
    return f"{subject}; {names_}{by}; until {certificate.get('notAfter', 'unknown')}"


def _verified(ask: Ask) -> str:
    context = ask.context
    if context is None or context.verify_mode is ssl.CERT_NONE:
        return "no: any certificate is accepted"
    accepted = getattr(getattr(context, "material", None), "accepted_names", ())
    return f"the chain, and the name {' or '.join(accepted) or ask.server_name or ask.host}"

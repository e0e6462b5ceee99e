"""`spec.metricsSources`: what to read, where, how, and what to hold it at. `decode` calls this."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from podtide.api import defaults, https, selectors, series, thresholds
from podtide.api.errors import MISSING, Findings
from podtide.api.settings import Settings
from podtide.core.model import peers, spec

_COMMON = frozenset(
    {"name", "metricSourceType", "targetMetric", "targetValue", "targetType", "intervalSeconds", "activationValue"}
)
_HTTP = frozenset({"protocolType", "tls", "auth", "hostHeader", "http2", "timeoutSeconds"})
_SERIES = frozenset({"matchLabels", "matchExpressions", "podAggregation", "valueType", "quantile"})
_READ_BY = {
    spec.PodPage: _HTTP | _SERIES | {"port", "path"},
    spec.Resource: frozenset({"container"}),
    spec.Custom: frozenset({"describedObject", "matchLabels", "matchExpressions"}),
    spec.Endpoint: _HTTP | _SERIES | {"endpoint", "path", "jsonPath"},
    spec.External: frozenset({"selector"}),
    spec.Query: _HTTP | {"endpoint", "path", "query", "ignoreNullValues"},
}
"""The fields each kind of source reads, besides the common ones."""
MOST_CONDITIONS = 256
"""Conditions on labels of all sources together: each is looked at once per series, and a page may have 10,000."""
_UNUSED = spec.Threshold(1.0, 1000, spec.TargetType.VALUE)


@dataclass(frozen=True, slots=True)
class Context:
    """What an entry's meaning depends on besides itself."""

    strategy: str
    settings: Settings
    findings: Findings
    inputs: frozenset[str] = frozenset()
    """The names that the formula uses."""


def read(
    entries: Sequence[Any],
    strategy: str,
    settings: Settings,
    findings: Findings,
    *,
    inputs: frozenset[str] = frozenset(),
) -> dict[int, spec.MetricSpec]:
    """The sources that can be used, by their place; each problem of the others is noted.

    `inputs` are the names in a formula.
    """
    context = Context(strategy, settings, findings, inputs)
    seen: Counter[str] = Counter()
    metrics: dict[int, spec.MetricSpec] = {}
    for index, entry in enumerate(entries):
        metric = None if entry is MISSING else _metric(entry, f"spec.metricsSources[{index}]", context)
        if metric is not None:
            seen[metric.id] += 1
            number = seen[metric.id]
            metrics[index] = metric if number == 1 else replace(metric, id=f"{metric.id}#{number}")
    conditions = sum(len(metric.select.matches) for metric in metrics.values())
    if conditions > MOST_CONDITIONS:
        findings.problem(
            "spec.metricsSources",
            MISSING,
            f"has {conditions} conditions on labels in all; write at most {MOST_CONDITIONS}",
        )
    return metrics


def _metric(entry: Mapping[str, Any], path: str, context: Context) -> spec.MetricSpec | None:
    findings = context.findings
    metric = entry.get("targetMetric", "").strip()
    if "targetMetric" in entry and not metric:
        findings.problem(f"{path}.targetMetric", entry["targetMetric"], "is empty; write the metric's name")
    source = _source(entry, metric, path, context)
    derive = series.derive(entry, source, path, findings)
    is_input = entry.get("name") in context.inputs
    threshold = None if source is None else _threshold(entry, source, metric, path, context, is_input=is_input)
    activation = series.activation(entry, path, findings)
    matches = selectors.read(entry, path, findings)
    if source is None or threshold is None or derive is None:
        return None
    _warn_of_unread(entry, source, path, findings)
    seconds = entry.get("intervalSeconds", defaults.interval(context.strategy, context.settings))
    return spec.MetricSpec(
        id=metric,
        source=source,
        select=spec.Select(metric, matches, series.aggregation(entry, metric)),
        threshold=threshold,
        derive=derive,
        interval=float(seconds),
        activation=activation,
        is_input=is_input,
    )


def _threshold(
    entry: Mapping[str, Any], source: spec.Source, metric: str, path: str, context: Context, *, is_input: bool
) -> spec.Threshold | None:
    if not is_input:
        return thresholds.read(entry, source, metric, context.strategy, path, context.findings)
    for field in sorted(entry.keys() & {"targetType", "activationValue"}):
        context.findings.warn(f"{path}.{field}", entry[field], "is not used of a source that the formula names")
    # AIBrix's schema wants a targetValue of every source, so one beside a formula is no mistake.
    return _UNUSED


def _source(entry: Mapping[str, Any], metric: str, path: str, context: Context) -> spec.Source | None:
    match entry.get("metricSourceType"):
        case "pod":
            return _pod_page(entry, path, context.findings)
        case "resource":
            return _resource(entry, metric, path, context.findings)
        case "custom":
            return spec.Custom(metric, _described(entry.get("describedObject")))
        case "external" | "domain" if not entry.get("endpoint"):
            matches = selectors.read(entry.get("selector", {}), f"{path}.selector", context.findings)
            return spec.External(metric, selectors.text(matches))
        case "external" | "domain":
            return _endpoint(entry, path, context)
        case "prometheus":
            return _query(entry, path, context)
    return None


def _pod_page(entry: Mapping[str, Any], path: str, findings: Findings) -> spec.PodPage:
    if "jsonPath" in entry:
        findings.problem(f"{path}.jsonPath", entry["jsonPath"], "goes with an endpoint only, not with pods' pages")
    return spec.PodPage(
        # A pod may say its protocol itself, as it may its port and path.
        http=https.read(entry, entry.get("protocolType"), path, findings),
        port=_port(entry.get("port"), f"{path}.port", findings),
        path=https.path_of(entry.get("path"), f"{path}.path", findings),
    )


def _port(text: str | None, path: str, findings: Findings) -> int | str | None:
    if not text:
        return None
    if text.isascii() and text.lstrip("-").isdigit():
        number = int(text) if len(text) <= 8 and text.isdigit() else 0
        if not 1 <= number <= 65535:
            findings.problem(path, text, "is not a port; write a number from 1 to 65535")
        return number
    # A container port's name: at most 15 lower-case letters, digits and dashes, at least one letter.
    if len(text) > 15 or not text.replace("-", "").isalnum() or text != text.lower() or not text.isascii():
        findings.problem(path, text, "is neither a port nor the name of a container port; write for example 8000")
    return text


def _resource(entry: Mapping[str, Any], metric: str, path: str, findings: Findings) -> spec.Resource | None:
    if metric.lower() not in {"cpu", "memory"}:
        if metric:
            findings.problem(f"{path}.targetMetric", metric, 'is not a resource; write "cpu" or "memory"')
        return None
    return spec.Resource(metric.lower(), entry.get("container"))


def _described(entry: Mapping[str, Any] | None) -> spec.ObjectRef | None:
    if entry is None or not entry.keys() >= {"kind", "name"}:
        return None
    return spec.ObjectRef(entry.get("apiVersion", "v1"), entry["kind"], entry["name"])


def _endpoint(entry: Mapping[str, Any], path: str, context: Context) -> spec.Endpoint | None:
    base = https.base_url(entry, path, context.findings)
    page = https.path_of(entry.get("path"), f"{path}.path", context.findings)
    if base is None:
        return None
    scheme, url = base
    _guard_token(entry, url, path, context)
    own = not url.partition("://")[2].partition("/")[1]
    http = https.read(entry, scheme, path, context.findings)
    return spec.Endpoint(http, url + (page or (defaults.ENDPOINT_PATH if own else "")), entry.get("jsonPath"))


def _query(entry: Mapping[str, Any], path: str, context: Context) -> spec.Query | None:
    for field, example in (("endpoint", "prometheus.monitoring.svc:9090"), ("query", "sum(rate(requests_total[1m]))")):
        if not entry.get(field):
            context.findings.problem(f"{path}.{field}", MISSING, f'is missing; write for example "{example}"')
    if not entry.get("endpoint") or "query" not in entry:
        return None
    base = https.base_url(entry, path, context.findings)
    prefix = https.path_of(entry.get("path"), f"{path}.path", context.findings)
    if base is None:
        return None
    scheme, url = base
    _guard_token(entry, url, path, context)
    url = (url + (prefix or "")).rstrip("/").removesuffix("/api/v1/query")
    http = https.read(entry, scheme, path, context.findings)
    return spec.Query(http, url, entry["query"], entry.get("ignoreNullValues", False))


def _guard_token(entry: Mapping[str, Any], url: str, path: str, context: Context) -> None:
    """The controller's own token goes only where its operator said, as anybody can write an endpoint."""
    address = peers.of(url)
    named = peers.is_named(address, context.settings.trust.token_endpoints)
    if entry.get("auth", {}).get("serviceAccountToken") and not named:
        context.findings.problem(
            f"{path}.auth.serviceAccountToken",
            True,
            f"is not allowed for {address}; name a Secret in bearerTokenSecretRef, "
            "or have the controller's operator allow it with --token-endpoint",
        )


def _warn_of_unread(entry: Mapping[str, Any], source: spec.Source, path: str, findings: Findings) -> None:
    for field in sorted(entry.keys() - _COMMON - _READ_BY[type(source)] - {"jsonPath", "quantile"}):
        findings.warn(f"{path}.{field}", MISSING, f'is not used with metricSourceType "{entry["metricSourceType"]}"')

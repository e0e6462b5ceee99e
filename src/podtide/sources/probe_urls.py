"""One look at a page, a JSON document or a query at a URL, as an autoscaler reads it. For `cli.probe_autoscaler`."""

from dataclasses import replace
from urllib.parse import urlencode

from podtide.core.model import peers
from podtide.core.model.reading import Failure
from podtide.core.model.spec import Endpoint, MetricSpec, Query
from podtide.net import http, prepare
from podtide.net.auth import Credentials
from podtide.sources import probe, prometheus, verdict


async def look(
    namespace: str, metric: MetricSpec, source: Endpoint | Query, credentials: Credentials, defaults: prepare.Defaults
) -> probe.Found:
    """Ask a URL as the source would, with the autoscaler's own credentials."""
    way = source.http
    timeout = way.timeout or probe.TIMEOUT
    if isinstance(source, Query):
        query, json_path = source, None
        url = f"{prometheus.address(source)}?{urlencode(prometheus.parameters(source, timeout))}"
    else:
        query, json_path = None, source.json_path
        url = source.url
    wanted = probe.Wanted(metric.select, metric.derive, json_path=json_path)
    prepared = await prepare.Preparer(credentials, defaults).prepare(prepare.Kind(namespace, way, peers.of(source.url)))
    if isinstance(prepared, Failure):
        return probe.Found(metric.select.metric, prepared)
    accept = verdict.ACCEPT if query is None and json_path is None else verdict.ACCEPT_JSON
    ask = http.ask_for(url, replace(prepared, headers=(("Accept", accept), *prepared.headers)))
    return await probe.look(ask, wanted, timeout, query)

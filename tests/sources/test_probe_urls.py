"""What a probe of an autoscaler shows of the URLs it reads, over real sockets."""

import json
from typing import Any

import pytest
from aiohttp import web

from podtide.core.model import spec
from podtide.core.model.reading import Failure, Reason
from podtide.net import prepare
from podtide.sources import probe_urls
from podtide.sources.probe import Found
from tests.net.test_auth import Store
from tests.sources.specs import metric
from tests.sources.test_probe import failed, serving

TENANT = spec.Http(timeout=5.0, auth=spec.Auth(headers=(("X-Scope-OrgID", spec.KeyRef("tenant", "id")),)))


async def look(source: spec.Endpoint | spec.Query) -> Found:
    secrets = Store({"tenant": {"id": b"sh0p"}})
    return await probe_urls.look("shop", metric("queue", source), source, secrets, prepare.Defaults())


def answered(**data: Any) -> web.Response:
    return web.Response(text=json.dumps({"status": "success", "data": data}), content_type="application/json")


async def test_a_page_is_shown_with_the_request_and_its_series() -> None:
    async with serving() as port:
        found = await look(spec.Endpoint(TENANT, f"http://127.0.0.1:{port}/stats"))
    assert (found.value, [one.value for one in found.series]) == (3.0, [3.0])
    assert found.facts["asked"] == f"http://127.0.0.1:{port}/stats"
    assert found.facts["status"] == "200"
    assert "X-Scope-OrgID: (hidden)" in found.facts["request"]
    assert "sh0p" not in str(found)


async def test_a_json_document_is_read_by_its_path() -> None:
    answer = web.Response(text='{"shards": [4, "5"]}', content_type="application/json")
    async with serving(answer) as port:
        found = await look(spec.Endpoint(TENANT, f"http://127.0.0.1:{port}/stats", "$.shards[1]"))
    assert found.value == 5.0
    assert "application/json" in found.facts["request"]
    assert found.facts["content type"].startswith("application/json")


async def test_a_query_is_asked_as_the_source_asks_it() -> None:
    async with serving(answered(resultType="vector", result=[{"metric": {}, "value": [1, "7.5"]}])) as port:
        found = await look(spec.Query(TENANT, f"http://127.0.0.1:{port}/prometheus/", 'sum(up{job="a"})'))
    assert found.value == 7.5
    assert found.facts["request"].startswith(
        "GET /prometheus/api/v1/query?query=sum%28up%7Bjob%3D%22a%22%7D%29&timeout=5.000&"
    )


@pytest.mark.parametrize(
    ("answer", "reason", "said"),
    [
        pytest.param(answered(resultType="vector", result=[]), Reason.NO_DATA, "ignoreNullValues", id="no series"),
        pytest.param(
            web.Response(status=400, text='{"status":"error","errorType":"bad_data","error":"parse error"}'),
            Reason.API,
            "bad_data: parse error",
            id="the server's own words",
        ),
        pytest.param(web.Response(status=401), Reason.UNAUTHORIZED, "credentials that were sent", id="401"),
        pytest.param(web.Response(text="<html>"), Reason.PARSE, "check `endpoint`", id="a web page"),
    ],
)
async def test_a_query_without_a_number_says_why(answer: web.Response, reason: Reason, said: str) -> None:
    async with serving(answer) as port:
        found = await look(spec.Query(TENANT, f"http://127.0.0.1:{port}", "up"))
    assert failed(found) == Failure(reason)
    assert said in failed(found).detail
    assert found.facts["status"] == str(answer.status)


async def test_the_controllers_token_is_not_shown_to_a_tenants_url() -> None:
    http = spec.Http(auth=spec.Auth(service_account_token=True))
    found = await look(spec.Endpoint(http, "http://127.0.0.1:1/stats"))
    assert failed(found) == Failure(Reason.CREDENTIALS)
    assert "may not receive the controller's token" in failed(found).detail

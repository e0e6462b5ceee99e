"""Endpoints and PromQL over real sockets: what is asked, what is understood, and where credentials go."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from podtide.aio.mailbox import Mailbox
from podtide.core.model import spec
from podtide.core.model.reading import Failure, Reading, Reason, Sample
from podtide.net import auth, prepare
from podtide.net.page import FetchedPage
from podtide.sources import prometheus, registry, urls
from tests.net.authority import Authority
from tests.net.scripted import Server, answer
from tests.net.test_auth import Store
from tests.sources.specs import autoscaler, metric, target


@asynccontextmanager
async def sources(
    credentials: auth.Credentials | None = None, *, allowed: str = "127.0.0.0/8", **defaults: object
) -> AsyncIterator[registry.Sources]:
    options = registry.Options(
        defaults=prepare.Defaults(**defaults),  # type: ignore[arg-type]
        timeout=1.0,
        allowed_endpoints=(allowed,),
    )
    made = registry.Sources(credentials or auth.NoCredentials(), options, rng=random.Random(1))
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await made.aclose()


async def read(made: registry.Sources, *metrics: spec.MetricSpec) -> list[Reading]:
    """One reading of each metric."""
    boxes: list[Mailbox[Reading]] = [Mailbox() for _ in metrics]
    subscriptions = [made.subscribe(autoscaler(one), one, box) for one, box in zip(metrics, boxes, strict=True)]
    for subscription in subscriptions:
        subscription.update(target())
    readings = []
    for box in boxes:
        async with asyncio.timeout(20):
            await box.wake.wait()
        readings += box.drain()
    for subscription in subscriptions:
        subscription.close()
    return readings


def endpoint(
    server: Server,
    *,
    http: spec.Http | None = None,
    json_path: str | None = None,
    path: str = "/metrics",
    **more: object,
) -> spec.MetricSpec:
    http = http or spec.Http()
    url = f"{http.scheme}://{server.host}:{server.port}{path}"
    return metric(source=spec.Endpoint(http, url, json_path), **more)  # type: ignore[arg-type]


def query(server: Server, *, text: str = "sum(up)", ignore_null: bool = False, prefix: str = "") -> spec.MetricSpec:
    url = f"http://{server.host}:{server.port}{prefix}"
    return metric(source=spec.Query(spec.Http(), url, text, ignore_null))


def answered(**data: object) -> bytes:
    return answer(json.dumps({"status": "success", "data": data}).encode())


# --- endpoints -------------------------------------------------------------------------------------------------------


async def test_a_page_answers_for_the_whole_workload() -> None:
    content = b'queue{shard="1"} 3\nqueue{shard="2"} 4\n'
    async with sources() as made, Server([answer(content)]) as server:
        (reading,) = await read(made, endpoint(server))
    assert (reading.metric, reading.total, reading.values, reading.expected) == ("0:queue", 7.0, {}, 0)


async def test_the_optimizer_of_aibrix_is_understood() -> None:
    content = b'vllm:deployment_replicas{model_name="llama"} 4\n'
    async with sources() as made, Server([answer(content)]) as server:
        one = endpoint(server, name="vllm:deployment_replicas", path="/metrics/default/llama")
        (reading,) = await read(made, one)
    assert reading.total == 4.0
    assert server.requests[0].startswith(b"GET /metrics/default/llama HTTP/1.1\r\n")


async def test_a_json_document_is_read_by_its_path() -> None:
    async with sources() as made, Server([answer(b'{"queue": {"shards": [{"depth": 12}]}}')]) as server:
        (reading,) = await read(made, endpoint(server, json_path="$.queue.shards[0].depth"))
    assert reading.total == 12.0


async def test_counters_come_as_series_of_the_whole() -> None:
    async with sources() as made, Server([answer(b"hits 5\n")]) as server:
        (reading,) = await read(made, endpoint(server, name="hits", derive=spec.Rate()))
    assert reading.total is None
    assert reading.series == {"": (Sample("hits", {}, 5.0),)}


@pytest.mark.parametrize(
    ("served", "json_path", "reason", "said"),
    [
        pytest.param(answer(b"queues 1\n"), None, Reason.NO_METRIC, "queues", id="no such metric"),
        pytest.param(answer(b"queue NaN\n"), None, Reason.NOT_A_NUMBER, "nan", id="no number"),
        pytest.param(answer(b"queue x\n"), None, Reason.PARSE, "line 1", id="no page"),
        pytest.param(
            answer(b"queue 1\n" * 10_001), None, Reason.TOO_LARGE, "read a metric with fewer", id="too many series"
        ),
        pytest.param(answer(b"<html>"), "$.queue", Reason.PARSE, "JSON", id="no JSON"),
        pytest.param(answer(b"{}"), "$.queue", Reason.NO_METRIC, "queue", id="no such key"),
        pytest.param(answer(b"no", status="403 Forbidden"), None, Reason.UNAUTHORIZED, "`auth.", id="forbidden"),
        pytest.param(
            answer(b"", "Location: http://169.254.169.254/", status="302 Found"),
            None,
            Reason.REDIRECT,
            "169.254.169.254",
            id="a redirect",
        ),
    ],
)
async def test_what_is_no_answer_has_a_name(served: bytes, json_path: str | None, reason: Reason, said: str) -> None:
    async with sources() as made, Server([served]) as server:
        (reading,) = await read(made, endpoint(server, json_path=json_path))
    assert reading.total is None
    assert reading.failure is not None
    assert reading.failure.reason is reason
    assert said in reading.failure.detail


async def test_a_server_that_is_busy_for_a_moment_is_asked_again_within_the_interval() -> None:
    busy = answer(b"", status="503 Service Unavailable")
    async with sources() as made, Server([busy, answer(b"queue 3\n")]) as server:
        (reading,) = await read(made, endpoint(server))
    assert reading.total == 3.0
    assert len(server.requests) == 2


async def test_readers_of_one_url_share_its_answer() -> None:
    async with sources() as made, Server([answer(b"queue 3\nbusy 4\n")]) as server:
        readings = await read(made, *(endpoint(server, name=name) for name in ("queue", "busy", "queue")))
    assert [reading.total for reading in readings] == [3.0, 4.0, 3.0]
    assert len(server.requests) == 1


async def test_large_pages_are_not_kept_for_others_beyond_what_all_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 URLs of 10 MiB, in one object, were 640 MiB for as long as their timeout."""
    monkeypatch.setattr(urls, "MOST_KEPT", 10_000)
    body = b"queue 3\n" + b"# " + b"x" * 4000 + b"\n"
    async with Server([answer(body)]) as server, sources() as made:
        readings = await read(made, *(endpoint(server, path=f"/{number}", name="queue") for number in range(8)))
        assert [reading.failure for reading in readings] == [None] * 8
        assert 0 < made.urls.kept <= 10_000
    assert made.urls.kept == 0


async def test_a_url_into_the_controllers_own_corner_is_refused() -> None:
    async with sources(allowed="10.0.0.0/8") as made, Server([answer(b"queue 3\n")]) as server:
        (reading,) = await read(made, endpoint(server))
        assert server.connections == 0
    assert reading.failure == Failure(Reason.FORBIDDEN_ADDRESS)


async def test_the_controllers_token_goes_to_trusted_endpoints_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0wn-t0ken")
    http = spec.Http(auth=spec.Auth(service_account_token=True))
    async with Server([answer(b"queue 3\n")]) as trusted, Server([answer(b"queue 3\n")]) as other:
        listed = (f"127.0.0.1:{trusted.port}",)
        async with sources(account=str(tmp_path), trusted_endpoints=listed) as made:
            yes, no = await read(made, endpoint(trusted, http=http), endpoint(other, http=http))
    assert yes.total == 3.0
    assert b"bearer 0wn-t0ken" in trusted.requests[0].lower()
    assert no.failure == Failure(Reason.CREDENTIALS)
    assert other.requests == []
    assert "0wn-t0ken" not in repr(no)


async def test_tls_and_credentials_as_for_pods(tmp_path: Path) -> None:
    authority = Authority()
    store = Store({"ca": {"ca.crt": authority.pem}, "login": {"username": b"ada", "password": b"pw"}})
    http = spec.Http(
        scheme="https",
        tls=spec.Tls(ca_secret=spec.KeyRef("ca", "ca.crt")),
        auth=spec.Auth(basic_auth_secret="login"),
    )
    served = authority.issue("127.0.0.1").server(tmp_path)
    async with sources(store) as made, Server([answer(b"queue 3\n")], tls=served) as server:
        (reading,) = await read(made, endpoint(server, http=http))
    assert reading.total == 3.0
    assert b"authorization: basic ywrhonb3" in server.requests[0].lower()
    assert set(store.asked) == {("shop", "ca"), ("shop", "login")}


# --- queries ---------------------------------------------------------------------------------------------------------


async def test_an_instant_query_is_asked() -> None:
    served = answered(resultType="vector", result=[{"metric": {}, "value": [1.5, "42.5"]}])
    async with sources() as made, Server([served]) as server:
        (reading,) = await read(made, query(server, text='sum(rate(x{a="b"}[1m]))', prefix="/prometheus/"))
    assert reading.total == 42.5
    head = server.requests[0].decode()
    assert head.startswith(
        "GET /prometheus/api/v1/query?query=sum%28rate%28x%7Ba%3D%22b%22%7D%5B1m%5D%29%29&timeout=1.000&"
        "partial_response=false&deny_partial_response=1 "
    )


async def test_an_answer_of_a_part_of_the_storage_is_missing() -> None:
    body = b'{"status":"success","isPartial":true,"data":{"resultType":"scalar","result":[1,"3"]}}'
    async with sources() as made, Server([answer(body)]) as server:
        (reading,) = await read(made, query(server))
    assert reading.failure == Failure(Reason.NO_DATA)
    assert "only a part of its storage" in str(reading.failure)


async def test_a_tenant_header_is_sent() -> None:
    served = answered(resultType="scalar", result=[1.5, "3"])
    tenant = spec.Http(auth=spec.Auth(headers=(("X-Scope-OrgID", spec.KeyRef("tenant", "id")),)))
    async with sources(Store({"tenant": {"id": b"shop"}})) as made, Server([served]) as server:
        url = f"http://{server.host}:{server.port}"
        (reading,) = await read(made, metric(source=spec.Query(tenant, url, "1")))
    assert reading.total == 3.0
    assert b"x-scope-orgid: shop\r\n" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("data", "ignore_null", "expected"),
    [
        pytest.param({"resultType": "scalar", "result": [1.5, "3"]}, False, 3.0, id="a scalar"),
        pytest.param({"resultType": "vector", "result": [{"value": [1, "-1e3"]}]}, False, -1000.0, id="one series"),
        pytest.param({"resultType": "vector", "result": []}, True, 0.0, id="none, where that means zero"),
        pytest.param({"resultType": "vector", "result": []}, False, Reason.NO_DATA, id="none is missing by default"),
        pytest.param(
            {"resultType": "vector", "result": [{"value": [1, "1"]}, {"value": [1, "2"]}]},
            False,
            Reason.NOT_A_NUMBER,
            id="two series",
        ),
        pytest.param({"resultType": "vector", "result": [{"value": [1, "NaN"]}]}, False, Reason.NOT_A_NUMBER, id="NaN"),
        pytest.param({"resultType": "scalar", "result": [1, "+Inf"]}, False, Reason.NOT_A_NUMBER, id="infinity"),
        pytest.param({"resultType": "scalar", "result": [1, "x"]}, False, Reason.PARSE, id="nonsense for a number"),
        pytest.param({"resultType": "matrix", "result": []}, False, Reason.NOT_A_NUMBER, id="a range"),
        pytest.param({"resultType": "string", "result": [1, "x"]}, False, Reason.NOT_A_NUMBER, id="a string"),
        pytest.param(
            {"resultType": "vector", "result": [{"metric": {}, "histogram": [1, {"count": "1"}]}]},
            False,
            Reason.NOT_A_NUMBER,
            id="a native histogram",
        ),
        pytest.param({"resultType": "other", "result": []}, False, Reason.PARSE, id="something new"),
    ],
)
def test_what_a_result_means(data: dict[str, object], ignore_null: bool, expected: float | Reason) -> None:
    body = json.dumps({"status": "success", "data": data}).encode()
    outcome = prometheus.value(
        FetchedPage(200, "application/json", body, 0.1), spec.Query(spec.Http(), "http://p", "x", ignore_null)
    )
    assert (outcome.reason if isinstance(outcome, Failure) else outcome) == expected


def test_an_answer_nested_too_deep_is_no_answer() -> None:
    body = b'{"status":"error","error":"no","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    fetched = FetchedPage(503, "application/json", body, 0.1)
    outcome = prometheus.value(fetched, spec.Query(spec.Http(), "http://p", "x"))
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.PARSE
    assert prometheus.refusal(fetched) is None


@pytest.mark.parametrize("body", [b"{}," * 600_000, b'{"metric":{' + b'"a":"",' * 600_000], ids=["series", "labels"])
def test_an_answer_of_more_values_than_are_decoded_is_too_large(body: bytes) -> None:
    whole = b'{"status":"success","data":{"resultType":"vector","result":[' + body
    fetched = FetchedPage(200, "application/json", whole, 0.1)

    assert prometheus.value(fetched, spec.Query(spec.Http(), "http://p", "x")) == Failure(Reason.TOO_LARGE)
    assert prometheus.refusal(fetched) is None


async def test_a_query_the_server_refuses_is_answered_in_its_own_words() -> None:
    said = b'{"status":"error","errorType":"bad_data","error":"parse error: unexpected end of input"}'
    async with sources() as made, Server([answer(said, status="400 Bad Request")]) as server:
        (reading,) = await read(made, query(server, text="sum("))
    assert reading.failure is not None
    assert "bad_data: parse error: unexpected end of input" in reading.failure.detail


async def test_a_page_that_is_no_api_is_told() -> None:
    async with sources() as made, Server([answer(b"<html>")]) as server:
        (reading,) = await read(made, query(server))
    assert reading.failure == Failure(Reason.PARSE)
    assert "check `endpoint`" in str(reading.failure)


async def test_secrets_show_nowhere(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    secrets = {"login": {"username": b"ada", "password": b"pa55w0rd"}, "tenant": {"id": b"h3ader-k3y"}}
    http = spec.Http(auth=spec.Auth(basic_auth_secret="login", headers=(("X-Key", spec.KeyRef("tenant", "id")),)))
    said: list[object] = []
    asyncio.get_running_loop().set_debug(True)
    with caplog.at_level(logging.DEBUG):
        for served in (answer(b"queue 3\n"), answer(b"", status="401 Unauthorized"), b"nonsense\r\n\r\n"):
            async with sources(Store(secrets)) as made, Server([served]) as server:
                said += await read(made, endpoint(server, http=http))
                assert b"x-key: h3ader-k3y" in server.requests[0].lower()
    printed = capfd.readouterr()
    everything = "\n".join([*map(repr, said), caplog.text, printed.out, printed.err])
    assert "Unauthorized" in everything
    for text in ("pa55w0rd", "h3ader-k3y", "YWRhOnBhNTV3MHJk"):
        assert text not in everything


async def test_nothing_is_left_to_do_after_the_end() -> None:
    """A page can be large: it must not outlive those who asked for it by a timer."""
    async with sources() as made, Server([answer(b"queue 3\n")]) as server:
        await read(made, endpoint(server))
        kept = dict(made.urls._asked)
        assert len(kept) == 1
        await made.aclose()
        assert not made.urls._asked
    assert all(asked.end.cancelled() for asked in kept.values())

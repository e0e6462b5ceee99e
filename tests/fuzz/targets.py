"""Everything that reads bytes a stranger wrote, as one function each: it returns, or fails in a way that has a name.

Hypothesis calls these in the tests, atheris by `python -m tests.fuzz NAME`. Any other exception is a bug.
"""

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import yaml

from podtide.api import annotations, decode, times
from podtide.core import exposition, formula, jsonpath
from podtide.core.memory import Memory
from podtide.core.model import quantity
from podtide.core.model.reading import Failure
from podtide.kube import client, errors, kinds, objects
from podtide.kube.cache import Cache
from podtide.kube.discovery import Discovery
from podtide.kube.watch import Reflector
from podtide.net import answer, buffers, page, tls, wire

_LIMITS = page.Limits(page_bytes=1 << 16, header_bytes=4096)
_NAMES = ("queue", "vllm:num_requests_waiting", "a_bucket", "a_sum")


def pages(data: bytes) -> None:
    """A page of metrics: what is read of it is what is read of the wanted names alone."""
    for openmetrics in (False, True):
        try:
            found = exposition.read(data, _NAMES, openmetrics=openmetrics)
        except exposition.Malformed:
            continue
        assert found.keys() <= set(_NAMES)
        for samples in found.values():
            assert all(isinstance(sample.value, float) for sample in samples)


def http(data: bytes) -> None:
    """An HTTP answer, in two pieces, the cut being what its first byte says."""
    cut = data[0] % max(1, len(data)) if data else 0
    with contextlib.suppress(wire.Refused):
        read = answer.Answer(_LIMITS, accepts_gzip=True)
        lease = buffers.Lease(1 << 15)
        for piece in (data[:cut], data[cut : 1 << 15]):
            end = min(lease.size, lease.filled + len(piece))
            lease.view[lease.filled : end] = piece[: end - lease.filled]
            lease.filled = end
            body = read.feed(lease)
            if body is not None:
                made = body.page(lease, 0.0)
                assert len(made.body) <= _LIMITS.page_bytes
                return
        read.eof()


def manifests(data: bytes) -> None:
    """A PodAutoscaler, JSON or YAML: it becomes a spec, or problems that name their field."""
    try:
        body: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            body = yaml.safe_load(data)
        except (yaml.YAMLError, ValueError, RecursionError):
            # The feed of files catches these; the API server sends no YAML. PyYAML raises ValueError for odd dates.
            return
    if isinstance(body, Mapping) and decode.is_autoscaler(body):
        decoded = decode.autoscaler(body)
        assert decoded.spec is not None or decoded.problems
        assert all(str(problem) for problem in decoded.problems)


def annotated(data: bytes) -> None:
    """Annotations of a sound object, the values of which are anything."""
    texts = data.decode("utf-8", "replace").split("\n")
    names = [key.full for key in annotations.KEYS]
    given = {name: texts[place % len(texts)] for place, name in enumerate(names)} if texts else {}
    decoded = decode.autoscaler({**_SOUND, "metadata": {**_SOUND["metadata"], "annotations": given}})
    assert decoded.spec is not None or decoded.problems


def quantities(data: bytes) -> None:
    """Quantities, times and durations as text."""
    text = data.decode("utf-8", "replace")
    for read in (quantity.nano, quantity.milli, quantity.ratio):
        with contextlib.suppress(quantity.QuantityError):
            assert math.isfinite(read(text))
    times.seconds(text)


def formulas(data: bytes) -> None:
    """A formula, and a path into a document."""
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(formula.FormulaError):
        parsed = formula.parse(text)
        value = formula.value(parsed, {name: float(place) for place, name in enumerate(sorted(parsed.names))})
        assert isinstance(value, Failure) or math.isfinite(value)
    with contextlib.suppress(ValueError):
        jsonpath.steps(text)


def documents(data: bytes) -> None:
    """A JSON document that a path leads into."""
    for path in ("{.a}", "{.a[0].b}", "$.a"):
        with contextlib.suppress(ValueError):
            value = jsonpath.value(data, path)
            assert isinstance(value, Failure) or math.isfinite(value)


def bundles(data: bytes) -> None:
    """Certificates and keys as PEM."""
    bundle = tls.Pem("a Secret", data)
    for material in (tls.Material(authorities=(bundle,)), tls.Material(identity=bundle, verify=False)):
        tls.Contexts().get(material)


def watches(data: bytes) -> None:
    """Events of a watch: the cache takes them, or the watch ends with an error that has a name."""
    for kind in (kinds.PODS, kinds.AUTOSCALERS, kinds.HPAS):
        # Only its reading is used, so it needs nobody to talk to.
        reflector: Reflector[Any, Any] = Reflector(None, kind, Cache())  # type: ignore[arg-type]
        with contextlib.suppress(errors.KubeError):
            for line in data.splitlines():
                reflector._apply(line)


def answers(data: bytes) -> None:
    """Answers of the API server, and of the servers behind it that others run."""
    for into in (objects.Scale, objects.KeyValues, objects.Pod):
        with contextlib.suppress(errors.KubeError):
            client._decode(data, into)
    errors.from_status(500, data)
    with contextlib.suppress(errors.KubeError):
        asyncio.run(Discovery(_Answers(data)).resource("example.com/v1", "Thing"))  # type: ignore[arg-type]  # it asks


class _Answers:
    """Stands for a client whose every request is answered with the same bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def request(self, *_: object, **__: object) -> bytes:
        """The bytes."""
        return self._data


def snapshots(data: bytes) -> None:
    """What an earlier owner of a shard is said to have remembered."""
    with contextlib.suppress(ValueError):
        Memory.restore(data)


_SOUND: dict[str, Any] = {
    "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
    "kind": "PodAutoscaler",
    "metadata": {"name": "web", "namespace": "shop", "uid": "1"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "scalingStrategy": "KPA",
        "maxReplicas": 3,
        "metricsSources": [
            {
                "metricSourceType": "pod",
                "protocolType": "http",
                "port": "8000",
                "targetMetric": "queue",
                "targetValue": "10",
            }
        ],
    },
}

_EVENT = msgspec.json.encode({"type": "ADDED", "object": _SOUND})

SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "pages": (
        b"# HELP queue q\n# TYPE queue gauge\nqueue 3\n",
        b'vllm:num_requests_waiting{model="a\\"b",x="\\n"} 1e3 1700000000\nqueue{} NaN\n',
        b'# TYPE a histogram\na_bucket{le="0.5"} 1\na_bucket{le="+Inf"} 2\na_sum 1.5\na_count 2\n# EOF\n',
        b'{"queue","utf 8"="x"} 1\n',
    ),
    "http": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nqueue",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nqueue\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 Not Found\r\nConnection: close\r\n\r\nno",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n"
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    ),
    "manifests": (msgspec.json.encode(_SOUND), yaml.safe_dump(_SOUND).encode()),
    "annotated": (b"30s\n2\n0.1\nnone\n-1\n1e9\n\ntrue", b"1h30m\n500m\n10%"),
    "quantities": (b"100m", b"1.5Gi", b"-1e-3", b"12E", b"2026-01-02T03:04:05Z", b"0." + b"0" * 40 + b"1"),
    "formulas": (b"max(a, b) / (1 + a) - min(b, 2) * 3", b"ceil(a) % b", b"{.items[0].value}"),
    "documents": (b'{"a": [{"b": "3"}]}', b'{"a": 1e400}', b'{"a": {"a": [1, 2]}}'),
    "bundles": (
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
    ),
    "watches": (
        _EVENT + b"\n" + _EVENT.replace(b"ADDED", b"DELETED"),
        b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}',
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"12"}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","resources":'
        b'{"requests":{"cpu":"100m"}}}]},"status":{"phase":"Running","startTime":"2026-01-02T03:04:05Z"}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"\xff"}}}',
        b'{"type":"ADDED","object":{"metadata":{"name":"a"},"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"type":"ADDED","object":{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","resources":'
        b'{"requests":{"cpu":"much"}}}]}}}',
    ),
    "answers": (
        b'{"metadata":{"name":"web","resourceVersion":"1"},"spec":{"replicas":3}}',
        b'{"metadata":{"name":"s"},"data":{"token":"czNjcmV0"}}',
        b'{"resources":[{"name":"things","kind":"Thing"},{"name":"things/scale","kind":"Scale"}]}',
        b'{"metadata":{"name":"\xff"}}',
        b'{"resources":[{"name":"\xff"}]}',
        b'{"metadata":' + b"[" * 100_000,
    ),
    "snapshots": (Memory(since=1.0).snapshot(),),
}
TARGETS: Mapping[str, Callable[[bytes], None]] = {
    function.__name__: function
    for function in (
        pages,
        http,
        manifests,
        annotated,
        quantities,
        formulas,
        documents,
        bundles,
        watches,
        answers,
        snapshots,
    )
}

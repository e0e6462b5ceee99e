"""What the fuzzers begin with: sound samples of everything that `tests.fuzz.targets` reads, and some hard ones.

What atheris has found since stands in `tests/data/fuzz`; `samples` is both.
"""

import base64
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import trustme
import yaml

from podtide.core.memory import Memory, snapshot

KEPT = Path(__file__).parents[1] / "data" / "fuzz"
"""One file per target; a line of it is one input in base64."""


_AUTHORITY = trustme.CA()

SOUND: dict[str, Any] = {
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

_EVENT = msgspec.json.encode({"type": "ADDED", "object": SOUND})

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
    "manifests": (msgspec.json.encode(SOUND), yaml.safe_dump(SOUND).encode()),
    "annotated": (b"30s\n2\n0.1\nnone\n-1\n1e9\n\ntrue", b"1h30m\n500m\n10%"),
    "quantities": (b"100m", b"1.5Gi", b"-1e-3", b"12E", b"2026-01-02T03:04:05Z", b"0." + b"0" * 40 + b"1"),
    "formulas": (b"max(a, b) / (1 + a) - min(b, 2) * 3", b"ceil(a) % b", b"{.items[0].value}"),
    "values": (b'{"a": [{"b": "3"}]}', b'{"a": 1e400}', b'{"a": {"a": [1, 2]}}'),
    "bundles": (
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
        _AUTHORITY.cert_pem.bytes(),
        base64.b64encode(_AUTHORITY.cert_pem.bytes()),
        _AUTHORITY.issue_cert("web.shop.svc").private_key_and_cert_chain_pem.bytes(),
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
    "usages": (
        b'{"items":[{"metadata":{"name":"web-1"},"timestamp":"2026-01-02T03:04:05Z","window":"30s","containers":'
        b'[{"name":"app","usage":{"cpu":"250m","memory":"64Mi"}}]}]}',
        b'{"items":[{"value":"12500m","timestamp":"2026-01-02T03:04:05Z","windowSeconds":60,'
        b'"describedObject":{"kind":"Pod","name":"web-1"}},{"value":3.5},{"value":7,"window":60}]}',
        b'{"items":[{"value":"1","timestamp":"0001-01-01T00:00:00"},{"value":"1","timestamp":"9999-12-31T23:59:59"}]}',
        b'{"items":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ),
    "queries": (
        b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1700000000.1,"3"]}]}}',
        b'{"status":"success","data":{"resultType":"scalar","result":[1700000000,"NaN"]}}',
        b'{"status":"success","data":{"resultType":"matrix","result":[]}}',
        b'{"status":"error","errorType":"bad_data","error":"parse error"}',
        b'{"status":"success","data":null,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ),
    "snapshots": (
        Memory(since=1.0).snapshot(),
        zlib.decompress(Memory(since=1.0).snapshot()[len(snapshot._MAGIC) :]),
        b'{"version":1,"x":' + b"[" * 100_000,
    ),
}


def kept(name: str) -> list[bytes]:
    """What is kept of earlier runs."""
    path = KEPT / f"{name}.txt"
    return [base64.b64decode(line) for line in path.read_text().splitlines()] if path.exists() else []


def samples(name: str) -> list[bytes]:
    """Everything to begin with."""
    return [*SEEDS[name], *kept(name)]

"""Everything that reads bytes a stranger wrote, as one function each: it returns, or fails in a way that has a name.

Hypothesis calls these in the tests, atheris by `python -m tests.fuzz NAME`. Any other exception is a bug.
"""

import asyncio
import contextlib
import math
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from podtide.api import amounts, annotations, decode, measured, times
from podtide.control.feeds import documents
from podtide.core import exposition, formula, jsonpath
from podtide.core.memory import Memory, snapshot
from podtide.core.model import quantity
from podtide.core.model.reading import Failure
from podtide.core.model.spec import External, Http, Query
from podtide.kube import client, errors, kinds, objects
from podtide.kube.cache import Cache
from podtide.kube.discovery import Discovery
from podtide.kube.watch import Reflector
from podtide.net import answer, buffers, page, tls, wire
from podtide.sources import custom, external, prometheus, resource
from tests.fuzz.seeds import SOUND

_LIMITS = page.Limits(page_bytes=1 << 16, header_bytes=4096)
_NAMES = ("queue", "vllm:num_requests_waiting", "a_bucket", "a_sum")
_EXTERNAL = External("queue")


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
    """A PodAutoscaler as the API server sends it, or as a file has it: it becomes a spec, or problems."""
    found: list[Any] = []
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found.append(msgspec.json.decode(data))
    with contextlib.suppress(documents.NotYaml):
        found += [document.value for document in documents.documents(data)]
    for body in found:
        if isinstance(body, Mapping) and decode.is_autoscaler(body):
            decoded = decode.autoscaler(body)
            assert decoded.spec is not None or decoded.problems
            assert all(str(problem) for problem in decoded.problems)


def annotated(data: bytes) -> None:
    """Annotations of a sound object, the values of which are anything."""
    texts = data.decode("utf-8", "replace").split("\n")
    names = [key.full for key in annotations.KEYS]
    given = {name: texts[place % len(texts)] for place, name in enumerate(names)} if texts else {}
    decoded = decode.autoscaler({**SOUND, "metadata": {**SOUND["metadata"], "annotations": given}})
    assert decoded.spec is not None or decoded.problems


def quantities(data: bytes) -> None:
    """Quantities, times and durations as text."""
    text = data.decode("utf-8", "replace")
    for read in (quantity.nano, quantity.milli, quantity.ratio):
        with contextlib.suppress(quantity.QuantityError):
            assert math.isfinite(read(text))
    for amount in (amounts.duration, amounts.number, amounts.whole, amounts.truth):
        with contextlib.suppress(amounts.AmountError):
            assert math.isfinite(amount(text))
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


def values(data: bytes) -> None:
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


def usages(data: bytes) -> None:
    """Answers of the metrics APIs, which add-ons give."""
    with contextlib.suppress(*errors.UNREADABLE):
        used = [resource._usage(item) for item in msgspec.json.decode(data, type=resource._PodMetricsList).items or ()]
        for name in ("cpu", "memory"):
            measured.usage(used, name)
    with contextlib.suppress(*errors.UNREADABLE):
        found = [custom._value(item) for item in msgspec.json.decode(data, type=custom._Values).items or ()]
        measured.of_pods(found)
        measured.of_workload(found)
    with contextlib.suppress(*errors.UNREADABLE):
        external.total(msgspec.json.decode(data, type=external._Values), _EXTERNAL)


def queries(data: bytes) -> None:
    """Answers of Prometheus, or of what calls itself so."""
    fetched = page.FetchedPage(200, "application/json", data, 0.0)
    for ignore_null in (False, True):
        value = prometheus.value(fetched, Query(Http(), "http://prometheus", "up", ignore_null=ignore_null))
        assert isinstance(value, Failure) or math.isfinite(value)
    prometheus.refusal(fetched)


class _Answers:
    """Stands for a client whose every request is answered with the same bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def request(self, *_: object, **__: object) -> bytes:
        """The bytes."""
        return self._data


def snapshots(data: bytes) -> None:
    """What an earlier owner of a shard is said to have remembered."""
    for state in (data, snapshot._MAGIC + zlib.compress(data)):
        with contextlib.suppress(ValueError):
            Memory.restore(state).resume()


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    function.__name__: function
    for function in (
        pages,
        http,
        manifests,
        annotated,
        quantities,
        formulas,
        values,
        bundles,
        watches,
        answers,
        usages,
        queries,
        snapshots,
    )
}

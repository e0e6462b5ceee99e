"""What `simulate` and `tune` share: policies and a trace from files, and the options of the simulated world."""

import argparse
import gzip
import io
import math
import re
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from podtide.api import amounts, decode
from podtide.cli import flags
from podtide.control.feeds import documents
from podtide.core.model.spec import AutoscalerSpec
from podtide.sim import gauges, scenario
from podtide.sim.cluster import Between, Delay, Fixed, Nodes, Skewed
from podtide.sim.queueing import Pace
from podtide.sim.ratio import Carrying
from podtide.sim.runner import World
from podtide.sim.scenario import Kind, Llm, Requests, Scenario
from podtide.sim.tokens import Model
from podtide.sim.traces import Trace, TraceError, parse

_FEW = 10_000
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12}")
_DAYS = re.compile(r"(?=[0-9.]+[wd])(?:([0-9]{1,6}(?:\.[0-9]{1,6})?)w)?(?:([0-9]{1,6}(?:\.[0-9]{1,6})?)d)?")
"""What Go's durations do not have, and traces of months want."""
_MANIFESTS = frozenset({".yaml", ".yml"})
_LARGEST = 1 << 30
"""Bytes that a compressed trace may unpack to."""


class Misuse(Exception):
    """Arguments that cannot be used; its text says which, and what to give instead."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One PodAutoscaler to try."""

    name: str
    spec: AutoscalerSpec
    manifest: dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The trace's, the service's and the cluster's options."""
    parser.add_argument("--slo", type=duration, default=1.0, metavar="TIME", help="bound on the latency: 2s, 500ms")
    trace = parser.add_argument_group("the trace")
    trace.add_argument(
        "--from", dest="begin", type=duration, default=0.0, metavar="TIME", help="leave out what is before: 6h, 90d, 2w"
    )
    trace.add_argument(
        "--to", dest="end", type=duration, default=float("inf"), metavar="TIME", help="and what is after"
    )
    trace.add_argument("--count-from", dest="counted", type=duration, default=0.0, metavar="TIME",
        help="figures are of what comes after, so that a forecast can learn before")  # fmt: skip
    trace.add_argument("--load", type=flags.positive, default=1.0, metavar="FACTOR", help="so many times the requests")
    trace.add_argument("--gaps", choices=("refuse", "zero", "hold"), default="refuse", help="what missing rows mean")
    trace.add_argument("--start", type=_instant, default=_instant("2024-01-01T00:00Z"), metavar="WHEN",
        help="when the trace begins, for schedules; default: a Monday, 2024-01-01T00:00Z")  # fmt: skip
    trace.add_argument("--seed", type=int, default=1, help="of everything that is drawn (%(default)s)")
    _service(parser.add_argument_group("the service"))
    _cluster(parser.add_argument_group("the cluster"))


def _service(group: Any) -> None:
    model, pace = Model(), Pace()
    group.add_argument("--service", choices=("auto", "requests", "llm", "ratio"), default="auto",
        help="auto: llm where the trace has tokens or the policy reads vLLM's metrics, else requests")  # fmt: skip
    group.add_argument("--metric", action="append", default=[], metavar="NAME=GAUGE", help="what a metric is here")
    group.add_argument("--patience", type=duration, default=pace.patience, metavar="TIME",
        help="a request that waits longer is given up (60s)")  # fmt: skip
    group.add_argument("--service-time", type=lasting, default=0.2, metavar="TIME", help="requests: the mean (200ms)")
    group.add_argument("--service-law", choices=("exponential", "fixed"), default="exponential", help="requests")
    group.add_argument("--concurrency", type=_slots, default=pace.concurrency, metavar="N",
        help="requests: at a time in one pod (%(default)s)")  # fmt: skip
    group.add_argument("--prefill", type=flags.positive, default=model.prefill, metavar="N",
        help="llm: prompt tokens a second (%(default)g)")  # fmt: skip
    group.add_argument("--step", type=duration, default=model.step, metavar="TIME", help="llm: a decoding step (30ms)")
    group.add_argument("--step-per-sequence", type=duration, default=model.step_per_sequence, metavar="TIME",
        help="llm: what each running sequence adds to it (200us)")  # fmt: skip
    group.add_argument("--sequences", type=flags.whole, default=model.sequences, metavar="N",
        help="llm: the most at a time in one pod (%(default)s)")  # fmt: skip
    group.add_argument("--cache", type=flags.positive, default=model.cache, metavar="N",
        help="llm: tokens in the KV cache (%(default)g)")  # fmt: skip
    group.add_argument("--whole-answer", action="store_true", help="llm: the latency is the whole answer's")
    group.add_argument(
        "--prompt", type=flags.positive, default=512.0, metavar="N", help="llm: tokens if the trace has none"
    )
    group.add_argument("--answer", type=flags.positive, default=128.0, metavar="N", help="llm: the same of the answers")
    group.add_argument(
        "--capacity", type=flags.positive, metavar="N", help="ratio: requests a second that a pod carries"
    )


def _cluster(group: Any) -> None:
    group.add_argument("--startup", type=_delay, default=Fixed(30.0), metavar="TIME",
        help="from created to ready: 30s, 20s..90s (evenly), 60s/180s (median and 95th percentile)")  # fmt: skip
    group.add_argument("--grace", type=duration, default=30.0, metavar="TIME", help="of leaving pods (30s)")
    group.add_argument("--room", type=flags.whole, metavar="N", help="pods that the nodes have room for")
    group.add_argument("--provision", type=duration, metavar="TIME", help="until a node for one more pod comes")
    group.add_argument(
        "--lost", type=flags.share, default=0.0, metavar="SHARE", help="of the scrapes get lost: 0.01, 1%%"
    )
    group.add_argument(
        "--replicas", type=_pods, default=1, metavar="N", help="at the beginning, if minReplicas is less"
    )


def files(names: Sequence[str]) -> tuple[list[str], str]:
    """Manifests, and the one trace. Raises Misuse."""
    manifests = [name for name in names if Path(name).suffix in _MANIFESTS]
    traces = [name for name in names if name not in manifests]
    if not manifests:
        raise Misuse("no policy among the files; give at least one .yaml with a PodAutoscaler")
    if len(traces) != 1:
        found = f"{len(traces)} traces among the files ({', '.join(traces)})" if traces else "no trace among the files"
        raise Misuse(f"{found}; give one .csv, .csv.gz or .json, or - for stdin")
    return manifests, traces[0]


def policies(names: Sequence[str]) -> list[Policy]:
    """Every PodAutoscaler in the files. Raises Misuse for what cannot be read, and for invalid ones."""
    found: list[Policy] = []
    for name in names:
        count = len(found)
        found += [policy(manifest, name) for manifest in _documents(name) if decode.is_autoscaler(manifest)]
        if len(found) == count:
            raise Misuse(f"{name}: holds no PodAutoscaler")
    labels = [policy.name for policy in found]
    if len(set(labels)) == len(labels):
        return found
    stems = [Path(name).stem for name in names]
    if len(names) == len(found) and len(set(stems)) == len(stems):
        labels = stems
    else:
        labels = [f"{label} {place}" for place, label in enumerate(labels, 1)]
    return [Policy(label, policy.spec, policy.manifest) for label, policy in zip(labels, found, strict=True)]


def policy(manifest: dict[str, Any], name: str) -> Policy:
    """One PodAutoscaler; `name` says where it is from. Raises Misuse with everything that is wrong with it."""
    decoded = decode.autoscaler(manifest)
    if decoded.spec is None:
        raise Misuse("\n".join(f"{name}: {decoded.key}: {problem}" for problem in decoded.problems))
    return Policy(decoded.key.name, decoded.spec, manifest)


def _documents(name: str) -> list[Any]:
    try:
        return [document.value for document in documents.documents(Path(name).read_text(encoding="utf-8"))]
    except OSError as error:
        raise Misuse(f"{name}: {error.strerror}") from error
    except (documents.NotYaml, UnicodeDecodeError) as error:
        raise Misuse(f"{name}: is not YAML: {error}") from error


def trace(name: str, arguments: argparse.Namespace) -> Trace:
    """The trace, cut and scaled as asked. Raises Misuse."""
    try:
        found = parse(text(name), "stdin" if name == "-" else name, gaps=arguments.gaps)
        if arguments.begin > 0 or arguments.end < found.duration:
            found = found.part(arguments.begin, arguments.end)
        return found.times(arguments.load) if arguments.load != 1.0 else found
    except TraceError as error:
        raise Misuse(str(error)) from error


def text(name: str) -> str:
    """A file's text, or stdin's for "-", unpacked if it is compressed. Raises Misuse."""
    try:
        return data(name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Misuse(f"{name}: is not text: {error.reason} at byte {error.start}") from error


def data(name: str) -> bytes:
    """The same as bytes. Raises Misuse."""
    try:
        found = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        if found.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(found)) as packed:
                found = packed.read(_LARGEST + 1)
            if len(found) > _LARGEST:
                raise Misuse(f"{name}: unpacks to more than {_LARGEST >> 20} MiB; cut it into parts")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Misuse(f"{name}: is not a whole gzip file: {error}") from error
    except OSError as error:
        raise Misuse(f"{name}: {error.strerror}") from error
    return found


def world(load: Trace, tried: Sequence[Policy], arguments: argparse.Namespace) -> Scenario:
    """The scenario that the options describe. Raises Misuse."""
    if arguments.counted >= load.duration:
        text = f"{load.name} ends after {load.duration:g} s; give an earlier time"
        raise Misuse(f"--count-from {arguments.counted:g} s leaves nothing to count: {text}")
    nodes = Nodes(arguments.startup, arguments.grace, arguments.room, arguments.provision)
    around = World(
        begin=arguments.start,
        end=0.0,
        nodes=nodes,
        replicas=arguments.replicas,
        lost=arguments.lost,
        told=_told(arguments.metric, tried),
        seed=arguments.seed,
        counted=arguments.start + arguments.counted,
    )
    try:
        return Scenario(load, _kind(load, tried, arguments), around, arguments.slo)
    except TraceError as error:
        raise Misuse(str(error)) from error


def _kind(load: Trace, tried: Sequence[Policy], arguments: argparse.Namespace) -> Kind:
    chosen = arguments.service
    if chosen == "auto":
        chosen = "llm" if load.input_tokens or any(map(_reads_vllm, tried)) else "requests"
    match chosen:
        case "llm":
            model = Model(
                prefill=arguments.prefill,
                step=arguments.step,
                step_per_sequence=arguments.step_per_sequence,
                sequences=arguments.sequences,
                cache=arguments.cache,
                patience=arguments.patience,
                whole=arguments.whole_answer,
            )
            return Llm(model, arguments.prompt, arguments.answer)
        case "ratio":
            if arguments.capacity is None:
                raise Misuse("--service ratio needs --capacity: the requests a second that one pod carries")
            return Carrying(arguments.capacity)
        case _:
            pace = Pace(arguments.concurrency, arguments.patience)
            return Requests(arguments.service_time, arguments.service_law, pace)


def _reads_vllm(policy: Policy) -> bool:
    from podtide.core import names
    from podtide.sim.tokens import GAUGES

    known = {gauge for gauge in GAUGES if gauge.startswith("vllm:")}
    return any(known & set(names.candidates(metric.select.metric)) for metric in policy.spec.metrics)


def _told(pairs: Sequence[str], tried: Sequence[Policy]) -> dict[str, str]:
    """Metric → gauge, as the user says. What no policy reads is a slip of the pen, and said so. Raises Misuse."""
    read = {gauges.name(metric): None for policy in tried for metric in policy.spec.metrics}
    told = {}
    for pair in pairs:
        name, sign, gauge = pair.rpartition("=")
        if not sign or not name or not gauge:
            raise Misuse(f"--metric {pair}: write NAME=GAUGE, for example http_requests=rps")
        if name not in read:
            raise Misuse(f"--metric {pair}: no policy reads {name}; they read {', '.join(read)}")
        told[name] = gauge
    return told


def described(chosen: Scenario) -> str:
    """What was simulated, in a line."""
    load, kind = chosen.trace, chosen.kind
    text = f"{load.name}: {sum(load.requests):,.0f} requests in {span(load.duration)}"
    match kind:
        case scenario.Requests():
            text += f"; {seconds(kind.mean)} of service each ({kind.law}), {kind.pace.concurrency} at a time per pod"
        case scenario.Llm():
            text += f"; per pod {kind.model.prefill:g} prompt tokens/s, steps of {seconds(kind.model.step)}"
        case Carrying():
            text += f"; a pod carries {kind.capacity:g} a second"
    return text


def seconds(value: float | None) -> str:
    """A latency for people."""
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s" if value < 100 else f"{value:.0f} s"


def times(value: float) -> str:
    """How many times the bound; of a bound of nothing it cannot be said."""
    return f"{value:.2f}" if math.isfinite(value) else "–"


def span(value: float) -> str:
    """A longer time for people."""
    for unit, name in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if value >= 2 * unit or (unit < 86400 and value >= unit):
            return f"{value / unit:.1f} {name}"
    return f"{value:.0f} s"


# --- what the options' values mean -----------------------------------------------------------------------------------


def duration(text: str) -> float:
    """An option's time in seconds: `"2s"`, `"1h30m"`, `"90d"`, or a plain number of seconds."""
    if _SECONDS.fullmatch(text):
        return float(text)
    days = _DAYS.match(text)
    rest = text[days.end() :] if days else text
    try:
        seconds = amounts.duration(rest) if rest or not days else 0.0
    except amounts.AmountError:
        advice = "write for example 500ms, 30s, 1h30m, 90d or 2w"
        raise argparse.ArgumentTypeError(f'"{text}" is not a duration; {advice}') from None
    weeks, whole = (float(part or 0) for part in days.groups()) if days else (0.0, 0.0)
    return weeks * 604_800 + whole * 86_400 + seconds


def lasting(text: str) -> float:
    """An option's time in seconds, more than none."""
    value = duration(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f'"{text}" is no time at all; write for example 200ms')
    return value


def _slots(text: str) -> int:
    return _few(flags.whole(text))


def _pods(text: str) -> int:
    return _few(flags.count(text))


def _few(value: int) -> int:
    """Each slot of a pod, and each pod, is simulated by itself."""
    if value > _FEW:
        raise argparse.ArgumentTypeError(f'"{value}" is more than the {_FEW:,} that are simulated one by one')
    return value


def _delay(text: str) -> Delay:
    if ".." in text:
        low, high = map(duration, text.split("..", 1))
        if low > high:
            raise argparse.ArgumentTypeError(f'"{text}" ends before it begins; write for example 20s..90s')
        return Between(low, high)
    if "/" in text:
        median, p95 = map(duration, text.split("/", 1))
        if not 0 < median <= p95:
            raise argparse.ArgumentTypeError(f'"{text}" is no median and 95th percentile; write for example 60s/180s')
        return Skewed(median, p95)
    return Fixed(duration(text))


def _instant(text: str) -> float:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is no time; write for example 2024-01-01T00:00Z') from None
    if when.tzinfo is None:
        raise argparse.ArgumentTypeError(f'"{text}" has no time zone; write for example {text}Z')
    return when.timestamp()

"""Clients side by side, in interleaved rounds, against servers of another process. Called by `benchmarks.scrape`."""

import asyncio
import contextlib
import gc
import json
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import trustme

from benchmarks import pages, peers
from benchmarks.production import Production
from podtide.net.page import Ask
from podtide.sources.agenda import Agenda

_CLIENTS = ("raw", "ours", "aiohttp", "httpx")
_OTHERS = ("raw", "aiohttp", "httpx")


@contextlib.contextmanager
def server(certificate: Path | None = None) -> Iterator[int]:
    """A process of pods; its port."""
    extra = [] if certificate is None else ["--certificate", str(certificate)]
    command = [sys.executable, "-m", "benchmarks.servers", *extra]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@contextlib.contextmanager
def secure() -> Iterator[tuple[Path, ssl.SSLContext]]:
    """A certificate for all pods, as a file for the server and a context that checks it without the name."""
    authority = trustme.CA()
    issued = authority.issue_cert("pods.example")
    context = ssl.create_default_context()
    context.check_hostname = False
    authority.configure_trust(context)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "server.pem")
        file.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
        yield file, context


def asks(count: int, port: int, path: str, context: ssl.SSLContext | None = None) -> list[Ask]:
    """Pods, each with an address of its own."""
    return [
        Ask(f"127.{1 + at // 62500}.{at // 250 % 250 + 1}.{at % 250 + 1}", port, path, context) for at in range(count)
    ]


def client(kind: str, targets: Sequence[Ask]) -> peers.Client:
    """A client by its name in the tables."""
    match kind:
        case "raw":
            return peers.Raw(targets, pages.METRIC)
        case "aiohttp":
            return peers.Aiohttp(targets, pages.METRIC)
        case "httpx":
            return peers.Httpx(targets, pages.METRIC)
    return Production(targets, pages.METRIC)


async def side_by_side(kinds: Sequence[str], targets: Sequence[Ask], rounds: int) -> dict[str, float]:
    """CPU microseconds per scrape of each client, the median of its rounds; the first round only opens connections."""
    clients = {kind: client(kind, targets) for kind in kinds}
    spent: dict[str, list[float]] = {kind: [] for kind in kinds}
    for one in clients.values():
        await one.round()
        await one.round()
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for kind, one in clients.items():
            before = _cpu()
            await one.round()
            spent[kind].append((_cpu() - before) / len(targets) * 1e6)
    for one in clients.values():
        await one.aclose()
        if isinstance(one, Production):
            assert not one.failed, next(iter(one.failures.values()))
    gc.unfreeze()
    return {kind: statistics.median(times) for kind, times in spent.items()}


async def one_latency(port: int, hanging: int) -> float:
    """500 pods that answer after 50 ms, and some that never do: seconds until all that answer have."""
    targets = asks(500, port, "/20/late")
    targets[:hanging] = asks(500, port, "/20/never")[:hanging]
    times = []
    for _ in range(5):
        production = Production(targets, pages.METRIC)
        # Open the connections beforehand: another path of the same server takes the same connection.
        await asyncio.gather(*(production.engine.fetch(replace(ask, path="/20"), 10) for ask in targets))
        started = time.perf_counter()
        await production.round(without=hanging)
        times.append(time.perf_counter() - started)
        await production.aclose()
    return statistics.median(times)


async def paced(count: int, port: int, seconds: float) -> dict[str, float]:
    """The pool at its own pace, every pod every 5 s: the share of a core it takes, and how late the loop is."""
    loop = asyncio.get_running_loop()
    agenda = Agenda()
    production = Production(asks(count, port, "/90"), pages.METRIC, agenda)
    await asyncio.sleep(12)  # until every pod has its connection
    gc.collect()
    gc.freeze()
    late: list[float] = []
    scrapes, failed, before = production.ok, production.failed, _cpu()
    ends = loop.time() + seconds
    while loop.time() < ends:
        due = loop.time() + 0.01
        await asyncio.sleep(0.01)
        late.append(loop.time() - due)
    told = {
        "core": (_cpu() - before) / seconds,
        "scrapes": (production.ok - scrapes) / seconds,
        "failed": production.failed - failed,
        "lag p99": sorted(late)[int(len(late) * 0.99)],
    }
    for failure in list(dict.fromkeys(map(str, production.failures.values())))[:3]:
        print(f"failed: {failure}", file=sys.stderr)
    agenda.close()
    await production.aclose()
    gc.unfreeze()
    return told


def memory(count: int, port: int, path: str, *, tls: bool) -> float:
    """KB of resident memory per pod beyond the same process with ten pods: in processes of their own."""
    return (_resident(count, port, path, tls=tls) - _resident(10, port, path, tls=tls)) / (count - 10)


def _resident(count: int, port: int, path: str, *, tls: bool) -> float:
    scheme = "https" if tls else "http"
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{scheme}://{ask.host}:{port}{path}\n" for ask in asks(count, port, path))
        file.flush()
        command = [sys.executable, "-m", "benchmarks.scrape", "--targets", file.name, "--metric", pages.METRIC]
        done = subprocess.run([*command, "--rounds", "3", "--insecure"], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert not told["failed"], done.stderr
    kilobytes: float = told["max_rss_mb"] * 1024
    return kilobytes


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _row(name: str, told: dict[str, float]) -> None:
    """A row of a Markdown table: what ours costs, and how many times that the others."""
    ours = told["ours"]
    cells = [f"{told[kind]:,.0f} ({told[kind] / ours:.2f} ×)" if kind in told else "" for kind in _OTHERS]
    print(f"| {name} | {ours:.1f} | {1e6 / ours:,.0f} | {' | '.join(cells)} |", flush=True)


def main(pods: int, rounds: int) -> None:
    """Print every table."""
    with secure() as (certificate, context), server() as plain, server(certificate) as tls:
        scenarios = [
            ("HTTP, 20 KB", _CLIENTS, asks(pods, plain, "/20"), rounds),
            ("HTTP, 90 KB", _CLIENTS, asks(pods, plain, "/90"), rounds),
            ("HTTP, 90 KB, in chunks", ("ours", "aiohttp"), asks(pods, plain, "/90/chunked"), rounds),
            ("HTTP, 400 KB", ("raw", "ours", "aiohttp"), asks(pods // 5, plain, "/400"), rounds),
            ("HTTP, 20 KB, new connections", ("ours", "aiohttp"), asks(pods, plain, "/20/close"), rounds),
            ("HTTPS, 20 KB", ("raw", "ours", "aiohttp"), asks(pods, tls, "/20", context), rounds),
            ("HTTPS, 90 KB", _CLIENTS, asks(pods, tls, "/90", context), rounds),
            ("HTTP, 90 KB, 200 pods", ("ours",), asks(200, plain, "/90"), rounds * 5),
            ("HTTP, 90 KB, 5,000 pods", ("raw", "ours"), asks(5000, plain, "/90"), max(2, rounds // 2)),
        ]
        print(f"| {pods} pods | ours, µs | ours per CPU-second | {' | '.join(_OTHERS)} |")
        print("|---|---|---|---|---|---|")
        for name, kinds, targets, times in scenarios:
            _row(name, asyncio.run(side_by_side(kinds, targets, times)))
        for hanging in (0, 10):
            seconds = asyncio.run(one_latency(plain, hanging))
            print(
                f"500 pods after 50 ms, {hanging} of them never: the others within {seconds * 1000:.0f} ms", flush=True
            )
        told = asyncio.run(paced(10_000, plain, 15))
        print(
            f"10,000 pods every 5 s: {told['core'] * 100:.1f} % of a core, {told['scrapes']:.0f} scrapes/s, "
            f"{told['failed']:.0f} failed, loop lag p99 {told['lag p99'] * 1000:.1f} ms",
            flush=True,
        )
        print(f"memory per HTTP pod:  {memory(5000, plain, '/20', tls=False):5.1f} KB")
        print(f"memory per HTTPS pod: {memory(1000, tls, '/20', tls=True):5.1f} KB")

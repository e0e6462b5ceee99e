"""`podtide simulate POLICY… TRACE`: what policies would have done to a load, on a virtual clock."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podtide.cli.simulating import Policy
    from podtide.sim.scenario import Result, Scenario

_WIDTH = 72
_HEIGHT = 6


def add_parser(commands: Any) -> None:
    """Declare the command."""
    from podtide.cli import simulating

    parser: argparse.ArgumentParser = commands.add_parser(
        "simulate",
        help="see what a policy would have done to a load",
        description="Run PodAutoscalers on a load trace, on a virtual clock, by the code that decides in a cluster.",
        epilog="Exit code 0; 2 if a file or an option cannot be used. docs/simulate.md says what the figures mean.",
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="PodAutoscalers (.yaml), and one trace: .csv with t_seconds,requests[,input_tokens,output_tokens], a "
        "Prometheus range query's .json, either compressed by gzip; - is a trace from stdin",
    )
    simulating.add_options(parser)
    output = parser.add_argument_group("output")
    output.add_argument("--json", action="store_true", help="print everything as JSON")
    output.add_argument("--explain", type=simulating.duration, metavar="TIME", help="why, at this time of the trace")
    output.add_argument(
        "--plot", action="append", default=[], metavar="FILE", help="draw it: .png or .svg; may be given more than once"
    )
    output.add_argument("--no-chart", action="store_true", help="print the table only")
    output.add_argument(
        "--reach", action="store_true", help="also look for a schedule close to the oracle's bound; takes longer"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Simulate and print; 2 for what cannot be used."""
    from podtide.cli import plotting, simulating
    from podtide.sim.gauges import UnknownMetric

    try:
        for name in arguments.plot:
            plotting.check(name)
        manifests, trace = simulating.files(arguments.files)
        tried = simulating.policies(manifests)
        chosen = simulating.world(simulating.trace(trace, arguments), tried, arguments)
        results = [_simulate(chosen, policy, arguments) for policy in tried]
        if arguments.plot:
            plotting.draw(chosen, tried, results, arguments.plot)
    except (simulating.Misuse, UnknownMetric) as error:
        print(f"podtide: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps(_data(chosen, tried, results), indent=2))
        return 0
    for line in _lines(chosen, tried, results, arguments):
        print(line)
    return 0


def _simulate(chosen: "Scenario", policy: "Policy", arguments: argparse.Namespace) -> "Result":
    explain = None if arguments.explain is None else chosen.world.begin + arguments.explain
    return chosen.run(policy.spec, explain=explain, progress=progress(policy.name))


def progress(name: str) -> Callable[[float], None] | None:
    """Draws a bar on stderr, if somebody looks at it."""
    if not sys.stderr.isatty():
        return None

    def draw(share: float) -> None:
        if share >= 1:
            sys.stderr.write("\r\x1b[K")
        else:
            done = round(30 * share)
            sys.stderr.write(f"\r{name[:30]:<30} {'█' * done}{'·' * (30 - done)} {share:4.0%}")
        sys.stderr.flush()

    return draw


def _lines(
    chosen: "Scenario", tried: Sequence["Policy"], results: Sequence["Result"], arguments: argparse.Namespace
) -> Iterator[str]:
    from podtide.cli import simulating, tables

    if arguments.explain is not None:
        for policy, result in zip(tried, results, strict=True):
            yield from _explained(policy, result, arguments.explain)
        return
    yield simulating.described(chosen)
    yield ""
    rows = [HEADING, *(row(policy.name, result.score) for policy, result in zip(tried, results, strict=True))]
    rows += _oracles(chosen, tried, results, arguments)
    yield from tables.table(rows)
    yield ""
    for note in notes(chosen, tried, results):
        yield f"- {note}"
    if arguments.no_chart:
        return
    for policy, result in zip(tried, results, strict=True):
        yield ""
        yield from _chart(chosen, policy, result)


HEADING = (
    "POLICY", "LATE", "P50", "P95", "P99", "DROPPED", "POD-HOURS", "× BOUND", "SCALINGS", "FLAPS", "UNDER", "OVER",
)  # fmt: skip


def row(name: str, figures: Any) -> tuple[str, ...]:
    """A policy's line of the table."""
    from podtide.cli import simulating

    return (
        name,
        share(figures.violations),
        simulating.seconds(figures.p50),
        simulating.seconds(figures.p95),
        simulating.seconds(figures.p99),
        f"{figures.dropped:,.0f}",
        f"{figures.pod_hours:,.2f}",
        simulating.times(figures.ratio),
        str(figures.scalings),
        str(figures.flaps),
        simulating.span(figures.under),
        simulating.span(figures.over),
    )


def share(value: float) -> str:
    """A share in per cent, with more digits where it is small."""
    return f"{value:.1%}" if value >= 0.01 else f"{value:.2%}"


def _oracles(
    chosen: "Scenario", tried: Sequence["Policy"], results: Sequence["Result"], arguments: argparse.Namespace
) -> Iterator[tuple[str, ...]]:
    """One line for each pair of bounds: what nobody goes below, and if asked for what a schedule reaches."""
    from podtide.sim import scenario

    told: set[Any] = set()
    is_one = len({scenario.widest(each.spec) for each in tried}) == 1
    for policy, result in zip(tried, results, strict=True):
        bounds = scenario.widest(policy.spec)
        if bounds in told:
            continue
        told.add(bounds)
        name = "oracle" if is_one else f"oracle {bounds.minimum}..{bounds.maximum}"
        least = result.score.bound_pod_hours
        yield (f"{name}: no less than", *[""] * 5, f"{least:,.2f}", "1.00", *[""] * 4)
        if arguments.reach:
            found = chosen.reach(bounds, allowed=0.01)
            label = f"{name}: a schedule"
            yield row(label, found.score) if found else (f"{label}: none found with at most 1% late", *[""] * 11)


def notes(chosen: "Scenario", tried: Sequence["Policy"], results: Sequence["Result"]) -> Iterator[str]:
    """What somebody who only reads the table would miss."""
    from podtide.cli import simulating
    from podtide.sim import gauges, scenario

    bound = simulating.seconds(chosen.slo)
    if chosen.hopeless:
        yield f"{share(chosen.hopeless)} of the requests take longer than {bound} by themselves: no pods help."
    guessed: dict[tuple[str, str], None] = {}
    for policy in tried:
        links = gauges.links(policy.spec, chosen.service(), chosen.world.told)
        guessed |= dict.fromkeys((link.name, link.gauge) for link in links if link.is_guess)
    for name, gauge in guessed:
        others = ", ".join(each for each in chosen.service().gauges if each != gauge)
        yield f"{name} is taken for {gauge}; --metric {name}=GAUGE says otherwise: {others}."
    for policy, result in zip(tried, results, strict=True):
        spec, figures = policy.spec, result.score
        most = scenario.widest(spec).maximum
        if chosen.peak > most:
            yield (
                f"{policy.name}: at its peak the load keeps {chosen.peak:.1f} pods busy, and maxReplicas is "
                f"{most}: the bound cannot be met then."
            )
        if not result.run.scalings:
            yield f"{policy.name} never scaled: it stayed at {result.run.world.replicas}. --explain TIME says why."
        if not figures.requests:
            yield f"{policy.name}: no request arrived."
    yield f"LATE: over {bound} or dropped. × BOUND: pod-hours over what no schedule without late requests goes below."
    yield "UNDER: fewer ready pods than the load keeps busy; OVER: more than 1.5 times as many (means of a minute)."


def _explained(policy: "Policy", result: "Result", at: float) -> Iterator[str]:
    from podtide.api import explain
    from podtide.cli import simulating

    decision = result.run.explained
    if decision is None:
        yield f"{policy.name}: nothing was decided in the first {simulating.seconds(at)}; the first decision follows "
        yield f"after {simulating.seconds(policy.spec.interval)}."
        return
    yield f"{policy.name}, {decision.at - result.run.world.begin:g} s into the trace"
    yield from explain.lines(decision, None, policy.spec)


def _chart(chosen: "Scenario", policy: "Policy", result: "Result") -> Iterator[str]:
    from podtide.cli import chart, simulating

    course = result.run.course
    if len(course.at) < 2:
        return
    ready = [float(count) for count in course.ready]
    busy = chosen.busy(course.at)
    top = max([*busy, *ready])
    yield f"{policy.name}: pods that the load keeps busy (bars), and ready pods (line), {top:.1f} at most"
    width = min(_WIDTH, len(ready))
    for line in chart.plot(busy, ready, width=width, height=_HEIGHT):
        yield f"  {line}"
    yield f"         {0:<{max(1, width - 6)}}{simulating.span(chosen.trace.duration)}"


def _data(chosen: "Scenario", tried: Sequence["Policy"], results: Sequence["Result"]) -> dict[str, Any]:
    from dataclasses import asdict

    from podtide.api import summary

    return {
        "trace": {"name": chosen.trace.name, "seconds": chosen.trace.duration, "requests": sum(chosen.trace.requests)},
        "service": {"kind": type(chosen.kind).__name__.lower(), **asdict(chosen.kind)},
        "slo": chosen.slo,
        "seed": chosen.world.seed,
        "startup": {type(chosen.world.nodes.startup).__name__.lower(): asdict(chosen.world.nodes.startup)},
        "policies": [
            {
                "name": policy.name,
                **asdict(result.score),
                "ratio": result.score.ratio if result.score.bound_pod_hours else None,
                **({"explained": summary.summarise(result.run.explained)} if result.run.explained else {}),
                "history": [
                    {**asdict(scaling), "at": scaling.at - chosen.world.begin} for scaling in result.run.scalings
                ],
            }
            for policy, result in zip(tried, results, strict=True)
        ],
        "notes": list(notes(chosen, tried, results)),
    }

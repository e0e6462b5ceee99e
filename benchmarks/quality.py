"""How well policies scale on every load trace at hand: `python -m benchmarks.quality [TRACE…]`, some ten minutes.

Every policy is tuned by the same number of trials on the first half of a trace, at a start-up of 90 seconds, and
scored on the second half at 30, 90 and 180. Loads are scaled so that the busiest minute keeps `PEAK` pods busy, or
`LLM_PEAK` model servers. A request of one second is late after two, a first token after ten times the mean prompt's
reading time; where a trace's intervals are long, load beyond the pods' capacity is late. Long traces are cut to two
days, and decided every 15 seconds by every policy, to bound the time; `CASES` says what is taken of each. Every policy
begins with a target of 70 % of what a busy pod holds.
"""

import argparse
import gzip
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from podtide.api import decode
from podtide.core.model.spec import AutoscalerSpec
from podtide.sim import draws, traces, tuning
from podtide.sim.cluster import Fixed, Nodes
from podtide.sim.ratio import Carrying
from podtide.sim.runner import World
from podtide.sim.scenario import Kind, Llm, Requests, Scenario
from podtide.sim.score import Score
from podtide.sim.tokens import Model
from podtide.sim.traces import Trace

HERE = Path(__file__).parents[1]
TRACES = HERE.parent / "shared" / "traces"
PEAK = 12.0
LLM_PEAK = 6.0
SERVER = Model(prefill=2000.0)
BUSY = 0.7
STARTUPS = (30.0, 90.0, 180.0)
TUNED_AT = 90.0
TRIALS = 6
ALLOWED = 0.01
DAY = 86_400.0
BEGIN = 1_704_067_200.0
COARSE = 30.0
"""Seconds of an interval from which on nothing is known of single requests: what is beyond the capacity is late."""


@dataclass(frozen=True)
class Case:
    """What is taken of a trace."""

    file: str
    begin: float = 0.0
    days: float = 2.0
    has_rhythm: bool = False
    """Whether days resemble each other."""


CASES = (
    Case("azure-llm-2023-code.csv"),
    Case("azure-llm-2023-conv.csv"),
    Case("mooncake-synthetic.csv"),
    Case("aibrix-8min-up-and-down.csv"),
    Case("azure-functions-2021-first-200.csv"),
    Case("alibaba-gentd26-qps.csv"),
    Case("alibaba-gentd26-lora-requests-per-minute.csv", 2 * DAY, 2.0, has_rhythm=True),
    Case("worldcup98-per-minute.csv", 20 * DAY, 2.0, has_rhythm=True),
    Case("nasa-http-1995-per-minute.csv", 3 * DAY, 2.0, has_rhythm=True),
    Case("nasa-http-1995-busiest-week-per-second.csv.gz", 0.0, 2.0, has_rhythm=True),
    Case("nab-aws-elb-request-count.csv", 0.0, 2.0, has_rhythm=True),
    Case("nab-twitter-volume-aapl.csv", 0.0, 2.0),
    Case("nab-twitter-volume-goog.csv", 0.0, 2.0),
    Case("nab-artificial-load-balancer-spikes.csv", 0.0, 2.0),
)
"""Left out: aibrix-5s-burst.csv, which is over before any policy has decided twice."""


@dataclass(frozen=True)
class Row:
    """One policy on one trace."""

    trace: str
    policy: str
    scores: tuple[Score, ...]
    """One per start-up time."""


def target(trace: Trace) -> float:
    """The requests in flight of a pod that is busy for 70 % of the time."""
    if not trace.input_tokens or not trace.output_tokens:
        return BUSY
    return BUSY * (1.0 + sum(trace.output_tokens) / sum(trace.requests) * SERVER.step / reading(trace))


def reading(trace: Trace) -> float:
    """Seconds that the mean prompt takes a server."""
    return sum(trace.input_tokens or ()) / sum(trace.requests) / SERVER.prefill


def manifest(strategy: str, trace: Trace, *, forecast: bool) -> dict[str, Any]:
    """A policy on the requests in flight, with every default."""
    interval = 15 if trace.duration > 3 * 3600 else None
    source = {"metricSourceType": "pod", "port": "8000", "targetMetric": "concurrency"}
    source["targetValue"] = f"{target(trace):.3g}"
    if interval is not None:
        source["intervalSeconds"] = interval  # type: ignore[assignment]
    return {
        "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": strategy.lower()},
        "spec": {
            "scalingStrategy": strategy,
            "maxReplicas": 40,
            "metricsSources": [source],
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            **({"forecast": {}} if forecast else {}),
        },
    }


def spec(written: dict[str, Any]) -> AutoscalerSpec:
    """What a manifest says."""
    decoded = decode.autoscaler(written)
    assert decoded.spec is not None, decoded.problems
    return decoded.spec


def load(case: Case) -> Trace:
    """The trace's part, with `PEAK` pods busy in its busiest minute."""
    data = (TRACES / case.file).read_bytes()
    text = gzip.decompress(data) if case.file.endswith(".gz") else data
    found = traces.parse(text.decode(), case.file, gaps="hold")
    found = found.part(case.begin, min(found.duration, case.begin + case.days * DAY))
    factor = min(1.0, 50_000 / sum(found.requests))
    if isinstance(kind(found), Carrying):
        return found.times(PEAK * found.width / max(found.requests))
    busiest = Scenario(found.times(factor), kind(found), world(90.0), 1.0).peak
    return found.times(factor * (LLM_PEAK if found.input_tokens else PEAK) / busiest)


def kind(trace: Trace) -> Kind:
    """Tokens where the trace has them, single requests where it tells seconds apart, else a rate without a queue."""
    if trace.input_tokens:
        return Llm(SERVER)
    return Carrying(1.0) if trace.width >= COARSE else Requests(1.0, "fixed")


def world(startup: float, counted: float | None = None, seed: int = 1) -> World:
    """The cluster."""
    return World(
        BEGIN, BEGIN, Nodes(Fixed(startup)), 2, seed=seed, counted=None if counted is None else BEGIN + counted
    )


def tuned(strategy: str, trace: Trace, slo: float, *, forecast: bool) -> dict[str, Any]:
    """The policy that does best on the first half."""
    half = trace.part(0.0, trace.width * (len(trace.requests) // 2))
    scenario = Scenario(half, kind(trace), world(TUNED_AT), slo)
    base = manifest(strategy, trace, forecast=forecast)

    def trial(picks: Any) -> tuning.Trial:
        score = scenario.run(spec(tuning.turned(base, picks))).score
        return tuning.Trial(picks, score.violations, score.pod_hours)

    space = tuning.knobs(strategy, forecast=False)
    *_, best = tuning.search(trial, space, draws.generator(7), trials=TRIALS, allowed=ALLOWED)
    return tuning.turned(base, best.picks)


def measured(case: Case) -> list[Row]:
    """Every policy on one trace."""
    os.nice(10)
    began = time.perf_counter()
    trace = load(case)
    slo = 10.0 * reading(trace) if trace.input_tokens else 2.0
    policies = {"HPA, defaults": manifest("HPA", trace, forecast=False)}
    policies["HPA, defaults + forecast"] = manifest("HPA", trace, forecast=True)
    for strategy in ("HPA", "KPA", "APA"):
        for forecast in (False, True):
            name = f"{strategy}{' + forecast' if forecast else ''}"
            policies[name] = tuned(strategy, trace, slo, forecast=forecast)
    counted = trace.width * (len(trace.requests) // 2)
    scenarios = [Scenario(trace, kind(trace), world(startup, counted, seed=2), slo) for startup in STARTUPS]
    rows = [
        Row(case.file, name, tuple(scenario.run(spec(policy)).score for scenario in scenarios))
        for name, policy in policies.items()
    ]
    bounds = spec(policies["HPA"]).bounds
    reached = [scenario.reach(bounds, allowed=ALLOWED) for scenario in scenarios]
    nothing = replace(rows[0].scores[0], violations=1.0, pod_hours=0.0, scalings=0, flaps=0)
    rows.append(Row(case.file, "a schedule by the oracle", tuple(each.score if each else nothing for each in reached)))
    seconds = time.perf_counter() - began
    print(f"{case.file}: {sum(trace.requests):,.0f} requests, {seconds:.0f} s", file=sys.stderr, flush=True)
    return rows


def cell(score: Score) -> str:
    """Late requests, pod-hours over the bound, flaps."""
    if not score.pod_hours:
        return "none found"
    return f"{score.violations:.2%}, {score.ratio:.2f}, {score.flaps}"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown."""
    yield "| trace | policy | " + " | ".join(f"start-up {startup:.0f} s" for startup in STARTUPS) + " |"
    yield "|---|---|" + "---|" * len(STARTUPS)
    before = ""
    for row in rows:
        name = "" if row.trace == before else f"`{row.trace}`"
        before = row.trace
        yield f"| {name} | {row.policy} | " + " | ".join(map(cell, row.scores)) + " |"


def verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """What was wanted, and on how many traces and start-up times it holds."""
    by_trace: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_trace.setdefault(row.trace, {})[row.policy] = row
    rhythm = {case.file for case in CASES if case.has_rhythm}
    for label, names in (("with a rhythm", rhythm), ("without a rhythm", by_trace.keys() - rhythm)):
        found = [_compared(by_trace[name], place) for name in names & by_trace.keys() for place in range(len(STARTUPS))]
        if found:
            yield f"Traces {label}, {len(found)} pairs of a trace and a start-up time:"
            yield f"- late requests with forecast no more than the best without: {sum(each[0] for each in found)}"
            yield f"- the same at no more than 1.15 times the bound: {sum(each[1] for each in found)}"
            yield f"- tuned with forecast, flaps at most a tenth of default HPA's: {sum(each[2] for each in found)}"
    pairs = [
        (by_trace[name][policy].scores[place], by_trace[name][f"{policy} + forecast"].scores[place])
        for name in by_trace
        for policy in ("HPA, defaults", "HPA", "KPA", "APA")
        for place in range(len(STARTUPS))
    ]
    fewer = sum(ahead.violations < plain.violations - 1e-4 for plain, ahead in pairs)
    more = sum(ahead.violations > plain.violations + 1e-4 for plain, ahead in pairs)
    hours = sum(ahead.pod_hours for _, ahead in pairs) / sum(plain.pod_hours for plain, _ in pairs) - 1
    yield f"The same strategy with and without forecast, {len(pairs)} pairs: fewer late requests in {fewer}, more in"
    yield f"{more} (by 0.01 percentage points at least); pod-hours {hours:+.1%}."


def _compared(policies: dict[str, Row], place: int) -> tuple[bool, bool, bool]:
    ahead = [
        row.scores[place] for name, row in policies.items() if name.endswith("forecast") and "defaults" not in name
    ]
    plain = [policies[name].scores[place] for name in ("HPA", "KPA", "APA")]
    best = min(score.violations for score in plain)
    good = [score for score in ahead if score.violations <= best + 1e-9]
    usual = policies["HPA, defaults"].scores[place].flaps
    return bool(good), any(score.ratio <= 1.15 for score in good), all(10 * score.flaps <= usual for score in ahead)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="*", help="file names; default: all")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args(arguments)
    cases = [case for case in CASES if not chosen.traces or case.file in chosen.traces]
    if not TRACES.is_dir():
        sys.exit(f"{TRACES} is not there: the traces are no part of the project")
    with ProcessPoolExecutor(chosen.jobs) as pool:
        rows = [row for found in pool.map(measured, cases) for row in found]
    print("Each cell: late requests, pod-hours over the oracle's bound, flaps.\n")
    for line in (*table(rows), "", *verdicts(rows)):
        print(line)


if __name__ == "__main__":
    main()

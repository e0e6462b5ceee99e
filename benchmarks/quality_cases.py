"""The loads and policies that `quality` compares: what part of a trace, how large, what serves it, and what is late."""

import gzip
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from podtide.sim import traces
from podtide.sim.cluster import Fixed, Nodes
from podtide.sim.ratio import Carrying
from podtide.sim.runner import World
from podtide.sim.scenario import Kind, Llm, Requests, Scenario
from podtide.sim.tokens import Model
from podtide.sim.traces import Trace

TRACES = Path(__file__).parents[2] / "shared" / "traces"
PEAK = 30.0
"""Pods kept busy in the busiest hundredth of the minutes: enough that a whole pod is a small step."""
LLM_PEAK = 15.0
ROOM = 4.0
"""`maxReplicas`, in such peaks: what is rarer than a hundredth of the minutes is to find room as well."""
SERVER = Model(prefill=2000.0)
SERVICE = 2.0
"""Seconds of work of each request where seconds are told apart; twice that is late."""
BUSY = 0.7
"""Share of the time that a pod is busy at the target that every policy begins with."""
DAY = 86_400.0
BEGIN = 1_704_067_200.0
COARSE = 30.0
"""Seconds of an interval from which on nothing is known of single requests: what is beyond the capacity is late."""
FINE = 15.0
"""Seconds of the intervals that coarse ones are drawn through by straight lines."""
RHYTHM = 0.3
"""Correlation of the load's half hours with those of the day before from which on a part is said to have a rhythm."""


@dataclass(frozen=True)
class Case:
    """What is taken of a trace."""

    file: str
    begin: float = 0.0
    days: float = 2.0
    note: str = ""

    @property
    def name(self) -> str:
        """As in the table."""
        stem = self.file.removesuffix(".gz").removesuffix(".csv")
        return f"{stem}, {self.note}" if self.note else stem


CASES = (
    Case("azure-llm-2023-code.csv"),
    Case("azure-llm-2023-conv.csv"),
    Case("mooncake-synthetic.csv"),
    Case("aibrix-8min-up-and-down.csv"),
    Case("azure-functions-2021-first-200.csv"),
    Case("alibaba-gentd26-qps.csv"),
    Case("alibaba-gentd26-lora-requests-per-minute.csv", 4 * DAY, 4.0, note="days 5 to 8"),
    Case("worldcup98-per-minute.csv", 32 * DAY, 4.0, note="days 33 to 36"),
    Case("worldcup98-per-minute.csv", 44 * DAY, 4.0, note="days 45 to 48"),
    Case("nasa-http-1995-per-minute.csv", 4 * DAY, 4.0, note="days 5 to 8"),
    Case("nasa-http-1995-busiest-week-per-second.csv.gz", 0.0, 4.0, note="days 1 to 4"),
    Case("nab-aws-elb-request-count.csv", note="days 1 and 2"),
    Case("nab-twitter-volume-aapl.csv", note="days 1 and 2"),
    Case("nab-twitter-volume-goog.csv", note="days 1 and 2"),
    Case("nab-artificial-load-balancer-spikes.csv", note="days 1 and 2"),
)
"""Parts were chosen before any was scored: the first days, except where a trace begins all but empty (lora), repeats
another (per minute and per second), or changes its nature (before and in the World Cup). Left out:
aibrix-5s-burst.csv, which is over before any policy has decided twice. Parts without a rhythm are cut to two days."""


@dataclass(frozen=True)
class Load:
    """A case, scaled."""

    trace: Trace
    kind: Kind
    slo: float
    """Seconds."""
    target: float
    """Requests in flight per pod."""
    peak: float
    """As in `PEAK`."""
    rhythm: float | None
    """How much a day resembles the one before, 1 at most, over four days; None where there are fewer."""

    @cached_property
    def half(self) -> float:
        """Where tuning ends and scoring begins, in seconds."""
        return self.trace.width * (len(self.trace.requests) // 2)

    def scenario(self, startup: float, *, seed: int, tuning: bool) -> Scenario:
        """The first half; or all of it, of which the second half counts."""
        world = World(BEGIN, BEGIN, Nodes(Fixed(startup)), 2, seed=seed)
        if tuning:
            return Scenario(self.trace.part(0.0, self.half), self.kind, world, self.slo)
        return Scenario(self.trace, self.kind, replace(world, counted=BEGIN + self.half), self.slo)

    def manifest(self, strategy: str, *, forecast: bool) -> dict[str, Any]:
        """A policy on the requests in flight, with every default."""
        source = {"metricSourceType": "pod", "port": "8000", "targetMetric": "concurrency"}
        source["targetValue"] = f"{self.target:.3g}"
        if self.trace.duration > 3 * 3600:
            # KPA decides every 2 s else, which takes seven times as long to simulate and hardly differs at such widths.
            source["intervalSeconds"] = 15  # type: ignore[assignment]  # one of the few numbers among texts
        return {
            "apiVersion": "autoscaling.aibrix.ai/v1alpha1",
            "kind": "PodAutoscaler",
            "metadata": {"name": strategy.lower()},
            "spec": {
                "scalingStrategy": strategy,
                "maxReplicas": math.ceil(ROOM * self.peak),
                "metricsSources": [source],
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                **({"forecast": {}} if forecast else {}),
            },
        }


def rhythm(whole: Trace, begin: float) -> float | None:
    """The autocorrelation of the half hours at a day, in four days from there on."""
    if whole.duration < begin + 4 * DAY:
        return None
    found = whole.part(begin, begin + 4 * DAY)
    count = round(1800 / found.width)
    every = range(0, len(found.requests) - count + 1, count)
    return resemblance([sum(found.requests[at : at + count]) for at in every], 48)


def resemblance(values: Sequence[float], lag: int) -> float:
    """The autocorrelation at a lag."""
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    pairs = [(one - mean) * (other - mean) for one, other in zip(values, values[lag:], strict=False)]
    return sum(pairs) / len(pairs) / variance if variance else 0.0


def load(case: Case) -> Load:
    """The trace's part, as large as `PEAK` says."""
    data = (TRACES / case.file).read_bytes()
    text = gzip.decompress(data) if case.file.endswith(".gz") else data
    whole = traces.parse(text.decode(), case.file, gaps="hold")
    days = rhythm(whole, case.begin)
    found = whole.part(case.begin, min(whole.duration, case.begin + case.days * DAY))
    if found.input_tokens and found.output_tokens:
        prompt = sum(found.input_tokens) / sum(found.requests)
        answer = sum(found.output_tokens) / sum(found.requests)
        seconds = prompt / SERVER.prefill
        # In flight are the prompt that is read, and the answers of those that were read before.
        in_flight = BUSY * (1.0 + answer * SERVER.step / seconds)
        minutes = _minutes(found, found.input_tokens)
        factor = LLM_PEAK / (_high(minutes) / SERVER.prefill)
        return Load(found.times(factor), Llm(SERVER), 10.0 * seconds, in_flight, LLM_PEAK, days)
    if found.width >= COARSE:
        found = drawn_through(found)
        factor = PEAK / _high(_minutes(found, found.requests))
        return Load(found.times(factor), Carrying(1.0), 2.0, BUSY, PEAK, days)
    factor = PEAK / (_high(_minutes(found, found.requests)) * SERVICE)
    return Load(found.times(factor), Requests(SERVICE, "fixed"), 2 * SERVICE, BUSY, PEAK, days)


def drawn_through(trace: Trace) -> Trace:
    """Straight lines between the intervals' middles: steps at their edges come of the counting, and none foresees them.

    A minute's or five minutes' count so keeps its height, and takes as long to change as it is unknown for.
    """
    rates = [count / trace.width for count in trace.requests]
    made = []
    for step in range(math.floor(trace.duration / FINE)):
        place = ((step + 0.5) * FINE) / trace.width - 0.5
        first = max(0, min(len(rates) - 1, math.floor(place)))
        second = min(len(rates) - 1, first + 1)
        share = min(1.0, max(0.0, place - first))
        made.append(FINE * (rates[first] + share * (rates[second] - rates[first])))
    return Trace(trace.name, FINE, tuple(made))


def _minutes(trace: Trace, values: Sequence[float]) -> list[float]:
    """Means per second over each minute."""
    count = max(1, round(60 / trace.width))
    starts = range(0, max(1, len(values) - count + 1), count)
    return [sum(values[at : at + count]) / (count * trace.width) for at in starts]


def _high(values: Sequence[float]) -> float:
    """What a hundredth of the values exceeds, those of no load left out."""
    ordered = sorted(value for value in values if value > 0)
    return ordered[min(len(ordered) - 1, math.floor(0.99 * len(ordered)))]

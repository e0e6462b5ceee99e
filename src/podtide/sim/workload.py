"""From a trace's counts to single requests: when each arrives, and how much work it is. Policies share them.

Arrivals are drawn evenly within their interval, so that those of a steady rate are a Poisson process given the counts.
Parts of a request carry over to the next interval, so nothing of a small load is lost.
"""

import math
import random
from array import array
from dataclasses import dataclass
from typing import Literal

from podtide.sim.traces import Trace, TraceError

Law = Literal["fixed", "exponential"]
MOST = 20_000_000
"""Requests of one run; each takes about two microseconds and 24 bytes."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Single requests in order of arrival. Do not change the arrays."""

    begin: float
    """When the trace begins, in seconds since 1970."""
    end: float
    arrivals: "array[float]"
    work: "array[float]"
    """Seconds of service, or tokens of the prompt."""
    more: "array[float]"
    """Tokens of the answer; empty for services that do not count tokens."""

    def __len__(self) -> int:
        return len(self.arrivals)


def draw(trace: Trace, rng: random.Random, *, begin: float, mean: float, law: Law) -> Requests:
    """Requests with a service time of `mean` seconds each: all the same, or drawn from an exponential law."""
    arrivals = _arrivals(trace, rng, begin)
    if law == "fixed":
        work = array("d", [mean]) * len(arrivals)
    else:
        work = array("d", (rng.expovariate(1.0 / mean) for _ in arrivals))
    return Requests(begin, begin + trace.duration, arrivals, work, array("d"))


def draw_tokens(trace: Trace, rng: random.Random, *, begin: float, prompt: float, answer: float) -> Requests:
    """Requests with tokens: the trace's own mean of the interval, or `prompt` and `answer` where it has none.

    The lengths within an interval are drawn from an exponential law around the interval's mean: only sums are known.
    """
    arrivals = _arrivals(trace, rng, begin)
    inputs, outputs = array("d"), array("d")
    for at in arrivals:
        index = min(int((at - begin) / trace.width), len(trace.requests) - 1)
        count = trace.requests[index]
        means = [prompt, answer]
        if trace.input_tokens is not None and trace.output_tokens is not None and count:
            means = [trace.input_tokens[index] / count, trace.output_tokens[index] / count]
        for column, mean in zip((inputs, outputs), means, strict=True):
            column.append(float(max(1, round(rng.expovariate(1.0 / mean)))) if mean > 0 else 1.0)
    return Requests(begin, begin + trace.duration, arrivals, inputs, outputs)


def _arrivals(trace: Trace, rng: random.Random, begin: float) -> "array[float]":
    total = sum(trace.requests)
    if not math.isfinite(total):
        raise TraceError(trace.name, None, "holds more requests than a number can tell; correct the largest ones")
    if total > MOST:
        text = f"holds {total:.3g} requests, and one run simulates {MOST:.0e}; "
        raise TraceError(
            trace.name, None, text + f"give --from and --to, --load {MOST / total:.1g}, or --service ratio"
        )
    arrivals: array[float] = array("d")
    rest, width, uniform = 0.0, trace.width, rng.random
    for index, count in enumerate(trace.requests):
        rest += count
        whole = int(rest)
        if whole:
            rest -= whole
            start = begin + index * width
            if whole == 1:
                arrivals.append(start + uniform() * width)
            else:
                arrivals.extend(sorted(start + uniform() * width for _ in range(whole)))
    return arrivals

"""How well policies scale on every load trace at hand: `python -m benchmarks.quality [TRACE…]`.

Every policy is tuned by the same search with the same number of trials on the first half of a part of a trace, at a
start-up of 90 seconds, for the fewest pod-hours with at most 1 % of the requests late, where a flap counts like a pod
for ten minutes; and scored on the second half at 30, 90 and 180 seconds with other random numbers. `quality_cases` says
what is taken of each trace and how large it is made, `quality_table` what is printed. Results go to a file in turn:
a run that was broken off goes on from there.
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks import quality_cases as cases
from benchmarks import quality_table as tables
from benchmarks.quality_cases import Case
from benchmarks.quality_table import POLICIES, STARTUPS, Row
from podtide.api import decode
from podtide.core.model.spec import AutoscalerSpec
from podtide.sim import draws, tuning
from podtide.sim.score import FLAP, Score

TUNED_AT = 90.0
TRIALS = 12
ALLOWED = 0.01
SEEDS = (1, 2)
"""Of the half that is tuned on, and of the one that is scored."""


def spec(written: dict[str, Any]) -> AutoscalerSpec:
    """What a manifest says."""
    decoded = decode.autoscaler(written)
    assert decoded.spec is not None, decoded.problems
    return decoded.spec


_load = cache(cases.load)


def tuned(case: Case, strategy: str, *, forecast: bool) -> tuple[dict[str, Any], tuning.Trial]:
    """The policy that does best on the first half, and how well it did there."""
    load = _load(case)
    scenario = load.scenario(TUNED_AT, seed=SEEDS[0], tuning=True)
    base = load.manifest(strategy, forecast=forecast)

    def trial(picks: Any) -> tuning.Trial:
        score = scenario.run(spec(tuning.turned(base, picks))).score
        return tuning.Trial(picks, score.violations, score.pod_hours + score.flaps * FLAP / 3600)

    # Forecasts have no knobs of their own here, so that all search the same space with the same draws.
    space = tuning.knobs(strategy, forecast=False)
    *_, best = tuning.search(trial, space, draws.generator(7), trials=TRIALS, allowed=ALLOWED)
    return tuning.turned(base, best.picks), best


def measured(case: Case, policy: str) -> Row:
    """One policy on one part of a trace."""
    began = time.process_time()
    load = _load(case)
    scenarios = [load.scenario(startup, seed=SEEDS[1], tuning=False) for startup in STARTUPS]
    scores: tuple[Score | None, ...]
    picks: dict[str, Any] = {}
    first: tuple[float, float] | None = None
    if policy == tables.ORACLE:
        bounds = spec(load.manifest("HPA", forecast=False)).bounds
        reached = [scenario.reach(bounds, allowed=ALLOWED) for scenario in scenarios]
        scores = tuple(None if each is None else each.score for each in reached)
    else:
        strategy, forecast = policy[:3], policy.endswith("forecast")
        chosen = load.manifest(strategy, forecast=forecast)
        if "defaults" not in policy:
            chosen, best = tuned(case, strategy, forecast=forecast)
            picks, first = dict(best.picks), (best.violations, best.pod_hours)
        scores = tuple(scenario.run(spec(chosen)).score for scenario in scenarios)
    return Row(case.name, load.rhythm, policy, scores, picks, first, time.process_time() - began)


class Results:
    """The rows so far, in a file."""

    def __init__(self, path: Path, again: str | None) -> None:
        self._path = path
        self.rows: dict[tuple[str, str], Row] = {}
        written = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        for each in written:
            row = Row.read(each)
            if again is None or again not in row.policy:
                self.rows[row.case, row.policy] = row

    def add(self, row: Row) -> None:
        """Keep it, now."""
        self.rows[row.case, row.policy] = row
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps([dataclasses.asdict(each) for each in self.rows.values()]), encoding="utf-8")
        beside.replace(self._path)


def measure(chosen: Sequence[Case], results: Results, jobs: int) -> None:
    """What is not there yet."""
    wanted = [(case, policy) for case in chosen for policy in POLICIES if (case.name, policy) not in results.rows]
    # Forecasts come last: they are what is worked on, and `--again` measures them anew.
    wanted.sort(key=lambda each: each[1].endswith("forecast"))
    with ProcessPoolExecutor(jobs, initializer=os.nice, initargs=(10,)) as pool:
        waiting = [pool.submit(measured, case, policy) for case, policy in wanted]
        for number, future in enumerate(as_completed(waiting), 1):
            row = future.result()
            results.add(row)
            text = f"{number}/{len(wanted)} {row.case}: {row.policy}, {row.seconds:.0f} s of one core"
            print(text, file=sys.stderr, flush=True)


def report(chosen: Sequence[Case], results: Results) -> Iterator[str]:
    """Everything that is printed."""
    rows = [results.rows[case.name, policy] for case in chosen for policy in POLICIES]
    yield "Each cell: late requests, pod-hours over the oracle's bound, flaps."
    yield ""
    yield from tables.table(rows)
    yield ""
    yield from tables.verdicts(rows)
    yield f"{sum(row.seconds for row in rows) / 60:.0f} minutes of one core."


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="*", help="file names; default: all")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("build/quality.json"), help="the file of the rows")
    parser.add_argument("--again", metavar="TEXT", help="measure anew what has this in its name, as 'forecast'")
    given = parser.parse_args(arguments)
    chosen = [case for case in cases.CASES if not given.traces or case.file in given.traces]
    if not cases.TRACES.is_dir():
        sys.exit(f"{cases.TRACES} is not there: the traces are no part of the project")
    given.results.parent.mkdir(parents=True, exist_ok=True)
    results = Results(given.results, given.again)
    measure(chosen, results, given.jobs)
    for line in report(chosen, results):
        print(line)


if __name__ == "__main__":
    main()

"""`podtide tune POLICY TRACE`: the parameters that keep the bound with the fewest pod-hours, and how sure that is."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podtide.cli.simulating import Policy
    from podtide.sim.scenario import Scenario
    from podtide.sim.score import Score
    from podtide.sim.tuning import Trial


def add_parser(commands: Any) -> None:
    """Declare the command."""
    from podtide.cli import flags, simulating

    parser: argparse.ArgumentParser = commands.add_parser(
        "tune",
        help="find the parameters that keep a bound with the fewest pod-hours",
        description="Try parameters of a PodAutoscaler on the first part of a trace, and judge the best on the rest.",
        epilog="Exit code 0; 1 if nothing keeps the bound; 2 if a file or an option cannot be used.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="one PodAutoscaler (.yaml) and one trace, as simulate")
    simulating.add_options(parser)
    search = parser.add_argument_group("the search")
    search.add_argument("--allowed", type=flags.share, default=0.01, metavar="SHARE", help="late requests (1%%)")
    search.add_argument("--trials", type=flags.whole, default=24, metavar="N", help="to make (%(default)s)")
    search.add_argument("--train", type=flags.share, default=0.5, metavar="SHARE", help="of the trace, its begin")
    search.add_argument("--seeds", type=flags.whole, default=3, metavar="N", help="to judge by (%(default)s)")
    search.add_argument("--forecast", action="store_true", help="also try with spec.forecast")
    search.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class Judged:
    """A policy on the part of the trace that was not searched on, once per seed."""

    name: str
    scores: "Sequence[Score]"

    @property
    def violations(self) -> float:
        return sum(score.violations for score in self.scores) / len(self.scores)

    @property
    def pod_hours(self) -> float:
        return sum(score.pod_hours for score in self.scores) / len(self.scores)


def run(arguments: argparse.Namespace) -> int:
    """Search, judge, print."""
    from podtide.cli import simulating
    from podtide.sim.gauges import UnknownMetric

    try:
        return _run(arguments)
    except (simulating.Misuse, UnknownMetric) as error:
        print(f"podtide: {error}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    from podtide.cli import simulating

    manifests, name = simulating.files(arguments.files)
    tried = simulating.policies(manifests)
    if len(tried) != 1:
        raise simulating.Misuse(f"{len(tried)} policies among the files; give the one that is to be tuned")
    policy, whole = tried[0], simulating.trace(name, arguments)
    cut = whole.width * round(arguments.train * len(whole.requests))
    if not 0 < cut < whole.duration:
        raise simulating.Misuse(f"--train {arguments.train:g} of {len(whole.requests)} rows leaves nothing to judge by")
    train = simulating.world(whole.part(0, cut), tried, arguments)
    best, count = _searched(policy, train, arguments)
    found = _policy(policy, best.picks)
    scenarios = [_scenario(whole, tried, arguments, seed, cut) for seed in range(1, arguments.seeds + 1)]
    judged = [
        Judged(label, [scenario.run(each.spec).score for scenario in scenarios])
        for label, each in (("present", policy), ("found", found))
    ]
    if arguments.json:
        print(json.dumps(_data(best, found, judged), indent=2))
    else:
        for line in _lines(policy, found, best, count, judged, arguments):
            print(line)
    return 0 if best.violations <= arguments.allowed else 1


def _searched(policy: "Policy", train: "Scenario", arguments: argparse.Namespace) -> "tuple[Trial, int]":
    from podtide.cli import simulate
    from podtide.sim import draws, tuning

    strategy = str(policy.manifest["spec"]["scalingStrategy"])
    space = tuning.knobs(strategy, forecast=arguments.forecast)
    show, count = simulate.progress("tuning"), 0

    def trial(picks: Mapping[str, Any]) -> tuning.Trial:
        nonlocal count
        count += 1
        score = train.run(_policy(policy, picks).spec).score
        if show:
            show(count / arguments.trials)
        return tuning.Trial(picks, score.violations, score.pod_hours)

    rng = draws.generator(arguments.seed)
    *_, best = tuning.search(trial, space, rng, trials=arguments.trials, allowed=arguments.allowed)
    if show:
        show(1.0)
    return best, count


def _policy(policy: "Policy", picks: Mapping[str, Any]) -> "Policy":
    from podtide.cli import simulating
    from podtide.sim import tuning

    return simulating.policy(tuning.turned(policy.manifest, picks), policy.name)


def _scenario(
    whole: Any, tried: Sequence["Policy"], arguments: argparse.Namespace, seed: int, cut: float
) -> "Scenario":
    from podtide.cli import simulating

    changed = argparse.Namespace(**vars(arguments) | {"seed": seed + arguments.seed, "counted": cut})
    return simulating.world(whole, tried, changed)


def _lines(
    policy: "Policy",
    found: "Policy",
    best: "Trial",
    count: int,
    judged: Sequence[Judged],
    arguments: argparse.Namespace,
) -> Sequence[str]:
    from podtide.cli import simulate, simulating, tables

    rows = [("", "LATE", "WORST SEED", "POD-HOURS", "× BOUND", "SCALINGS", "FLAPS")]
    for each in judged:
        scores = each.scores
        rows.append(
            (
                each.name,
                simulate.share(each.violations),
                simulate.share(max(score.violations for score in scores)),
                f"{each.pod_hours:,.2f}",
                simulating.times(sum(score.ratio for score in scores) / len(scores)),
                f"{sum(score.scalings for score in scores) / len(scores):.0f}",
                f"{sum(score.flaps for score in scores) / len(scores):.0f}",
            )
        )
    present, now = judged
    change = now.pod_hours / present.pod_hours - 1 if present.pod_hours else 0.0
    train, bound = f"the first {arguments.train:.0%}", simulating.seconds(arguments.slo)
    seeds = f"{arguments.seeds} seed{'s' if arguments.seeds > 1 else ''}"
    lines = [
        f"{policy.name}: {count} trials on {train} of the trace; below, the rest of it, with {seeds}.",
        "",
        *tables.table(rows),
        "",
    ]
    if best.violations > arguments.allowed:
        lines.append(
            f"Nothing tried keeps late requests (over {bound}) at {arguments.allowed:.2%} on {train}; "
            f"this comes closest, with {simulate.share(best.violations)}."
        )
    held = sum(score.violations <= arguments.allowed for score in now.scores)
    lines.append(f"On the rest {held} of {seeds} keep it. Pod-hours against the present: {change:+.1%}.")
    if best.picks and _is_worse(now, present, allowed=arguments.allowed):
        lines.append(
            "There the present parameters do better: tune on more, or on a busier part, before you apply these."
        )
    if not best.picks:
        return [*lines, "The present parameters are the best that was tried."]
    return [*lines, "", *_yaml(found.manifest)]


def _is_worse(found: Judged, present: Judged, *, allowed: float) -> bool:
    """By the search's own measure, on the part that it has not seen."""
    from podtide.sim.tuning import Trial

    one, other = (Trial({}, each.violations, each.pod_hours) for each in (present, found))
    return one.is_better(other, allowed=allowed)


def _yaml(manifest: Mapping[str, Any]) -> list[str]:
    import yaml

    return yaml.safe_dump(dict(manifest), sort_keys=False, allow_unicode=True).splitlines()


def _data(best: "Trial", found: "Policy", judged: Sequence[Judged]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "picks": dict(best.picks),
        "train": {"violations": best.violations, "pod_hours": best.pod_hours},
        "test": {each.name: [asdict(score) for score in each.scores] for each in judged},
        "manifest": found.manifest,
    }

"""`podtide replay RECORDING… [POLICY…]`: what a controller recorded, decided once more, by it or by another policy."""

import argparse
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podtide.api.recording import Begin, Tick
    from podtide.cli.simulating import Policy
    from podtide.core.model.spec import AutoscalerSpec
    from podtide.sim.replay import Step

_SHOWN = 20


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "replay",
        help="decide once more what a controller recorded",
        description="Feed a recording of `podtide run --record FILE` through the engine again: by the recorded policy, "
        "which must decide the same, or by another one, to see where it would have differed and why.",
        epilog="Exit code 0; 1 if the recorded policy does not decide as recorded; 2 if a file cannot be used.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings, older ones too, and policies (.yaml)")
    parser.add_argument("--autoscaler", metavar="NS/NAME", help="only this one")
    parser.add_argument("--explain", type=int, metavar="N", help="print both trails of the Nth difference")
    parser.add_argument("--all", action="store_true", help=f"print every difference, not the first {_SHOWN}")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Replay and print the differences."""
    from podtide.api.recording import RecordingError
    from podtide.cli import simulating
    from podtide.sim import replay

    try:
        policies = simulating.policies([name for name in arguments.files if _is_manifest(name)])
        entries = _entries([name for name in arguments.files if not _is_manifest(name)], arguments.autoscaler)
        steps = list(replay.replay(entries, _chosen(policies), is_other=bool(policies)))
    except (simulating.Misuse, RecordingError) as error:
        print(f"podtide: {error}", file=sys.stderr)
        return 2
    if not steps:
        print("podtide: the recording holds no decision" + _of(arguments), file=sys.stderr)
        return 2
    different = [step for step in steps if not step.is_same]
    if arguments.json:
        print(json.dumps([_data(step) for step in different], indent=2))
    elif arguments.explain is not None:
        if not 1 <= arguments.explain <= len(different):
            print(f"podtide: --explain {arguments.explain}: there are {len(different)} differences", file=sys.stderr)
            return 2
        _explain(different[arguments.explain - 1])
    else:
        for line in _lines(steps, every=arguments.all):
            print(line)
    return 1 if different and not policies else 0


def _is_manifest(name: str) -> bool:
    return Path(name).suffix in {".yaml", ".yml"}


def _of(arguments: argparse.Namespace) -> str:
    return f" of {arguments.autoscaler}" if arguments.autoscaler else ""


def _entries(names: Sequence[str], wanted: str | None) -> Iterator["Begin | Tick"]:
    """The entries of every file, the file that began first first. Raises Misuse and RecordingError."""
    from podtide.api import recording
    from podtide.cli import simulating

    files = []
    for name in names:
        entries = recording.read(io.BytesIO(simulating.data(name)), name)
        first = next(entries, None)
        if first is not None:
            files.append((first.at, itertools.chain([first], entries)))
    if not names:
        raise simulating.Misuse("no recording among the files; `podtide run --record FILE` writes one")
    files.sort(key=lambda each: each[0])
    for _, entries in files:
        for entry in entries:
            if wanted in (None, entry.autoscaler):
                yield entry


def _chosen(policies: Sequence["Policy"]) -> Callable[["Begin"], "AutoscalerSpec"]:
    """The policy of an autoscaler: the given one of its name, or the only one given, or its own."""
    from dataclasses import replace

    from podtide.api import decode
    from podtide.cli import simulating

    def choose(begin: "Begin") -> "AutoscalerSpec":
        own = decode.autoscaler(begin.manifest, begin.settings)
        if own.spec is None:
            problems = "; ".join(map(str, own.problems))
            raise simulating.Misuse(f"{begin.autoscaler}: this version does not accept the recorded object: {problems}")
        if not policies:
            return own.spec
        named = [policy for policy in policies if str(policy.spec.key) == begin.autoscaler]
        if not named and len(policies) > 1:
            raise simulating.Misuse(f"no policy for {begin.autoscaler}; give one of its name, or --autoscaler")
        # Decoded anew, by the options that the recording controller ran with.
        given = (named or policies)[0]
        other = decode.autoscaler(given.manifest, begin.settings).spec or given.spec
        # Readings are told apart by the metric's id, and the intervals are those that were read.
        missing = {metric.id for metric in other.metrics} - {metric.id for metric in own.spec.metrics}
        if missing:
            known = ", ".join(metric.id for metric in own.spec.metrics)
            which = "" if named else "; --autoscaler names the one that the policy is for"
            text = f"{', '.join(sorted(missing))} was not recorded; there is {known}{which}"
            raise simulating.Misuse(f"{begin.autoscaler}: {text}")
        read = {metric.id: metric.interval for metric in own.spec.metrics}
        metrics = tuple(replace(metric, interval=read[metric.id]) for metric in other.metrics)
        return replace(other, key=own.spec.key, uid=own.spec.uid, metrics=metrics)

    return choose


def _lines(steps: Sequence["Step"], *, every: bool) -> Iterator[str]:
    by_name: dict[str, list[Step]] = {}
    for step in steps:
        by_name.setdefault(step.tick.autoscaler, []).append(step)
    for name, own in by_name.items():
        different = [step for step in own if not step.is_same]
        counts = sum(map(_is_other_count, different))
        told = f"{len(different)} differ, {counts} of them in the count" if different else "all as recorded"
        yield f"{name}: {len(own)} decisions, {told}"
        # Another policy gives other reasons at every tick; what people ask about is the count.
        numbered = list(enumerate(different, 1))
        told_of = [each for each in numbered if every or not counts or _is_other_count(each[1])]
        shown = told_of if every else told_of[:_SHOWN]
        for number, step in shown:
            before, now = step.tick.decision, step.now
            yield (
                f"  {number:>4}  {before['at']}  {before['desired']} [{before['reason']}], now {now['desired']} "
                f"[{now['reason']}]: {step.why}"
            )
        if len(shown) < len(different):
            yield f"        and {len(different) - len(shown)} more; --all prints them"


def _is_other_count(step: "Step") -> bool:
    return bool(step.now["desired"] != step.tick.decision["desired"])


def _explain(step: "Step") -> None:
    from podtide.api import explain

    print("Recorded:")
    for line in explain.from_status({"lastDecision": step.tick.decision}, step.tick.autoscaler):
        print(line)
    print("Now:")
    for line in explain.lines(step.decision, None, step.spec):
        print(line)


def _data(step: "Step") -> dict[str, Any]:
    return {
        "autoscaler": step.tick.autoscaler,
        "at": step.tick.at,
        "why": step.why,
        "recorded": step.tick.decision,
        "now": step.now,
    }

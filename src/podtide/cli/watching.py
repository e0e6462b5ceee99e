"""What a demo shows: a live view, lines for a pipe, the summary. It reads the world and the exported metrics only."""

import asyncio
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live

from podtide.cli import chart, picture, view
from podtide.local.demo import Row, Story, World
from podtide.local.scenario import Workload
from podtide.telemetry.meters import Meters

_EVERY = 0.5

_WAIT = 2
"""Seconds between two scrapes, and between two decisions, of what the demo scales."""

_NEXT = """\
Every decision above is the real controller's, on pages scraped over the wire.

Next, from here:
  {podtide} validate config/samples/*.yaml
      checks manifests before they are applied: these, or your own
  {podtide} crd | kubectl apply --server-side -f -
      defines PodAutoscaler in your cluster, a superset of AIBrix's
Then README.md, "Install it on a cluster": the image, the Helm chart, and the
first autoscaler. With mode: DryRun it tells what it would do, and does nothing.
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One workload at one moment, as the exported metrics and the API show it."""

    at: float
    row: Row
    value: float | None
    """Per pod; None while it is not known."""
    target: float | None
    panicking: bool
    desired: int | None
    """Before the first decision there is none."""


@dataclass(slots=True)
class Past:
    """The course of one workload."""

    seen: list[Seen] = field(default_factory=list)


class Onlooker:
    """Watches a world and the controller's metrics."""

    def __init__(self, world: World, meters: Meters, kubeconfig: str) -> None:
        self._world = world
        self._meters = meters
        self._kubeconfig = kubeconfig
        self._past: dict[Workload, Past] = {workload: Past() for workload in world.scenario.loads}
        self._console = Console()

    async def live(self) -> None:
        """A view that is drawn anew twice a second, until cancelled."""
        with Live(self._view(), console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                self._look()
                live.update(self._view(), refresh=True)
                await asyncio.sleep(_EVERY)

    async def lines(self) -> None:
        """A line per workload every two seconds, and one for each event, until cancelled."""
        print(f"# {self._world.scenario.about}")
        print(f"# kubectl --kubeconfig {self._kubeconfig} get pas -A", flush=True)
        told = 0
        for count in range(10**9):
            self._look()
            for item in self._world.story.told[told:]:
                print(f"{item.at:5.1f}s  {_name(item.workload):<28} {item.reason}: {item.note}", flush=True)
            told = len(self._world.story.told)
            if count % 4 == 0:
                for past in self._past.values():
                    print(_line(past.seen[-1]), flush=True)
            await asyncio.sleep(_EVERY)

    def summary(self) -> None:
        """What happened, and what to do next."""
        story = self._world.story
        print()
        for workload, past in self._past.items():
            self._chart(workload, past)
            print(f"  {_scalings(story, workload)}")
            reaction = story.reaction(workload)
            if reaction is not None:
                print(f"  load step to scale patch: {reaction:.1f} s (two scrapes and a tick: {3 * _WAIT} s)")
            print()
        print(_NEXT.format(podtide=_command()), end="")

    def picture(self) -> str:
        """What happened, as SVG."""
        story = self._world.story
        panels = [
            picture.Panel(
                _name(workload),
                [
                    picture.Moment(seen.at, seen.row.load, seen.row.replicas, seen.row.ready, seen.panicking)
                    for seen in past.seen
                ],
                [
                    (item.at, f"{item.reason}: {item.note}")
                    for item in story.told
                    if item.workload == workload and item.at
                ],
            )
            for workload, past in self._past.items()
            if len(past.seen) > 1
        ]
        return picture.svg(f"podtide demo --scenario {self._world.scenario.name}", panels)

    def _look(self) -> None:
        for row in self._world.rows():
            self._past[row.workload].seen.append(self._see(row))

    def _see(self, row: Row) -> Seen:
        labels = {"namespace": row.workload[0], "name": row.workload[1]}

        def sample(name: str, **more: str) -> float | None:
            return self._meters.registry.get_sample_value(f"podtide_autoscaler_{name}", labels | more)

        metric = {"vllm": "num_requests_running", "metrics-server": "go_threads"}[row.workload[1]]
        desired = sample("desired_replicas")
        return Seen(
            self._world.elapsed(),
            row,
            sample("metric_value", metric=metric),
            sample("metric_target", metric=metric),
            bool(sample("panic")),
            None if desired is None else int(desired),
        )

    def _view(self) -> Group:
        heading = view.Heading(
            self._world.scenario.about, self._world.elapsed(), self._world.duration, self._kubeconfig
        )
        told = [view.Line(item.at, _name(item.workload), item.reason, item.note) for item in self._world.story.told]
        courses = [
            view.Course(
                _name(workload),
                [seen.row.load for seen in past.seen],
                [float(seen.row.replicas) for seen in past.seen],
                _cells(past.seen[-1]),
            )
            for workload, past in self._past.items()
            if past.seen
        ]
        return view.draw(heading, courses, told, self._console)

    def _chart(self, workload: Workload, past: Past) -> None:
        if len(past.seen) < 2:
            return
        pods = [float(seen.row.replicas) for seen in past.seen]
        load = [seen.row.load for seen in past.seen]
        width = min(len(load), max(20, self._console.width - 10))
        print(f"{_name(workload)}: load (bars, up to {max(load):.0f}) and replicas (line, up to {max(pods):.0f})")
        scale = max(load) / max(pods)
        for row in chart.plot(load, [count * scale for count in pods], width=width, height=6):
            print(f"  {row}")
        print(f"         {0:<{max(1, width - 6)}}{past.seen[-1].at:.0f} s")


def _command() -> str:
    """What to type for `podtide` where this one was started, which need not be on the PATH."""
    started = Path(sys.argv[0])
    if started.name != "podtide":
        return f"{sys.executable} -m podtide"
    found = shutil.which("podtide")
    return "podtide" if found and Path(found).samefile(started) else str(started)


def _cells(seen: Seen) -> tuple[str, ...]:
    """What stands under `view.COLUMNS`."""
    row = seen.row
    return f"{row.load:.0f}", _value(seen), _state(seen), _count(seen.desired), str(row.replicas), str(row.ready)


def _state(seen: Seen) -> str:
    return "panic" if seen.panicking else "stable"


def _line(seen: Seen) -> str:
    return (
        f"{seen.at:5.1f}s  {_name(seen.row.workload):<28} load {seen.row.load:5.1f}  value {_value(seen):>11}  "
        f"{_state(seen):<6}  desired {_count(seen.desired)}  replicas {seen.row.replicas}  ready {seen.row.ready}"
    )


def _scalings(story: Story, workload: Workload) -> str:
    changes = [change for change in story.scaled if change.workload == workload]
    if not changes:
        return "never scaled"
    steps = " → ".join([str(changes[0].before), *(f"{change.after} ({change.at:.0f} s)" for change in changes)])
    return f"replicas: {steps}"


def _value(seen: Seen) -> str:
    value, target = seen.value, seen.target
    return f"{'?' if value is None else f'{value:.1f}'}/{'?' if target is None else f'{target:g}'}"


def _count(replicas: int | None) -> str:
    return "?" if replicas is None else str(replicas)


def _name(workload: Workload) -> str:
    return "/".join(workload)

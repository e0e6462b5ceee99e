"""What a demo shows: a live view, lines for a pipe, the summary. It reads the world and the exported metrics only."""

import asyncio
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from podtide.cli import chart, picture
from podtide.local.demo import Row, Story, World
from podtide.local.scenario import Workload
from podtide.telemetry.meters import Meters

_EVERY = 0.5
_SHOWN = 8
"""Events in the live view."""


_NEXT = """\
The real controller made every decision above, from pages it scraped over real HTTP and HTTPS.
Next, on a cluster:
  podtide crd | kubectl apply -f -        # the PodAutoscaler resource, a superset of AIBrix's
  podtide validate config/samples/*.yaml  # check manifests before they are applied
  podtide run                             # the controller; README.md says how to install it
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
                print(f"  load step to scale patch: {reaction:.1f} s (scraped and decided every 2 s)")
            print()
        print(_NEXT)

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
        parts: list[Text | Table] = [self._heading(), self._table()]
        for workload, past in self._past.items():
            width = max(20, self._console.width - 34)
            loads = [seen.row.load for seen in past.seen]
            counts = [float(seen.row.replicas) for seen in past.seen]
            parts.append(Text(f"{_name(workload):<28} load  {chart.bars(loads, width)}"))
            parts.append(Text(f"{'':<28} pods  {chart.bars(counts, width)}", style="cyan"))
        parts.append(Text())
        for item in self._world.story.told[-_SHOWN:]:
            style = "green" if item.reason == "SuccessfulRescale" else "yellow"
            line = Text(f"{item.at:5.1f}s  ", style="dim", no_wrap=True, overflow="ellipsis")
            line.append(f"{_name(item.workload)}  ", style="bold")
            line.append(f"{item.reason}  {item.note}", style=style)
            parts.append(line)
        return Group(*parts)

    def _heading(self) -> Text:
        text = Text(f"Podtide demo: {self._world.scenario.about}  ", style="bold")
        text.append(f"{self._world.elapsed():.0f} of {self._world.duration:.0f} s, Ctrl-C ends it\n", style="dim")
        text.append(f"kubectl --kubeconfig {self._kubeconfig} get pas -A\n", style="dim")
        return text

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for name in ("AUTOSCALER", "LOAD", "VALUE/TARGET", "STATE", "DESIRED", "REPLICAS", "READY"):
            table.add_column(name, justify="left" if name == "AUTOSCALER" else "right")
        for workload, past in self._past.items():
            if past.seen:
                seen = past.seen[-1]
                state = Text("panic", style="bold red") if seen.panicking else Text("stable", style="green")
                table.add_row(
                    _name(workload),
                    f"{seen.row.load:.0f}",
                    _value(seen),
                    state,
                    _count(seen.desired),
                    str(seen.row.replicas),
                    str(seen.row.ready),
                )
        return table

    def _chart(self, workload: Workload, past: Past) -> None:
        if len(past.seen) < 2:
            return
        pods = [float(seen.row.replicas) for seen in past.seen]
        load = [seen.row.load for seen in past.seen]
        width = min(len(load), max(20, self._console.width - 10))
        print(f"{_name(workload)}: load (bars, {max(load):.0f} at most) and replicas (line, {max(pods):.0f} at most)")
        scale = max(load) / max(pods)
        for row in chart.plot(load, [count * scale for count in pods], width=width, height=6):
            print(f"  {row}")
        print(f"         {0:<{max(1, width - 6)}}{past.seen[-1].at:.0f} s")


def _line(seen: Seen) -> str:
    state = "panic" if seen.panicking else "stable"
    return (
        f"{seen.at:5.1f}s  {_name(seen.row.workload):<28} load {seen.row.load:5.1f}  value {_value(seen):>11}  "
        f"{state:<6}  desired {_count(seen.desired)}  replicas {seen.row.replicas}  ready {seen.row.ready}"
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

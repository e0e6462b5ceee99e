"""`podtide demo`: the real controller against an embedded API server and simulated pods, with a live view."""

import argparse
import asyncio
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podtide.cli.watching import Onlooker
    from podtide.control.app import App
    from podtide.local.demo import World

SETTLE = 3.0
"""Seconds given to the first pods to come up before the scenario begins."""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="see it work on this machine, without a cluster",
        description="Run the real controller against an embedded API server and simulated pods with real HTTP and "
        "HTTPS metrics. Ctrl-C ends it and prints the summary.",
    )
    parser.add_argument("--duration", type=float, default=60.0, metavar="S", help="seconds (%(default)s)")
    parser.add_argument("--scenario", default="burst", metavar="NAME", help="burst, outage or wave (%(default)s)")
    parser.add_argument("--plain", action="store_true", help="print lines instead of a live view; default in a pipe")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the run into this file at its end")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play a scenario; 0 after its end or Ctrl-C."""
    try:
        from podtide.cli import watching  # noqa: F401  (what it needs is to be missed here, too)
        from podtide.local.demo import World
        from podtide.local.scenario import SCENARIOS
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        print(f"podtide: the demo needs {missing}; install it by: pip install 'podtide[demo]'", file=sys.stderr)
        return 1
    scenario = SCENARIOS.get(arguments.scenario)
    if scenario is None:
        print(f'podtide: --scenario "{arguments.scenario}" is none of {", ".join(SCENARIOS)}', file=sys.stderr)
        return 2
    if not arguments.duration >= 10:
        print(
            f"podtide: --duration {arguments.duration:g} is too short to see anything; give 10 or more", file=sys.stderr
        )
        return 2
    plain = arguments.plain or not sys.stdout.isatty()
    with tempfile.TemporaryDirectory(prefix="podtide-demo-") as directory:
        drawn = asyncio.run(_play(World(scenario, arguments.duration), Path(directory) / "kubeconfig", plain=plain))
    if arguments.svg is not None:
        try:
            arguments.svg.write_text(drawn, encoding="utf-8")
        except OSError as error:
            print(f"podtide: --svg {arguments.svg}: {error.strerror}", file=sys.stderr)
            return 1
    return 0


async def _play(world: "World", kubeconfig: Path, *, plain: bool) -> str:
    """Play; the run as a picture."""
    from podtide.cli import watching
    from podtide.net import descriptors
    from podtide.telemetry import logs

    descriptors.raise_limit()
    logs.setup("error", "human")
    async with world:
        world.api.kubeconfig(kubeconfig)
        app = _controller(kubeconfig)
        onlooker = watching.Onlooker(world, app.meters, str(kubeconfig))
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        working = asyncio.create_task(app.run(), name="controller")
        showing = asyncio.create_task(_show(onlooker, plain=plain), name="view")
        playing = asyncio.create_task(_scenario(world), name="scenario")
        ending = asyncio.create_task(stop.wait(), name="interrupt")
        try:
            await asyncio.wait({working, playing, ending, showing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (playing, ending, showing):
                task.cancel()
            await asyncio.wait({playing, ending, showing})
            app.stop()
            await asyncio.wait({working})
    if not showing.cancelled():
        showing.result()
    working.result()
    onlooker.summary()
    return onlooker.picture()


async def _scenario(world: "World") -> None:
    await asyncio.sleep(SETTLE)
    await world.play()


def _controller(kubeconfig: Path) -> "App":
    from podtide.api import settings
    from podtide.control.app import App, Job

    chosen = settings.Settings(
        cluster=settings.Cluster(kubeconfig=str(kubeconfig)),
        serving=settings.Serving(metrics_host="127.0.0.1", metrics_port=0, health_port=0),
    )
    return App(Job(chosen))


async def _show(onlooker: "Onlooker", *, plain: bool) -> None:
    await (onlooker.lines() if plain else onlooker.live())

"""Pictures of simulations, by matplotlib: load, ready, desired, and the latency over time. `simulate --plot` draws."""

import importlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from podtide.cli.simulating import Misuse, Policy, seconds, times
from podtide.sim.scenario import Result, Scenario
from podtide.sim.score import quantile

_SLICES = 240
"""Stretches of time that a latency is shown of."""


def check(name: str) -> None:
    """See that a picture can be drawn, before anything is simulated for it. Raises Misuse."""
    if Path(name).suffix not in {".png", ".svg"}:
        raise Misuse(f"--plot {name}: write a name that ends in .png or .svg")
    if not Path(name).absolute().parent.is_dir():
        raise Misuse(f"--plot {name}: there is no directory {Path(name).parent}")
    try:
        importlib.import_module("matplotlib")
    except ModuleNotFoundError as error:
        raise Misuse(f"--plot needs {error.name}; install it by: pip install 'podtide[plot]'") from error


def draw(chosen: Scenario, tried: Sequence[Policy], results: Sequence[Result], names: Sequence[str]) -> None:
    """Write a picture of every policy into each of the files. Raises Misuse where one cannot be written."""
    import matplotlib

    matplotlib.use("Agg")
    # Without it a picture of the same run would differ in its ids.
    matplotlib.rcParams["svg.hashsalt"] = "podtide"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        2, len(tried), figsize=(7.0 * len(tried), 5.6), sharex=True, sharey="row", squeeze=False, layout="constrained",
        height_ratios=(3, 2),
    )  # fmt: skip
    for column, (policy, result) in enumerate(zip(tried, results, strict=True)):
        _counts(axes[0][column], chosen, policy, result)
        _latency(axes[1][column], chosen, result)
    axes[0][0].set_ylabel("pods")
    axes[1][0].set_ylabel("latency, s")
    try:
        for name in names:
            _save(figure, name)
    finally:
        pyplot.close(figure)


def _save(figure: Any, name: str) -> None:
    try:
        figure.savefig(name, dpi=110, metadata={"Date": None} if name.endswith(".svg") else None)
    except OSError as error:
        raise Misuse(f"--plot {name}: {error.strerror}") from error


def _counts(axes: Any, chosen: Scenario, policy: Policy, result: Result) -> None:
    course, figures = result.run.course, result.score
    at = _scale(chosen, course.at)
    axes.fill_between(at, chosen.busy(course.at), step="post", color="#c9d8ea", label="busy by the load")
    axes.step(at, course.desired, where="post", color="#d98324", linewidth=0.8, label="desired")
    axes.step(at, course.placed, where="post", color="#8a8a8a", linewidth=0.8, linestyle=":", label="on nodes")
    axes.step(at, course.ready, where="post", color="#1f5fa8", linewidth=1.3, label="ready")
    axes.set_ylim(bottom=0)
    axes.set_title(
        f"{policy.name}: {figures.violations:.1%} late, {figures.pod_hours:,.1f} pod-hours "
        f"({times(figures.ratio)} × bound), {figures.scalings} scalings",
        fontsize=9,
    )
    axes.legend(fontsize=7, loc="upper left")


def _latency(axes: Any, chosen: Scenario, result: Result) -> None:
    for q, color in ((0.5, "#7fb069"), (0.95, "#d98324"), (0.99, "#b23a48")):
        points = list(_quantiles(result, q))
        if points:
            axes.plot(_scale(chosen, [at for at, _ in points]), [value for _, value in points], color=color,
                linewidth=0.9, label=f"p{q * 100:.0f}")  # fmt: skip
    axes.axhline(chosen.slo, color="#444444", linewidth=0.8, linestyle="--", label=f"bound {seconds(chosen.slo)}")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(_unit(chosen)[1])
    axes.legend(fontsize=7, loc="upper left")


def _quantiles(result: Result, q: float) -> Iterator[tuple[float, float]]:
    """The quantile of the latencies that became known in each stretch of time."""
    course, served = result.run.course, result.run.served
    size = max(1, len(course.at) // _SLICES)
    for first, last in itertools.pairwise(range(0, len(course.at), size)):
        value = quantile(served.known(course.served[first], course.served[last]), q)
        if value is not None:
            yield course.at[last], value


def _unit(chosen: Scenario) -> tuple[float, str]:
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if chosen.trace.duration >= 2 * size:
            return size, name
    return 1.0, "seconds"


def _scale(chosen: Scenario, instants: Sequence[float]) -> list[float]:
    size = _unit(chosen)[0]
    return [(at - chosen.world.begin) / size for at in instants]

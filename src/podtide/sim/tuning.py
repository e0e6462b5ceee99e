"""Looks for the parameters of a policy that need the fewest pod-hours and still keep the bound. `cli.tune` calls it.

A trial is a manifest with other numbers in it, so that what is found can be applied as it is. The search begins with
the present numbers, goes on with random ones, and then changes one at a time around the best, mostly the target, whose
good direction is known: every policy gets as many trials, so that two searches can be compared.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

from podtide.core.model import quantity

Manifest = Mapping[str, Any]
_PREFIX = "autoscaling.aibrix.ai/"
TARGET = "target"
_SERVERS = frozenset(
    {"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
"""What the API server writes into an object's metadata. Sent back, most of it is refused or outdated."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_DIGITS = Context(prec=3)
_ATTEMPTS = 64
"""At finding a set that has not been tried."""
_ON_TARGET = 0.5
"""Share of the changes around the best that are of the target."""


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter, and the values that it may take, in order."""

    name: str
    """A field of the spec, `annotation:NAME`, `forecast.NAME`, or `target`: a factor for every target value."""
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of numbers, and what came of it."""

    picks: Mapping[str, Any]
    """Knob → value; the present ones are left out."""
    violations: float
    """Share of the late requests, 0 to 1; the mean over the seeds."""
    pod_hours: float

    def is_better(self, other: "Trial", *, allowed: float) -> bool:
        """Fewer pod-hours within what is allowed; else fewer violations."""
        if (self.violations <= allowed) != (other.violations <= allowed):
            return self.violations <= allowed
        if self.violations <= allowed:
            return self.pod_hours < other.pod_hours
        return (self.violations, self.pod_hours) < (other.violations, other.pod_hours)


def knobs(strategy: str, *, forecast: bool) -> tuple[Knob, ...]:
    """What can be turned of a strategy."""
    common = (
        Knob(TARGET, (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5)),
        Knob("annotation:scale-down-cooldown-window", ("30s", "1m", "2m", "5m", "10m", "20m")),
    )
    ahead = (
        Knob("forecast.coveragePercent", (50, 70, 80, 90, 95)),
        Knob("forecast.windowSeconds", (120, 300, 600, 1200)),
    )
    match strategy:
        case "KPA":
            own: tuple[Knob, ...] = (
                Knob("observeWindowSeconds", (60, 120, 180, 300)),
                Knob("panicWindowSeconds", (6, 15, 30, 60)),
            )
        case "HPA":
            own = (Knob("annotation:scale-up-tolerance", ("0", "0.05", "0.1", "0.2")), _DOWN)
        case _:
            own = (Knob("observeWindowSeconds", (15, 30, 60, 120, 180)), _DOWN)
    return (*common, *own, *(ahead if forecast else ()))


_DOWN = Knob("annotation:scale-down-tolerance", ("0.05", "0.1", "0.2", "0.3"))


def turned(manifest: Manifest, picks: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with these numbers in it, and without what the API server writes into one: ready to be applied."""
    made: dict[str, Any] = _written({name: value for name, value in manifest.items() if name != "status"})
    metadata = made.get("metadata", {})
    for name in metadata.keys() & _SERVERS:
        del metadata[name]
    metadata.get("annotations", {}).pop(_LAST_APPLIED, None)
    fields = made["spec"]
    for name, value in picks.items():
        if name == TARGET:
            for entry in (fields, fields.get("formula", {}), *fields.get("metricsSources", ())):
                if "targetValue" in entry:
                    entry["targetValue"] = _scaled(str(entry["targetValue"]), value)
        elif name.startswith("annotation:"):
            annotations = made.setdefault("metadata", {}).setdefault("annotations", {})
            annotations[_PREFIX + name.removeprefix("annotation:")] = value
            _unset(fields, name)
        elif name.startswith("forecast."):
            fields.setdefault("forecast", {})[name.removeprefix("forecast.")] = value
        else:
            fields[name] = value
    window = fields.get("observeWindowSeconds")
    if window is not None and fields.get("panicWindowSeconds", 0) > window:
        fields["panicWindowSeconds"] = window
    return made


def _written(value: Any) -> Any:
    """A copy without nulls, which mean in a manifest that nothing is written there."""
    if isinstance(value, Mapping):
        return {name: _written(inner) for name, inner in value.items() if inner is not None}
    return [_written(inner) for inner in value] if isinstance(value, list) else value


def _unset(fields: dict[str, Any], name: str) -> None:
    """A field of `behavior` wins over an annotation, so it has to go where the annotation is to be tried."""
    side = fields.get("behavior", {}).get("scaleUp" if "-up-" in name else "scaleDown", {})
    side.pop("stabilizationWindowSeconds" if "cooldown" in name else "tolerance", None)


def _scaled(text: str, factor: float) -> str:
    """A quantity times a factor, to three digits and written out: `1e+03` is none. Its suffix stays."""
    number = text.rstrip("numkMGTPEi")
    scaled = _DIGITS.multiply(Decimal(quantity.nano(number)), Decimal(str(factor))).scaleb(-9)
    return f"{scaled.normalize():f}{text[len(number) :]}"


def search(
    trial: Callable[[Mapping[str, Any]], Trial],
    space: Sequence[Knob],
    rng: random.Random,
    *,
    trials: int,
    allowed: float,
) -> Iterator[Trial]:
    """Try so many sets of numbers, the present one first; yields each that is better than all before it."""
    best = trial({})
    yield best
    tried = {_key({})}
    for number in range(1, trials):
        picks = _near(best, space, rng, tried, allowed=allowed) if 3 * number >= trials else None
        # Where everything around the best has been tried, the search goes on at random.
        picks = picks or _anywhere(space, rng, tried)
        if picks is None:
            return
        tried.add(_key(picks))
        found = trial(picks)
        if found.is_better(best, allowed=allowed):
            best = found
            yield best


def _anywhere(space: Sequence[Knob], rng: random.Random, tried: set[frozenset[Any]]) -> dict[str, Any] | None:
    """A set that has not been tried; None where hardly one is left."""
    for _ in range(_ATTEMPTS):
        picks = {knob.name: rng.choice(knob.values) for knob in space}
        if _key(picks) not in tried:
            return picks
    return None


def _near(
    best: Trial, space: Sequence[Knob], rng: random.Random, tried: set[frozenset[Any]], *, allowed: float
) -> dict[str, Any] | None:
    """The best with one number changed; None where hardly one is left."""
    targets = [knob for knob in space if knob.name == TARGET]
    for _ in range(_ATTEMPTS):
        knob = rng.choice(targets if targets and rng.random() < _ON_TARGET else space)
        # A higher target always needs fewer pods, a lower one is hardly ever late more often.
        toward = 0 if knob.name != TARGET else 1 if best.violations <= allowed else -1
        picks = {**best.picks, knob.name: _neighbour(knob, best.picks.get(knob.name), rng, toward=toward)}
        if _key(picks) not in tried:
            return picks
    return None


def _neighbour(knob: Knob, value: Any, rng: random.Random, *, toward: int) -> Any:
    if value is None and knob.name == TARGET:
        value = 1.0
    if value not in knob.values:
        return rng.choice(knob.values)
    step = toward * rng.choice((1, 2)) or rng.choice((-1, 1))
    return knob.values[max(0, min(len(knob.values) - 1, knob.values.index(value) + step))]


def _key(picks: Mapping[str, Any]) -> frozenset[Any]:
    return frozenset(picks.items())

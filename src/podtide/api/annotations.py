"""AIBrix's annotations, today's and yesterday's. `decode` reads them once; spec fields win over all of them.

AIBrix ignores the `kpa.` and `apa.` keys and the `*-fluctuation-tolerance` ones that its own samples still carry.
Podtide honours them and says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from podtide.api import amounts
from podtide.api.errors import Findings, nearest
from podtide.api.shapes import Labels

SHAPE = Labels()
"""What the API server lets into metadata.annotations and metadata.labels."""
PREFIX = "autoscaling.aibrix.ai/"
_PREFIXES = (PREFIX, f"kpa.{PREFIX}", f"apa.{PREFIX}", f"hpa.{PREFIX}")
_ALL = frozenset({"KPA", "HPA", "APA"})


@dataclass(frozen=True, slots=True)
class Key:
    """One annotation."""

    name: str
    """After the prefix it is written under."""
    meaning: str
    """The word under which `Tuning` holds the value; several keys may mean the same."""
    read: Callable[[str], Any]
    strategies: frozenset[str] = _ALL
    """Those it does something for."""
    least: float | None = None
    """Smaller values are refused."""
    most: float | None = None
    prefix: str = PREFIX
    instead: str = ""
    """For a key of yesterday, what to write today."""

    @property
    def full(self) -> str:
        """The key as it stands in a manifest."""
        return self.prefix + self.name


def _kpa(name: str, meaning: str, read: Callable[[str], Any], instead: str, **limits: float) -> Key:
    return Key(name, meaning, read, frozenset({"KPA"}), prefix=f"kpa.{PREFIX}", instead=instead, **limits)


def _apa(name: str, meaning: str, read: Callable[[str], Any], instead: str, **limits: float) -> Key:
    return Key(name, meaning, read, frozenset({"APA"}), prefix=f"apa.{PREFIX}", instead=instead, **limits)


def _mode(text: str) -> str:
    if text.lower() not in {"pool", "replica"}:
        raise amounts.AmountError('is not a mode; write "pool" or "replica"')
    return text.lower()


# A key of today stands before those of yesterday that mean the same: the first that is found wins.
KEYS = (
    Key("max-scale-up-rate", "up_rate", amounts.number, least=1.0),
    Key("max-scale-down-rate", "down_rate", amounts.number, least=1.0),
    Key("scale-up-tolerance", "up_tolerance", amounts.number, least=0.0),
    Key("scale-down-tolerance", "down_tolerance", amounts.number, least=0.0, most=1.0),
    Key("panic-threshold", "panic_threshold", amounts.number, frozenset({"KPA"}), least=1.0),
    Key("scale-up-cooldown-window", "up_cooldown", amounts.duration, most=3600.0),
    Key("scale-down-cooldown-window", "down_cooldown", amounts.duration, most=3600.0),
    Key("scale-to-zero", "to_zero", amounts.truth),
    Key("storm-service-mode", "role_mode", _mode),
    Key("up-fluctuation-tolerance", "up_tolerance", amounts.number, least=0.0, instead=f"{PREFIX}scale-up-tolerance"),
    Key(
        "down-fluctuation-tolerance",
        "down_tolerance",
        amounts.number,
        least=0.0,
        most=1.0,
        instead=f"{PREFIX}scale-down-tolerance",
    ),
    _kpa("scale-down-delay", "down_delay", amounts.duration, f"{PREFIX}scale-down-cooldown-window", most=3600.0),
    _kpa("scale-up-cooldown", "up_cooldown", amounts.duration, f"{PREFIX}scale-up-cooldown-window", most=3600.0),
    _kpa("stable-window", "observe_window", amounts.duration, "spec.observeWindowSeconds", least=1.0, most=3600.0),
    _kpa("panic-window", "panic_window", amounts.duration, "spec.panicWindowSeconds", least=1.0, most=3600.0),
    _kpa("panic-threshold", "panic_threshold", amounts.number, f"{PREFIX}panic-threshold", least=1.0),
    _kpa("activation-scale", "activation_scale", amounts.whole, "spec.kpa.activationScale", least=1.0),
    _kpa("target-burst-capacity", "burst_capacity", amounts.number, "spec.kpa.targetBurstCapacity"),
    _kpa("max-scale-up-rate", "up_rate", amounts.number, f"{PREFIX}max-scale-up-rate", least=1.0),
    _kpa("max-scale-down-rate", "down_rate", amounts.number, f"{PREFIX}max-scale-down-rate", least=1.0),
    _apa("up-fluctuation-tolerance", "up_tolerance", amounts.number, f"{PREFIX}scale-up-tolerance", least=0.0),
    _apa(
        "down-fluctuation-tolerance",
        "down_tolerance",
        amounts.number,
        f"{PREFIX}scale-down-tolerance",
        least=0.0,
        most=1.0,
    ),
    _apa("window", "observe_window", amounts.duration, "spec.observeWindowSeconds", least=1.0, most=3600.0),
    _apa("max-scale-up-rate", "up_rate", amounts.number, f"{PREFIX}max-scale-up-rate", least=1.0),
    _apa("max-scale-down-rate", "down_rate", amounts.number, f"{PREFIX}max-scale-down-rate", least=1.0),
)
_BY_NAME = {key.full: key for key in KEYS}

DOCS = {
    "up_rate": "The most that one decision may multiply the count by. Default: 2; with HPA none, and per minute.",
    "down_rate": "The most that one decision may divide the count by. Default: 2; with HPA none, and per minute.",
    "up_tolerance": "Share above the target that is left alone. Default: 0.1; 0 with KPA.",
    "down_tolerance": "Share below the target that is left alone. Default: 0.1; 0 with KPA.",
    "panic_threshold": "Panic when the panic window asks for this many times the ready pods. Default: 2.",
    "up_cooldown": "Grow to the lowest recommendation of so long, as `30s` or `5m`. Default: 0s.",
    "down_cooldown": "Shrink to the highest recommendation of so long. Default: 300s.",
    "to_zero": "false keeps one replica although `minReplicas` is 0.",
    "role_mode": "`pool` scales the role, `replica` the StormService around it. Default: what the StormService says.",
}
"""What each of today's keys does, by meaning; the reference shows it."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an object's annotations ask for, by meaning."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def get(self, meaning: str, default: Any) -> Any:
        """The value asked for, or the default."""
        return self.values.get(meaning, default)

    def __contains__(self, meaning: str) -> bool:
        return meaning in self.values


def read(metadata: Mapping[str, Any], strategy: str | None, findings: Findings) -> Tuning:
    """What the annotations say; whatever is unknown, unreadable or without effect becomes a warning."""
    annotations = _strings(metadata.get("annotations"))
    for name in annotations:
        if name.startswith(_PREFIXES) and name not in _BY_NAME:
            meant = nearest(name.rsplit("/", 1)[1], (key.name for key in KEYS if not key.instead))
            advice = f"did you mean {PREFIX}{meant}?" if meant else "remove it, or see the list in docs/api.md"
            findings.warn(_path(name), annotations[name], f"is not a known annotation and is ignored; {advice}")
    for name, value in _strings(metadata.get("labels")).items():
        if name.startswith(_PREFIXES):
            findings.warn(f'metadata.labels["{name}"]', value, "is a label and is ignored; write it as an annotation")
    values: dict[str, Any] = {}
    for key in KEYS:
        if key.full in annotations:
            _take(key, annotations[key.full], strategy, values, findings)
    return Tuning(values)


def _take(key: Key, text: str, strategy: str | None, values: dict[str, Any], findings: Findings) -> None:
    path = _path(key.full)
    if strategy is not None and strategy not in key.strategies:
        findings.warn(path, text, f"does nothing with {strategy}; remove it")
        return
    try:
        value = key.read(text)
    except amounts.AmountError as error:
        findings.warn(path, text, f"is ignored, as it {error}")
        return
    if key.least is not None and value < key.least:
        findings.warn(path, text, f"is ignored, as it is too small; write at least {key.least:g}")
    elif key.most is not None and value > key.most:
        findings.warn(path, text, f"is ignored, as it is too large; write at most {key.most:g}")
    elif key.meaning in values:
        findings.warn(
            path, text, f"is overridden; {key.instead or 'another annotation'} says the same; remove this one"
        )
    else:
        values[key.meaning] = value
        if key.instead:
            findings.warn(path, text, f"is honoured here, but AIBrix ignores it now; write {key.instead}")
        if key.meaning == "panic_threshold" and value >= 10:
            # Knative writes per cent where AIBrix writes a factor; ten times the ready pods is nobody's intention.
            findings.warn(path, text, f"is a factor, not per cent, so panic would hardly ever start; {_factor(value)}")


def _factor(value: float) -> str:
    return f'for {value:g} % write "{value / 100:g}"'


def _path(name: str) -> str:
    return f'metadata.annotations["{name}"]'


def _strings(mapping: Any) -> dict[str, str]:
    """The texts of a mapping; the API server lets nothing else into metadata."""
    if not isinstance(mapping, Mapping):
        return {}
    return {str(name): value for name, value in mapping.items() if isinstance(value, str)}

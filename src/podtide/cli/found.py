"""What a probe found, for people and as JSON. `probe` and `probe_autoscaler` print it."""

import json
import math
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from podtide.core.model.reading import Sample
    from podtide.sources.probe import Found

_BARE = frozenset({"NotANumber", "PodHasNoAddress", "Timeout", "MalformedPage", "NoSeriesMatch"})
_HERE = {"MalformedPage": "report it to whoever makes the page; if it is a web page, check `path`"}
"""Remedies that are others than those that send a person to this command."""
_SHOWN = 20
"""Series that are printed; the JSON form has all."""


def has_value(seen: "Found") -> bool:
    """Whether there is a number."""
    from podtide.core.model.reading import Failure

    return not isinstance(seen.value, Failure)


def show(seen: "Found", *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(json.dumps(as_object(seen)))
    else:
        print("\n".join(lines(seen)))


def as_object(seen: "Found") -> dict[str, Any]:
    """The machine's form: the value (null where there is none), every series of the name and labels, and the facts."""
    from podtide.core.model.reading import Failure

    failure = seen.value if isinstance(seen.value, Failure) else None
    shown: dict[str, Any] = {
        "metric": seen.metric,
        "value": None if failure else seen.value,
        "samples": len(seen.series),
        "series": [
            {
                "name": one.name,
                "labels": dict(one.labels),
                "value": one.value if math.isfinite(one.value) else str(one.value),
                "counted": not _is_part(one, seen),
            }
            for one in seen.series
        ],
        "facts": dict(seen.facts),
    }
    if seen.pod:
        shown["pod"] = seen.pod
    if failure is not None:
        shown["failure"] = {"reason": failure.reason.value, "detail": failure.detail}
    return shown


def _is_part(sample: "Sample", seen: "Found") -> bool:
    return any(sample is part for part in seen.parts)


def lines(seen: "Found", indent: str = "") -> list[str]:
    """For a person: the facts in the order they came up, the series, the value or what to do."""
    from podtide.api import remedies
    from podtide.core.model.reading import Failure

    told = [f"{name + ':':<20}{fact}" for name, fact in seen.facts.items()]
    for sample in seen.series[:_SHOWN]:
        labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
        part = "  (part of a total, not counted)" if _is_part(sample, seen) else ""
        told.append(f"  {sample.name}{{{labels}}} {sample.value:g}{part}")
    if len(seen.series) > _SHOWN:
        told.append(f"  … and {len(seen.series) - _SHOWN} more")
    if isinstance(seen.value, Failure):
        told.append(f"no value:           {seen.value.reason.value}")
        told += textwrap.wrap(
            seen.value.detail, 118, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
        # Most details end in what to do; these say only what is.
        remedy = _HERE.get(seen.value.reason) or remedies.remedy(seen.value.reason)
        remedy = remedy if seen.value.reason in _BARE else ""
        told += textwrap.wrap(remedy, 116, initial_indent="  → ", subsequent_indent="    ") if remedy else []
    else:
        told.append(f"{seen.metric} = {seen.value:.10g}")
    return [indent + line for line in told]

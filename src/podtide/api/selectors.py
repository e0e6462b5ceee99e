"""Label conditions: Kubernetes selectors as a manifest writes them. `sources` calls this."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from podtide.api.errors import MISSING, Findings
from podtide.core.model import spec


def read(entry: Mapping[str, Any], path: str, findings: Findings) -> tuple[spec.LabelMatch, ...]:
    """The conditions of an object with `matchLabels` and `matchExpressions`."""
    exact = [spec.LabelMatch(key, "In", (value,)) for key, value in entry.get("matchLabels", {}).items()]
    further = _expressions(entry.get("matchExpressions", ()), f"{path}.matchExpressions", findings)
    return (*exact, *further)


def _expressions(entries: Sequence[Any], path: str, findings: Findings) -> Iterator[spec.LabelMatch]:
    for index, entry in enumerate(entries):
        if entry is MISSING or not entry.keys() >= {"key", "operator"}:
            continue
        where = f"{path}[{index}].values"
        operator = entry["operator"]
        values = tuple(value for value in entry.get("values", ()) if value is not MISSING)
        if operator in {"In", "NotIn"} and not values:
            findings.problem(where, MISSING, f"is missing; {operator} needs at least one value")
        elif operator in {"Exists", "DoesNotExist"} and values:
            findings.problem(where, list(values), f"does not go with {operator}; leave it out")
        else:
            yield spec.LabelMatch(entry["key"], operator, values)


def text(matches: Sequence[spec.LabelMatch]) -> str:
    """The conditions as a `labelSelector` parameter: `app=web,tier in (a,b),!canary`."""
    return ",".join(_term(match) for match in matches)


def _term(match: spec.LabelMatch) -> str:
    values = ",".join(match.values)
    match match.operator:
        case "In" if len(match.values) == 1:
            return f"{match.key}={values}"
        case "In":
            return f"{match.key} in ({values})"
        case "NotIn":
            return f"{match.key} notin ({values})"
        case "Exists":
            return match.key
        case _:
            return f"!{match.key}"

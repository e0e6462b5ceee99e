"""`spec.formula`: one metric computed from named sources. `decode` calls this."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from podtide.api import thresholds
from podtide.api.errors import MISSING, Findings, listed, nearest
from podtide.core import formula
from podtide.core.engine import zero
from podtide.core.model import quantity, spec

_PATH = "spec.formula"


def parse(fields: Mapping[str, Any], entries: Sequence[Any], findings: Findings) -> formula.Expression | None:
    """The expression, if there is a usable one. Notes what is wrong with it, and with the sources' names."""
    names = _names(entries, findings)
    text = fields.get("expression")
    if text is None:
        return None
    where = f"{_PATH}.expression"
    try:
        expression = formula.parse(text)
    except formula.FormulaError as error:
        findings.problem(where, text, f'{error}; write for example "(waiting + running) / 2"')
        return None
    unknown = [name for name in expression.names if name not in names]
    for name in unknown:
        meant = nearest(name, names)
        have = f"the sources' names are {listed(sorted(names))}" if names else "no source has a name yet"
        advice = f"did you mean {meant}?" if meant else f"{have}; write name: {name} on the source that is meant"
        findings.problem(where, text, f'uses the name "{name}", which no source has; {advice}')
    if not expression.names:
        findings.problem(where, text, "names no source, so it is always the same; use the name of at least one")
    return None if unknown or not expression.names else expression


def inputs(fields: Mapping[str, Any], expression: formula.Expression | None, entries: Sequence[Any]) -> frozenset[str]:
    """The names of the sources that only feed the formula. Where it cannot be used, any named source may be one: its
    own problem is told, and not that each of them has no target."""
    if expression is not None or not fields:
        return frozenset(expression.names if expression else ())
    return frozenset(entry["name"] for entry in entries if entry is not MISSING and "name" in entry)


def _names(entries: Sequence[Any], findings: Findings) -> set[str]:
    found: Counter[str] = Counter()
    for index, entry in enumerate(entries):
        name = None if entry is MISSING else entry.get("name")
        if name is None:
            continue
        where = f"spec.metricsSources[{index}].name"
        found[name] += 1
        if not formula.is_name(name):
            findings.problem(where, name, "is a function's name in a formula; choose another")
        elif found[name] == 2:
            findings.problem(where, name, "is the name of two sources; give each its own")
    return set(found)


def read(
    fields: Mapping[str, Any],
    expression: formula.Expression | None,
    entries: Sequence[Any],
    metrics: Mapping[int, spec.MetricSpec],
    findings: Findings,
) -> tuple[spec.MetricSpec, ...]:
    """The formula as a metric of its own; nothing where there is none or it cannot be used."""
    if not fields:
        return ()
    target = thresholds.amount(fields.get("targetValue"), f"{_PATH}.targetValue", findings)
    activation = _activation(fields, findings)
    if expression is None or target is None:
        return ()
    named = {
        entry["name"]: metrics[index]
        for index, entry in enumerate(entries)
        if entry is not MISSING and "name" in entry and index in metrics
    }
    if not named.keys() >= set(expression.names):
        return ()  # a source that it uses has problems of its own
    feeding = [named[name] for name in expression.names]
    source = spec.Formula(
        expression.text,
        tuple((name, named[name].id) for name in expression.names),
        needs_pods=not all(zero.is_waker(metric) for metric in feeding),
    )
    kind = spec.TargetType(fields.get("targetType", spec.TargetType.AVERAGE_VALUE))
    metric = spec.MetricSpec(
        # A metric that is called so itself keeps its name.
        id="formula" if all(each.id != "formula" for each in metrics.values()) else "spec.formula",
        source=source,
        select=spec.Select("formula"),
        threshold=thresholds.of(target, kind),
        interval=min(metric.interval for metric in feeding),
        activation=activation,
    )
    return (metric,)


def _activation(fields: Mapping[str, Any], findings: Findings) -> float:
    text = fields.get("activationValue", "0")
    try:
        return quantity.nano(text) / 1e9
    except quantity.QuantityError:
        findings.problem(f"{_PATH}.activationValue", text, 'is not a number; write for example "1"')
        return 0.0

"""A manifest's value against its declared shape: types, choices, bounds, unknown fields. `decode` runs this first."""

import re
from collections.abc import Mapping
from typing import Any

from podtide.api.errors import MISSING, Findings, listed, nearest, shown
from podtide.api.shapes import Anything, Field, Flag, Items, Labels, Number, Record, Shape, Text, Whole

_WIDTHS = {False: 2**31, True: 2**63}
_LONGEST_TEXT = 8192
"""Characters of a text whose shape says nothing. The API server stores megabytes of them; here many are remembered."""
_MOST_ITEMS = 256
"""Entries of a list whose shape says nothing."""
_LONGEST_NAME = 40
"""Characters of an unknown field that a message shows."""


def check(value: Any, shape: Shape, path: str, findings: Findings) -> Any:
    """The value without what is wrong in it, which `findings` then lists; `MISSING` where nothing usable is left."""
    match shape:
        case Record():
            return _record(value, shape, path, findings)
        case Items():
            return _items(value, shape, path, findings)
        case Labels():
            return _labels(value, shape, path, findings)
        case Text():
            return _text(value, shape, path, findings)
        case Whole():
            return _whole(value, shape, path, findings)
        case Number():
            return _number(value, shape, path, findings)
        case Flag():
            return _flag(value, path, findings)
        case Anything():
            return value


def _record(value: Any, shape: Record, path: str, findings: Findings) -> Any:
    if not isinstance(value, Mapping):
        findings.problem(path, value, "is not an object; write its fields below it, indented")
        return MISSING
    known = {field.name: field for field in shape.fields}
    clean = {}
    for name, inner in value.items():
        where = f"{path}.{name}"
        if name not in known:
            # A word of any length stands here; the message is for a status, which people read.
            _unknown(str(name), inner, known, f"{path}.{str(name)[:_LONGEST_NAME]}", findings)
        elif inner is None:
            findings.warn(where, None, "says nothing; leave the field out, or give it a value")
        else:
            checked = check(inner, known[name].shape, where, findings)
            if checked is not MISSING:
                clean[name] = checked
    for field in shape.fields:
        if field.required and value.get(field.name) is None:
            findings.problem(f"{path}.{field.name}", MISSING, _required(field))
    return clean


def _required(field: Field) -> str:
    return f"is missing; write for example {field.example}" if field.example else "is missing"


def _unknown(name: str, value: Any, known: Mapping[str, Field], path: str, findings: Findings) -> None:
    meant = nearest(name, known)
    advice = f"did you mean {meant}?" if meant else f"known here are {', '.join(known)}"
    findings.warn(
        path, value if not isinstance(value, dict | list) else MISSING, f"is not a field and is ignored; {advice}"
    )


def _items(value: Any, shape: Items, path: str, findings: Findings) -> Any:
    if not isinstance(value, list | tuple):
        findings.problem(path, value, "is not a list; begin each entry with a dash")
        return MISSING
    if shape.shortest is not None and len(value) < shape.shortest:
        findings.problem(path, list(value), f"has too few entries; write at least {shape.shortest} or leave it out")
        return MISSING
    longest = _MOST_ITEMS if shape.longest is None else shape.longest
    if len(value) > longest:
        findings.problem(path, MISSING, f"has {len(value)} entries; write at most {longest}")
        return MISSING
    # An entry that is unusable keeps its place, so that the indices in later messages are the author's.
    return [check(inner, shape.of, f"{path}[{index}]", findings) for index, inner in enumerate(value)]


def _labels(value: Any, shape: Labels, path: str, findings: Findings) -> Any:
    if not isinstance(value, Mapping):
        findings.problem(path, value, "is not an object; write label: value lines below it")
        return MISSING
    if shape.longest is not None and len(value) > shape.longest:
        findings.problem(path, MISSING, f"has {len(value)} entries; write at most {shape.longest}")
        return MISSING
    clean = {}
    # Those of metadata are everybody's, with texts of any length among them.
    longest = None if shape.longest is None else _LONGEST_TEXT
    for name, inner in value.items():
        if isinstance(name, str) and isinstance(inner, str):
            clean[name] = inner
            if longest is not None and max(len(name), len(inner)) > longest:
                findings.problem(f"{path}.{name[:_LONGEST_NAME]}", inner, f"is longer than {longest} characters")
        else:
            what = f'is not a string; write it in quotes: "{_bare(inner)}"'
            findings.problem(f"{path}.{str(name)[:_LONGEST_NAME]}", inner, what)
    return clean


def _text(value: Any, shape: Text, path: str, findings: Findings) -> Any:
    longest = _LONGEST_TEXT if shape.longest is None else shape.longest
    if not isinstance(value, str):
        advice = f'is not a string; write it in quotes: "{_bare(value)}"'
        findings.problem(path, value, advice if not isinstance(value, dict | list) else "is not a string")
    elif len(value) > longest and not shape.is_long:
        findings.problem(path, value, f"is longer than {longest} characters")
    elif shape.choices and value not in shape.choices:
        meant = nearest(value, shape.choices)
        advice = f'; write "{meant}"' if meant else f'; write for example "{shape.choices[0]}"'
        findings.problem(path, value, f"is not {listed(shape.choices)}{advice}")
    elif shape.pattern and not re.fullmatch(shape.pattern.strip("^$"), value):
        findings.problem(path, value, shape.hint)
    elif shape.shortest is not None and len(value) < shape.shortest:
        findings.problem(path, value, "is empty; write something or leave it out")
    else:
        return value
    return MISSING


def _bare(value: Any) -> str:
    return shown(value).strip('"')


def _whole(value: Any, shape: Whole, path: str, findings: Findings) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        number = value.strip() if isinstance(value, str) else ""
        advice = f"; write {number} without quotes" if number.lstrip("-").isdigit() else "; write for example 10"
        findings.problem(path, value, f"is not a whole number{advice}")
        return MISSING
    width = _WIDTHS[shape.wide]
    low = -width if shape.minimum is None else shape.minimum
    high = width - 1 if shape.maximum is None else shape.maximum
    if low <= value <= high:
        return value
    if shape.maximum is None:
        advice = f"write at least {low}" if value < low else f"write at most {high}"
    else:
        advice = f"write {low} to {high}"
    findings.problem(path, value, f"is out of range; {advice}")
    return MISSING


def _number(value: Any, shape: Number, path: str, findings: Findings) -> Any:
    if isinstance(value, float):
        findings.problem(path, value, f'is not in quotes; write "{_bare(value)}"')
        return MISSING
    if isinstance(value, bool) or not isinstance(value, str | int):
        findings.problem(path, value, shape.hint)
        return MISSING
    return str(value)


def _flag(value: Any, path: str, findings: Findings) -> Any:
    if isinstance(value, bool):
        return value
    findings.problem(path, value, "is neither true nor false; write true or false, without quotes")
    return MISSING

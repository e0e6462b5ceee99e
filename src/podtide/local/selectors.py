"""Label and field selectors: reading, writing, matching, with a real server's error messages.

Lists, watches and the Scale subresource use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podtide.local import refusals

_TOKEN = re.compile(r"\s*(==|!=|=|,|\(|\)|!|>|<|[^\s=!,()<>]+)")
_OPERATORS = ("=", "==", "!=", "in", "notin", ">", "<")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    """`=`, `!=`, `in`, `notin`, `exists`, `!`, `>` or `<`."""
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy it; a missing label satisfies the negative operators."""
        value = labels.get(self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "!":
                return value is None
            case "=" | "in":
                return value in self.values
            case "!=" | "notin":
                return value not in self.values
        try:
            left, right = int(value or ""), int(self.values[0])
        except ValueError:
            return False
        return left > right if self.operator == ">" else left < right

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
        return f"{self.key}{self.operator}{self.values[0]}"


Labels = tuple[Requirement, ...]


def matches(selector: Labels, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy every requirement; an empty selector matches everything."""
    return all(requirement.matches(labels) for requirement in selector)


def parse(text: str) -> Labels:
    """A selector from its string form; raises `Refusal` 400 as the API server words it."""
    tokens = _TOKEN.findall(text)
    found = []
    at = 0
    while at < len(tokens):
        requirement, at = _requirement(tokens, at)
        found.append(requirement)
        if at < len(tokens):
            if tokens[at] != ",":
                raise _unparsable(f"found '{tokens[at]}', expected: ',' or 'end of string'")
            at += 1
            if at == len(tokens):
                raise _unparsable("found '', expected: identifier after ','")
    return tuple(found)


def _requirement(tokens: Sequence[str], at: int) -> tuple[Requirement, int]:
    if tokens[at] == "!":
        return Requirement(_identifier(tokens, at + 1), "!"), at + 2
    key = _identifier(tokens, at)
    at += 1
    if at == len(tokens) or tokens[at] == ",":
        return Requirement(key, "exists"), at
    operator = tokens[at]
    if operator not in _OPERATORS:
        raise _unparsable(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
    if operator in ("in", "notin"):
        values, at = _values(tokens, at + 1)
        return Requirement(key, operator, values), at
    at += 1
    if at == len(tokens) or tokens[at] == ",":
        value = ""
    else:
        value = _identifier(tokens, at)
        at += 1
    return Requirement(key, "=" if operator == "==" else operator, (value,)), at


def _values(tokens: Sequence[str], at: int) -> tuple[tuple[str, ...], int]:
    if at == len(tokens) or tokens[at] != "(":
        raise _unparsable(f"found '{tokens[at] if at < len(tokens) else ''}', expected: '('")
    values = []
    at += 1
    while at < len(tokens) and tokens[at] != ")":
        if tokens[at] != ",":
            values.append(_identifier(tokens, at))
        at += 1
    if at == len(tokens):
        raise _unparsable("found '', expected: ',' or ')'")
    return tuple(values), at + 1


def _identifier(tokens: Sequence[str], at: int) -> str:
    word = tokens[at] if at < len(tokens) else ""
    if word in ("", "=", "==", "!=", ",", "(", ")", "!", ">", "<"):
        raise _unparsable(f"found '{word}', expected: identifier")
    return word


def _unparsable(why: str) -> refusals.Refusal:
    return refusals.bad_request(f"unable to parse requirement: {why}")


_EXPRESSIONS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


def of_object(selector: Mapping[str, Any] | None) -> Labels:
    """A selector from a `LabelSelector` object (`matchLabels`, `matchExpressions`)."""
    selector = selector or {}
    found = [Requirement(key, "=", (value,)) for key, value in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _EXPRESSIONS[expression["operator"]]
        found.append(Requirement(expression["key"], operator, tuple(expression.get("values") or ())))
    return tuple(found)


def text(selector: Labels) -> str:
    """The string form, sorted by key, as Scale's `status.selector` shows it."""
    return ",".join(str(requirement) for requirement in sorted(selector, key=lambda r: r.key))


FieldTest = Callable[[Mapping[str, str]], bool]


def fields(selector: str, supported: Sequence[str], kind: str) -> FieldTest | None:
    """A test of an object's selectable fields, None without a selector; unknown fields are refused."""
    wanted = []
    for part in (part.strip() for part in selector.split(",") if part.strip()):
        operator = "!=" if "!=" in part else "==" if "==" in part else "="
        key, found, value = part.partition(operator)
        if not found:
            raise refusals.bad_request(f"invalid selector: '{selector}'; can't understand '{part}'")
        if key not in supported:
            raise refusals.bad_request(
                f'Unable to find "{kind}" that match label selector "", field selector "{selector}": '
                f"field label not supported: {key}"
            )
        wanted.append((key, operator == "!=", value))
    if not wanted:
        return None
    return lambda fields: all((fields.get(key, "") != value) == negative for key, negative, value in wanted)

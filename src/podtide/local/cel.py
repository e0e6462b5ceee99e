"""The part of CEL that validation rules of definitions commonly use: parsed once, evaluated per object.

`rules` compiles a definition's rules with it. Supported: literals, lists, `self`, `oldSelf`, fields, indexes, `has`,
`size`, `matches`, `startsWith`, `endsWith`, `contains`, `all`, `exists`, `exists_one`, arithmetic, comparisons, `in`,
logic and `? :`. Anything else is a `NotSupported` when the definition is written, never a rule that silently passes.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Names = Mapping[str, Any]
Expression = Callable[[Names], Any]


class NotSupported(Exception):
    """A rule that is no CEL, or CEL that is not supported here."""


class Undefined(Exception):
    """A value that is not there, or an operation that its values do not allow."""


_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.\d+|\d+)u?|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]]))"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}

_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda item, inside: item in inside,
}
_SUMS: Mapping[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub}


def _divide(left: Any, right: Any) -> Any:
    """CEL divides integers towards zero."""
    if isinstance(left, int) and isinstance(right, int):
        whole = abs(left) // abs(right)
        return whole if (left < 0) == (right < 0) else -whole
    return left / right


_PRODUCTS: Mapping[str, Callable[[Any, Any], Any]] = {
    "*": operator.mul,
    "/": _divide,
    "%": lambda left, right: left - right * _divide(left, right),
}
_METHODS: Mapping[str, Callable[..., Any]] = {
    "size": len,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
}
_MACROS: Mapping[str, Callable[[list[bool]], bool]] = {
    "all": all,
    "exists": any,
    "exists_one": lambda found: sum(found) == 1,
}


def compiled(text: str) -> Expression:
    """An expression ready to evaluate; raises `NotSupported`."""
    parser = _Parser(text)
    expression = parser.choice()
    parser.end()
    return expression


class _Parser:
    """Recursive descent, one method per level of precedence."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise NotSupported(f"cannot read {text[at:].strip()[:20]!r}")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._tokens.append(("end", ""))
        self._at = 0

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        kind, word = self._tokens[self._at]
        return word if kind in ("sign", "name") else ""

    def _take(self, *words: str) -> str:
        word = self._peek()
        if word and word in words:
            self._at += 1
            return word
        return ""

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise NotSupported(f"expected {word!r}, found {self._tokens[self._at][1]!r}")

    def end(self) -> None:
        """Nothing may follow."""
        if self._tokens[self._at][0] != "end":
            raise NotSupported(f"unexpected {self._tokens[self._at][1]!r}")

    def choice(self) -> Expression:
        """`a ? b : c`."""
        test = self._logic("||", lambda: self._logic("&&", self._comparison))
        if not self._take("?"):
            return test
        yes = self.choice()
        self._need(":")
        no = self.choice()
        return lambda names: yes(names) if _truth(test(names)) else no(names)

    def _logic(self, sign: str, inner: Callable[[], Expression]) -> Expression:
        left = inner()
        while self._take(sign):
            left = _logical(left, inner(), decides=sign == "||")
        return left

    def _comparison(self) -> Expression:
        return self._binary(_COMPARISONS, lambda: self._binary(_SUMS, lambda: self._binary(_PRODUCTS, self._unary)))

    def _binary(self, signs: Mapping[str, Callable[[Any, Any], Any]], inner: Callable[[], Expression]) -> Expression:
        left = inner()
        while sign := self._take(*signs):
            left = _applied(signs[sign], left, inner())
        return left

    def _unary(self) -> Expression:
        if self._take("!"):
            inner = self._unary()
            return lambda names: not _truth(inner(names))
        if self._take("-"):
            return _applied(operator.neg, self._unary())
        return self._member(self._primary())

    def _member(self, value: Expression) -> Expression:
        while sign := self._take(".", "["):
            if sign == "[":
                value = _applied(_item, value, self.choice())
                self._need("]")
                continue
            name = self._next()[1]
            value = self._call(value, name) if self._take("(") else _field(value, name)
        return value

    def _call(self, value: Expression, name: str) -> Expression:
        if name in _MACROS:
            variable = self._next()[1]
            self._need(",")
            test = self.choice()
            self._need(")")
            gather = _MACROS[name]
            return lambda names: gather([_truth(test({**names, variable: one})) for one in value(names)])
        if name not in _METHODS:
            raise NotSupported(f"function {name!r} is not supported")
        return _applied(_METHODS[name], value, *self._arguments(")"))

    def _arguments(self, close: str) -> list[Expression]:
        found: list[Expression] = []
        while not self._take(close):
            found.append(self.choice())
            if not self._take(","):
                self._need(close)
                break
        return found

    def _primary(self) -> Expression:
        kind, word = self._next()
        if kind == "number":
            number: Any = float(word) if "." in word else int(word)
            return lambda names: number
        if kind == "text":
            text = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), word[1:-1])
            return lambda names: text
        if word == "(":
            inner = self.choice()
            self._need(")")
            return inner
        if word == "[":
            items = self._arguments("]")
            return lambda names: [item(names) for item in items]
        if kind != "name":
            raise NotSupported(f"unexpected {word!r}")
        return self._named(word)

    def _named(self, word: str) -> Expression:
        if word in _WORDS:
            return lambda names: _WORDS[word]
        if not self._take("("):
            return lambda names: _item(names, word)
        if word == "has":
            inner = self.choice()
            self._need(")")
            return lambda names: _is_there(inner, names)
        if word == "size":
            return _applied(len, *self._arguments(")"))
        raise NotSupported(f"function {word!r} is not supported")


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Undefined("no such overload")
    return value


def _logical(left: Expression, right: Expression, *, decides: bool) -> Expression:
    """`||` (decided by true) and `&&` (by false): a side that decides makes the other's errors harmless."""

    def both(names: Names) -> bool:
        try:
            first = _truth(left(names))
        except Undefined:
            if _truth(right(names)) is decides:
                return decides
            raise
        return decides if first is decides else _truth(right(names))

    return both


def _applied(function: Callable[..., Any], *parts: Expression) -> Expression:
    def value(names: Names) -> Any:
        values = [part(names) for part in parts]
        try:
            return function(*values)
        except (TypeError, ValueError, ZeroDivisionError, re.error) as error:
            raise Undefined("no such overload") from error

    return value


def _item(inside: Any, key: Any) -> Any:
    try:
        return inside[key]
    except (KeyError, IndexError, TypeError) as error:
        raise Undefined(f"no such key: {key}") from error


def _field(value: Expression, name: str) -> Expression:
    return lambda names: _item(value(names), name)


def _is_there(inner: Expression, names: Names) -> bool:
    try:
        inner(names)
    except Undefined:
        return False
    return True

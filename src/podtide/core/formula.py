"""A small, safe expression over named numbers: `spec.formula`. The decoder parses it, the engine evaluates it.

Numbers, names, `+ - * /`, parentheses, `min max abs ceil floor`, comparisons and `a > b ? a : b`. Nothing of Python is
evaluated, and length and depth are bounded, so that an expression costs microseconds whoever wrote it.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from podtide.core.model.reading import Failure, Reason

LONGEST: Final = 1000
"""Characters of an expression."""
DEEPEST: Final = 32
"""Parentheses, functions and signs inside each other."""
MOST: Final = 256
"""Numbers, names and signs in all; a row of additions is a tree as deep as it is long."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<sign><=|>=|==|!=|[-+*/()<>,?:]))",
    re.ASCII,
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class FormulaError(ValueError):
    """No expression; its text says where and why."""


class _Undefined(ArithmeticError):
    """An operation without a result."""


def _quotient(dividend: float, divisor: float) -> float:
    if divisor == 0:
        raise _Undefined("a division by zero")
    return dividend / divisor


def _rounded(how: Callable[[float], int]) -> Callable[[float], float]:
    return lambda number: float(how(number)) if math.isfinite(number) else number


_BINARY: Final[Mapping[str, tuple[int, Callable[[float, float], float]]]] = {
    "==": (20, operator.eq),
    "!=": (20, operator.ne),
    "<": (30, operator.lt),
    "<=": (30, operator.le),
    ">": (30, operator.gt),
    ">=": (30, operator.ge),
    "+": (40, operator.add),
    "-": (40, operator.sub),
    "*": (50, operator.mul),
    "/": (50, _quotient),
}
"""How tightly each binds, and what it does; all of them to the left."""
_CHOICE: Final = 10
_SIGN: Final = 60
_FUNCTIONS: Final[Mapping[str, tuple[int, int, Callable[..., float]]]] = {
    "min": (1, 16, lambda *numbers: min(numbers)),
    "max": (1, 16, lambda *numbers: max(numbers)),
    "abs": (1, 1, abs),
    "ceil": (1, 1, _rounded(math.ceil)),
    "floor": (1, 1, _rounded(math.floor)),
}
"""The fewest and the most arguments of each."""
FUNCTIONS: Final = tuple(_FUNCTIONS)


# --- what an expression is made of -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Number:
    value: float


@dataclass(frozen=True, slots=True)
class _Name:
    name: str


@dataclass(frozen=True, slots=True)
class _Call:
    """An operator or a function on its arguments."""

    what: Callable[..., float]
    arguments: "tuple[_Node, ...]"


@dataclass(frozen=True, slots=True)
class _Choice:
    condition: "_Node"
    then: "_Node"
    otherwise: "_Node"


_Node = _Number | _Name | _Call | _Choice


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    text: str
    names: tuple[str, ...]
    """The names in it, each once, in order of appearance."""
    root: _Node


# --- parsing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`number`, `name`, `sign` or `end`."""
    text: str
    at: int


def is_name(text: str) -> bool:
    """Whether a source can be called so in an expression."""
    return _NAME.fullmatch(text) is not None and text not in _FUNCTIONS


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """The expression that the text says. FormulaError, with the place and what was expected there."""
    if len(text) > LONGEST:
        raise FormulaError(f"is longer than {LONGEST} characters")
    parser = _Parser(_tokens(text))
    root = parser.expression(0)
    parser.expect("end", "")
    return Expression(text, tuple(parser.names), root)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            at = position + len(text[position:]) - len(text[position:].lstrip())
            raise FormulaError(f'has "{text[at]}" at character {at + 1}, which is no part of a formula')
        if len(tokens) == MOST:
            raise FormulaError(f"has more than {MOST} numbers, names and signs")
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        position = match.end()
    return [*tokens, _Token("end", "", end)]


class _Parser:
    """Precedence climbing over the tokens."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0
        self.names: dict[str, None] = {}

    def expression(self, least: int) -> _Node:
        """The longest expression from here whose operators bind at least so tightly."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise FormulaError(f"is nested more than {DEEPEST} deep")
        left = self._operand()
        while True:
            token = self._peek()
            if token.text == "?" and token.kind == "sign" and least <= _CHOICE:
                self._take()
                then = self.expression(0)
                self.expect("sign", ":")
                left = _Choice(left, then, self.expression(_CHOICE))
                continue
            binds, what = _BINARY.get(token.text, (-1, operator.add))
            if token.kind != "sign" or binds < max(least, 0):
                break
            self._take()
            left = _Call(what, (left, self.expression(binds + 1)))
        self._depth -= 1
        return left

    def expect(self, kind: str, text: str) -> None:
        """Take this token."""
        token = self._take()
        if (token.kind, token.text) != (kind, text):
            wanted = f'"{text}"' if text else "an operator or its end"
            raise FormulaError(f"{_where(token)} where {wanted} is expected")

    def _operand(self) -> _Node:
        token = self._take()
        match token.kind, token.text:
            case "number", text:
                value = float(text)
                if not math.isfinite(value):
                    raise FormulaError(f"has the number {text}, which is too large")
                return _Number(value)
            case "name", name if name in _FUNCTIONS and self._peek().text == "(":
                return self._function(token)
            case "name", name:
                if self._peek().text == "(":
                    raise FormulaError(f"has no function {name}; there are {', '.join(_FUNCTIONS)}")
                if name in _FUNCTIONS:
                    raise FormulaError(f"uses the function {name} without arguments")
                self.names[name] = None
                return _Name(name)
            case "sign", "(":
                inner = self.expression(0)
                self.expect("sign", ")")
                return inner
            case "sign", "-":
                return _Call(operator.neg, (self.expression(_SIGN),))
            case "sign", "+":
                return self.expression(_SIGN)
            case _:
                raise FormulaError(f"{_where(token)} where a number, a name or a parenthesis is expected")

    def _function(self, token: _Token) -> _Node:
        self._take()
        arguments = [self.expression(0)]
        while self._peek().text == ",":
            self._take()
            arguments.append(self.expression(0))
        self.expect("sign", ")")
        fewest, most, what = _FUNCTIONS[token.text]
        if not fewest <= len(arguments) <= most:
            wanted = "one argument" if most == 1 else f"{fewest} to {most} arguments"
            raise FormulaError(f"gives {token.text} {len(arguments)} arguments; it takes {wanted}")
        return _Call(what, tuple(arguments))

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token


def _where(token: _Token) -> str:
    return "ends" if token.kind == "end" else f'has "{token.text}" at character {token.at + 1}'


# --- evaluating ------------------------------------------------------------------------------------------------------


def value(expression: Expression, values: Mapping[str, float]) -> float | Failure:
    """The expression's number for these values; every name in it must be among them.

    A result that is no finite number, or rests on a division by zero, is a failure: missing is never 0. Of `a ? b : c`
    only the chosen side is computed, so `pods > 0 ? load / pods : 0` is safe.
    """
    try:
        result = float(_compute(expression.root, values))
    except _Undefined as error:
        return Failure(
            Reason.NOT_A_NUMBER, f"the formula {expression.text} comes to {error}{_with(expression, values)}"
        )
    except OverflowError:
        result = math.inf
    if math.isfinite(result):
        return result
    return Failure(Reason.NOT_A_NUMBER, f"the formula {expression.text} is {result}{_with(expression, values)}")


def _with(expression: Expression, values: Mapping[str, float]) -> str:
    shown = ", ".join(f"{name} = {values[name]:g}" for name in expression.names)
    return f" with {shown}" if shown else ""


def _compute(node: _Node, values: Mapping[str, float]) -> float:
    match node:
        case _Number(number):
            return number
        case _Name(name):
            return values[name]
        case _Choice(condition, then, otherwise):
            return _compute(then if _compute(condition, values) else otherwise, values)
        case _Call(what, arguments):
            result = what(*(_compute(each, values) for each in arguments))
            # A comparison or `min` would make a number of it that looks like any other.
            if result != result:
                raise _Undefined("a difference or product of infinities")
            return result

"""Formulas: what they come to, and what is no formula."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtide.core import formula
from podtide.core.model.reading import Failure, Reason


def value(text: str, **values: float) -> float | Failure:
    return formula.value(formula.parse(text), values)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        pytest.param("(waiting + running) / 2", {"waiting": 3, "running": 4}, 3.5, id="two sources"),
        pytest.param("1 - 2 - 3", {}, -4, id="minus binds to the left"),
        pytest.param("8 / 4 / 2", {}, 1, id="so does division"),
        pytest.param("2 + 3 * 4 - 6 / 2", {}, 11, id="points before dashes"),
        pytest.param("-a * 2 + --3", {"a": 1}, 1, id="signs"),
        pytest.param("max(1, min(9, 5), 2)", {}, 5, id="nested functions"),
        pytest.param("ceil(1.2) + floor(-1.2) + abs(-3)", {}, 3, id="rounding"),
        pytest.param("min(4)", {}, 4, id="the least of one"),
        pytest.param("a > b ? a : b", {"a": 1, "b": 2}, 2, id="a choice"),
        pytest.param("a ? 1 : b ? 2 : 3", {"a": 0, "b": 0}, 3, id="choices chain to the right"),
        pytest.param("2 > 1 ? 2 : 3 + 1", {}, 2, id="a choice binds loosest"),
        pytest.param("(1 < 2) + (2 <= 2) + (3 == 3) + (1 != 2) + (2 >= 3)", {}, 4, id="comparisons count as 1 and 0"),
        pytest.param("b == 0 ? 0 : a / b", {"a": 1, "b": 0}, 0, id="the side not chosen is not computed"),
        pytest.param(" 1.5e2\t+ .5 + 2. ", {}, 152.5, id="spellings of numbers"),
        pytest.param("+".join(["1"] * 128), {}, 128, id="as long as may be"),
        pytest.param("(" * 31 + "1" + ")" * 31, {}, 1, id="as deep as may be"),
        pytest.param("minimum + max_", {"minimum": 1, "max_": 2}, 3, id="names that begin as functions"),
    ],
)
def test_a_formula_comes_to(text: str, values: Mapping[str, float], expected: float) -> None:
    assert value(text, **values) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("1 / 0", "the formula 1 / 0 comes to a division by zero", id="a division by zero"),
        pytest.param("a / b", "comes to a division by zero with a = 5, b = 0", id="with the values"),
        pytest.param("0 / b", "a division by zero", id="zero by zero"),
        pytest.param("a * 1e308", "is inf with a = 5", id="too large"),
        pytest.param("a * 1e308 - a * 1e308", "difference or product of infinities", id="no number"),
        pytest.param("min(1, a * 1e308 - a * 1e308)", "of infinities with a = 5", id="hidden by a minimum"),
        pytest.param("a * 1e308 - a * 1e308 > 0 ? 1 : 0", "of infinities", id="hidden by a comparison"),
        pytest.param("a * 1e308 * b == 0", "of infinities", id="nothing times an infinity"),
        pytest.param("ceil(a * 1e308)", "is inf", id="an infinity is not rounded"),
    ],
)
def test_what_is_no_finite_number_is_missing(text: str, said: str) -> None:
    result = value(text, a=5.0, b=0.0)
    assert isinstance(result, Failure)
    assert result.reason is Reason.NOT_A_NUMBER
    assert said in result.detail


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "ends where a number, a name or a parenthesis is expected", id="nothing"),
        pytest.param("1 +", "ends where a number, a name or a parenthesis is expected", id="half a sum"),
        pytest.param("a b", 'has "b" at character 3 where an operator or its end is expected', id="no operator"),
        pytest.param("(1", 'ends where ")" is expected', id="an open parenthesis"),
        pytest.param("1)", 'has ")" at character 2', id="a closed one"),
        pytest.param("1 ? 2", 'ends where ":" is expected', id="half a choice"),
        pytest.param("sum(a)", "has no function sum; there are min, max, abs, ceil, floor", id="another function"),
        pytest.param("max + 1", "uses the function max without arguments", id="a function as a name"),
        pytest.param("abs(1, 2)", "gives abs 2 arguments; it takes one argument", id="too many arguments"),
        pytest.param("min()", 'has ")" at character 5', id="none"),
        pytest.param("a.b", 'has "." at character 2, which is no part of a formula', id="an attribute"),
        pytest.param("a ** 2", 'has "*" at character 4 where', id="a power"),
        pytest.param("a[0]", 'has "[" at character 2', id="an index"),
        pytest.param("a = b", 'has "=" at character 3', id="an assignment"),
        pytest.param("__import__('os')", 'has "\'" at character 12', id="Python"),
        pytest.param("1e999", "has the number 1e999, which is too large", id="no double"),
        pytest.param("日本", 'has "日" at character 1', id="other letters"),
        pytest.param("(" * 32 + "1" + ")" * 32, "is nested more than 32 deep", id="too deep"),
        pytest.param("-" * 40 + "1", "is nested more than 32 deep", id="too many signs"),
        pytest.param("+".join(["1"] * 129), "has more than 256 numbers, names and signs", id="too much"),
        pytest.param("a" * 1001, "is longer than 1000 characters", id="too long"),
    ],
)
def test_what_is_no_formula_says_where(text: str, said: str) -> None:
    with pytest.raises(formula.FormulaError, match=r"^(is|has|ends|uses|gives) ") as raised:
        formula.parse(text)
    assert said in str(raised.value)


def test_the_names_of_a_formula_are_known() -> None:
    assert formula.parse("b + a * b - max(c, 1)").names == ("b", "a", "c")
    assert [formula.is_name(text) for text in ("a_1", "1a", "a-b", "min", "", "a b")] == [True, *[False] * 5]


@given(st.text(alphabet="ab12.+-*/()<>=!?:, minaxe", max_size=60))
def test_any_text_is_a_formula_or_an_error(text: str) -> None:
    """Nothing else than FormulaError is raised, and every result is finite or a failure."""
    try:
        expression = formula.parse(text)
    except formula.FormulaError:
        return
    result = formula.value(expression, dict.fromkeys(expression.names, 2.0))
    assert isinstance(result, Failure) or math.isfinite(result)


_NUMBERS = st.integers(0, 99).map(str)


@given(
    st.recursive(
        _NUMBERS,
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map("({0[0]} {0[1]} {0[2]})".format),
        max_leaves=12,
    )
)
def test_arithmetic_is_pythons(text: str) -> None:
    assert value(text) == eval(text)  # noqa: S307  (the reference; digits, signs and parentheses only)

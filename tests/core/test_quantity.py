"""Quantities: exact, rounded away from zero, never beyond 64 bits."""

from decimal import ROUND_UP, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtide.core.model import quantity


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0", 0, id="zero"),
        pytest.param("50", 50_000, id="a plain number"),
        pytest.param("+50", 50_000, id="a sign"),
        pytest.param("500m", 500, id="thousandths"),
        pytest.param("1n", 1, id="a billionth rounds up"),
        pytest.param("-1500u", -2, id="negative numbers round away from zero too"),
        pytest.param("1e-10", 1, id="finer than a billionth"),
        pytest.param(".5", 500, id="no leading digit"),
        pytest.param("5.", 5_000, id="no fraction digit"),
        pytest.param("1.5Ki", 1_536_000, id="binary suffix"),
        pytest.param("12E2", 1_200_000, id="E and digits is an exponent"),
        pytest.param("2k", 2_000_000, id="kilo"),
        pytest.param("1E", quantity.LARGEST, id="E alone is exa, and beyond 64 bits in thousandths"),
        pytest.param("1e999999999", quantity.LARGEST, id="a huge exponent stops at the end of the range"),
        pytest.param("-1e999999999", -quantity.LARGEST - 1, id="below as above"),
        pytest.param("1e-999999999", 1, id="a tiny exponent is still not zero"),
    ],
)
def test_reads_thousandths(text: str, expected: int) -> None:
    assert quantity.milli(text) == expected


@pytest.mark.parametrize(
    "text", ["", ".", "-", "fifty", "1e", "1 ", " 1", "1k5", "0x10", "1_000", "٣", "NaN", "Inf", "9" * 65]
)
def test_refuses_what_is_not_a_quantity(text: str) -> None:
    with pytest.raises(quantity.QuantityError, match="is not a quantity; write for example"):
        quantity.milli(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0.1", 0.1, id="the usual tolerance"),
        pytest.param("350m", 0.35000000000000003, id="not the nearest double, as upstream"),
        pytest.param("0.35", 0.35000000000000003, id="however it is written"),
        pytest.param("0", 0.0, id="zero"),
        pytest.param("1.5", 1.5, id="above one"),
        pytest.param("500u", 0.0005, id="millionths"),
    ],
)
def test_a_tolerance_is_the_double_upstream_computes_with(text: str, expected: float) -> None:
    assert quantity.ratio(text) == expected


@pytest.mark.parametrize(
    ("thousandths", "expected"),
    [(0, "0"), (1500, "1500m"), (1000, "1"), (-500, "-500m"), (2_000_000, "2k"), (46976204800, "46976204800m")],
)
def test_writes_the_canonical_form(thousandths: int, expected: str) -> None:
    assert quantity.text(thousandths) == expected


@given(st.integers(-quantity.LARGEST - 1, quantity.LARGEST))
def test_what_is_written_reads_back(thousandths: int) -> None:
    assert quantity.milli(quantity.text(thousandths)) == thousandths


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_the_decimal_it_prints_as(value: float) -> None:
    exact = Decimal(repr(value)) * 1000
    expected = int(exact.to_integral_value(ROUND_UP, Context(prec=400)))
    assert quantity.from_float(value) == quantity.saturate(expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        quantity.from_float(value)


def test_neighbouring_floats_around_the_end_of_the_range_stay_in_it() -> None:
    assert quantity.from_float(quantity.LARGEST / 1000) == quantity.LARGEST
    assert quantity.from_float(1e308) == quantity.LARGEST
    assert quantity.from_float(-1e308) == -quantity.LARGEST - 1


@given(st.integers(-(10**12), 10**12), st.sampled_from([1, 10, 100, 1000, 10_000]))
def test_short_decimals_are_exact(digits: int, unit: int) -> None:
    expected = -(-abs(digits) * 1000 // unit)
    assert quantity.from_float(digits / unit) == (expected if digits >= 0 else -expected)


@given(st.integers(0, 10**9), st.floats(-1e-9, 1e-9))
def test_around_whole_thousandths_the_shortcut_changes_nothing(thousandths: int, offset: float) -> None:
    value = thousandths / 1000 + offset
    exact = Decimal(repr(value)) * 1000
    assert quantity.from_float(value) == int(exact.to_integral_value(ROUND_UP, Context(prec=400)))

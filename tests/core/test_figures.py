import pytest

from podtide.core.model import figures


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        pytest.param(14.0, "14", id="whole"),
        pytest.param(8.30136, "8.301", id="four digits"),
        pytest.param(0.46251, "0.4625", id="small"),
        pytest.param(9999.4, "9999", id="the last without a unit"),
        pytest.param(23_449.0, "23.45k", id="thousands"),
        pytest.param(-1_250_000.0, "-1.25M", id="negative millions"),
        pytest.param(4e12, "4000G", id="billions"),
        pytest.param(0.0, "0", id="nothing"),
    ],
)
def test_numbers_have_four_digits_at_most(number: float, shown: str) -> None:
    assert figures.plain(number) == shown

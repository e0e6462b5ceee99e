import pytest

from podtide.cli import chart


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        pytest.param([], 5, "", id="nothing"),
        pytest.param([0, 0], 5, "  ", id="no load"),
        pytest.param([0, 1, 4, 8], 9, " ▁▄█", id="from nothing to full"),
        pytest.param([1, 1, 8, 1, 1, 1], 3, "▁█▁", id="a short peak is not lost"),
    ],
)
def test_bars(values: list[float], width: int, expected: str) -> None:
    assert chart.bars(values, width) == expected


def test_a_plot_shows_load_below_and_capacity_across() -> None:
    assert chart.plot([0, 2, 4], [4, 4, 4], width=3, height=2) == [
        "     4 ┤━━━",
        "     2 ┤ ██",
    ]

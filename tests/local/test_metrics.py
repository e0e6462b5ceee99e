"""Pages made from real ones: only the chosen values change; and the load behind them."""

from __future__ import annotations

import pytest

from podtide.local import metrics
from podtide.local.loads import Load

_PAGE = b"""# HELP waiting Requests waiting.
# TYPE waiting gauge
waiting{model="a b}",note="say \\"hi\\""} 3.0
waiting{model="b"} 4.0 1700000000000
waiting_total 9
# TYPE busy gauge
busy 0.5
"""


class _Work:
    share, served, age = 2.5, 100.0, 7.0


def test_chosen_series_show_values_and_nothing_else_changes() -> None:
    template = metrics.Template.of(_PAGE, {"waiting": metrics.share, "busy": metrics.fixed(1.0)})
    assert template.render(_Work()) == (
        _PAGE.replace(b'hi\\""} 3.0', b'hi\\""} 2.5')
        .replace(b'"b"} 4.0 1', b'"b"} 0 1')
        .replace(b"busy 0.5", b"busy 1")
    )


def test_a_counter_shows_what_was_served() -> None:
    assert metrics.Template.plain("done_total", metrics.served, "counter").render(_Work()).endswith(b"done_total 100\n")


def test_a_series_the_page_has_not_is_an_error() -> None:
    with pytest.raises(ValueError, match="the page has no series wait"):
        metrics.Template.of(_PAGE, {"wait": metrics.share})


def test_load_is_shared_and_added_up() -> None:
    now = 0.0
    load = Load(lambda: now)
    load.set(10)
    assert load.share == 0
    load.join("a")
    now = 2.0
    assert (load.share, load.integral) == (10, 20)
    load.join("b")
    now = 4.0
    assert (load.share, load.integral) == (5, 30)
    load.leave("a")
    load.set(1)
    now = 5.0
    assert (load.share, load.integral) == (1, 31)

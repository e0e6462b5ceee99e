"""The harness itself: a wrong answer, a row left out and a missing runner are all seen."""

from pathlib import Path

import pytest

from tests.conform import __main__ as command
from tests.conform import registry
from tests.conform.outcome import Comparison, Outcome, Row


def runner(row: Row) -> Outcome:
    """Answers 4, whatever is asked."""
    comparison = Comparison(row["id"])
    if row.get("odd"):
        comparison.leave_out("odd on purpose")
    comparison.equal("answer", row["expected"], 4)
    return comparison.outcome()


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(registry.RUNNERS, "sums", runner)
    return tmp_path / "sums.jsonl"


def test_agreement_exits_0(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    family.write_text('{"id": "a", "expected": 4}\n{"id": "b", "expected": 4}\n')
    assert command.main([str(family)]) == 0
    assert capsys.readouterr().out == "sums: 2 of 2 (2 values compared)\n"


def test_a_mismatch_is_listed_and_exits_1(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    family.write_text('{"id": "a", "expected": 4}\n{"id": "b", "expected": 5}\n')
    assert command.main([str(family)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "sums: 1 of 2 (2 values compared)",
        "  MISMATCH b answer: expected 5, got 4",
    ]


def test_a_row_left_out_is_no_pass(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    family.write_text('{"id": "a", "expected": 4}\n{"id": "b", "expected": 4, "odd": true}\n')
    assert command.main([str(family)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "sums: 1 of 1 (2 values compared, 1 more not imitated)",
        "  not imitated: b: odd on purpose",
    ]


def test_a_mismatch_in_a_row_left_out_in_part_still_counts(family: Path) -> None:
    family.write_text('{"id": "b", "expected": 5, "odd": true}\n')
    assert command.main([str(family)]) == 1


def test_a_row_that_raises_is_a_mismatch_and_hides_no_other(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    family.write_text('{"id": "a"}\n{"id": "b", "expected": 4}\n')
    assert command.main([str(family)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "sums: 1 of 2 (2 values compared)",
        "  MISMATCH a raised: expected 'an answer', got \"KeyError('expected')\"",
    ]


def test_an_empty_file_proves_nothing(family: Path) -> None:
    family.write_text("")
    assert command.main([str(family)]) == 1


def test_an_unknown_family_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path / "kpa_future.jsonl")]) == 2
    assert "no runner for the family 'kpa_future'" in capsys.readouterr().err


def test_true_does_not_pass_for_1() -> None:
    comparison = Comparison("a")
    comparison.equal("answer", True, 1)
    assert not comparison.outcome().is_passed

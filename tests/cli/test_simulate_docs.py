"""Every command in docs/simulate.md runs, on data that ships with the project, and prints what the page shows."""

import re
import shlex

import pytest

from podtide.cli.main import main
from tests.docs import blocks
from tests.docs.blocks import Block

PAGE = [block for block in blocks.every() if block.page.name == "simulate.md" and block.language == "console"]


def shape(line: str) -> str:
    """A line without its numbers, and the unit that follows one, and the spaces around it."""
    return re.sub(r"\s+", " ", re.sub(r"[\d.,:]+(%| ms| s\b| min\b| h\b)?", "0", line)).strip()


def parts(block: Block) -> tuple[list[str], list[str]]:
    """The command's words, and the lines that are to follow it."""
    text = block.text.removeprefix("$ ").replace("\\\n", " ")
    command, _, rest = text.partition("\n")
    return shlex.split(command), [line for line in rest.splitlines() if line.strip()]


@pytest.mark.parametrize("block", PAGE, ids=str)
def test_the_command_prints_what_the_page_shows(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    (program, *words), shown = parts(block)
    assert program == "podtide"
    assert main(words) == 0
    said = {shape(line) for line in capsys.readouterr().out.splitlines()}
    assert [line for line in shown if shape(line) not in said] == []


def test_the_page_has_blocks() -> None:
    assert len(PAGE) >= 6

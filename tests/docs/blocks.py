"""The fenced blocks of the documentation, with where they stand."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "charts").rglob("*.md")))

_FENCE = re.compile(r"^```(\w*)(?: +(.*))?$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Of its fence, counted from 1."""
    language: str
    title: str
    """What the fence says after the language: `title="values.yaml"` or nothing."""
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def every() -> Iterator[Block]:
    """All blocks of all pages."""
    for page in PAGES:
        opened: tuple[int, str, str] | None = None
        lines: list[str] = []
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            fence = _FENCE.match(line.strip())
            if fence is None:
                lines.append(line)
            elif opened is None:
                opened, lines = (number, fence[1], fence[2] or ""), []
            else:
                yield Block(page, *opened, "\n".join(lines) + "\n")
                opened = None
        assert opened is None, f"{page}: a block is not closed"


def commands(block: Block) -> Iterator[list[str]]:
    """Each command of a shell block, or each that follows `$ ` in a console block, as its words."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        if block.language == "console":
            if not line.startswith("$ "):
                continue
            line = line[2:]
        yield from piped(line)


def piped(line: str) -> Iterator[list[str]]:
    """Each command of one line, as its words."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|&;"):
            yield words
            words = []
        else:
            words.append(word)
    if words:
        yield words


def prose(page: Path) -> str:
    """A page without its blocks."""
    kept, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if _FENCE.match(line.strip()):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)

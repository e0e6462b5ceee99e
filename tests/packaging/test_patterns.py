"""Regular expressions mean the same in every Python that the project runs on."""

import re
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src" / "podtide"
_IS_PATTERN = re.compile(r"""re\.compile|r[bf]?['"]""")
_POSSESSIVE = re.compile(r"(?<!\\)\)(?:[*+?]|\{[0-9,]+\})\+")


def test_no_group_is_repeated_possessively() -> None:
    """Before 3.11.5 such a group, given up, leaves behind what it had matched: `a{ 7` would be a series."""
    found = [
        f"{path.relative_to(SOURCES)}:{number}"
        for path in SOURCES.rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _IS_PATTERN.search(line) and _POSSESSIVE.search(line)
    ]
    assert not found
    assert _POSSESSIVE.search(r"(?:a|b)*+")

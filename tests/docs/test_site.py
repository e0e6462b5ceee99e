"""The site builds strictly, every link leads somewhere, and what is generated is what the code says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from podtide.cli import reference
from tests.docs.blocks import ROOT

DOCS = ROOT / "docs"


def test_the_command_lines_reference_is_the_parsers() -> None:
    assert (DOCS / "cli.md").read_text() == reference.markdown(), "run: python -m podtide.cli.reference > docs/cli.md"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed: pip install '.[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(ROOT / ".ci/mkdocs.yml")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        [*command, "-d", str(tmp_path / "site")], capture_output=True, text=True, env=environment, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "site" / "index.html").exists()
    pages = {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert {found.name for found in (tmp_path / "site").iterdir() if (found / "index.html").exists()} == pages


def test_the_readmes_links_lead_somewhere() -> None:
    """MkDocs checks the pages' own links; the README is not one of them."""
    text = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_the_tests_that_a_page_names_are_there(page: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (DOCS / page).read_text())
    assert named
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or (name and not re.search(rf"def {name}\(", (ROOT / path).read_text()))
    ]
    assert missing == []

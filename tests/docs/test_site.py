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


OUTSIDE = ("README.md", "CHANGELOG.md", "charts/podtide/README.md")


@pytest.mark.parametrize("name", OUTSIDE)
def test_links_of_pages_outside_the_site_lead_somewhere(name: str) -> None:
    """MkDocs checks the links of its own pages."""
    page = ROOT / name
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]
    for link in links:
        path, _, anchor = link.partition("#")
        aim = page.parent / path if path else page
        assert aim.exists(), link
        assert not anchor or anchor in _anchors(aim), link


def test_the_readme_leads_to_every_page_of_those_who_run_it() -> None:
    linked = set(re.findall(r"\(docs/(\w+)\.md\)", (ROOT / "README.md").read_text()))
    assert {"install", "migration", "operating", "metrics", "alerts", "security", "tls", "meshes", "sources"} <= linked


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


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

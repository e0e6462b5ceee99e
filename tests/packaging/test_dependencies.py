"""What is installed besides Podtide: pinned, consistent, and under licences that an Apache-2.0 image may carry."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = "podtide[demo,docs,lint,plot,test]"

PERMISSIVE = re.compile(r"Apache|MIT|BSD|ISC|PSF|Python Software Foundation|Unlicense|HPND|CMU|Zlib", re.IGNORECASE)
FILE_BY_FILE = re.compile(r"MPL|Mozilla", re.IGNORECASE)
"""Asks for the changes of its own files alone, of which there are none."""
COPYLEFT = re.compile(r"\bA?L?GPL|GNU|SSPL|EUPL|CC-BY-(?:NC|SA)", re.IGNORECASE)


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def closure(requirements: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """Everything these requirements install here, by normalised name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    todo = [Requirement(each) for each in requirements]
    while todo:
        wanted = todo.pop()
        for extra in ("", *sorted(wanted.extras)):
            if (_name(wanted.name), extra) in seen:
                continue
            seen.add((_name(wanted.name), extra))
            todo += _needs(wanted.name, extra, found)
    return found


def _needs(name: str, extra: str, found: dict[str, importlib.metadata.Distribution]) -> Iterator[Requirement]:
    if name == "podtide":
        yield from map(Requirement, PROJECT["optional-dependencies"].get(extra, ()))
        return
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return
    found[_name(name)] = distribution
    for each in map(Requirement, distribution.requires or ()):
        if each.marker is None or each.marker.evaluate({"extra": extra}):
            yield each


def licence(distribution: importlib.metadata.Distribution) -> str:
    """What the package says of itself: the expression, else the classifiers, else the first line of free text."""
    about = distribution.metadata
    classifiers = [each for each in about.get_all("Classifier") or () if each.startswith("License ::")]
    expression, text = ((about.get_all(name) or [""])[0].strip() for name in ("License-Expression", "License"))
    return expression or "; ".join(classifiers) or text.partition("\n")[0]


def test_what_ships_is_permissive() -> None:
    shipped = closure(PROJECT["dependencies"])
    assert {"httpx", "kubernetes", "prometheus-client", "tenacity"} <= shipped.keys()
    said = {name: licence(each) for name, each in shipped.items()}
    odd = {name: text for name, text in said.items() if not PERMISSIVE.search(text) or COPYLEFT.search(text)}
    # The authorities' certificates that httpx brings; Mozilla's licence covers that list alone.
    assert {name for name, text in odd.items() if FILE_BY_FILE.search(text)} == {"certifi"}
    assert odd.keys() == {"certifi"}


def test_no_tool_of_ours_is_copyleft() -> None:
    said = {name: licence(each) for name, each in closure([*PROJECT["dependencies"], EXTRAS]).items()}
    assert {"pytest", "ruff", "mypy"} <= said.keys()
    assert {name: text for name, text in said.items() if COPYLEFT.search(text) or not text} == {}


def test_every_package_is_pinned() -> None:
    pinned = dict(
        line.split("==") for line in (ROOT / ".ci/constraints.txt").read_text().splitlines() if not line.startswith("#")
    )
    versions = {_name(name): version for name, version in pinned.items()}
    installed = closure([*PROJECT["dependencies"], EXTRAS])
    assert {name for name in installed if name not in versions} <= {"pip", "setuptools"}
    stray = {name: each.version for name, each in installed.items() if versions.get(name, each.version) != each.version}
    if stray:
        pytest.skip(f"this environment was not made with .ci/constraints.txt: {stray}")


def test_what_is_installed_fits_together() -> None:
    unmet = [
        f"{name} {each.version} wants {wanted}"
        for name, each in closure([*PROJECT["dependencies"], EXTRAS]).items()
        for wanted in map(Requirement, each.requires or ())
        if (wanted.marker is None or wanted.marker.evaluate({"extra": ""})) and not _is_met(wanted)
    ]
    assert unmet == []


def _is_met(wanted: Requirement) -> bool:
    try:
        return wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False

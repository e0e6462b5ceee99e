"""`podtide validate FILE…`: every problem of the PodAutoscalers in YAML files, with line, field, value and fix."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podtide.api import conflicts, decode
from podtide.api.errors import Problem
from podtide.control.feeds import documents
from podtide.core.model.spec import AutoscalerSpec, Key

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "validate",
        help="check PodAutoscaler manifests",
        description="Check PodAutoscaler manifests without a cluster. Documents of other kinds are passed over.",
        epilog="Exit code 0: all are valid; 1: there are problems; 2: a file could not be read.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a YAML file, a directory of them, or - for stdin")
    parser.add_argument("--strict", action="store_true", help="take warnings for problems")
    parser.add_argument("-q", "--quiet", action="store_true", help="print problems only")
    parser.set_defaults(run=run)


@dataclass(slots=True)
class _Result:
    """What was found so far."""

    checked: int = 0
    skipped: int = 0
    problems: int = 0
    warnings: int = 0
    unreadable: int = 0
    named: dict[tuple[str, Key], str] = field(default_factory=dict)
    """Where the first object of each name stands in each file."""
    specs: list[tuple[str, AutoscalerSpec]] = field(default_factory=list)
    """Where each valid object stands, and the object."""


def run(arguments: argparse.Namespace) -> int:
    """Print what is wrong, and a count; 0 if nothing is, 1 if something is, 2 if a file cannot be read."""
    result = _Result()
    for name in _named(arguments.files):
        _check_file(name, result, quiet=arguments.quiet)
    _check_conflicts(result, quiet=arguments.quiet)
    if not arguments.quiet:
        print(_counted(result))
    if result.unreadable:
        return 2
    return 1 if result.problems or (arguments.strict and result.warnings) else 0


def _named(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if argument != "-" and Path(argument).is_dir():
            yield from (str(path) for path in sorted(Path(argument).rglob("*")) if path.suffix in _SUFFIXES)
        else:
            yield argument


def _check_file(name: str, result: _Result, *, quiet: bool) -> None:
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        # What stands above a mistake is checked nevertheless.
        for document in documents.documents(content):
            _check_document(name, document, result, quiet=quiet)
    except OSError as error:
        _complain(result, f"{name}: {error.strerror}")
    except documents.NotYaml as error:
        _complain(result, f"{name}: is not YAML: {error}")


def _complain(result: _Result, text: str) -> None:
    result.unreadable += 1
    print(text, file=sys.stderr)


def _check_document(name: str, document: documents.Document, result: _Result, *, quiet: bool) -> None:
    if isinstance(document.value, dict) and document.value.get("kind") == "List":
        for index, item in enumerate(document.value.get("items") or []):
            _check_object(name, document, item, f"items[{index}].", result, quiet=quiet)
    else:
        _check_object(name, document, document.value, "", result, quiet=quiet)


def _check_object(
    name: str, document: documents.Document, value: Any, prefix: str, result: _Result, *, quiet: bool
) -> None:
    if not decode.is_meant_for_us(value):
        result.skipped += 1
        return
    decoded = decode.autoscaler(value)
    result.checked += 1
    _check_name(name, document.line(prefix + "metadata.name"), decoded, result, quiet=quiet)
    result.problems += len(decoded.problems)
    result.warnings += len(decoded.warnings)
    if decoded.spec is not None:
        result.specs.append((f"{name}:{document.line(prefix + 'metadata')}", decoded.spec))
    told: list[tuple[int, str, Problem]] = [
        (document.line(prefix + found.path), label, found)
        for label, all_found in (("", decoded.problems), ("warning: ", () if quiet else decoded.warnings))
        for found in all_found
    ]
    for line, label, found in sorted(told, key=lambda entry: entry[0]):
        print(f"{name}:{line}: {decoded.key}: {label}{found}")


def _check_name(file: str, line: int, decoded: decode.Decoded, result: _Result, *, quiet: bool) -> None:
    """Two documents of one name in one file are a slip; in two files they may be meant: one or the other is applied."""
    place = f"{file}:{line}"
    first = result.named.setdefault((file, decoded.key), place)
    if first == place or not decoded.key.name:
        return
    result.warnings += 1
    if not quiet:
        fix = f"is the name of the object at {first}, too, so only one of them counts; rename one or take it away"
        print(f"{place}: {decoded.key}: warning: {Problem('metadata.name', decoded.key.name, fix)}")


def _check_conflicts(result: _Result, *, quiet: bool) -> None:
    """One line for each object that is not the first on its target."""
    where = {id(spec): place for place, spec in result.specs}
    firsts: dict[int, AutoscalerSpec] = {}
    for first, second in conflicts.between(spec for _, spec in result.specs):
        if id(second) in firsts:
            continue
        firsts[id(second)] = first
        result.warnings += 1
        if not quiet:
            print(
                f"{where[id(second)]}: {second.key}: warning: scales {second.target}, as {first.key} does "
                f"({where[id(first)]}); the older would act, the other stand by"
            )


def _counted(result: _Result) -> str:
    found = ", ".join(
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((result.problems, "problem"), (result.warnings, "warning"))
        if count
    )
    skipped = f"; {result.skipped} of other kinds passed over" if result.skipped else ""
    verdict = found or ("all valid" if result.checked else "none found")
    return f"{result.checked} PodAutoscaler{'' if result.checked == 1 else 's'} checked: {verdict}{skipped}"

"""Every YAML, command, Python and JSON block of the documentation is one that works."""

import argparse
import ast
import importlib.util
import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import podtide
from podtide.api import decode
from podtide.cli import main
from tests.chart import helm
from tests.docs import blocks
from tests.docs.blocks import ROOT, Block

BLOCKS = list(blocks.every())

KUBECTL = {
    "api-resources",
    "apply",
    "auth",
    "create",
    "delete",
    "describe",
    "explain",
    "get",
    "kustomize",
    "logs",
    "patch",
    "rollout",
    "scale",
    "top",
    "wait",
}
COMMANDS = {command.__name__.rpartition(".")[2] for command in main.COMMANDS}
OWN_IMAGE = f"registry.example.com/podtide:{podtide.__version__}"
HELM = {"install", "show", "upgrade", "template", "uninstall"}


def of(*languages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [block for block in BLOCKS if block.language in languages], ids=str)


def test_every_block_says_what_it_is() -> None:
    known = {"yaml", "sh", "console", "python", "text"}
    assert [str(block) for block in BLOCKS if block.language not in known] == []
    assert len({block.page for block in BLOCKS}) > 8


@of("yaml")
def test_yaml_is_valid_for_what_it_is(block: Block) -> None:
    documents = [document for document in yaml.safe_load_all(block.text) if document]
    assert documents
    for document in documents:
        if block.title == 'title="values.yaml"':
            assert helm.render(document)
        elif decode.is_autoscaler(document):
            decoded = decode.autoscaler(document)
            assert [str(found) for found in (*decoded.problems, *decoded.warnings)] == []
        else:
            assert {"apiVersion", "kind", "metadata"} <= document.keys(), "say what it is: values.yaml, or an object"
            assert helm.unknown_fields(document) == []


@of("sh", "console")
def test_commands_are_ones_that_there_are(block: Block) -> None:
    found = list(blocks.commands(block))
    assert found
    for words in found:
        _check(words)


def _check(words: list[str]) -> None:
    program, *rest = words
    match program:
        case "podtide":
            _parse(rest)
        case "make":
            targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert [word for word in rest if "=" not in word and word not in targets] == []
            for word in rest:
                if word.startswith("ARGS="):
                    _parse([*rest[:1], *shlex.split(word.removeprefix("ARGS="))])
        case "python":
            _check_module(rest)
        case "kubectl":
            verb = next(word for word in _without_options(rest) if word)
            assert verb in KUBECTL
            _check_files(rest, ("-f", "-k", "--filename", "--kustomize", "--patch-file", "--from-file"))
        case "helm":
            assert rest[0] in HELM
            assert all((ROOT / word).is_dir() for word in rest if word.startswith("charts/"))
            helm.render(_set(rest))
        case "docker":
            # Built from the clone, and nothing else's image pushed.
            assert rest in (["build", "-t", OWN_IMAGE, "."], ["push", OWN_IMAGE])
            assert (ROOT / "Dockerfile").is_file()
        case "pip" | "git" | "export" | "curl":
            pass
        case _:
            pytest.fail(f"nobody taught this test the command {program!r}")


def _check_module(rest: list[str]) -> None:
    assert rest[0] == "-m"
    found = importlib.util.find_spec(rest[1])
    assert found is not None, rest[1]
    if found.submodule_search_locations:
        found = importlib.util.find_spec(f"{rest[1]}.__main__")
    assert found is not None
    assert found.origin is not None
    text = Path(found.origin).read_text()
    options = [word.strip("[]") for word in rest[2:] if word.strip("[]").startswith("--")]
    assert [option for option in options if f'"{option}"' not in text] == []


def _parse(arguments: list[str]) -> argparse.Namespace:
    """The arguments as the command line takes them; output that goes into a file is left out."""
    if ">" in arguments:
        at = arguments.index(">")
        assert (ROOT / arguments[at + 1]).exists(), arguments[at + 1]
        arguments = arguments[:at]
    try:
        return main.parser().parse_args(arguments)
    except SystemExit:
        pytest.fail(f"podtide refuses: {shlex.join(arguments)}")


def _without_options(words: list[str]) -> list[str]:
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-n", "--namespace", "--kubeconfig"):
            skip = True
        elif not word.startswith("-"):
            kept.append(word)
    return kept


def _check_files(words: list[str], options: tuple[str, ...]) -> None:
    for option, value in itertools.pairwise(words):
        if option in options and value != "-" and value.startswith(("config/", "charts/")):
            assert (ROOT / value).exists(), value


def _set(words: list[str]) -> dict[str, Any]:
    """What `--set` asks for."""
    values: dict[str, Any] = {}
    for option, value in itertools.pairwise(words):
        if option == "--set":
            for name, given in helm.parsed(value).items():
                values[name] = {**values.get(name, {}), **given} if isinstance(given, dict) else given
    return values


@of("python")
def test_python_is_readable_and_imports_what_there_is(block: Block) -> None:
    tree = compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("podtide"):
            for name in node.names:
                inner = importlib.util.find_spec(f"{node.module}.{name.name}")
                assert inner or hasattr(importlib.import_module(node.module), name.name)


INLINE = [
    pytest.param(command, id=f"{path.name}: {command}")
    for path in blocks.PAGES
    for command in dict.fromkeys(re.findall(r"`((?:podtide|kubectl|helm|make|python -m) [^`]+)`", blocks.prose(path)))
]


@pytest.mark.parametrize("command", INLINE)
def test_commands_within_sentences_are_ones_that_there_are(command: str) -> None:
    program, *rest = shlex.split(command.replace("…", ""))
    if program == "podtide" and len(rest) == 1:
        # A command named without its arguments.
        assert rest[0] in COMMANDS or rest == ["--version"], rest
    else:
        for words in blocks.piped(command.replace("…", "")):
            _check(words)


@pytest.mark.parametrize("path", blocks.PAGES, ids=lambda path: path.name)
def test_paths_that_are_named_are_there(path: Path) -> None:
    named = set(re.findall(r"`((?:config|charts|docs|src|tests|benchmarks|\.ci)/[\w./-]+)`", path.read_text()))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []

"""YAML as people write it, and where in it each field stands. The feed of files and the commands read it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

LARGEST = 100_000
"""Nodes of one document with every alias written out. Few lines of aliases of aliases stand for billions."""

_STEP = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|\.?([^.\[\]]+)')


class NotYaml(ValueError):
    """A text that is no YAML, or means nothing as data; its own text is one line that says why and where."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    value: Any
    node: yaml.Node

    def line(self, path: str) -> int:
        """The line, counted from 1, of `spec.metricsSources[0].port`; of what is nearest around it if it is missing."""
        node, line = self.node, self.node.start_mark.line
        for match in _STEP.finditer(path):
            found = _child(node, match[1] or match[3], match[2])
            if found is None:
                break
            line, node = found
        return int(line) + 1


def _child(node: yaml.Node, key: str | None, index: str | None) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode) and key is not None:
        for name, value in node.value:
            if name.value == key:
                return name.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and index is not None and int(index) < len(node.value):
        value = node.value[int(index)]
        return value.start_mark.line, value
    return None


class _Loader(yaml.SafeLoader):
    """Plain data only. Times stay text, as JSON has none and Kubernetes writes them as text."""


_Loader.yaml_implicit_resolvers = {
    letter: [entry for entry in entries if entry[0] != "tag:yaml.org,2002:timestamp"]
    for letter, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def documents(text: str | bytes) -> Iterator[Document]:
    """Every document that is not empty. Raises `NotYaml`."""
    # Building data of a node leaves the node as it was, so each document is parsed once.
    try:
        loader = _Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                if node is None:
                    continue
                _measure(node, {})
                _refuse_repeated(node)
                value = loader.construct_document(node)
                if value is not None:
                    yield Document(value, node)
        finally:
            loader.dispose()
    except _REFUSED as error:
        raise NotYaml(_why(error)) from error


def _why(error: Exception) -> str:
    """One line: where, what, and what to write instead where that is known."""
    match error:
        case yaml.reader.ReaderError() | UnicodeDecodeError():
            return "it is no text in UTF-8; save it as UTF-8, without control characters"
        case yaml.MarkedYAMLError(problem_mark=yaml.Mark() as mark):
            told = f"line {mark.line + 1}, column {mark.column + 1}: {error.problem or error.context}"
            begun = error.context_mark
            if error.context and begun is not None and begun.line != mark.line:
                told += f", {error.context} that begins in line {begun.line + 1}"
            return told + ("; indent with spaces" if "'\\t'" in told else "")
        case RecursionError():
            return "it is nested too deeply; a manifest has no more than some ten levels"
    return " ".join(str(error).split()) or type(error).__name__


def _refuse_repeated(root: yaml.Node) -> None:
    """YAML wants the keys of a mapping to differ, and kubectl refuses them; PyYAML silently takes the last."""
    found, waiting = {root}, [root]
    while waiting:
        node = waiting.pop()
        children = list(node.value) if isinstance(node, yaml.SequenceNode) else []
        if isinstance(node, yaml.MappingNode):
            _refuse_keys(node)
            children = [part for pair in node.value for part in pair]
        for child in children:
            if child not in found:
                found.add(child)
                waiting.append(child)


def _refuse_keys(node: yaml.MappingNode) -> None:
    first: dict[tuple[str, str], yaml.Node] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        before = first.setdefault((key.tag, key.value), key)
        if before is not key:
            raise ValueError(
                f"line {key.start_mark.line + 1}: {key.value} stands in line {before.start_mark.line + 1} already; "
                "take one of the two away"
            )


# What PyYAML lets through of a value that does not fit its tag, as in `!!bool 5` or `!!timestamp now`, or that is too
# long or too deep for Python.
_REFUSED = (
    yaml.YAMLError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def _measure(node: yaml.Node, known: dict[yaml.Node, int]) -> int:
    """How many nodes this one is, with those that aliases stand for. Raises `ValueError` beyond what is sensible."""
    if node in known:
        if not known[node]:
            raise ValueError(
                f"line {node.start_mark.line + 1}: what an alias stands for must not hold the alias itself"
            )
        return known[node]
    known[node] = 0
    children = node.value if isinstance(node, yaml.SequenceNode) else ()
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    known[node] = size = 1 + sum(_measure(child, known) for child in children)
    if size > LARGEST:
        raise ValueError(
            f"line {node.start_mark.line + 1}: more than {LARGEST:,} values; use fewer aliases or more files"
        )
    return size

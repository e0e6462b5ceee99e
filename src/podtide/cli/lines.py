"""Where in a YAML file each field stands, so that a problem can be pointed at. `validate` uses this."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

_STEP = re.compile(r'\["([^"]*)"\]|\[(\d+)\]|\.?([^.\[\]]+)')


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


def documents(text: str) -> Iterator[Document]:
    """Every document that is not empty. Raises `yaml.YAMLError`."""
    # Building data of a node leaves the node as it was, so each document is parsed once.
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                value = loader.construct_document(node)
                if value is not None:
                    yield Document(value, node)
    finally:
        loader.dispose()

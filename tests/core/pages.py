"""The reference pages, and what prometheus_client's full parsers make of a page."""

import io
import json
import lzma
import math
import re
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from podtide.core.model.reading import Sample

_ARCHIVE = Path(__file__).parent.parent / "data" / "pages" / "pages.tar.xz"

Plain = tuple[Mapping[str, str], float | str, float | None]
"""Labels, value ("nan" for NaN, which equals nothing), time stamp."""


@cache
def files() -> dict[str, bytes]:
    """Every file of the archive."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(_ARCHIVE.read_bytes()))) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                found[member.name] = content.read()
    return found


@cache
def table(name: str) -> Any:
    """One of the JSON files."""
    return json.loads(files()[name])


@cache
def valid() -> dict[str, bytes]:
    """The pages that at least one reference takes, by their name in `expected.json`."""
    return {name: files()[name.removesuffix(".gz")] for name in table("expected.json")["pages"]}


def is_openmetrics(name: str) -> bool:
    """Whether a page is to be read as OpenMetrics."""
    return ".om." in name


def plain(sample: Sample) -> Plain:
    """A sample that can be compared."""
    return dict(sample.labels), "nan" if math.isnan(sample.value) else sample.value, sample.at


def reference(page: bytes, *, openmetrics: bool) -> dict[str, list[Plain]]:
    """Every series by its name on the page, as prometheus_client's full parser reads it; its ValueError otherwise."""
    parser = openmetrics_parser if openmetrics else text_parser
    found: dict[str, list[Plain]] = {}
    try:
        families = list(parser.text_string_to_metric_families(page.decode()))
    except IndexError as error:  # prometheus_client's way to refuse an empty label name
        raise ValueError("refused") from error
    for family in families:
        for sample in family.samples:
            value = float(sample.value)
            at = None if sample.timestamp is None else float(sample.timestamp)
            entry = (sample.labels or {}, "nan" if math.isnan(value) else value, at)
            found.setdefault(sample.name, []).append(entry)
    if openmetrics:
        return found
    return {_as_written(page, name): series for name, series in found.items()}


def _as_written(page: bytes, name: str) -> str:
    """The name on the page: the text parser adds `_total` to those of counters that lack it."""
    stem = name.removesuffix("_total")
    return name if stem == name or name in names(page) else stem


def names(page: bytes) -> set[str]:
    """Every metric name that begins a line of the page, or stands in quotes and alone between braces and commas."""
    bare = re.findall(rb"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)", page, re.MULTILINE)
    quoted = re.findall(rb'[{,]\s*"((?:[^"\\\n]|\\.)*)"(?=\s*[,}])', page)
    return {_unquoted(name) for name in bare + quoted if _is_utf8(name)}


def _unquoted(text: bytes) -> str:
    return re.sub(rb'\\([\\n"])', lambda match: b"\n" if match[1] == b"n" else match[1], text).decode()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True

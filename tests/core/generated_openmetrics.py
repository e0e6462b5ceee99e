"""OpenMetrics pages made at random, many of which break a rule of the format, for `test_exposition_generated`.

Which of the rules a page breaks is not known from making it: `prometheus_client`'s full parser says so.
"""

import random
import re

from podtide.core import exposition
from podtide.core.exposition import Malformed
from tests.core import generated_pages, pages

_FAMILIES = ("m", "m_s", "mm", "n", "m_total", "n_seconds")
_SUFFIXES = ("", "_total", "_created", "_bucket", "_count", "_sum", "_gcount", "_gsum", "_info")
NAMES = tuple(name + suffix for name in _FAMILIES for suffix in _SUFFIXES)
_KINDS = ("counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown", None)
_KEYS = ("a", "b", "model", "m", "le2")
_TEXTS = ("a", "x y", "1", "# EOF", "} 5", "m 5", 'a="b"', "\\", '"', "\n", "é", "", "le")
_VALUES = ("0", "1", "2", "5.5", "1e3", "NaN", "+Inf", "-1", "0.25", ".5", "7.", "1_0", "0x1")
_TIMES = ("", "", "", "", "", " 1", " 1.5", " 1e9", " -3")
_EXEMPLARS = ("", "", "", "", " # {} 1", ' # {t="a"} 0.5', ' # {t="a b"} 0.5 1.5', f' # {{t="{"y" * 130}"}} 1')
_BOUNDS = (("1", "+Inf"), ("0.5", "1.0", "+Inf"), ("1",), ("+Inf",), ("2", "1", "+Inf"), ("x", "+Inf"))
_LINE = rb'^%s(?:\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})? (\S+)'


def make(random_: random.Random) -> bytes:
    """A page of a few families."""
    lines = [line for name in random_.sample(_FAMILIES, random_.randrange(1, 4)) for line in _family(random_, name)]
    return ("\n".join([*lines, "# EOF"]) + random_.choice(("\n", ""))).encode()


def _family(random_: random.Random, name: str) -> list[str]:
    choice, chance = random_.choice, random_.random
    kind = choice(_KINDS)
    notes = [f"# TYPE {name} {kind}"] * (kind is not None)
    notes += [f"# HELP {name} some text m 5"] * (chance() < 0.3)
    notes += [f"# UNIT {name} {choice(('', 'seconds', 's'))}"] * (chance() < 0.1)
    random_.shuffle(notes)
    series: list[str] = []
    for _ in range(random_.randrange(3)):
        series += _series(random_, name, kind)
    return [*notes, *series] if chance() < 0.93 else [*series, *notes]


def _series(random_: random.Random, name: str, kind: str | None) -> list[str]:
    choice = random_.choice
    value = choice(_VALUES) if random_.random() < 0.4 else str(random_.randrange(9))
    at, exemplar = choice(_TIMES), choice(_EXEMPLARS)
    labels = {key: choice(_TEXTS) for key in random_.sample(_KEYS, random_.randrange(3))}

    def one(suffix: str, number: object, after: str, **more: str) -> str:
        terms = ",".join(f"{key}={generated_pages.quoted(text)}" for key, text in {**labels, **more}.items())
        return f"{name}{suffix}{f'{{{terms}}}' if terms or len(name) == 1 else ''} {number}{after}"

    match kind:
        case "counter":
            return [one("_total", value, at + exemplar), *[one("_created", value, at)] * random_.randrange(2)]
        case "histogram" | "gaugehistogram":
            count, buckets = 0, []
            for bound in choice(_BOUNDS):
                count += random_.randrange(-1, 4)
                buckets.append(one("_bucket", count, at + exemplar, le=bound))
            prefix = "_g" if kind == "gaugehistogram" else "_"
            return [*buckets, one(f"{prefix}count", count, at), one(f"{prefix}sum", value, at)]
        case "summary":
            quantile = choice(("0.5", "1", "2", "x"))
            return [one("", value, at, quantile=quantile), one("_count", value, at), one("_sum", value, at)]
        case "info":
            return [one("_info", choice("112"), at)]
        case "stateset":
            return [one("", choice("0012"), at, **{name: choice(_TEXTS)})]
        case _:
            return [one("", value, at + exemplar)]


def compare(page: bytes, reader: exposition.Reader, *, is_mutated: bool) -> bool:
    """Whether the full parser takes the page: then the reader finds the same, or refuses where bytes were changed.

    Where the full parser refuses the page, what the reader finds nevertheless are the numbers that stand there.
    """
    broken: dict[str, Malformed] = {}
    try:
        read = reader.read(page, openmetrics=True, broken=broken)
    except Malformed:
        read, broken = {}, dict.fromkeys(NAMES, Malformed(1, "the page"))
    found = {name: [pages.plain(sample) for sample in samples] for name, samples in read.items()}
    try:
        expected = pages.reference(page, openmetrics=True)
    except (ValueError, AttributeError, KeyError):  # the latter two are prometheus_client's own defects
        for name, series in found.items():
            standing = iter([number[1] for number in re.finditer(_LINE % name.encode(), page, re.MULTILINE)])
            assert all(value in map(_number, standing) for _, value, _ in series), (page, name)
        return False
    for name, series in expected.items():
        if name in NAMES and not (is_mutated and name in broken):
            assert found.get(name) == series, (page, name)
    assert found.keys() <= expected.keys(), page
    return True


def _number(text: bytes) -> float | str:
    return "nan" if text.lower().endswith(b"nan") else float(text)

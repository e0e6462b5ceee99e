"""Pages made at random, with what they say. `python -m tests.core.generated_pages --pages 1000000` compares as many.

Every page is small, so that many can be compared: what matters is which forms meet on one page.
"""

import argparse
import random
from collections.abc import Mapping
from dataclasses import dataclass

from podtide.core import exposition
from podtide.core.exposition import Malformed
from tests.core import pages

# Names inside names, names that are searched for together, an escaped one, one that is only legal in quotes.
NAMES = (
    "a", "a:b", "queue", "queue_total", "queue_of_requests", "my:queue_of_requests", "queue_of_requests_total",
    "queue_of_responses", "queue_bucket", 'odd "name"', "dotted.queue_of_requests", "zwölf",
)  # fmt: skip
_KEYS = ("a", "queue", "le", "quantile", "model_name", "dotted.key", "ключ")
_TEXTS = (
    "queue_of_requests",
    "my:queue_of_requests",
    "dotted.queue_of_requests",
    "",
    "x",
    "queue",
    "queue 5",
    "a,b",
    "{",
    "}",
    '"',
    "\\",
    "\n",
    'queue"} 7',
    "# EOF",
    " 1 2",
    "0.5",
    "模型",
    "\x00",
    "\r",
)
_VALUES = (
    "0", "1", "-1", "42.0", "+7", "-0", ".5", "5.", "1e3", "1E-7", "NaN", "nan", "+Inf", "-Inf", "inf", "007",
    "16440392441958861461", "0.1", "1.7976931348623157e+308", "5e-324", "123456789.987654321",
)  # fmt: skip
_TIMES = ("0", "1700000000000", "-1", "+5", "9223372036854775807")
_NOTES = (
    "",
    "# a comment about queue",
    "#",
    "# HELP queue queue 5",
    "# HELP a:b The queue\\nof a{queue=\"1\"} 3",
    "# TYPE queue gauge",
    "# TYPE queue_total counter",
    "# TYPE a untyped",
    "#queue 5",
    "  # queue 5",
    "\t",
    "# HELP queue_of_requests queue_of_responses 5",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """One page and the truth about it."""

    page: bytes
    series: Mapping[str, list[pages.Plain]]


def make(random_: random.Random) -> Made:
    """A page of the text format that every line of is legal."""
    choice, chance = random_.choice, random_.random
    lines: list[str] = []
    series: dict[str, list[pages.Plain]] = {}
    for _ in range(random_.randrange(6)):
        if chance() < 0.3:
            lines.append(choice(_NOTES))
        name = choice(NAMES)
        labels = {choice(_KEYS): choice(_TEXTS) for _ in range(choice((0, 0, 1, 1, 2, 3)))}
        value = choice(_VALUES)
        time = choice(_TIMES) if chance() < 0.15 else None
        lines.append(_line(random_, name, labels, value, time))
        number: float | str = "nan" if value.lower() == "nan" else float(value)
        series.setdefault(name, []).append((labels, number, None if time is None else int(time) / 1000))
    ending = choice(("\n", "\n", "\n", "\r\n"))
    page = ending.join(lines) + choice((ending, ending, ""))
    return Made(page.encode(), series)


def _line(random_: random.Random, name: str, labels: Mapping[str, str], value: str, time: str | None) -> str:
    choice = random_.choice
    plain = random_.random() < 0.6

    def gap() -> str:
        return "" if plain else choice(("", "", " ", "\t"))

    def space() -> str:
        return " " if plain else choice((" ", "  ", "\t"))

    is_bare = name.isascii() and name.replace("_", "").replace(":", "").isalnum() and (plain or random_.random() < 0.7)
    terms = [
        f"{gap()}{key if key.isascii() and key.isidentifier() else quoted(key)}{gap()}={gap()}{quoted(text)}{gap()}"
        for key, text in labels.items()
    ]
    if not is_bare:
        place = 0 if plain else random_.randrange(len(terms) + 1)
        terms.insert(place, f"{gap()}{quoted(name)}{gap()}")
    braces = (
        f"{{{','.join(terms)}{choice(['', ',']) if terms else ''}{gap()}}}" if terms or random_.random() < 0.3 else ""
    )
    head = f"{gap()}{name + (gap() if braces else '') if is_bare else ''}{braces}"
    between = gap() if braces and not plain else space()
    return f"{head}{between}{value}{'' if time is None else space() + time}{gap()}"


def quoted(text: str) -> str:
    """The text as a label's value, with its quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def mutate(random_: random.Random, page: bytes) -> bytes:
    """The page with one to three small changes, likely to matter."""
    changed = bytearray(page)
    for _ in range(random_.randrange(1, 4)):
        place = random_.randrange(len(changed) + 1)
        match random_.randrange(4):
            case 0:
                changed[place:place] = random_.choice(
                    (b"\n", b'"', b"{", b"}", b",", b" ", b"\\", b"#", b"queue", b"=", b"\t", b"1")
                )
            case 1:
                del changed[place : place + random_.randrange(1, 4)]
            case 2:
                changed[place : place + 1] = bytes((random_.randrange(256),))
            case _:
                del changed[place:]
    return bytes(changed)


def compare(made: Made, reader: exposition.Reader) -> None:
    """Reader, full parser and truth agree; AssertionError with the page otherwise."""
    found = {name: [pages.plain(sample) for sample in samples] for name, samples in reader.read(made.page).items()}
    assert found == made.series, made.page
    assert pages.reference(made.page, openmetrics=False) == made.series, made.page


def compare_mutated(page: bytes, reader: exposition.Reader) -> bool:
    """Whether a page that may be broken is refused; where not, the full parser must not contradict."""
    try:
        found = {name: [pages.plain(sample) for sample in samples] for name, samples in reader.read(page).items()}
    except Malformed:
        return True
    try:
        expected = pages.reference(page, openmetrics=False)
    except ValueError:  # A defect outside the wanted series, or one that only prometheus_client minds.
        return False
    for name in NAMES:
        assert found.get(name, []) == expected.get(name, []), (page, name)
    return False


def main() -> None:
    """Compare many pages; ends with the first that differs."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pages", type=int, default=100_000)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    random_ = random.Random(given.seed)
    reader = exposition.Reader(NAMES)
    refused = 0
    for _ in range(given.pages // 2):
        made = make(random_)
        compare(made, reader)
        refused += compare_mutated(mutate(random_, made.page), reader)
    print(f"{given.pages} pages, seed {given.seed}: equal; {refused} of the {given.pages // 2} mutated ones refused")  # noqa: T201


if __name__ == "__main__":
    main()

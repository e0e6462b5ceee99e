"""What is wrong with a page goes with it: a traceback that is kept would hold the page until the collector comes.

A page can have 10 MiB, and there may be a thousand such pods.
"""

import asyncio
import gc
import random

import pytest

from podtide.core import exposition
from podtide.core.exposition import Malformed, Reader
from podtide.core.model.reading import Failure
from podtide.net.page import Ask
from podtide.sources import pool, verdict
from podtide.sources.agenda import Agenda
from tests.core import pages
from tests.garbage import none_left
from tests.sources.doubles import Carrier, Follower

TEXT, OPENMETRICS = "text/plain", "application/openmetrics-text; version=1.0.0"
BROKEN = (
    pytest.param(TEXT, b"up one\n", id="a value"),
    pytest.param(TEXT, b"\xef\xbb\xbfup 1\n", id="the beginning"),
    pytest.param(TEXT, b'x{a="\nup 1\n', id="open quotes"),
    pytest.param(TEXT, b'# TYPE up summary\nup{quantile="x"} 1\n', id="a family"),
    pytest.param(TEXT, b"up 1\n" * 10_001, id="too many"),
    pytest.param(TEXT, b'up{a="\xff"} 1\n', id="no UTF-8"),
    pytest.param(OPENMETRICS, b"up 1\n", id="no end"),
    pytest.param(OPENMETRICS, b"up 1\n\n# EOF\n", id="a blank line"),
    pytest.param(OPENMETRICS, b"# TYPE up gauge\nup 1\n# TYPE up gauge\n# EOF\n", id="an OpenMetrics family"),
    pytest.param(OPENMETRICS, b"up 1 1 1\n# EOF\n", id="an OpenMetrics line"),
)


@pytest.mark.parametrize(("kind", "page"), BROKEN)
def test_a_broken_page_leaves_nothing_to_the_collector(kind: str, page: bytes) -> None:
    with none_left():
        assert isinstance(verdict.series(page, kind, Reader(("up", "other")), "a page"), Failure)
    with none_left():
        broken: dict[str, Malformed] = {}
        try:
            Reader(("up", "other")).read(page, openmetrics=kind == OPENMETRICS, broken=broken)
        except Malformed:
            broken["all"] = Malformed(1, "all of it")
        assert broken
        del broken


def test_no_page_of_the_collection_leaves_anything_to_the_collector() -> None:
    with none_left():
        for name, page in pages.files().items():
            try:
                exposition.read(page, ("up", "nowhere"), openmetrics=pages.is_openmetrics(name))
            except Malformed:
                continue


@pytest.mark.looptime
async def test_what_nobody_follows_any_more_leaves_nothing_to_the_collector(looptime: object) -> None:
    scrapes = pool.Pool(Carrier(), Agenda(), rng=random.Random(1))

    async def follow_for_a_while(number: int) -> None:
        ask, follower = Ask(f"10.0.0.{number}", 8000), Follower()
        scrapes.follow(ask, follower, "a", ["queue"], soon=True)
        await asyncio.sleep(30)
        scrapes.leave(ask, follower, "a")
        assert follower.taken
        await asyncio.sleep(30)

    await follow_for_a_while(1)
    with none_left():
        await follow_for_a_while(2)


@pytest.mark.looptime
async def test_what_a_page_left_to_be_read_faster_goes_with_the_last_who_wanted_it(looptime: object) -> None:
    scrapes = pool.Pool(Carrier(), Agenda(), rng=random.Random(1))
    ask, followers = Ask("10.0.0.1", 8000), (Follower(), Follower())
    gc.collect()
    before = sum(isinstance(one, Reader) for one in gc.get_objects())
    for number in range(100):
        for follower in followers:
            scrapes.follow(ask, follower, "a", [f"queue_{number}"], soon=True)
        await asyncio.sleep(1)
        for follower in followers:
            scrapes.leave(ask, follower, "a")
    await asyncio.sleep(10)
    assert all(follower.taken for follower in followers)
    assert sum(isinstance(one, Reader) for one in gc.get_objects()) <= before + 1

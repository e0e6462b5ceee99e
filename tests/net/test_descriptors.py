"""More pods than descriptors cost some of the pods, and nothing else."""

import os
import resource
from collections.abc import Iterator

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.net import descriptors, engine
from tests.net.scripted import Server, answer, fetch


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    """The soft and the hard limit, which are put back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_is_raised_to_the_hard_one(limits: tuple[int, int]) -> None:
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    descriptors.raise_limit()
    soft, same = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert same == hard
    assert soft == (1 << 20 if hard == resource.RLIM_INFINITY else min(hard, 1 << 20))


@pytest.mark.parametrize(("soft", "highest"), [(1024, 895), (200, 99)])
def test_some_are_left_for_everything_else(limits: tuple[int, int], soft: int, highest: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
    assert descriptors.highest() == highest


async def test_a_pod_too_many_is_a_named_failure_and_the_others_go_on() -> None:
    async with Server([answer()]) as server, Server([answer()]) as other:
        scraper = engine.Engine()
        spare = os.open(os.devnull, os.O_RDONLY)
        os.close(spare)
        scraper.highest_fd = spare  # which the first connection takes
        assert (await fetch(scraper, server.ask())).body == b"up 1\n"
        refused = await scraper.fetch(other.ask(), 5)
        assert refused == Failure(Reason.CONNECT)
        assert "`ulimit -n`" in str(refused)
        assert (await fetch(scraper, server.ask())).body == b"up 1\n"
        assert server.connections == 1
        scraper.forget(server.ask())
        assert (await fetch(scraper, other.ask())).body == b"up 1\n"
        await scraper.aclose()

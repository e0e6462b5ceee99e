"""An edited autoscaler goes on reading where it was: over the same connections, and without a scrape lost."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from podtide.aio.clock import Clock
from podtide.control.fleet import Fleet
from podtide.control.following import Following
from podtide.control.ownership import Ownership
from podtide.core.model.decision import Applied, Decision, Outcome
from podtide.core.model.reading import Failure
from podtide.core.model.spec import AutoscalerSpec
from podtide.core.model.view import TargetView
from podtide.net import auth, page, prepare
from podtide.sources import registry
from podtide.targets.base import Target, always
from podtide.targets.registry import Targets
from tests.control import test_fleet
from tests.net.authority import Authority
from tests.net.scripted import Server, answer
from tests.sources.specs import pod, target

PODS = 3


class Pods:
    """A target whose pods are where the servers are, and a stage of nothing else."""

    def __init__(self, servers: list[Server]) -> None:
        self.rivals = test_fleet.Stage()
        self.view_of = target(
            *(
                pod(number, ip=server.host, annotations={"prometheus.io/port": str(server.port)})
                for number, server in enumerate(servers)
            )
        )

    def for_spec(self, spec: AutoscalerSpec) -> Target:
        return self

    async def view(self, now: float) -> TargetView:
        return self.view_of

    async def apply(self, decision: Decision, *, may_write: Callable[[], bool] = always) -> Applied:
        return Applied(Outcome.UNCHANGED, decision.current)


class Scraped:
    """What came of every scrape."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.times = 0
        self._wake = asyncio.Event()

    def note(self, ask: page.Ask, seconds: float, failure: Failure | None) -> None:
        self.times += 1
        self._wake.set()
        if failure is not None:
            self.failures.append(failure)

    async def more(self, times: int) -> None:
        """Wait for so many more."""
        wanted = self.times + times
        async with asyncio.timeout(20):
            while self.times < wanted:
                self._wake.clear()
                await self._wake.wait()


@asynccontextmanager
async def edited(servers: list[Server], tmp_path: Path) -> AsyncIterator[tuple[test_fleet.World, Scraped]]:
    """A fleet on real sockets."""
    world, scraped = test_fleet.World(), Scraped()
    defaults = prepare.Defaults(insecure_skip_verify=True)
    made = registry.Sources(
        auth.NoCredentials(), registry.Options(defaults=defaults), rng=random.Random(1), observe=scraped.note
    )
    async with asyncio.TaskGroup() as group:
        ownership = Ownership(1, world.meters)
        fleet = Fleet(
            group, world.feed, ownership, cast(Targets, Pods(servers)), made, world.reports,
            keeper=None, keep_every=60.0, clock=Clock(), meters=world.meters, rng=random.Random(1),
        )  # fmt: skip
        works = (made.run(), world.reports.run(), ownership.run(), fleet.run())
        tasks = [group.create_task(work) for work in works]
        yield world, scraped
        tasks[-1].cancel()
        await fleet.stop()
        assert len(made.pool) == 0
        for task in tasks:
            task.cancel()
        await made.aclose()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_twenty_edits_lose_no_scrape_and_reopen_no_connection(tmp_path: Path, scheme: str) -> None:
    tls = Authority().issue("127.0.0.1").server(tmp_path) if scheme == "https" else None
    servers = [Server([answer(b"queue 3\n")], tls) for _ in range(PODS)]
    async with servers[0], servers[1], servers[2], edited(servers, tmp_path) as (world, scraped):
        source: dict[str, Any] = {
            "metricSourceType": "pod", "protocolType": scheme, "path": "/metrics", "targetMetric": "queue",
            "targetValue": "5",
        }  # fmt: skip
        world.upsert(metricsSources=[source])
        await scraped.more(PODS)
        for generation in range(2, 22):
            world.upsert(generation=generation, maxReplicas=10 + generation, metricsSources=[source])
            if generation % 2:
                # Every other edit comes before the last one's worker has begun.
                await scraped.more(PODS)
        assert scraped.failures == []
        assert [server.connections for server in servers] == [1] * PODS


class Told:
    """A subscription that writes down what happens to it."""

    def __init__(self, name: str, story: list[str]) -> None:
        self._name = name
        self._story = story

    def update(self, view: TargetView) -> None:
        self._story.append(f"{self._name} reads")

    def close(self) -> None:
        self._story.append(f"{self._name} ends")


def generations(story: list[str], *names: str) -> list[Following]:
    """Each the heir of the one before."""
    made = [Following() for _ in names]
    for one, heir in itertools.pairwise(made):
        one.heir = heir
    for one, name in zip(made, names, strict=True):
        one.begin([Told(name, story)])
    return made


def test_a_successor_reads_before_its_predecessor_ends() -> None:
    story: list[str] = []
    old, new = generations(story, "old", "new")
    old.end()
    new.update(target())
    new.update(target())
    new.end()
    assert story == ["new reads", "old ends", "new reads", "new ends"]


def test_a_predecessor_stays_until_the_target_can_be_seen() -> None:
    story: list[str] = []
    old, new = generations(story, "old", "new")
    old.end()
    new.update(TargetView(at=0.0, failure="the API server is away"))
    assert "old ends" not in story
    new.end()
    assert sorted(story[1:]) == ["new ends", "old ends"]


def test_what_a_successor_never_took_up_goes_to_the_next() -> None:
    story: list[str] = []
    old, never, new = generations(story, "old", "never", "new")
    never.end()
    old.end()
    assert story == []
    new.update(target())
    assert sorted(story) == ["never ends", "new reads", "old ends"]

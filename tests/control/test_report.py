"""Statuses reach the API in order, of the right object, and to the last one. Over a sink that the test holds open."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from podtide.api.decode import Decoded
from podtide.api.errors import Problem
from podtide.control.changes import News
from podtide.control.feeds.base import Seen
from podtide.control.report import Reports
from podtide.core.model.decision import Decision
from podtide.kube.objects import Meta
from podtide.telemetry.meters import Meters
from tests.api import decisions
from tests.api.decisions import NOW, PATCHED, UNCHANGED, UP

SPEC = decisions.spec()
KEY = SPEC.key
META = Meta(name=KEY.name, namespace=KEY.namespace, uid=SPEC.uid, generation=SPEC.generation)
STEADY = decisions.steady(NOW + 2)
PROBLEM = Problem("spec.maxReplicas", 0, "write 1 or more")


class Held:
    """A sink that is in the middle of a write until it is let go on, or refuses all."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}
        self.version = 1
        self.begun = 0
        self.told: list[str] = []
        self.refuses = False
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, metadata: Meta, status: Mapping[str, Any]) -> str | None:
        self.begun += 1
        await self.open.wait()
        if self.refuses:
            return None
        self.stored = dict(status)
        self.version += 1
        return str(self.version)

    def seen(self) -> Seen:
        return Seen(self.stored, str(self.version))

    def tell(self, metadata: Meta, news: News, now: float) -> None:
        self.told.append(f"{metadata.uid}: {news.reason}")


@asynccontextmanager
async def writing(reports: Reports) -> AsyncIterator[None]:
    task = asyncio.create_task(reports.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def turns() -> None:
    """Let the writers get as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


def condition(status: Mapping[str, Any], kind: str) -> str:
    return str(next(one["status"] for one in status["conditions"] if one["type"] == kind))


async def test_statuses_of_one_object_are_written_one_after_the_other() -> None:
    sink = Held()
    reports = Reports(sink, Meters())
    reporter = reports.reporter(SPEC, META)
    sink.open.clear()
    async with writing(reports):
        reporter.publish(UP, PATCHED)
        await turns()
        reporter.publish(STEADY, UNCHANGED)
        await turns()
        assert sink.begun == 1
        sink.open.set()
        await turns()
    assert (sink.begun, sink.stored["actualScale"]) == (2, STEADY.current)


async def test_a_flush_waits_for_what_is_being_written() -> None:
    sink = Held()
    reports = Reports(sink, Meters())
    sink.open.clear()
    async with writing(reports):
        reports.reporter(SPEC, META).publish(UP, PATCHED)
        await turns()
        flush = asyncio.create_task(reports.flush())
        await turns()
        assert not flush.done()
        sink.open.set()
        await flush
    assert sink.stored["desiredScale"] == UP.desired


async def test_what_a_flush_had_no_time_for_is_still_written() -> None:
    """A shard that is given up comes back, perhaps."""
    sink = Held()
    reports = Reports(sink, Meters())
    reports.reporter(SPEC, META).publish(UP, PATCHED)
    sink.open.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await reports.flush()
    sink.open.set()
    async with writing(reports):
        await turns()
    assert sink.stored["desiredScale"] == UP.desired


@pytest.mark.looptime
async def test_a_status_that_cannot_be_written_is_tried_less_and_less_often(looptime: object) -> None:
    sink = Held()
    sink.refuses = True
    reports = Reports(sink, Meters(), pause=0.2)
    reporter = reports.reporter(SPEC, META)
    async with writing(reports):
        reporter.publish(UP, PATCHED)
        await asyncio.sleep(60)
        # After 0.2, 0.4, 0.8, 1.6, 3.2 and 6.4 s, then every 10.
        assert sink.begun == 11
        reporter.publish(STEADY, UNCHANGED)
        await asyncio.sleep(1)
        assert sink.begun == 11
        sink.refuses = False
        await reports.flush()
        assert (sink.begun, sink.stored["actualScale"]) == (12, STEADY.current)
        await asyncio.sleep(60)
        assert sink.begun == 12


async def test_a_flush_does_not_wait_for_what_cannot_be_written() -> None:
    sink = Held()
    reports = Reports(sink, Meters())
    sink.refuses = True
    reports.reporter(SPEC, META).publish(UP, PATCHED)
    await reports.flush()
    assert sink.begun == 1


async def test_the_last_tick_of_a_deleted_object_says_nothing_of_the_next_one_of_its_name() -> None:
    sink = Held()
    meters = Meters()
    reports = Reports(sink, meters)
    late = reports.reporter(SPEC, META)
    reports.forget(KEY)
    reports.reporter(replace(SPEC, uid="another"), replace_uid("another"))
    late.publish(UP, PATCHED)
    await reports.flush()
    assert (sink.begun, sink.told) == (0, [])


async def test_the_last_tick_of_a_spec_that_became_invalid_leaves_it_so() -> None:
    sink = Held()
    meters = Meters()
    reports = Reports(sink, meters)
    late = reports.reporter(SPEC, META)
    reports.invalid(KEY, META, Decoded(KEY, None, (PROBLEM,)), Seen(), NOW)
    late.publish(UP, PATCHED)
    await reports.flush()
    assert (condition(sink.stored, "ValidSpec"), condition(sink.stored, "Ready")) == ("False", "False")
    # The scaling did happen, and is told.
    assert sink.stored["actualScale"] == UP.desired
    assert sink.told == [f"{SPEC.uid}: InvalidSpec", f"{SPEC.uid}: SuccessfulRescale"]
    assert desired(meters, UP) is None


async def test_a_spec_that_became_valid_again_is_told_so() -> None:
    sink = Held()
    reports = Reports(sink, Meters())
    reports.invalid(KEY, META, Decoded(KEY, None, (PROBLEM,)), Seen(), NOW)
    reports.reporter(SPEC, META).publish(UP, PATCHED)
    await reports.flush()
    assert condition(sink.stored, "ValidSpec") == "True"


async def test_what_an_earlier_owner_has_told_is_not_told_again() -> None:
    sink = Held()
    reports = Reports(sink, Meters())
    reports.reporter(SPEC, META).publish(decisions.without_metrics(NOW), UNCHANGED)
    await reports.flush()
    assert sink.told == [f"{SPEC.uid}: FailedGetPodsMetric"]
    successor = Reports(sink, Meters())
    successor.reporter(SPEC, META, sink.seen).publish(decisions.without_metrics(NOW), UNCHANGED)
    assert len(sink.told) == 1


async def test_a_status_that_another_has_overwritten_is_written_again() -> None:
    """The owner before wrote it before it stopped, and the watch of the next one had not come so far yet."""
    sink = Held()
    reports = Reports(sink, Meters())
    reporter = reports.reporter(SPEC, META, sink.seen)
    reporter.publish(STEADY, UNCHANGED)
    await reports.flush()
    wanted = sink.stored["desiredScale"]
    sink.stored = {**sink.stored, "desiredScale": 77}
    # As long as the watch shows no later version than was written, it is behind.
    reporter.publish(replace(STEADY, at=STEADY.at + 60), UNCHANGED)
    await reports.flush()
    assert sink.begun == 1
    sink.version += 5
    reporter.publish(replace(STEADY, at=STEADY.at + 120), UNCHANGED)
    await reports.flush()
    assert (sink.begun, sink.stored["desiredScale"]) == (2, wanted)
    # Nor is its own echo a reason.
    reporter.publish(replace(STEADY, at=STEADY.at + 180), UNCHANGED)
    await reports.flush()
    assert sink.begun == 2


def desired(meters: Meters, decision: Decision) -> float | None:
    labels = {"namespace": decision.key.namespace, "name": decision.key.name}
    return meters.registry.get_sample_value("podtide_autoscaler_desired_replicas", labels)


def replace_uid(uid: str) -> Meta:
    return Meta(name=KEY.name, namespace=KEY.namespace, uid=uid, generation=1)

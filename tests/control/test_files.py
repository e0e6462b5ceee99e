"""PodAutoscalers from a directory: what comes, changes and goes, and what cannot be read. On virtual time."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from podtide.aio.clock import Clock
from podtide.api.settings import Settings
from podtide.control.feeds.base import Change, Remove, Upsert
from podtide.control.feeds.files import EVERY, FileFeed
from podtide.core.model.spec import Key
from tests.api import manifests

pytestmark = pytest.mark.looptime


class Reader:
    """Collects what a feed tells."""

    def __init__(self, directory: Path) -> None:
        clock = Clock(wall=lambda: 0.0, monotonic=asyncio.get_running_loop().time)
        self.feed = FileFeed(directory, Settings(), clock)
        self.told: list[Change] = []

    async def follow(self) -> None:
        async for change in self.feed.changes():
            self.told.append(change)

    async def news(self) -> list[Change]:
        """What the next look finds."""
        # A little more, as a look at this very moment may come before or after.
        await asyncio.sleep(EVERY + 0.1)
        told, self.told = self.told, []
        return told


@asynccontextmanager
async def reading(directory: Path) -> AsyncIterator[Reader]:
    reader = Reader(directory)
    task = asyncio.create_task(reader.follow())
    try:
        yield reader
    finally:
        task.cancel()
        await asyncio.wait({task})


def write(path: Path, *names: str, **fields: Any) -> None:
    documents = [{**manifests.manifest(**fields), "metadata": {"name": name, "namespace": "shop"}} for name in names]
    path.write_text(yaml.safe_dump_all(documents))


def summary(changes: list[Change]) -> list[str]:
    return [f"{'-' if isinstance(change, Remove) else '+'}{change.key.name}" for change in changes]


async def test_files_come_change_and_go(looptime: object, tmp_path: Path) -> None:
    async with reading(tmp_path) as reader:
        write(tmp_path / "a.yaml", "web", "api")
        assert summary(await reader.news()) == ["+web", "+api"]
        assert reader.feed.is_synced()
        assert await reader.news() == []
        write(tmp_path / "a.yaml", "web", "api", maxReplicas=7)
        first, second = await reader.news()
        assert isinstance(first, Upsert)
        assert isinstance(second, Upsert)
        assert first.decoded.spec is not None
        assert first.decoded.spec.bounds.maximum == 7
        write(tmp_path / "a.yaml", "web", maxReplicas=7)
        assert summary(await reader.news()) == ["-api"]
        (tmp_path / "a.yaml").unlink()
        assert summary(await reader.news()) == ["-web"]


async def test_a_file_that_breaks_keeps_what_it_said_and_is_complained_of_once(
    looptime: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reading(tmp_path) as reader:
        write(tmp_path / "a.yaml", "web")
        await reader.news()
        with caplog.at_level(logging.ERROR):
            for name in ("a.yaml", "b.yaml"):
                (tmp_path / name).write_text("spec: [")
            for _ in range(5):
                assert await reader.news() == []
        assert len(caplog.records) == 2
        assert "a.yaml" in caplog.text
        assert "stays in force" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: !!timestamp now", id="no such time"),
        pytest.param("a: !!bool 5", id="no truth"),
        pytest.param("a: " + "1" * 5000, id="too long a number"),
        pytest.param("a: &a {b: *a}", id="an alias of itself"),
        pytest.param("[" * 5000, id="too deep"),
        pytest.param("a: [" + "x, " * 100_000 + "]", id="too much"),
        pytest.param(
            "a: &a [1, 2]\n" + "".join(f"{chr(n + 1)}: &{chr(n + 1)} [*{chr(n)}, *{chr(n)}]\n" for n in range(97, 120)),
            id="much by aliases",
        ),
        pytest.param(b"\xff\xfe\xff", id="no text"),
    ],
)
async def test_a_file_of_nonsense_is_complained_of_and_hurts_no_other(
    looptime: object, tmp_path: Path, text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with reading(tmp_path) as reader:
        (tmp_path / "a.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        write(tmp_path / "b.yaml", "web")
        with caplog.at_level(logging.ERROR):
            assert summary(await reader.news()) == ["+web"]
        assert [str(tmp_path / "a.yaml") in record.message for record in caplog.records] == [True]


async def test_a_day_is_text_as_in_json(looptime: object, tmp_path: Path) -> None:
    async with reading(tmp_path) as reader:
        document = {**manifests.manifest(), "metadata": {"name": "web", "annotations": {"released": "DAY"}}}
        (tmp_path / "a.yaml").write_text(yaml.safe_dump(document).replace("DAY", "2026-13-45"))
        (change,) = await reader.news()
        assert isinstance(change, Upsert)
        assert change.decoded.problems == ()


@pytest.mark.parametrize("metadata", [["web"], "web", 5, None, {"name": 5}], ids=repr)
async def test_a_document_of_another_form_is_invalid_and_hurts_no_other(
    looptime: object, tmp_path: Path, metadata: object
) -> None:
    async with reading(tmp_path) as reader:
        odd = {**manifests.manifest(), "metadata": metadata}
        (tmp_path / "a.yaml").write_text(yaml.safe_dump(odd))
        write(tmp_path / "b.yaml", "web")
        found = {change.key: change for change in await reader.news()}
        assert len(found) == 2
        good = found.pop(Key("shop", "web"))
        (bad,) = found.values()
        assert isinstance(good, Upsert)
        assert isinstance(bad, Upsert)
        assert (good.decoded.problems, bad.decoded.spec) == ((), None)
        assert "metadata.name" in str(bad.decoded.problems[0])


async def test_a_directory_that_goes_away_ends_nothing(
    looptime: object, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with reading(tmp_path) as reader:
        write(tmp_path / "a.yaml", "web")
        await reader.news()
        away = tmp_path.with_name("away")
        os.rename(tmp_path, away)
        with caplog.at_level(logging.ERROR):
            assert await reader.news() == []
            assert await reader.news() == []
        assert [str(tmp_path) in record.message for record in caplog.records] == [True]
        os.rename(away, tmp_path)
        assert await reader.news() == []

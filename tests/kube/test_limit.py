"""How fast the API server is asked, and who has to wait for whom."""

import asyncio
from types import SimpleNamespace

import pytest

from podtide.kube import limit
from podtide.kube.limit import TokenBucket


@pytest.mark.looptime
async def test_who_gives_up_waiting_is_not_waited_for(looptime: object, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(limit, "time", SimpleNamespace(monotonic=loop.time))
    bucket = TokenBucket(10.0, 1)
    await bucket.take()
    waiting = [asyncio.create_task(bucket.take()) for _ in range(1000)]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    began = loop.time()
    await bucket.take()
    assert loop.time() - began <= 0.2

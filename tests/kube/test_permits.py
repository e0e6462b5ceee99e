import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from podtide.kube import config, errors, objects, resources
from podtide.kube.client import Client
from podtide.local.faults import Fault
from podtide.local.server import ApiServer
from tests import cluster


@dataclass
class Relay:
    """What stands between a client and the server: it takes connections, and passes nothing on until it is opened."""

    port: int
    accepted: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client ends it."""
        self.connections += 1
        self.accepted.set()
        await self.opened.wait()
        upstream, onward = await asyncio.open_connection("127.0.0.1", self.port)
        back = asyncio.create_task(_pipe(upstream, writer), name="relay's way back")
        await _pipe(reader, onward)
        await back
        self.ended.set()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@dataclass
class World:
    """A server, a client whose connections to it are as slow as the relay wants, and all that arrives."""

    client: Client
    relay: Relay
    arrivals: Fault

    async def write(self, permit: Callable[[], bool]) -> objects.Partial:
        """A write that is sent if `permit` says so."""
        made = cluster.deployment()
        return await self.client.create(resources.DEPLOYMENTS, "default", made, into=objects.Partial, permit=permit)


@pytest.fixture(params=[False, True], ids=["http", "https"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with ApiServer(tls=request.param) as api:
        relay = Relay(int(api.url.rpartition(":")[2]))
        async with await asyncio.start_server(relay.serve, "127.0.0.1", 0) as listener:
            content = api.config()
            port = listener.sockets[0].getsockname()[1]
            content["clusters"][0]["cluster"]["server"] = f"{api.url.rpartition(':')[0]}:{port}"
            path = tmp_path / "kubeconfig"
            path.write_text(json.dumps(content))
            async with Client(await config.load(str(path))) as client:
                yield World(client, relay, api.faults.add(Fault()))


async def test_a_permit_that_ends_while_the_connection_is_made_keeps_the_write_here(world: World) -> None:
    may_write = True
    write = asyncio.create_task(world.write(lambda: may_write))
    await world.relay.accepted.wait()
    may_write = False
    world.relay.opened.set()
    with pytest.raises(errors.Withheld):
        await write
    await world.relay.ended.wait()
    assert world.arrivals.hits == 0
    await world.write(lambda: True)
    assert (world.arrivals.hits, world.relay.connections) == (1, 2)


@pytest.mark.parametrize("granted", range(4))
async def test_whenever_the_permit_ends_either_all_or_nothing_arrives(world: World, granted: int) -> None:
    """The last question is asked with the bytes in hand: one that is answered yes has sent them."""
    world.relay.opened.set()
    answers = [True] * granted
    asked = 0

    def permit() -> bool:
        nonlocal asked
        asked += 1
        return bool(answers and answers.pop())

    if granted < 3:
        with pytest.raises(errors.Withheld):
            await world.write(permit)
    else:
        await world.write(permit)
    assert (asked, world.arrivals.hits) == ((granted + 1, 0) if granted < 3 else (3, 1))


async def test_requests_side_by_side_have_their_own_permits(world: World) -> None:
    world.relay.opened.set()
    refused, sent = await asyncio.gather(
        world.write(lambda: world.relay.connections == 0), world.write(lambda: True), return_exceptions=True
    )
    assert isinstance(refused, errors.Withheld)
    assert isinstance(sent, objects.Partial)
    assert world.arrivals.hits == 1

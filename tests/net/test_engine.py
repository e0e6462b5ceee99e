"""The engine over real sockets: what it reuses, retries, bounds and forgets."""

import asyncio
import contextlib
import selectors
import socket
from collections.abc import AsyncIterator

import pytest

from podtide.core.model.reading import Failure, Reason
from podtide.net import engine, page, poller, resolve, wire
from tests.net import scripted
from tests.net.scripted import Server, Visit, answer, fail, fetch, hang, then_close, then_half_close, then_reset

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n0\r\n\r\n"


@pytest.fixture(params=["epoll", "selectors"])
async def scraper(request: pytest.FixtureRequest) -> AsyncIterator[engine.Engine]:
    poll = poller.make() if request.param == "epoll" else poller.Portable(selectors.DefaultSelector())
    made = engine.Engine(poll=poll)
    yield made
    await made.aclose()


async def test_a_page_comes_with_what_the_pool_needs(scraper: engine.Engine) -> None:
    async with Server([answer(b"up 1\n", "Server: istio-envoy", "WWW-Authenticate: Basic", "Location: /x")]) as server:
        read = await fetch(scraper, server.ask("/a?b=c", headers=(("Host", "web"),)))
    assert (read.status, read.content_type, read.body) == (200, "text/plain", b"up 1\n")
    assert (read.server, read.www_authenticate, read.location) == ("istio-envoy", "Basic", "/x")
    assert read.elapsed > 0
    assert server.requests[0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: web\r\n")


async def test_a_connection_that_takes_its_time_carries_the_request_once_it_stands(scraper: engine.Engine) -> None:
    with contextlib.ExitStack() as open_:
        listener = open_.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        place = listener.getsockname()
        for _ in range(2):  # whoever comes next finds the queue full, and is heard when it knocks again
            other = open_.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(place)
        reading = asyncio.create_task(scraper.fetch(page.Ask("127.0.0.1", place[1]), 10))
        await asyncio.sleep(0.05)
        server = await asyncio.start_server(_one_page, sock=listener)
        read = await reading
        server.close()
    assert isinstance(read, page.FetchedPage)
    assert read.body == b"up 1\n"


async def _one_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nup 1\n")
    writer.close()


# --- reuse ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "connections"),
    [
        pytest.param(answer(), 1, id="length"),
        pytest.param(CHUNKED, 1, id="chunks"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 1, id="204"),
        pytest.param(answer(status="404 Not Found"), 1, id="404"),
        pytest.param(answer(b"", "Location: /elsewhere", status="302 Found"), 1, id="302"),
        pytest.param(answer(b"up 1\n", "Connection: close"), 3, id="close"),
        pytest.param(answer().replace(b"HTTP/1.1", b"HTTP/1.0"), 3, id="1.0"),
        pytest.param(then_close(answer()), 3, id="closed behind the answer"),
        pytest.param(then_reset(answer()), 3, id="reset behind the answer"),
        pytest.param(then_half_close(answer()), 3, id="half-closed behind the answer"),
        pytest.param(then_close(b"HTTP/1.1 200 OK\r\n\r\nup 1\n"), 3, id="until close"),
        pytest.param(CHUNKED + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", 3, id="an answer nobody asked for"),
    ],
)
async def test_a_connection_is_reused_exactly_when_its_answer_allows(
    scraper: engine.Engine, ending: scripted.Script | bytes, connections: int
) -> None:
    async with Server([ending]) as server:
        pages = [await fetch(scraper, server.ask()) for _ in range(3)]
    assert len({read.body for read in pages}) == 1
    assert (server.connections, len(server.requests)) == (connections, 3)


async def test_a_failure_costs_the_connection_only_once(scraper: engine.Engine) -> None:
    async with Server([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", answer()]) as server:
        assert await fail(scraper, server.ask()) == Failure(Reason.PROTOCOL)
        assert (await fetch(scraper, server.ask())).body == b"up 1\n"
        assert (await fetch(scraper, server.ask())).body == b"up 1\n"
    assert server.connections == 2


async def test_asks_for_one_server_share_its_connection_one_after_the_other(scraper: engine.Engine) -> None:
    async with Server([answer()]) as server:
        asks = [server.ask(f"/{at}") for at in range(5)]
        pages = await asyncio.gather(*(fetch(scraper, ask) for ask in asks))
    assert [read.body for read in pages] == [b"up 1\n"] * 5
    assert server.connections == 1
    assert [request.split()[1] for request in server.requests] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


async def test_the_one_behind_a_failure_gets_its_own_connection(scraper: engine.Engine) -> None:
    async with Server([then_reset(b"HTTP/1.1 2"), answer()]) as server:
        first, second = await asyncio.gather(scraper.fetch(server.ask("/1"), 5), scraper.fetch(server.ask("/2"), 5))
    assert first == Failure(Reason.RESET)
    assert isinstance(second, page.FetchedPage)


# --- stale connections ------------------------------------------------------------------------------------------------


async def close_on_request(visit: Visit) -> None:
    visit.writer.close()


async def reset_on_request(visit: Visit) -> None:
    visit.reset()


@pytest.mark.parametrize("leave", [close_on_request, reset_on_request])
async def test_a_stale_connection_is_replaced_in_silence(scraper: engine.Engine, leave: scripted.Script) -> None:
    async with Server([answer(), leave, answer(b"up 2\n")]) as server:
        assert (await fetch(scraper, server.ask())).body == b"up 1\n"
        assert (await fetch(scraper, server.ask())).body == b"up 2\n"
    assert server.connections == 2


@pytest.mark.parametrize("leave", [close_on_request, reset_on_request])
async def test_a_stale_connection_is_replaced_only_once(scraper: engine.Engine, leave: scripted.Script) -> None:
    async with Server([answer(), leave, leave, answer()]) as server:
        await fetch(scraper, server.ask())
        assert await fail(scraper, server.ask()) == Failure(Reason.RESET)
    assert len(server.requests) == 3


@pytest.mark.parametrize("start", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", answer(b"up 1\n")[:-1]])
async def test_nothing_is_repeated_once_an_answer_has_begun(scraper: engine.Engine, start: bytes) -> None:
    async with Server([answer(), then_reset(start), answer()]) as server:
        await fetch(scraper, server.ask())
        assert await fail(scraper, server.ask()) == Failure(Reason.RESET)
    assert len(server.requests) == 2


async def test_a_fresh_connection_that_closes_is_not_tried_again(scraper: engine.Engine) -> None:
    async with Server([close_on_request]) as server:
        assert await fail(scraper, server.ask()) == Failure(Reason.RESET)
    assert len(server.requests) == 1


# --- connections that do not come about -------------------------------------------------------------------------------


async def test_a_refused_connection_is_named(scraper: engine.Engine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        failure = await fail(scraper, page.Ask("127.0.0.1", taken.getsockname()[1]))
    assert failure == Failure(Reason.CONNECT)


async def test_a_name_is_looked_up_and_an_unknown_one_is_named(scraper: engine.Engine) -> None:
    async with Server([answer(b"up 1\n", "Connection: close")]) as server:
        for _ in range(2):
            assert (await fetch(scraper, page.Ask("localhost", server.port))).status == 200
    assert await fail(scraper, page.Ask("no-such-host.invalid", 80)) == Failure(Reason.CONNECT)


@pytest.mark.parametrize("name", ["a" * 300, "a..b"])
async def test_what_cannot_be_a_name_is_named(scraper: engine.Engine, name: str) -> None:
    failure = await fail(scraper, page.Ask(name, 80))
    assert failure == Failure(Reason.CONNECT)
    assert "does not resolve" in failure.detail


async def test_the_next_address_of_a_name_is_tried(scraper: engine.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server([answer()]) as server:
        addresses = [(socket.AF_INET, ("127.0.0.2", server.port)), (socket.AF_INET, ("127.0.0.1", server.port))]

        async def lookup(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
            return addresses

        monkeypatch.setattr(resolve, "lookup", lookup)
        assert (await fetch(scraper, page.Ask("two-addresses", server.port))).status == 200


async def test_ipv6_is_spoken(scraper: engine.Engine) -> None:
    try:
        async with Server([answer()], host="::1") as server:
            assert (await fetch(scraper, server.ask())).status == 200
        assert b"Host: [::1]:" in server.requests[0]
    except OSError:
        pytest.skip("this machine has no IPv6")


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "stage"),
    [
        pytest.param(hang, "no answer", id="silence"),
        pytest.param(scripted.piecemeal(answer()[:-1]), "no more than", id="an answer that stops"),
    ],
)
async def test_a_server_that_stops_is_given_up_in_time(
    scraper: engine.Engine, script: scripted.Script, stage: str
) -> None:
    async with Server([script]) as server:
        failure = await fail(scraper, server.ask(), 0.2)
    assert failure == Failure(Reason.TIMEOUT)
    assert stage in failure.detail


async def test_the_next_scrape_after_a_timeout_starts_afresh(scraper: engine.Engine) -> None:
    async with Server([hang, answer(b"up 2\n")]) as server:
        assert await fail(scraper, server.ask(), 0.05) == Failure(Reason.TIMEOUT)
        assert (await fetch(scraper, server.ask())).body == b"up 2\n"
    assert server.connections == 2


async def test_waiting_for_the_shared_connection_counts(scraper: engine.Engine) -> None:
    async with Server([hang]) as server:
        outcomes = await asyncio.gather(scraper.fetch(server.ask("/1"), 0.1), scraper.fetch(server.ask("/2"), 0.05))
    assert [*outcomes] == [Failure(Reason.TIMEOUT)] * 2
    assert len(server.requests) == 1, "the second was over before its turn came"


async def test_many_that_run_out_at_once_all_end_and_so_does_what_began_meanwhile(scraper: engine.Engine) -> None:
    ended: list[str] = []

    def done(ask: page.Ask, _: object) -> None:
        ended.append(ask.path)
        if ask.path == "/0":
            scraper.request(server.ask("/late"), 0.02, done)

    async with Server([hang]) as server:
        for number in range(500):
            scraper.request(server.ask(f"/{number}"), 0.05, done)
        async with asyncio.timeout(5):
            while len(ended) < 501:
                await asyncio.sleep(0.01)
    assert sorted(ended) == sorted([*(f"/{number}" for number in range(500)), "/late"])


async def test_a_short_timeout_is_kept_beside_a_long_one(scraper: engine.Engine) -> None:
    ended: list[str] = []
    async with Server([hang]) as server, Server([hang]) as other:

        async def wait(ask: page.Ask, timeout: float, name: str) -> None:
            await fail(scraper, ask, timeout)
            ended.append(name)

        await asyncio.gather(wait(server.ask(), 0.15, "long"), wait(other.ask(), 0.05, "short"))
    assert ended == ["short", "long"]


# --- many -------------------------------------------------------------------------------------------------------------


async def test_silent_servers_do_not_take_the_places_of_others() -> None:
    scraper = engine.Engine(page.Limits(in_flight=2))
    async with contextlib.AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(Server([hang])) for _ in range(5)]
        server = await stack.enter_async_context(Server([answer()]))
        waiting = [asyncio.ensure_future(scraper.fetch(one.ask(), 60)) for one in silent]
        await asyncio.sleep(0)
        assert (await fetch(scraper, server.ask(), 60)).status == 200
        assert not any(one.done() for one in waiting)
        await scraper.aclose()
        await asyncio.gather(*waiting)


async def test_waiting_servers_are_bounded_too() -> None:
    scraper = engine.Engine(page.Limits(in_flight=1, waiting=2))
    async with Server([hang]) as a, Server([hang]) as b, Server([hang]) as c, Server([answer()]) as d:
        asks = [server.ask() for server in (a, b, c, d)]
        # The last two run out first: places that the others leave are not for them.
        times = zip(asks, (0.5, 0.5, 0.2, 0.2), strict=True)
        outcomes = await asyncio.gather(*(scraper.fetch(ask, timeout) for ask, timeout in times))
        assert outcomes == [Failure(Reason.TIMEOUT)] * 4
        assert sum(len(server.requests) for server in (a, b, c, d)) == 2
    await scraper.aclose()


async def test_an_exchange_that_is_over_gives_its_place_back() -> None:
    scraper = engine.Engine(page.Limits(in_flight=1, waiting=2))
    async with Server([answer()]) as server, Server([hang]) as silent:
        for _ in range(4):
            await fetch(scraper, server.ask(), 1)
        for _ in range(3):
            await asyncio.gather(fail(scraper, silent.ask(), 0.05), fetch(scraper, server.ask(), 1))
    await scraper.aclose()


async def test_a_callback_that_raises_hurts_nobody_else(scraper: engine.Engine) -> None:
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))

    def broken(_: page.Ask, outcome: page.Page | Failure) -> None:
        raise LookupError("mine")

    async with Server([answer()]) as server, Server([answer()]) as other:
        scraper.request(server.ask(), 5, broken)
        await fetch(scraper, other.ask())
        await fetch(scraper, server.ask())
    assert [type(context["exception"]) for context in complaints] == [LookupError]


async def test_a_bug_that_one_answer_meets_ends_that_exchange_alone(
    scraper: engine.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    read_head = wire.read_head

    def broken(raw: bytes) -> wire.Head:
        if b"X-Odd" in raw:
            raise ZeroDivisionError
        return read_head(raw)

    monkeypatch.setattr(wire, "read_head", broken)
    async with Server([answer(b"up 1\n", "X-Odd: 1")]) as odd, Server([answer()]) as server:
        failure, read = await asyncio.gather(scraper.fetch(odd.ask(), 5), scraper.fetch(server.ask(), 5))
        assert failure == Failure(Reason.PROTOCOL)
        assert isinstance(read, page.FetchedPage)
    assert [type(context["exception"]) for context in complaints] == [ZeroDivisionError]


async def test_a_callback_may_ask_again_and_its_page_ends_with_it(scraper: engine.Engine) -> None:
    kept: list[memoryview] = []
    over = asyncio.get_running_loop().create_future()

    def done(ask: page.Ask, outcome: page.Page | Failure) -> None:
        assert isinstance(outcome, page.Page)
        kept.append(outcome.body)
        if len(kept) < 5:
            scraper.request(ask, 5, done)
            assert bytes(outcome.body) == b"up 1\n"
        else:
            over.set_result(None)

    async with Server([answer()]) as server:
        scraper.request(server.ask(), 5, done)
        await over
    assert server.connections == 1
    with pytest.raises(ValueError, match="released"):
        bytes(kept[0])


# --- forgetting -------------------------------------------------------------------------------------------------------


class Left:
    """Tells when the client has left."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        await visit.send(answer())
        await visit.hang()
        self.event.set()


async def test_connections_of_servers_that_are_gone_are_closed(scraper: engine.Engine) -> None:
    left, kept = Left(), Left()
    async with Server([left]) as gone, Server([kept]) as stays:
        await fetch(scraper, gone.ask())
        await fetch(scraper, stays.ask())
        scraper.close_idle([stays.ask()])
        await asyncio.wait_for(left.event.wait(), 5)
        assert not kept.event.is_set()
        scraper.forget(stays.ask())
        scraper.forget(stays.ask("/never-asked"))
        await asyncio.wait_for(kept.event.wait(), 5)


async def test_one_of_two_asks_for_a_server_keeps_its_connection(scraper: engine.Engine) -> None:
    async with Server([answer()]) as server:
        await fetch(scraper, server.ask("/1"))
        await fetch(scraper, server.ask("/2"))
        scraper.forget(server.ask("/1"))
        await fetch(scraper, server.ask("/2"))
    assert server.connections == 1


async def test_an_exchange_under_way_survives_being_forgotten(scraper: engine.Engine) -> None:
    left = Left()
    async with Server([left]) as server:
        task = asyncio.ensure_future(scraper.fetch(server.ask(), 5))
        await asyncio.sleep(0)
        scraper.close_idle([])
        assert isinstance(await task, page.FetchedPage)
        await asyncio.wait_for(left.event.wait(), 5)


async def test_a_connection_nobody_uses_is_closed_after_a_while() -> None:
    scraper = engine.Engine(page.Limits(idle=0.05))
    left = Left()
    async with Server([left]) as server:
        await fetch(scraper, server.ask())
        await asyncio.wait_for(left.event.wait(), 5)
    await scraper.aclose()


async def test_closing_ends_what_is_under_way() -> None:
    scraper = engine.Engine()
    async with Server([hang]) as server:
        tasks = [asyncio.ensure_future(scraper.fetch(server.ask(path), 5)) for path in ("/1", "/2")]
        lookup = asyncio.ensure_future(scraper.fetch(page.Ask("localhost", server.port), 5))
        await server.asked.wait()
        await scraper.aclose()
        await scraper.aclose()
        assert [*await asyncio.gather(*tasks), await lookup] == [Failure(Reason.RESET)] * 3
    with pytest.raises(RuntimeError):
        await scraper.fetch(page.Ask("127.0.0.1", 80), 5)


async def test_no_secret_is_in_a_failure(scraper: engine.Engine) -> None:
    async with Server([b"garbage\r\n\r\n"]) as server:
        failure = await fail(scraper, server.ask(headers=(("Authorization", "Bearer s3cret"),)))
    assert "s3cret" not in str(failure)

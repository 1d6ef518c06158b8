"""The proxy does what tests rely on: each fault is seen from both ends of an echo server."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.proxy import FaultProxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
WAIT_SECONDS = 10.0
SHORT = 0.05


class Echo:
    """Answers what it hears, and remembers it."""

    def __init__(self) -> None:
        self.clients: list[asyncio.StreamWriter] = []
        self.heard = b""
        self.news = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(4096):
            self.heard += chunk
            self.news.set()
            writer.write(chunk)
        writer.close()


def play(scenario: Callable[[FaultProxy, Echo], Awaitable[None]]) -> None:
    async def behind_a_proxy() -> None:
        echo = Echo()
        server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
        async with asyncio.timeout(WAIT_SECONDS), server, FaultProxy(*server.sockets[0].getsockname()) as proxy:
            await scenario(proxy, echo)
            for client in echo.clients:
                client.close()

    asyncio.run(behind_a_proxy())


async def connect(proxy: FaultProxy, echo: Echo) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    echo.clients.append(writer)
    return reader, writer


async def say(text: bytes, streams: Streams) -> bytes:
    """Send, and return the reply; nothing when the connection ends instead."""
    reader, writer = streams
    writer.write(text)
    try:
        return await reader.read(4096)
    except ConnectionError:
        return b""


async def is_silent(streams: Streams) -> bool:
    try:
        async with asyncio.timeout(SHORT):
            await streams[0].read(1)
    except TimeoutError:
        return True
    return False


def test_without_a_fault_all_passes() -> None:
    async def scenario(proxy: FaultProxy, echo: Echo) -> None:
        first, second = await connect(proxy, echo), await connect(proxy, echo)
        assert (await say(b"one", first), await say(b"two", second)) == (b"one", b"two")

    play(scenario)


def test_a_delay_holds_back_each_direction() -> None:
    async def scenario(proxy: FaultProxy, echo: Echo) -> None:
        streams = await connect(proxy, echo)
        proxy.delay(SHORT)
        loop = asyncio.get_running_loop()
        started = loop.time()
        assert await say(b"slow", streams) == b"slow"
        assert loop.time() - started >= 2 * SHORT

    play(scenario)


def test_a_cut_ends_what_is_open_and_nothing_else() -> None:
    async def scenario(proxy: FaultProxy, echo: Echo) -> None:
        streams = await connect(proxy, echo)
        await say(b"one", streams)
        proxy.cut()
        assert await say(b"two", streams) == b""
        assert await say(b"three", await connect(proxy, echo)) == b"three"

    play(scenario)


def test_a_refusing_proxy_ends_new_connections_too() -> None:
    async def scenario(proxy: FaultProxy, echo: Echo) -> None:
        proxy.refuse()
        assert await say(b"one", await connect(proxy, echo)) == b""
        assert echo.heard == b""
        proxy.heal()
        assert await say(b"two", await connect(proxy, echo)) == b"two"

    play(scenario)


def test_a_black_hole_swallows_old_and_new_connections_until_it_is_healed() -> None:
    async def scenario(proxy: FaultProxy, echo: Echo) -> None:
        old = await connect(proxy, echo)
        await say(b"before ", old)
        proxy.black_hole()
        new = await connect(proxy, echo)
        for _, writer in (old, new):
            writer.write(b"held")
        assert await is_silent(old)
        assert await is_silent(new)
        assert echo.heard == b"before "
        proxy.heal()
        assert await old[0].read(4096) == b"held"
        assert await new[0].read(4096) == b"held"

    play(scenario)


def test_dropped_replies_are_lost_while_requests_arrive() -> None:
    async def scenario(proxy: FaultProxy, echo: Echo) -> None:
        streams = await connect(proxy, echo)
        proxy.drop_replies()
        streams[1].write(b"heard")
        await echo.news.wait()
        assert await is_silent(streams)
        assert echo.heard == b"heard"
        proxy.heal()
        assert await say(b"again", streams) == b"again"

    play(scenario)


@pytest.mark.parametrize("pieces", [[b"has the WORD in it"], [b"has the WO", b"RD in it"]])
def test_the_reply_to_one_request_is_lost_after_the_server_has_given_it(pieces: list[bytes]) -> None:
    async def scenario(proxy: FaultProxy, echo: Echo) -> None:
        doomed, other = await connect(proxy, echo), await connect(proxy, echo)
        proxy.lose_reply_to(b"WORD")
        assert await say(b"harmless", other) == b"harmless"
        replies = [await say(piece, doomed) for piece in pieces]
        assert replies[-1] == b""
        assert proxy.lost_replies == 1
        assert echo.heard.endswith(b"RD in it")
        assert await say(b"WORD", other) == b"WORD"

    play(scenario)

"""Signs of life stand for progress: a process whose loop is stuck sends none."""

import asyncio
import socket
from datetime import timedelta
from pathlib import Path

from scheduler.entrypoints.container import build_container
from scheduler.entrypoints.operations import MAX_SILENCE, operations_server
from scheduler.entrypoints.process import Backend
from scheduler.entrypoints.settings import Settings


async def signs(receiver: socket.socket, count: int) -> None:
    for _ in range(count):
        assert await asyncio.get_running_loop().sock_recv(receiver, 100) == b"WATCHDOG=1"


async def is_silent(receiver: socket.socket) -> bool:
    try:
        await asyncio.wait_for(signs(receiver, 1), 0.3)
    except TimeoutError:
        return True
    return False


def test_a_process_with_a_stuck_loop_shows_no_sign_of_life(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    settings = Settings(notify_socket=path, watchdog_usec=30_000, metrics_host="127.0.0.1")

    async def scenario(receiver: socket.socket) -> None:
        container = build_container(settings, backend=Backend.MEMORY)
        progress = container.common.progress()
        async with operations_server(container, port=0, loops={"claim": MAX_SILENCE}):
            await signs(receiver, 3)
            progress.register("stuck", max_silence=timedelta(0))
            while not await is_silent(receiver):
                pass
            progress.forget("stuck")
            await signs(receiver, 3)

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(0)
        asyncio.run(asyncio.wait_for(scenario(receiver), 30))


def test_the_watchdog_of_another_process_is_not_ours() -> None:
    assert Settings(watchdog_usec=1, watchdog_pid=1).watchdog is None
    assert Settings(watchdog_usec=1).watchdog == timedelta(microseconds=1)

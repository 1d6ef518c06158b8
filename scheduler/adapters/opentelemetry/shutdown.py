"""The end of the spans."""

import asyncio
from contextlib import suppress
from threading import Thread
from typing import Final

from opentelemetry.sdk.trace import TracerProvider

FLUSH_SECONDS: Final = 3.0
"""What a process that stops waits for its last spans to be taken; a collector that is away gets none."""


async def shut_down(provider: TracerProvider, seconds: float = FLUSH_SECONDS) -> None:
    """Send what has ended. A daemon does it: what a dead collector holds up does not hold up the process."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def flush() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop is over
            loop.call_soon_threadsafe(ended.set)

    Thread(target=flush, name="last-spans", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended.wait()

"""A process that works on servers, or several parts of the scheduler in one process."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from scheduler.application.loops import run_until
from scheduler.application.worker.ending import Ending
from scheduler.entrypoints.collector import spare_the_collector
from scheduler.entrypoints.container import Container, build_container
from scheduler.entrypoints.process import Backend, ProcessOptions
from scheduler.entrypoints.runtime import EXIT_UNFIT, leave, run_process
from scheduler.entrypoints.settings import Settings

Part = Callable[[Container, asyncio.Event], Awaitable[Ending]]
"""Serves on open resources until the event is set, then drains; tells how it ended."""


def run_on_servers(settings: Settings, options: ProcessOptions, kind: str, part: Part) -> int:
    """Run one part against SQL and Redis until a signal; return the exit code."""
    return run_parts(settings, replace(options, service=f"scheduler-{kind}"), Backend.SERVERS, [part])


def run_parts(settings: Settings, options: ProcessOptions, backend: Backend, parts: Sequence[Part]) -> int:
    """Run the parts in this process until a signal; return the exit code. Raises SchedulerError at start."""

    async def main(stopping: asyncio.Event) -> int:
        container = build_container(settings, backend=backend, options=options)
        await run_until(container.resources().open(), stopping)
        spare_the_collector()
        try:
            ending = Ending.COMPLETE if stopping.is_set() else await _all(parts, container, stopping)
        finally:
            await container.resources().close()
            await container.common.tracing().close()
        if ending is not Ending.COMPLETE:
            # A handler that does not end would keep the event loop for ever; its job is given back already.
            leave(EXIT_UNFIT if ending is Ending.WORN_OUT else 0)
        return 0

    return run_process(main, settings)


async def _all(parts: Sequence[Part], container: Container, stopping: asyncio.Event) -> Ending:
    """Run the parts side by side; the failure of one stops the others, and the worst ending counts."""
    running = [asyncio.ensure_future(part(container, stopping)) for part in parts]
    await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
    stopping.set()
    endings = await asyncio.gather(*running, return_exceptions=True)
    for ending in endings:
        if isinstance(ending, BaseException):
            raise ending
    return max(ending for ending in endings if isinstance(ending, Ending))

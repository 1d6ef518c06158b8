"""A process with all parts of ours in it, one of which does not do as it should."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from scheduler.application.ports.handlers import Handler, JobContext
from scheduler.application.worker.ending import Ending
from scheduler.application.worker.lease import LeaseHolder, LeaseKeeper
from scheduler.entrypoints.container import Container, build_container
from scheduler.entrypoints.fleet import stop_event
from scheduler.entrypoints.lease_thread import LeaseThread
from scheduler.entrypoints.process import Backend, ProcessOptions
from scheduler.entrypoints.runtime import MAX_THREADS, run_process
from scheduler.entrypoints.serving import run_parts
from scheduler.entrypoints.settings import Settings
from tests.unit.entrypoints.program import say


async def with_all_threads_busy_and_a_lease(stopping: asyncio.Event) -> int:
    container = build_container(Settings(), backend=Backend.MEMORY)
    lease = LeaseThread(
        connect=container.lease_connection,
        make_keeper=container.lease_keeper,
        worker=container.worker(),
        progress=container.common.progress(),
    )
    await lease.start()
    busy = [asyncio.create_task(asyncio.to_thread(time.sleep, 60)) for _ in range(MAX_THREADS)]
    say("up")
    await stopping.wait()
    for task in busy:
        task.cancel()
    await lease.stop()
    open_workers = await container.adapters.registry().count_open()
    return 7 if open_workers == 0 else 8


class Stubborn(Handler):
    async def run(self, payload: str | None, context: JobContext) -> str | None:
        say("up")
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                say("swallowed")


class Brief(LeaseKeeper):
    """Keeps a lease of a worker whose handlers are stuck."""

    async def run(self, holder: LeaseHolder, stopping: asyncio.Event) -> None:
        holder.handler_stuck()


class Broken(LeaseKeeper):
    async def run(self, holder: LeaseHolder, stopping: asyncio.Event) -> None:
        raise ZeroDivisionError("the keeper's own fault")


def with_keeper(kind: type[LeaseKeeper]) -> Callable[[asyncio.Event], Awaitable[int]]:
    async def main(stopping: asyncio.Event) -> int:
        container = build_container(Settings(), backend=Backend.MEMORY)

        def make(**ports: object) -> LeaseKeeper:
            return kind(
                describe=container.describe_worker,
                terms=container.lease_terms(),
                clock=container.common.clock(),
                randomness=container.common.randomness(),
                telemetry=container.common.worker_telemetry(),
                progress=container.common.progress(),
                **ports,  # type: ignore[arg-type] # the registry
            )

        lease = LeaseThread(
            connect=container.lease_connection,
            make_keeper=make,
            worker=container.worker(),
            progress=container.common.progress(),
        )
        await lease.start()
        time.sleep(60)  # noqa: ASYNC251 - whatever the worker's loop does
        return 7

    return main


def part_that_fails(settings: Settings) -> int:
    async def fails(_container: Container, _stopping: asyncio.Event) -> Ending:
        raise ZeroDivisionError("this part")

    async def waits(_container: Container, stopping: asyncio.Event) -> Ending:
        await stopping.wait()
        say("the other part was stopped")
        return Ending.COMPLETE

    return run_parts(settings, ProcessOptions(), Backend.MEMORY, [waits, fails])


def part_that_hangs(settings: Settings) -> int:
    async def hangs(container: Container, stopping: asyncio.Event) -> Ending:
        stubborn = Stubborn()
        context = JobContext(
            attempt_id=None,  # type: ignore[arg-type] # not looked at
            job_type="x",
            attempt=1,
            max_attempts=1,
            worker_id=container.common.ids().worker_id(),
            deadline=container.common.clock().now() + timedelta(hours=1),
        )
        running = asyncio.create_task(stubborn.run(None, context))
        await stopping.wait()
        running.cancel()
        return Ending.HUNG

    return run_parts(settings, ProcessOptions(), Backend.MEMORY, [hangs])


def fleet(settings: Settings) -> int:
    stopping = stop_event([], supervised=settings.supervised)
    say("up")
    stopping.wait()
    return 7


MAINS: dict[str, Callable[[asyncio.Event], Awaitable[int]]] = {
    "all-threads-busy": with_all_threads_busy_and_a_lease,
    "stuck": with_keeper(Brief),
    "broken-keeper": with_keeper(Broken),
}
PROGRAMS: dict[str, Callable[[Settings], int]] = {
    "part-that-fails": part_that_fails,
    "part-that-hangs": part_that_hangs,
    "fleet": fleet,
}

if __name__ == "__main__":
    name, given = sys.argv[1], Settings.load()
    sys.exit(PROGRAMS[name](given) if name in PROGRAMS else run_process(MAINS[name], given))

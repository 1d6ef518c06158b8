"""The worker process."""

import asyncio
from dataclasses import replace
from functools import partial

from scheduler.adapters.handlers.discovery import find_handlers
from scheduler.application.worker.claim_loop import LOOP as CLAIM_LOOP
from scheduler.application.worker.ending import Ending
from scheduler.application.worker.lease import LOOP as LEASE_LOOP
from scheduler.entrypoints.container import Container
from scheduler.entrypoints.lease_thread import LeaseThread
from scheduler.entrypoints.operations import MAX_SILENCE, clock_loop, make_loop, operations_server, withdraw
from scheduler.entrypoints.process import ProcessOptions
from scheduler.entrypoints.runtime import background
from scheduler.entrypoints.serving import run_on_servers
from scheduler.entrypoints.settings import Settings

METRICS_PORT = 2113
MEMORY_SECONDS = 0.25


def run_worker(settings: Settings, options: ProcessOptions) -> int:
    """Run jobs until a signal; return the exit code. Raises SchedulerError when it cannot start."""
    port = METRICS_PORT if settings.metrics_port is None else settings.metrics_port
    # Before the event loop begins: users' modules may run loops of their own while they are imported.
    options = replace(options, handlers=find_handlers(settings.worker_handlers))
    return run_on_servers(settings, options, "worker", partial(serve_worker, metrics_port=port))


async def serve_worker(container: Container, stopping: asyncio.Event, *, metrics_port: int) -> Ending:
    """Work on open resources until `stopping` is set, by others or by a worker that is worn out; then drain.

    Raises PrivilegedRoleError.
    """
    await container.follow_store_clock().execute()
    await container.common.db_tx().check_role()
    worker = container.worker()
    growth = make_loop(container, "memory", container.watch_growth().execute, interval=MEMORY_SECONDS)
    lease = LeaseThread(
        connect=container.lease_connection,
        make_keeper=container.lease_keeper,
        worker=worker,
        progress=container.common.progress(),
    )
    # A heart that was silent for two leases has lost its jobs to others.
    loops = {CLAIM_LOOP: MAX_SILENCE, LEASE_LOOP: 2 * container.common.settings().lease}
    async with (
        background([clock_loop(container), growth], container.progress_board().run),
        operations_server(container, port=metrics_port, loops=loops),
    ):
        await lease.start()
        container.common.service().ready()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_retire(container, stopping))
                return await worker.run(stopping, grace_seconds=container.common.settings().grace_seconds)
        finally:
            await container.common.handler_processes().close()
            await lease.stop()
            await container.common.http_client().aclose()
            await container.common.db_tx().close()


async def _retire(container: Container, stopping: asyncio.Event) -> None:
    """Be ready no longer from the stop on, and expect no more claims: handlers may take their time to end."""
    await stopping.wait()
    withdraw(container)
    container.common.progress().forget(CLAIM_LOOP)

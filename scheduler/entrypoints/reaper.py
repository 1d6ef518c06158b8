"""The reaper process: every duty a loop of its own; any number of reapers may run."""

import asyncio
from collections.abc import Sequence
from functools import partial

from scheduler.application.loops import Loop
from scheduler.application.worker.ending import Ending
from scheduler.entrypoints.container import Container
from scheduler.entrypoints.operations import MAX_SILENCE, clock_loop, make_loop, operations_server, withdraw
from scheduler.entrypoints.process import ProcessOptions
from scheduler.entrypoints.runtime import background
from scheduler.entrypoints.serving import run_on_servers
from scheduler.entrypoints.settings import Settings

METRICS_PORT = 2114
DUE_SECONDS = 0.2
CLOSE_SECONDS = 0.8
"""With its jitter less than a second: a lost worker's jobs run again within a lease, a second, and the statements."""
RECOVER_SECONDS = 1.0
ABSENT_SECONDS = 60.0
HAND_OUT_SECONDS = 1.0
RECONCILE_SECONDS = 2.0
DEPTHS_SECONDS = 5.0
PURGE_SECONDS = 60.0
WATCHED_LOOPS = ("release_due", "close_workers", "recover_jobs", "return_hand_outs")
"""The quick ones: a rebuild of the queue or a purge may take its time."""


def run_reaper(settings: Settings, options: ProcessOptions) -> int:
    """Do the maintenance until a signal; return the exit code. Raises SchedulerError when it cannot start."""
    port = METRICS_PORT if settings.metrics_port is None else settings.metrics_port
    return run_on_servers(settings, options, "reaper", partial(serve_reaper, metrics_port=port))


async def serve_reaper(container: Container, stopping: asyncio.Event, *, metrics_port: int) -> Ending:
    """Do the maintenance on open resources until `stopping` is set."""
    await container.follow_store_clock().execute()
    async with (
        background([clock_loop(container), *duties(container)]),
        operations_server(container, port=metrics_port, loops=dict.fromkeys(WATCHED_LOOPS, MAX_SILENCE)),
    ):
        container.common.service().ready()
        await stopping.wait()
        withdraw(container)
    return Ending.COMPLETE


def duties(container: Container) -> Sequence[Loop]:
    """Return the loops of all duties."""
    recover = container.recover_lost_jobs()
    work_by_name = [
        ("release_due", container.release_due_jobs().execute, DUE_SECONDS),
        ("close_workers", container.close_dead_workers().execute, CLOSE_SECONDS),
        ("recover_jobs", recover.execute, RECOVER_SECONDS),
        ("recover_absent", recover.execute_absent, ABSENT_SECONDS),
        ("return_hand_outs", container.return_hand_outs().execute, HAND_OUT_SECONDS),
        ("reconcile_queue", container.reconcile_queue().execute, RECONCILE_SECONDS),
        ("sample_depths", container.sample_depths().execute, DEPTHS_SECONDS),
        ("purge", container.purge_jobs().execute, PURGE_SECONDS),
    ]
    return [make_loop(container, name, work, interval=interval) for name, work, interval in work_by_name]

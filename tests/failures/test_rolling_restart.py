"""A deploy: every process is stopped and started while clients submit and watch."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import EventView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from tests.chaos.fleet import GRACE_SECONDS, await_all_ready
from tests.chaos.ledger import Mark, read_ledgers
from tests.chaos.part import Part
from tests.failures.tools import Scene

pytestmark = pytest.mark.servers
PAUSE_SECONDS = 0.05
LONG_EVERY = 3
SHORT_SECONDS = 0.3
LONG_SECONDS = GRACE_SECONDS + 3.0


def test_a_rolling_restart_costs_no_submit_no_attempt_and_no_watch(scene: Scene) -> None:
    with (
        scene.fleet.running("api", "api-b"),
        scene.fleet.running("worker", "rolled-1", WORKER_POOL_SIZE=30) as first,
        scene.fleet.running("worker", "rolled-2", WORKER_POOL_SIZE=30) as second,
    ):
        servers = [scene.part(name) for name in ("api", "api-b", "reaper")]
        workers = [first, second]
        await_all_ready(servers + workers)
        began = time.monotonic()
        seen = scene.run(_load_while(scene, lambda: _restart(scene, servers, workers)))
        scene.measured(f"rolling restart of {len(servers + workers)} processes under {len(seen)} jobs", began)

        jobs = scene.jobs()
        assert {job.job_id for job in jobs} == {events[-1].job_id for events in seen}
        assert {(job.state, job.attempts, job.losses) for job in jobs} == {(JobState.SUCCEEDED, 1, 0)}
        assert {events[-1].state for events in seen} == {JobState.SUCCEEDED}
        outcomes = [outcome for job in jobs for outcome in scene.outcomes(job.job_id)]

    assert set(outcomes) == {AttemptOutcome.SUCCEEDED, AttemptOutcome.RELEASED}
    assert outcomes.count(AttemptOutcome.SUCCEEDED) == len(jobs)


async def _load_while(scene: Scene, restart: Callable[[], None]) -> Sequence[Sequence[EventView]]:
    """Submit and watch all the time that the processes are restarted; return what each watcher saw."""
    restarting = asyncio.create_task(asyncio.to_thread(restart))
    async with SchedulerClient(scene.fleet.address) as client, asyncio.TaskGroup() as group:
        watches: list[asyncio.Task[Sequence[EventView]]] = []
        while not restarting.done():
            seconds = SHORT_SECONDS if len(watches) % LONG_EVERY else LONG_SECONDS
            watches.append(group.create_task(_submit_and_watch(scene, client, seconds)))
            await asyncio.sleep(PAUSE_SECONDS)
        await restarting
    return [watch.result() for watch in watches]


async def _submit_and_watch(scene: Scene, client: SchedulerClient, seconds: float) -> Sequence[EventView]:
    job = await client.submit(scene.submission(seconds=seconds))
    return [event async for event in client.watch(job.job_id)]


def _restart(scene: Scene, servers: Sequence[Part], workers: Sequence[Part]) -> None:
    """Restart one after another; the first worker to stop holds a job that outlasts its grace."""
    for part in servers:
        _restart_one(part)
    scene.until(lambda: any(_has_long_work(scene, worker) for worker in workers))
    for worker in sorted(workers, key=lambda worker: not _has_long_work(scene, worker)):
        _restart_one(worker)


def _restart_one(part: Part) -> None:
    assert part.stop() == 0
    part.start()
    await_all_ready([part])


def _has_long_work(scene: Scene, worker: Part) -> bool:
    """Tell whether it runs a job that is not short and began not long ago."""
    entries = [entry for entry in read_ledgers(scene.fleet.ledger) if entry.pid == worker.child.pid]
    ended = {entry.key for entry in entries if entry.mark is not Mark.STARTED}
    ages = [time.monotonic() - entry.at for entry in entries if entry.key not in ended]
    return any(2 * SHORT_SECONDS < age < 4 * SHORT_SECONDS for age in ages)

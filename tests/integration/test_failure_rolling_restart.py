"""A deploy: every process is stopped and started while clients submit and watch."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import EventView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from tests.chaos.fleet import GRACE_SECONDS, await_all_ready
from tests.chaos.part import Part
from tests.integration.failure_tools import Scene

pytestmark = pytest.mark.servers
PAUSE_SECONDS = 0.05
LONG_EVERY = 3
"""Often enough that a worker that stops always holds one that outlasts its grace."""
LONG_SECONDS = GRACE_SECONDS + 3.0


def test_a_rolling_restart_costs_no_submit_no_attempt_and_no_watch(scene: Scene) -> None:
    with (
        scene.fleet.running("api", "api-b"),
        scene.fleet.running("worker", "rolled-1", WORKER_POOL_SIZE=30) as first,
        scene.fleet.running("worker", "rolled-2", WORKER_POOL_SIZE=30) as second,
    ):
        parts = [scene.part(name) for name in ("api", "api-b", "reaper")] + [first, second]
        await_all_ready(parts)
        began = time.monotonic()
        seen = scene.run(_load_while(scene, parts))
        scene.measured(f"rolling restart of {len(parts)} processes under {len(seen)} jobs", began)

        jobs = scene.jobs()
        assert {job.job_id for job in jobs} == {events[-1].job_id for events in seen}
        assert {(job.state, job.attempts, job.losses) for job in jobs} == {(JobState.SUCCEEDED, 1, 0)}
        assert {events[-1].state for events in seen} == {JobState.SUCCEEDED}
        outcomes = [outcome for job in jobs for outcome in scene.outcomes(job.job_id)]

    assert set(outcomes) == {AttemptOutcome.SUCCEEDED, AttemptOutcome.RELEASED}
    assert outcomes.count(AttemptOutcome.SUCCEEDED) == len(jobs)


async def _load_while(scene: Scene, parts: Sequence[Part]) -> Sequence[Sequence[EventView]]:
    """Submit and watch all the time that the processes are restarted; return what each watcher saw."""
    restart = asyncio.create_task(asyncio.to_thread(_restart, parts))
    async with SchedulerClient(scene.fleet.address) as client, asyncio.TaskGroup() as group:
        watches: list[asyncio.Task[Sequence[EventView]]] = []
        while not restart.done():
            seconds = LONG_SECONDS if len(watches) % LONG_EVERY == 0 else 0.3
            watches.append(group.create_task(_submit_and_watch(scene, client, seconds)))
            await asyncio.sleep(PAUSE_SECONDS)
        await restart
    return [watch.result() for watch in watches]


async def _submit_and_watch(scene: Scene, client: SchedulerClient, seconds: float) -> Sequence[EventView]:
    job = await client.submit(scene.submission(seconds=seconds))
    return [event async for event in client.watch(job.job_id)]


def _restart(parts: Sequence[Part]) -> None:
    for part in parts:
        assert part.stop() == 0
        part.start()
        await_all_ready([part])

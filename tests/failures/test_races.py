"""Two want to end a job at the same moment: one of them does, and both are told the truth."""

import asyncio
from itertools import cycle

import pytest

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from tests.failures.tools import Scene

pytestmark = pytest.mark.servers
JOBS = 60
WORK_SECONDS = 0.4


def test_cancel_vs_finish_race_has_one_winner_and_the_client_knows_which(scene: Scene) -> None:
    async def cancel_at(job_id: str, moment: float) -> bool:
        await asyncio.sleep(moment)
        return await scene.client.cancel(job_id)

    async def race(jobs: list[str]) -> list[bool]:
        # From well before the end of the work to well after it, closest together around it.
        moments = cycle([0.1, 0.36, 0.39, 0.4, 0.405, 0.41, 0.415, 0.42, 0.44, 0.8])
        return await asyncio.gather(*map(cancel_at, jobs, moments))

    with scene.fleet.running("worker", "racer", WORKER_POOL_SIZE=JOBS):
        jobs = list(scene.submit_many(JOBS, scene.submission(seconds=WORK_SECONDS)))
        scene.until(lambda: all(job.state is not JobState.QUEUED for job in scene.jobs()))
        cancelled = scene.run(race(jobs))
        scene.until_all_ended()

    for job_id, was_cancelled in zip(jobs, cancelled, strict=True):
        job = scene.job(job_id)
        assert (job.state is JobState.CANCELLED) == was_cancelled
        assert (job.result is None) == was_cancelled
        assert scene.outcomes(job_id) == [AttemptOutcome.CANCELLED if was_cancelled else AttemptOutcome.SUCCEEDED]
    assert {True, False} == set(cancelled)

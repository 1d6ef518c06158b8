"""Hosts that are ten minutes wrong."""

import time
from datetime import timedelta

import pytest

from scheduler.domain.state import JobState
from tests.chaos.fleet import LEASE_SECONDS, await_all_ready
from tests.failures.tools import Scene

pytestmark = pytest.mark.servers
TEN_MINUTES = 600


@pytest.mark.parametrize("offset", [TEN_MINUTES, -TEN_MINUTES], ids=["ahead", "behind"])
def test_skew_of_a_worker_neither_loses_its_lease_nor_runs_a_job_early(scene: Scene, offset: int) -> None:
    with scene.fleet.running("worker", f"skewed-{offset}", CHAOS_CLOCK_OFFSET=offset) as worker:
        await_all_ready([worker])
        long = scene.submit(seconds=1.5 * LEASE_SECONDS)
        delayed = scene.submit(scene.submission(delay=2))
        retried = scene.submit(scene.submission(fail_attempts=1))
        jobs = [scene.until_state(job_id) for job_id in (long, delayed, retried)]

    assert [(job.state, job.losses) for job in jobs] == [(JobState.SUCCEEDED, 0)] * 3
    assert [job.attempts for job in jobs] == [1, 1, 2]
    for job in jobs:
        assert job.started_at is not None
        assert job.finished_at is not None
        assert job.run_at <= job.started_at <= job.finished_at < job.created_at + timedelta(seconds=TEN_MINUTES / 2)


@pytest.mark.parametrize("offset", [TEN_MINUTES, -TEN_MINUTES], ids=["ahead", "behind"])
def test_skew_of_a_dead_worker_does_not_keep_its_jobs_from_others(scene: Scene, offset: int) -> None:
    with scene.fleet.running("worker", f"skewed-dies-{offset}", CHAOS_CLOCK_OFFSET=offset) as doomed:
        job_id = scene.submit(seconds=0.5)
        scene.until_started(job_id)
        doomed.kill()
        began = time.monotonic()
        with scene.fleet.running("worker", f"heir-{offset}", CHAOS_CLOCK_OFFSET=-offset):
            job = scene.until_state(job_id)
        scene.measured(f"dead worker with a clock {offset:+d} s off: job ended", began)

    assert (job.state, job.attempts, job.losses) == (JobState.SUCCEEDED, 2, 1)

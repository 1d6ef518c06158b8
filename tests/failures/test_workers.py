"""Workers die, hang and come back: their jobs go on, once."""

import signal
import time
from contextlib import ExitStack

import pytest

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.job import first_version
from scheduler.domain.state import JobState
from tests.acceptance.processes import send
from tests.chaos.fleet import LEASE_SECONDS, await_all_ready
from tests.chaos.ledger import Mark
from tests.chaos.part import Part
from tests.failures.tools import Scene, counted

pytestmark = pytest.mark.servers
HELD = 20
BUSY_MACHINE_SECONDS = 5


def test_dead_worker_costs_a_lease_and_its_jobs_run_elsewhere(scene: Scene) -> None:
    with scene.fleet.running("worker", "dies") as doomed, ExitStack() as later:
        job_id = scene.submit(seconds=0.5)
        scene.until_started(job_id)
        doomed.kill()
        began = time.monotonic()
        later.enter_context(scene.fleet.running("worker", "heir"))
        scene.until_started(job_id, times=2)
        scene.measured(f"dead worker (lease {LEASE_SECONDS} s): started again", began)
        job = scene.until_state(job_id)

    assert (job.state, job.attempts, job.losses) == (JobState.SUCCEEDED, 2, 1)
    assert scene.outcomes(job_id) == [AttemptOutcome.LOST, AttemptOutcome.SUCCEEDED]


@pytest.mark.parametrize("statement", [0.3, 0.6])
def test_slow_sql_costs_no_attempt_and_delays_recovery_by_what_the_statements_take(
    scene: Scene, statement: float
) -> None:
    with scene.fleet.running("worker", f"slow-{statement}") as doomed:
        job_id = scene.submit(seconds=60)
        scene.until_started(job_id)
        for part in (scene.part("reaper"), doomed):
            part.sql.do(lambda proxy: proxy.delay(statement / 2))
        time.sleep(2 * LEASE_SECONDS)
        assert scene.outcomes(job_id) == [None]
        doomed.kill()
        began = time.monotonic()
        scene.until(lambda: scene.job(job_id).losses == 1)
        scene.measured(f"dead worker (lease {LEASE_SECONDS} s), {statement} s a statement: taken back", began)
        took = time.monotonic() - began

    # Of statements: the last renewal, the reaper's turn that just began, and the next one's four.
    assert took < LEASE_SECONDS + 1 + 7 * statement + BUSY_MACHINE_SECONDS


def test_zombie_result_is_refused_and_counted(scene: Scene) -> None:
    with scene.fleet.running("worker", "zombie") as zombie, ExitStack() as later:
        job_id = scene.submit(seconds=0.5)
        scene.until_started(job_id)
        zombie.pause()
        later.enter_context(scene.fleet.running("worker", "living"))
        winner = scene.until_state(job_id)
        zombie.resume()
        scene.until(lambda: counted(zombie, "stale_results_total") == 1)

    job = scene.job(job_id)
    assert (job.state, job.version, job.result) == (JobState.SUCCEEDED, winner.version, winner.result)
    assert scene.outcomes(job_id) == [AttemptOutcome.LOST, AttemptOutcome.SUCCEEDED]
    assert job.worker_id == scene.marks(job_id)[-1].worker_id != scene.marks(job_id)[0].worker_id


def test_poison_pill_ends_as_a_dead_letter_that_says_why(scene: Scene) -> None:
    job_id = scene.submit(scene.submission(max_attempts=2, die_attempts=9))
    began = time.monotonic()
    for number in (1, 2):
        with scene.fleet.running("worker", f"victim-{number}") as victim:
            scene.until(lambda part=victim: _has_died(part))  # type: ignore[misc] # bound now, not later
    job = scene.until_state(job_id)
    scene.measured("poison pill: dead letter after 2 workers", began)

    assert (job.state, job.attempts, job.losses) == (JobState.DEADLETTER, 2, 2)
    assert job.last_error == "worker lost in 2 of 2 attempts"
    assert scene.outcomes(job_id) == [AttemptOutcome.LOST] * 2


def _has_died(part: Part) -> bool:
    return part.child.exit_code() == -signal.SIGKILL


def test_two_reapers_recover_each_job_once(scene: Scene) -> None:
    with scene.fleet.running("reaper", "second-reaper") as second, ExitStack() as workers:
        reapers = [scene.part("reaper"), second]
        await_all_ready(reapers)
        before = sum(counted(reaper, "reaper_jobs_recovered_total") for reaper in reapers)
        doomed = workers.enter_context(scene.fleet.running("worker", "two-reapers", WORKER_POOL_SIZE=HELD))
        jobs = scene.submit_many(HELD, scene.submission(seconds=30))
        scene.until(lambda: all(job.state is JobState.RUNNING for job in scene.jobs()))
        send(doomed.child, signal.SIGKILL)
        scene.until(lambda: all(job.losses for job in scene.jobs()))
        after = sum(counted(reaper, "reaper_jobs_recovered_total") for reaper in reapers)

    assert after - before == HELD
    transitions = [job.version - first_version(job.created_at) for job in scene.jobs()]
    assert [(job.attempts, job.losses) for job in scene.jobs()] == [(1, 1)] * HELD
    assert transitions == [2] * HELD
    assert all(scene.outcomes(job_id) == [AttemptOutcome.LOST] for job_id in jobs)


def test_a_handler_that_blocks_the_event_loop_for_two_leases_keeps_its_lease(scene: Scene) -> None:
    with scene.fleet.running("worker", "blocked"):
        job_id = scene.submit(scene.submission(block=2.0 * LEASE_SECONDS))
        job = scene.until_state(job_id)

    assert (job.state, job.attempts, job.losses) == (JobState.SUCCEEDED, 1, 0)


def test_a_handler_that_blocks_for_ever_ends_the_process(scene: Scene) -> None:
    with scene.fleet.running("worker", "stuck", CHAOS_STUCK_AFTER=1) as stuck:
        job_id = scene.submit(scene.submission(block=600, timeout=0.5, max_attempts=1))
        began = time.monotonic()
        scene.until(lambda: stuck.child.exit_code() == 70)
        scene.measured("handler that blocks for ever (0.5 s + 1 s allowed): process ended", began)
        job = scene.until_state(job_id)

    assert (job.state, job.last_error) == (JobState.DEADLETTER, "worker lost in 1 of 1 attempts")
    assert scene.marks(job_id, Mark.ENDED) == []

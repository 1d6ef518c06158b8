"""SQL loses replies, or is away."""

import time

import pytest

from scheduler.adapters.grpc.client import Patience, SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.job import first_version
from scheduler.domain.state import JobState
from tests.chaos.fleet import LEASE_SECONDS, await_all_ready
from tests.chaos.ledger import Mark, read_ledgers
from tests.chaos.part import Part
from tests.failures.tools import Scene, as_parameter, counted

pytestmark = pytest.mark.servers
IMPATIENT = Patience(seconds=10, first_pause=0.01, longest_pause=0.01)


def test_ambiguous_commit_of_a_submit_stores_one_job(scene: Scene) -> None:
    link = scene.part("api").sql
    lost = link.lost_replies
    link.do(lambda proxy: proxy.lose_reply_to(as_parameter("QUEUED")))

    submitted = scene.run(scene.client.submit(scene.submission()))

    assert link.lost_replies == lost + 1
    assert submitted.created
    assert [job.job_id for job in scene.jobs()] == [submitted.job_id]


@pytest.mark.parametrize("state", [JobState.RUNNING, JobState.SUCCEEDED], ids=["start", "finish"])
def test_ambiguous_commit_of_a_worker_counts_once(scene: Scene, state: JobState) -> None:
    with scene.fleet.running("worker", f"ambiguous-{state}") as worker:
        await_all_ready([worker])
        worker.sql.do(lambda proxy: proxy.lose_reply_to(as_parameter(state)))
        job_id = scene.submit()
        job = scene.until_state(job_id)
        scene.until(lambda: worker.sql.lost_replies == 1)
        stale = counted(worker, "stale_results_total")

    assert (job.state, job.attempts, job.version - first_version(job.created_at), stale) == (
        JobState.SUCCEEDED,
        1,
        2,
        0,
    )
    assert scene.outcomes(job_id) == [AttemptOutcome.SUCCEEDED]
    assert len(scene.marks(job_id)) == 1


def test_ambiguous_commit_of_a_cancel_is_reported_as_done(scene: Scene) -> None:
    job_id = scene.submit(scene.submission(delay=600))
    scene.part("api").sql.do(lambda proxy: proxy.lose_reply_to(as_parameter("CANCELLED")))

    assert scene.run(scene.client.cancel(job_id))
    job = scene.job(job_id)
    assert job.version == first_version(job.created_at) + 1


def _submit_in_vain(scene: Scene) -> ClientError:
    """Submit, with all tries of a client at once; return the refusal of the last."""

    async def submit() -> ClientError:
        async with SchedulerClient(scene.fleet.address, patience=IMPATIENT) as client:
            with pytest.raises(ClientError) as refused:
                await client.submit(scene.submission())
            return refused.value

    return scene.run(submit())


def test_while_sql_is_absent_submits_are_refused_at_once_and_results_are_kept(scene: Scene) -> None:
    with scene.fleet.running("worker", "patient", LEASE_SECONDS=12) as worker:
        await_all_ready([worker])
        jobs = [scene.submit(seconds=1.5), scene.submit(seconds=3)]
        for job_id in jobs:
            scene.until_started(job_id)
        scene.fleet.postgres.kill()
        before = time.monotonic()
        error = _submit_in_vain(scene)
        waited = time.monotonic() - before
        scene.measured("SQL absent: a submit is refused", before)
        # Both handlers end while nobody can take their results.
        scene.until(lambda: all(scene.marks(job_id, Mark.ENDED) for job_id in jobs))
        scene.fleet.postgres.start()
        began = time.monotonic()
        ended = [scene.until_state(job_id) for job_id in jobs]
        scene.measured("SQL absent: kept results recorded after its return", began)
        assert worker.is_running
        assert scene.part("api").is_running
        assert scene.part("reaper").is_running

    assert error.status == "UNAVAILABLE"
    assert error.details.retry_after
    assert waited < IMPATIENT.seconds / 2
    assert [(job.state, job.attempts, job.losses) for job in ended] == [(JobState.SUCCEEDED, 1, 0)] * 2


def test_an_sql_outage_longer_than_a_lease_costs_no_healthy_worker_its_jobs(scene: Scene) -> None:
    with scene.fleet.running("worker", "fenced") as worker:
        job_id = scene.submit(seconds=LEASE_SECONDS + 1)
        scene.until_started(job_id)
        scene.fleet.postgres.kill()
        killed = time.monotonic()
        scene.until(lambda: bool(scene.marks(job_id, Mark.CANCELLED)))
        scene.measured(f"SQL absent: handler stopped by its own worker (lease {LEASE_SECONDS} s)", killed)
        time.sleep(LEASE_SECONDS)
        scene.fleet.postgres.start()
        job = scene.until_state(job_id)
        assert worker.is_running

    renewals = [entry for entry in read_ledgers(scene.fleet.ledger) if entry.mark is Mark.RENEWED]
    (stopped,) = scene.marks(job_id, Mark.CANCELLED)
    last = max(entry.at for entry in renewals if entry.worker_id == stopped.worker_id and entry.at < stopped.at)
    assert stopped.at < last + LEASE_SECONDS
    assert (job.state, job.attempts, job.losses) == (JobState.SUCCEEDED, 1, 0)
    assert scene.outcomes(job_id) == [AttemptOutcome.RELEASED, AttemptOutcome.SUCCEEDED]


@pytest.mark.parametrize("kind", ["api", "reaper"])
def test_process_that_starts_before_sql_serves_once_sql_is_there_and_stops_in_peace_until_then(
    scene: Scene, kind: str
) -> None:
    scene.fleet.postgres.kill()
    with scene.fleet.running(kind, f"early-{kind}") as early:
        scene.until(lambda: _awaits_the_store(early))
        assert early.stop() == 0
    with scene.fleet.running(kind, f"earlier-{kind}") as earlier:
        scene.until(lambda: _awaits_the_store(earlier))
        scene.fleet.postgres.start()
        await_all_ready([earlier])


def _awaits_the_store(part: Part) -> bool:
    assert part.child.log is not None
    return part.child.log.exists() and b"store_awaited" in part.child.log.read_bytes()

"""Redis says less, more or something else than SQL: SQL wins, and nobody notices but the clock."""

import time
from typing import Any
from uuid import uuid4

import pytest

from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.chaos.fleet import await_all_ready
from tests.failures.tools import KEYS, Scene, counted
from tests.support.proxy import FaultProxy

pytestmark = pytest.mark.servers


def test_lost_enqueue_is_made_up_for_by_the_reaper(scene: Scene) -> None:
    scene.part("api").redis.do(FaultProxy.refuse)
    missing = counted(scene.part("reaper"), "queue_repairs_total", kind="missing")
    began = time.monotonic()
    job_id = scene.submit()
    assert job_id not in scene.queued()

    with scene.fleet.running("worker", "lost-enqueue"):
        assert scene.until_state(job_id).state is JobState.SUCCEEDED
        scene.measured("lost enqueue: run from the queue", began)

    assert counted(scene.part("reaper"), "queue_repairs_total", kind="missing") > missing


def test_phantom_id_is_dropped_by_the_worker_that_claims_it(scene: Scene) -> None:
    phantom = str(uuid4())
    with scene.fleet.running("worker", "phantom", WORKER_POOL_SIZE=1):
        scene.enqueue(phantom, priority=Priority.CRITICAL)
        job_id = scene.submit()
        assert scene.until_state(job_id).state is JobState.SUCCEEDED
        scene.until(lambda: phantom not in scene.queued())


def test_duplicate_delivery_runs_a_job_once(scene: Scene) -> None:
    with scene.fleet.running("worker", "twice-1") as first, scene.fleet.running("worker", "twice-2") as second:
        await_all_ready([first, second])
        job_id = scene.submit(seconds=1.5)
        scene.until_started(job_id)
        for priority in Priority:
            scene.enqueue(job_id, priority=priority)
        assert scene.until_state(job_id).attempts == 1
        for priority in Priority:
            scene.enqueue(job_id, priority=priority)
        scene.until(lambda: job_id not in scene.queued())

    assert len(scene.marks(job_id)) == 1
    assert len(scene.attempts(job_id)) == 1


def test_claim_without_start_costs_the_hand_out_deadline_and_no_attempt(scene: Scene) -> None:
    with scene.fleet.running("worker", "claims-only", LEASE_SECONDS=30) as doomed:
        scene.until(lambda: _is_claiming(scene))
        doomed.sql.do(FaultProxy.black_hole)
        job_id = scene.submit()
        scene.until(lambda: _is_handed_out(scene, job_id))
        began = time.monotonic()
        doomed.kill()
    assert scene.job(job_id).state is JobState.QUEUED

    with scene.fleet.running("worker", "claims-next"):
        job = scene.until_state(job_id)
        scene.measured("claim without start: run by another worker", began)

    assert (job.state, job.attempts, job.losses) == (JobState.SUCCEEDED, 1, 0)


def _listeners(scene: Scene) -> int:
    """Return how many workers would hear a wake-up."""
    with scene.redis() as redis:
        counts: Any = redis.pubsub_numsub(KEYS.wake)
    return int(counts[0][1])


def _is_claiming(scene: Scene) -> bool:
    """Tell whether a worker has its lease: only then it listens under its own name."""
    with scene.redis() as redis:
        names: Any = redis.pubsub_channels(f"{KEYS.prefix}worker:*")
    return bool(names)


def _is_handed_out(scene: Scene, job_id: str) -> bool:
    with scene.redis() as redis:
        return redis.zscore(KEYS.processing, job_id) is not None


def test_ghost_entry_of_an_ended_job_is_swept_away(scene: Scene) -> None:
    with scene.fleet.running("worker", "before-ghost"):
        job_id = scene.submit()
        assert scene.until_state(job_id).state is JobState.SUCCEEDED
    ghosts = counted(scene.part("reaper"), "queue_repairs_total", kind="ghost")
    began = time.monotonic()

    scene.enqueue(job_id)
    scene.until(lambda: job_id not in scene.queued())
    scene.measured("ghost entry: removed", began)

    scene.until(lambda: counted(scene.part("reaper"), "queue_repairs_total", kind="ghost") > ghosts)
    assert len(scene.marks(job_id)) == 1


def test_lost_wake_up_is_made_up_for_by_polling(scene: Scene) -> None:
    with scene.fleet.running("worker", "unheard") as worker:
        await_all_ready([worker])
        scene.until(lambda: _listeners(scene) > 0)
        scene.until_state(scene.submit())  # and now it is idle
        scene.part("api").redis.do(FaultProxy.refuse)
        job_id = scene.submit()
        began = time.monotonic()
        missing = counted(scene.part("reaper"), "queue_repairs_total", kind="missing")

        scene.enqueue(job_id)  # in its queue, and nobody was told
        assert scene.until_state(job_id).state is JobState.SUCCEEDED
        scene.measured("lost wake-up: run", began)

    assert counted(scene.part("reaper"), "queue_repairs_total", kind="missing") == missing

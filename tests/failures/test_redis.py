"""Redis is disposable: away, emptied and back again."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest

from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.acceptance.operations import get
from tests.chaos.fleet import await_all_ready
from tests.chaos.ledger import read_ledgers
from tests.chaos.part import Part
from tests.failures.tools import KEYS, Scene, counted
from tests.support.builders import NOW, a_job, a_new_job
from tests.support.sql import SqlBackend, execute

pytestmark = pytest.mark.servers
MANY = 100_000
BATCH = 1_000


def _shown(part: Part) -> tuple[bool, bool, float]:
    """Return whether a process is ready and degraded by /ready, and its gauge."""
    answer = json.loads(get(part.metrics_port, "/ready").body)
    return answer["ready"], answer["degraded"], counted(part, "degraded", part="queue")


def test_without_redis_jobs_run_by_priority_and_watches_go_on(scene: Scene) -> None:
    with scene.fleet.running("worker", "without-redis", WORKER_POOL_SIZE=1) as worker:
        await_all_ready([worker])
        parts = (scene.part("api"), worker)
        pids = [part.child.pid for part in parts]
        first = scene.submit(seconds=2)
        scene.until_started(first)
        scene.fleet.valkey.kill()
        waiting = [
            scene.submit(scene.submission(priority=priority))
            for priority in (Priority.LOW, Priority.CRITICAL, Priority.DEFAULT, Priority.HIGH)
        ]
        scene.until(lambda: all(_shown(part) == (True, True, 1) for part in parts))
        events = scene.run(scene.watch(waiting[0]))
        scene.until_all_ended()

        began = time.monotonic()
        scene.fleet.valkey.start()
        scene.until(lambda: all(_shown(part) == (True, False, 0) for part in parts))
        scene.measured("Redis absent: noticed its return", began)
        last = scene.submit()
        assert scene.until_state(last).state is JobState.SUCCEEDED
        assert pids == [part.child.pid for part in parts]

    assert events[-1].state is JobState.SUCCEEDED
    started = [entry.job_id for entry in read_ledgers(scene.fleet.ledger) if entry.mark == "STARTED"]
    low, critical, default, high = waiting
    assert [job_id for job_id in started if job_id in waiting] == [critical, high, default, low]
    assert [job.attempts for job in scene.jobs()] == [1] * 6


@pytest.fixture
def many_queued(scene: Scene) -> Iterator[list[Job]]:
    """Jobs in SQL that Redis has never heard of."""
    jobs = [a_job(queued_at=NOW) for _ in range(MANY)]

    async def store() -> None:
        async with SqlBackend(scene.fleet.postgres.url) as backend:
            for first in range(0, MANY, BATCH):
                await backend.repository.add_all([a_new_job(job) for job in jobs[first : first + BATCH]])

    asyncio.run(store())
    yield jobs
    execute(scene.fleet.postgres.url, "DELETE FROM jobs WHERE type = 'email.send'")
    with scene.redis() as redis:
        redis.flushall()  # else the workers of the next tests would claim ghosts for minutes


def _queued(scene: Scene) -> int:
    with scene.redis() as redis:
        return sum(int(redis.zcard(key)) for key in KEYS.queues)


def test_100_000_queued_jobs_are_queued_again_after_flushall_and_after_an_eviction(
    scene: Scene, many_queued: list[Job]
) -> None:
    with scene.redis() as redis:
        redis.flushall()  # has the reaper fill the queue at once
    scene.until(lambda: _queued(scene) == MANY)
    rebuilds = counted(scene.part("reaper"), "queue_repairs_total", kind="rebuild")
    with scene.redis() as redis:
        redis.flushall()
    began = time.monotonic()

    scene.until(lambda: _queued(scene) == MANY)
    scene.measured("FLUSHALL with 100,000 queued jobs: all queued again", began)

    scene.until(lambda: counted(scene.part("reaper"), "queue_repairs_total", kind="rebuild") > rebuilds)
    with scene.redis() as redis:
        redis.unlink(KEYS.queue(Priority.DEFAULT))  # as an eviction does: everything else stays
    began = time.monotonic()

    scene.until(lambda: _queued(scene) == MANY)
    scene.measured("queue evicted with 100,000 jobs: all queued again", began)

    assert scene.queued() == {str(job.id) for job in many_queued}

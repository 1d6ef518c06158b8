"""JobRepository: apply, when several write at once."""

import asyncio
from datetime import timedelta

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.job import Job
from tests.contract.steps import history, running
from tests.support.backends import Run, StoreBackend
from tests.support.builders import NOW, a_change, a_worker_id

WORKER = a_worker_id()
LATER = NOW + timedelta(seconds=3, microseconds=1)


def a_running_job(run: Run, store: StoreBackend) -> Job:
    (job,) = running(run, store, WORKER)
    return job


def test_of_two_concurrent_transitions_one_wins(run: Run, store: StoreBackend) -> None:
    jobs = [a_running_job(run, store) for _ in range(20)]

    async def race() -> tuple[frozenset[object], frozenset[object]]:
        first = store.repository.apply([a_change(job, job.succeed(LATER)) for job in jobs])
        second = store.repository.apply([a_change(job, job.cancel(LATER)) for job in reversed(jobs)])
        return await asyncio.gather(first, second)

    first, second = run(race())

    assert not first & second
    assert first | second == {job.id for job in jobs}
    for job in jobs:
        expected = AttemptOutcome.SUCCEEDED if job.id in first else AttemptOutcome.CANCELLED
        assert [attempt.outcome for attempt in history(run, store, job)] == [expected]


def test_concurrent_repeats_of_one_op_all_count_as_applied(run: Run, store: StoreBackend) -> None:
    job = a_running_job(run, store)
    change = a_change(job, job.succeed(LATER))

    async def repeated() -> list[frozenset[object]]:
        return list(await asyncio.gather(*(store.repository.apply([change]) for _ in range(4))))

    assert run(repeated()) == [{job.id}] * 4
    assert history(run, store, job) == [change.ended]

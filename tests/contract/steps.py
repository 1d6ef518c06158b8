"""What the suites over a store of jobs do to bring it into a state."""

from collections.abc import Iterable
from datetime import timedelta

from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import WorkerId
from scheduler.domain.job import Job
from tests.support.backends import Run, StoreBackend, eventually
from tests.support.builders import END_OF_TIME, HOUR, NOW, a_change, a_job, a_new_job, a_worker


def added(run: Run, store: StoreBackend, jobs: Iterable[Job]) -> None:
    """Store new jobs, with `1` for a payload."""
    run(store.repository.add_all([a_new_job(job, "1") for job in jobs]))


def applied(run: Run, store: StoreBackend, before: Job, after: Job) -> Job:
    """Store a transition, which must win."""
    change = a_change(before, after)
    assert run(store.repository.apply([change])) == {after.id}
    return change.stored_job


def running(run: Run, store: StoreBackend, worker_id: WorkerId, count: int = 1) -> list[Job]:
    """Store jobs and start them under the worker."""
    queued = [a_job() for _ in range(count)]
    added(run, store, queued)
    return [applied(run, store, job, job.start(worker_id, NOW)) for job in queued]


def loaded(run: Run, store: StoreBackend, job: Job) -> Job:
    return run(store.repository.load([job.id]))[job.id]


def history(run: Run, store: StoreBackend, job: Job) -> list[Attempt]:
    attempts = run(store.reader.attempts(job.id))
    assert attempts is not None
    return list(attempts)


def registered(run: Run, store: StoreBackend, lease: timedelta = HOUR) -> WorkerId:
    worker = a_worker()
    run(store.registry.register(worker, lease))
    return worker.id


def until_closed(run: Run, store: StoreBackend, expected: Iterable[WorkerId]) -> None:
    """Close expired workers until exactly these were closed."""
    closed: list[WorkerId] = []

    async def all_closed() -> bool:
        closed.extend(await store.registry.close_expired(END_OF_TIME))
        return len(closed) >= len(set(expected))

    run(eventually(all_closed, "the leases expire"))
    assert sorted(closed) == sorted(expected)

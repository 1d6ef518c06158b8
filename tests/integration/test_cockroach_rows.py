"""What was stored is what is read, and a row that no job can be stops nobody."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.adapters.cockroach.rows import CORRUPT_ROW
from scheduler.application.dto import JobFilter
from scheduler.application.errors import StoreRejectedError
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority, StrictOrder
from scheduler.domain.progress import Progress
from scheduler.domain.retry import MAX_DELAY, RetryPolicy
from scheduler.domain.state import JobState
from tests.integration.cockroach_tools import added
from tests.support.builders import NOW, SECOND, a_change, a_job, a_new_job, a_worker_id
from tests.support.sql import SqlBackend, create_database

pytestmark = pytest.mark.servers

Opened = tuple[SqlBackend, asyncio.Runner]


@pytest.fixture(scope="module")
def opened(postgres_url: str) -> Iterator[Opened]:
    with asyncio.Runner() as runner:
        backend = SqlBackend(create_database(postgres_url))
        runner.run(backend.open())
        yield backend, runner
        runner.run(backend.close())


storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
tricky = st.text(alphabet="\"\\{},'NULnul \n\t%$é\U0001f600", max_size=12)
a_text = storable | tricky
a_moment = st.datetimes(timezones=st.just(UTC))
a_delay = st.timedeltas(min_value=timedelta(microseconds=1), max_value=MAX_DELAY)

progress = st.builds(Progress, percent=st.floats(0, 100), message=a_text, at=a_moment)


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    initial, max_backoff = sorted((draw(a_delay), draw(a_delay)))
    multiplier = draw(st.floats(1, 100))
    return RetryPolicy(initial=initial, max_backoff=max_backoff, multiplier=multiplier, jitter=draw(st.floats(0, 1)))


@st.composite
def jobs(draw: st.DrawFn) -> Job:
    return a_job(
        draw(st.sampled_from(JobState)),
        type=draw(a_text),
        priority=draw(st.sampled_from(Priority)),
        timeout=draw(st.timedeltas(timedelta(milliseconds=1), timedelta(hours=24))),
        retry_policy=draw(policies()),
        labels=draw(st.dictionaries(a_text, a_text, max_size=4)),
        created_at=draw(
            a_moment.filter(lambda at: datetime(2, 1, 1, tzinfo=UTC) < at < datetime(9000, 1, 1, tzinfo=UTC))
        ),
        last_error=draw(a_text),
    )


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(st.tuples(jobs(), st.none() | a_text), min_size=1, max_size=5))
def test_what_was_added_is_read_back_exactly(opened: Opened, batch: list[tuple[Job, str | None]]) -> None:
    backend, runner = opened
    runner.run(backend.repository.add_all([a_new_job(job, payload) for job, payload in batch]))
    details = runner.run(backend.repository.load_details([job.id for job, _ in batch]))
    assert {(entry.job.id, entry.payload) for entry in details.values()} == {
        (job.id, payload) for job, payload in batch
    }
    assert [details[job.id].job for job, _ in batch] == [job for job, _ in batch]
    assert {details[job.id].job.created_at.tzinfo for job, _ in batch} == {UTC}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=jobs(), after=jobs(), progress=st.none() | progress, result=a_text)
def test_what_was_changed_is_read_back_exactly(
    opened: Opened, before: Job, after: Job, progress: Progress | None, result: str
) -> None:
    backend, runner = opened
    runner.run(added(backend, before))
    changed = replace(
        after,
        id=before.id,
        type=before.type,
        priority=before.priority,
        timeout=before.timeout,
        retry_policy=before.retry_policy,
        labels=before.labels,
        created_at=before.created_at,
        version=before.version + 1,
        progress=progress,
    )
    change = replace(a_change(before, changed, result=result), ended=None)
    assert runner.run(backend.repository.apply([change])) == {before.id}
    details = runner.run(backend.repository.load_details([before.id]))[before.id]
    assert (details.job, details.result) == (changed, result)


@pytest.fixture
def emptied(opened: Opened) -> Opened:
    backend, runner = opened
    runner.run(backend.reset())
    backend.telemetry.faults.clear()
    return opened


CORRUPTIONS = {
    "more attempts than allowed": "attempts = 99",
    "labels that are no JSON": "labels = 'nonsense'",
    "labels that are no object": "labels = '7'",
    "a time limit of nothing": "timeout_us = 0",
    "an outcome that does not exist": "last_outcome = 'EXPLODED'",
    "a jitter out of range": "retry_jitter = 9.0",
    "progress beyond its end": "progress = 101, progress_message = '', progress_at = now()",
    "a backoff beyond any clock": "retry_max_backoff_us = 9223372036854775807",
}


@pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=CORRUPTIONS.keys())
def test_a_corrupt_row_is_left_out_and_reported_and_an_error_for_who_asks_for_that_job(
    emptied: Opened, corruption: str
) -> None:
    backend, runner = emptied
    bad, good = a_job(), a_job()
    runner.run(added(backend, bad, good))
    runner.run(backend.execute(f"UPDATE jobs SET {corruption} WHERE id = '{bad.id}'"))

    for read in (backend.repository.load, backend.repository.load_details):
        with pytest.raises(StoreRejectedError, match=f"the row of job {bad.id} is corrupt"):
            runner.run(read([bad.id], strict=True))
    assert backend.telemetry.faults == []

    assert runner.run(backend.repository.load([bad.id])) == {}
    assert [event for event, _ in backend.telemetry.faults] == [CORRUPT_ROW]
    backend.telemetry.faults.clear()
    assert runner.run(backend.repository.load([bad.id, good.id])) == {good.id: good}
    assert runner.run(backend.repository.load_details([bad.id, good.id])).keys() == {good.id}
    assert [event for event, _ in backend.telemetry.faults] == [CORRUPT_ROW] * 2


def test_no_sweep_stops_at_a_corrupt_row(emptied: Opened) -> None:
    backend, runner = emptied
    holder = a_worker_id()
    due = [a_job(JobState.RETRYING, run_at=NOW) for _ in range(3)]
    held = [a_job(JobState.RUNNING, worker_id=holder) for _ in range(3)]
    runner.run(added(backend, *due, *held))
    runner.run(backend.execute(f"UPDATE jobs SET attempts = 99 WHERE id IN ('{due[0].id}', '{held[0].id}')"))

    swept = runner.run(backend.sweeper.due(NOW + SECOND, 10))
    absent = runner.run(backend.sweeper.held_by_absent_workers(10))

    assert {job.id for job in swept} == {job.id for job in due[1:]}
    assert {job.id for job in absent} == {job.id for job in held[1:]}
    assert [event for event, _ in backend.telemetry.faults] == [CORRUPT_ROW] * 2


def test_a_list_goes_on_behind_a_corrupt_row(emptied: Opened) -> None:
    backend, runner = emptied
    stored = [a_job(created_at=NOW + number * SECOND) for number in range(5)]
    runner.run(added(backend, *stored))
    runner.run(backend.execute(f"UPDATE jobs SET attempts = 99 WHERE id = '{stored[3].id}'"))

    first = runner.run(backend.reader.list_jobs(JobFilter(), limit=2, after=None))
    second = runner.run(backend.reader.list_jobs(JobFilter(), limit=2, after=first.next))
    third = runner.run(backend.reader.list_jobs(JobFilter(), limit=2, after=second.next))

    assert [list(page.jobs) for page in (first, second, third)] == [[stored[4]], [stored[2], stored[1]], [stored[0]]]
    assert third.next is None


def test_a_corrupt_row_can_be_claimed_from_the_queue_only_as_an_id(emptied: Opened) -> None:
    backend, runner = emptied
    bad = a_job()
    runner.run(added(backend, bad))
    runner.run(backend.execute(f"UPDATE jobs SET attempts = 99 WHERE id = '{bad.id}'"))
    [entry] = runner.run(backend.sweeper.claimable(StrictOrder().plan(5, 0), types=[bad.type]))
    assert entry.job_id == bad.id


@pytest.mark.parametrize("column", ["state = 'LIMBO'", "priority = 'URGENT'", "shard = 8"])
def test_the_schema_itself_refuses_what_no_job_can_be(emptied: Opened, column: str) -> None:
    backend, runner = emptied
    runner.run(added(backend, a_job()))
    with pytest.raises(StoreRejectedError, match="23514"):
        runner.run(backend.transactions.execute(f"UPDATE jobs SET {column}".encode()))

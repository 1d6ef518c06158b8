"""JobRepository: find_taken, add_all, load and load_details."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.application.dto import JobDetails, JobFilter, NewJob, TakenName
from scheduler.application.errors import DuplicateJobsError, StoreRejectedError
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import JobState
from tests.support.backends import Run, StoreBackend
from tests.support.builders import (
    MICROSECOND,
    NOW,
    SECOND,
    a_change,
    a_job,
    a_job_id,
    a_new_job,
    a_trace,
    a_worker_id,
    an_op_id,
)

ODD_JSON = (
    '"a \\u0000 escape"',
    '"lone surrogates \\ud800 \\udfff"',
    "[1e400, -1e400, 1E-999, 123456789012345678901234567890, -0, 0.10]",
    '{"twice": 1, "twice": 2, "": null}',
    ' \n\t{ "spaces" :  "kept" }\r\n ',
    '"\U0001f600 e\u0301 \u2028 \x7f"',
    '"\\/ \\u00e9"',
    "null",
)


def stored_ids(run: Run, store: StoreBackend) -> set[object]:
    return {job.id for job in run(store.reader.list_jobs(JobFilter(), limit=1000, after=None)).jobs}


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.SCHEDULED])
def test_a_new_job_is_loaded_as_it_was_added(run: Run, store: StoreBackend, state: JobState) -> None:
    job = a_job(
        state,
        type="A.b_c:d-9",
        priority=Priority.CRITICAL,
        max_attempts=100,
        timeout=timedelta(hours=1, microseconds=1),
        retry_policy=RetryPolicy(
            initial=timedelta(microseconds=1), max_backoff=timedelta(days=366), multiplier=1.7, jitter=0.1
        ),
        request_hash="0123456789abcdef" * 4,
        idempotency_key="Schlüssel \U0001f511 'quoted' \\ %s",
        labels={"team": "billing", "größe": "µ=1,5", "empty": ""},
    )

    run(store.repository.add_all([a_new_job(job)]))

    assert run(store.repository.load([job.id])) == {job.id: job}


@pytest.mark.parametrize("microseconds", [0, 1, 999_999, 500_000, 123_456])
def test_times_are_kept_to_the_microsecond(run: Run, store: StoreBackend, microseconds: int) -> None:
    at = NOW.replace(microsecond=microseconds)
    job = a_job(created_at=at, updated_at=at + MICROSECOND, run_at=at - MICROSECOND, queued_at=at + 2 * MICROSECOND)

    run(store.repository.add_all([a_new_job(job)]))
    loaded = run(store.repository.load([job.id]))[job.id]

    assert (loaded.created_at, loaded.updated_at) == (job.created_at, job.updated_at)
    assert (loaded.run_at, loaded.queued_at) == (job.run_at, job.queued_at)
    assert loaded.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("payload", [None, *ODD_JSON])
def test_a_payload_is_kept_byte_for_byte(run: Run, store: StoreBackend, payload: str | None) -> None:
    job = a_job()

    run(store.repository.add_all([a_new_job(job, payload)]))

    assert run(store.repository.load_details([job.id])) == {job.id: JobDetails(job=job, payload=payload)}


def test_a_payload_of_one_mebibyte_is_kept(run: Run, store: StoreBackend) -> None:
    job = a_job()
    payload = '"' + "é" * (512 * 1024 - 1) + '"'

    run(store.repository.add_all([a_new_job(job, payload)]))

    assert run(store.repository.load_details([job.id]))[job.id].payload == payload


def test_a_job_keeps_the_trace_in_which_it_was_submitted(run: Run, store: StoreBackend) -> None:
    traces = [a_trace(), a_trace("vendor=1,other=a b"), None]
    news = [a_new_job(trace=trace) for trace in traces]

    run(store.repository.add_all(news))

    loaded = run(store.repository.load_details([new.job.id for new in news]))
    assert [loaded[new.job.id].trace for new in news] == traces


def test_adding_and_loading_nothing_is_fine(run: Run, store: StoreBackend) -> None:
    run(store.repository.add_all([]))

    assert run(store.repository.load([])) == {}
    assert run(store.repository.load_details([])) == {}
    assert list(run(store.repository.find_taken([], []))) == []


def test_loading_returns_the_jobs_that_exist(run: Run, store: StoreBackend) -> None:
    jobs = [a_job() for _ in range(3)]
    run(store.repository.add_all([a_new_job(job) for job in jobs]))

    wanted = [jobs[0].id, a_job_id(), jobs[2].id, jobs[0].id]

    assert run(store.repository.load(wanted)) == {jobs[0].id: jobs[0], jobs[2].id: jobs[2]}
    assert set(run(store.repository.load_details(wanted))) == {jobs[0].id, jobs[2].id}


def test_a_batch_of_a_thousand_is_stored(run: Run, store: StoreBackend) -> None:
    new = [a_new_job(a_job(labels={"n": str(n)}), str(n)) for n in range(1000)]

    run(store.repository.add_all(new))

    details = run(store.repository.load_details([each.job.id for each in new]))
    assert {job_id: (each.payload, each.job.labels) for job_id, each in details.items()} == {
        each.job.id: (each.payload, each.job.labels) for each in new
    }


def test_many_jobs_without_a_key_live_together(run: Run, store: StoreBackend) -> None:
    run(store.repository.add_all([a_new_job(), a_new_job()]))
    run(store.repository.add_all([a_new_job()]))

    assert len(stored_ids(run, store)) == 3


def refused(run: Run, store: StoreBackend, batch: list[NewJob]) -> None:
    before = stored_ids(run, store)

    with pytest.raises(DuplicateJobsError):
        run(store.repository.add_all(batch))

    assert stored_ids(run, store) == before


def test_a_taken_id_refuses_the_whole_batch(run: Run, store: StoreBackend) -> None:
    taken = a_new_job(payload="1")
    run(store.repository.add_all([taken]))

    refused(run, store, [a_new_job(), a_new_job(replace(taken.job, type="other")), a_new_job()])

    assert run(store.repository.load([taken.job.id])) == {taken.job.id: taken.job}


def test_a_taken_key_refuses_the_whole_batch(run: Run, store: StoreBackend) -> None:
    run(store.repository.add_all([a_new_job(a_job(idempotency_key="k", labels={"a": "b"}))]))

    refused(run, store, [a_new_job(), a_new_job(a_job(idempotency_key="k", labels={"a": "b"}))])

    by_label = run(store.reader.list_jobs(JobFilter(labels={"a": "b"}), limit=10, after=None))
    assert len(by_label.jobs) == 1


def test_an_id_twice_in_a_batch_refuses_it(run: Run, store: StoreBackend) -> None:
    job = a_job()

    refused(run, store, [a_new_job(job), a_new_job(), a_new_job(job)])


def test_a_key_twice_in_a_batch_refuses_it(run: Run, store: StoreBackend) -> None:
    refused(run, store, [a_new_job(a_job(idempotency_key="k")), a_new_job(a_job(idempotency_key="k"))])


def test_keys_differ_by_case_and_form(run: Run, store: StoreBackend) -> None:
    keys = ["key", "Key", "key ", "ké", "ke\u0301", ""]

    run(store.repository.add_all([a_new_job(a_job(idempotency_key=key)) for key in keys]))

    taken = run(store.repository.find_taken([], ["Key", "ke\u0301", ""]))
    assert {each.idempotency_key for each in taken} == {"Key", "ke\u0301", ""}


def test_a_repeated_add_is_refused_and_find_taken_shows_its_own_op(run: Run, store: StoreBackend) -> None:
    new = a_new_job(a_job(idempotency_key="k"))
    run(store.repository.add_all([new]))

    refused(run, store, [new])

    assert list(run(store.repository.find_taken([new.job.id], ["k"]))) == [taken(new)]


def taken(new: NewJob) -> TakenName:
    return TakenName(
        job_id=new.job.id,
        idempotency_key=new.job.idempotency_key,
        request_hash=new.job.request_hash,
        created_op_id=new.job.op_id,
    )


def test_find_taken_finds_by_id_and_by_key_and_nothing_else(run: Run, store: StoreBackend) -> None:
    by_id = a_new_job(a_job(request_hash="1" * 64))
    by_key = a_new_job(a_job(idempotency_key="mine", request_hash="2" * 64))
    other = a_new_job(a_job(idempotency_key="other"))
    run(store.repository.add_all([by_id, by_key, other]))

    found = run(store.repository.find_taken([by_id.job.id, a_job_id()], ["mine", "nobody's"]))

    assert sorted(found, key=lambda each: each.request_hash) == [taken(by_id), taken(by_key)]


def test_the_op_that_created_a_job_is_remembered_after_transitions(run: Run, store: StoreBackend) -> None:
    new = a_new_job()
    run(store.repository.add_all([new]))
    running = new.job.start(a_worker_id(), NOW + SECOND)
    run(store.repository.apply([a_change(new.job, running, op_id=an_op_id())]))

    assert list(run(store.repository.find_taken([new.job.id], []))) == [taken(new)]


UNSTORABLE = (
    a_new_job(payload='"a raw \0"'),
    a_new_job(payload='"a lone \ud800"'),
    a_new_job(a_job(labels={"k": "\0"})),
    a_new_job(a_job(idempotency_key="\0")),
)


@pytest.mark.parametrize("bad", UNSTORABLE, ids=["NUL", "surrogate", "label", "key"])
def test_data_that_cannot_be_stored_are_refused_with_their_batch(run: Run, store: StoreBackend, bad: NewJob) -> None:
    with pytest.raises(StoreRejectedError):
        run(store.repository.add_all([a_new_job(), bad, a_new_job()]))

    assert stored_ids(run, store) == set()

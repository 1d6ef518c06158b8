from datetime import datetime, timedelta, timezone

import pytest

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.job import first_version
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from tests.support.builders import MICROSECOND, NOW, SECOND, SubmissionFields, a_job_id, a_submission, an_op_id

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the very thing that is refused

REFUSED: list[tuple[str, SubmissionFields]] = [
    ("type", {"type": ""}),
    ("type", {"type": "x" * 129}),
    ("type", {"type": "with space"}),
    ("type", {"type": "a\n"}),
    ("type", {"type": "é"}),
    ("type", {"type": "a/b"}),
    ("type", {"type": "a\0"}),
    ("max_attempts", {"max_attempts": 0}),
    ("max_attempts", {"max_attempts": 101}),
    ("max_attempts", {"max_attempts": -1}),
    ("timeout", {"timeout": timedelta(0)}),
    ("timeout", {"timeout": timedelta(microseconds=999)}),
    ("timeout", {"timeout": timedelta(hours=24, microseconds=1)}),
    ("run_at", {"run_at": NAIVE}),
    ("payload", {"payload": ""}),
    ("payload", {"payload": "{"}),
    ("payload", {"payload": '"a\0b"'}),
    ("idempotency_key", {"idempotency_key": "k\0"}),
    ("idempotency_key", {"idempotency_key": "k" * 257}),
    ("idempotency_key", {"idempotency_key": "é" * 128 + "x"}),
    ("idempotency_key", {"idempotency_key": "\ud800"}),
    ("labels", {"labels": {f"k{n}": "" for n in range(33)}}),
    ("labels", {"labels": {"": "v"}}),
    ("labels", {"labels": {"k" * 64: "v"}}),
    ("labels", {"labels": {"é" * 32: "v"}}),
    ("labels", {"labels": {"k\0": "v"}}),
    ("labels", {"labels": {"\udfff": "v"}}),
    ("labels[team]", {"labels": {"team": "v" * 257}}),
    ("labels[team]", {"labels": {"team": "\0"}}),
    ("labels[team]", {"labels": {"a": "b", "team": "\ud800"}}),
]


@pytest.mark.parametrize(("field", "fields"), REFUSED)
def test_a_broken_rule_names_its_field(field: str, fields: SubmissionFields) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        a_submission(**fields)

    assert refusal.value.field == field
    assert str(refusal.value) == f"{field}: {refusal.value.reason}"


ACCEPTED: list[SubmissionFields] = [
    {"type": "x" * 128},
    {"type": "AZaz09_.:-"},
    {"max_attempts": 1},
    {"max_attempts": 100},
    {"timeout": timedelta(milliseconds=1)},
    {"timeout": timedelta(hours=24)},
    {"idempotency_key": "é" * 128},
    {"idempotency_key": " any text\n"},
    {"labels": {f"k{n}": "" for n in range(32)}},
    {"labels": {"k" * 63: "v" * 256}},
    {"payload": "null"},
]


@pytest.mark.parametrize("fields", ACCEPTED)
def test_the_limits_themselves_are_allowed(fields: SubmissionFields) -> None:
    job = a_submission(**fields).accept(a_job_id(), an_op_id(), NOW, 0)

    assert job.state is JobState.QUEUED


def test_the_defaults_are_three_attempts_and_five_minutes() -> None:
    submission = a_submission()

    assert (submission.max_attempts, submission.timeout) == (3, timedelta(minutes=5))
    assert submission.retry_policy == RetryPolicy()


def test_an_accepted_job_is_what_was_asked_for() -> None:
    policy = RetryPolicy(initial=SECOND * 2, jitter=0.0)
    submission = a_submission(
        type="t",
        priority=Priority.LOW,
        idempotency_key="k",
        max_attempts=7,
        timeout=SECOND,
        retry_policy=policy,
        labels={"a": "b"},
    )
    job_id, op_id = a_job_id(), an_op_id()

    job = submission.accept(job_id, op_id, NOW, 0)

    assert (job.id, job.op_id, job.type, job.priority, job.idempotency_key) == (job_id, op_id, "t", Priority.LOW, "k")
    assert (job.max_attempts, job.timeout, job.retry_policy, job.labels) == (7, SECOND, policy, {"a": "b"})
    assert (job.version, job.attempts, job.losses) == (first_version(NOW), 0, 0)
    assert (job.created_at, job.updated_at, job.run_at) == (NOW, NOW, NOW)
    assert job.request_hash == submission.request_hash


def test_a_batch_keeps_its_order_in_the_queue() -> None:
    jobs = [a_submission().accept(a_job_id(), an_op_id(), NOW, index) for index in range(3)]

    assert [job.queued_at for job in jobs] == [NOW, NOW + MICROSECOND, NOW + 2 * MICROSECOND]


@pytest.mark.parametrize("run_at", [None, NOW, NOW - timedelta(days=400)])
def test_no_time_and_a_past_time_mean_now(run_at: datetime | None) -> None:
    job = a_submission(run_at=run_at).accept(a_job_id(), an_op_id(), NOW, 4)

    assert (job.state, job.run_at, job.queued_at) == (JobState.QUEUED, NOW, NOW + 4 * MICROSECOND)


def test_a_future_time_waits_outside_the_queue() -> None:
    job = a_submission(run_at=NOW + MICROSECOND).accept(a_job_id(), an_op_id(), NOW, 4)

    assert (job.state, job.run_at, job.queued_at) == (JobState.SCHEDULED, NOW + MICROSECOND, None)


OTHER_CONTENT: list[SubmissionFields] = [
    {"type": "other"},
    {"priority": Priority.HIGH},
    {"payload": None},
    {"payload": "[ ]"},
    {"payload": '"none"'},
    {"max_attempts": 4},
    {"timeout": SECOND},
    {"retry_policy": RetryPolicy(initial=2 * SECOND)},
    {"retry_policy": RetryPolicy(max_backoff=2 * SECOND)},
    {"retry_policy": RetryPolicy(multiplier=3.0)},
    {"retry_policy": RetryPolicy(jitter=0.3)},
    {"labels": {}},
    {"labels": {"a": "b", "c": ""}},
    {"labels": {"a": "bc"}},
    {"labels": {"ab": "c"}},
]
CONTENT: SubmissionFields = {"payload": "[]", "labels": {"a": "b", "c": "d"}}


def of(fields: SubmissionFields) -> Submission:
    content: SubmissionFields = {**CONTENT, **fields}
    return a_submission(**content)


def test_equal_content_has_an_equal_hash_whatever_its_names() -> None:
    reordered = a_submission(payload="[]", labels={"c": "d", "a": "b"}, idempotency_key="k")

    assert of({}).request_hash == of({}).request_hash == reordered.request_hash
    assert len(of({}).request_hash) == 64


def test_each_field_of_the_content_changes_the_hash() -> None:
    hashes = [of({}).request_hash, *(of(fields).request_hash for fields in OTHER_CONTENT)]

    assert len(set(hashes)) == len(hashes)


def test_the_time_is_no_part_of_the_content() -> None:
    assert of({"run_at": NOW}).request_hash == of({"run_at": NOW + MICROSECOND}).request_hash == of({}).request_hash


def test_the_hash_of_a_job_without_a_time_is_that_of_earlier_versions() -> None:
    assert of({}).request_hash == "7be201da8959d4d2ee2482f5d91d344b6e864e521eb7fe37f7d417615813e9b4"


def test_a_hash_that_an_earlier_version_made_with_the_time_is_known_for_that_moment_in_every_time_zone() -> None:
    made = "303a48283871008e9aafb3c5ffdc57f829e38ef8cf75263386dc9ea410a54b55"
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))

    assert of({"run_at": NOW}).has_hash(made)
    assert of({"run_at": elsewhere}).has_hash(made)
    assert not of({"run_at": NOW + MICROSECOND}).has_hash(made)
    assert not of({}).has_hash(made)

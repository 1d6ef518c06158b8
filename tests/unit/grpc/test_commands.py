import math
from collections.abc import Callable
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from scheduler.adapters.grpc import commands
from scheduler.adapters.grpc.client_mapping import ended_filter, job_message, list_request
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.submission import Submission
from tests.unit.grpc.strategies import JOB_IDS, ended_filters, job_filters, submissions

ID = "3f2b8c1e-0d4a-4c6b-9a7e-1f2d3c4b5a69"


def a_job_message(**fields: object) -> pb.Job:
    message = pb.Job(type="email.send", priority=pb.PRIORITY_HIGH)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def changed(change: Callable[[pb.Job], object]) -> pb.Job:
    message = a_job_message()
    change(message)
    return message


def refused(message: pb.Job, path: str = "job") -> InvalidFieldError:
    with pytest.raises(InvalidFieldError) as caught:
        commands.submit_command(message, path)
    return caught.value


@given(submissions(), st.none() | JOB_IDS)
def test_a_submission_survives_the_wire(submission: Submission, job_id: JobId | None) -> None:
    command = SubmitCommand(submission=submission, job_id=job_id)
    message = pb.Job.FromString(job_message(command).SerializeToString())
    assert commands.submit_command(message, "job") == command


@given(job_filters())
def test_a_filter_survives_the_wire(job_filter: JobFilter) -> None:
    request = list_request(job_filter, page_size=7, page_token="t")
    assert commands.job_filter(pb.ListJobsRequest.FromString(request.SerializeToString())) == job_filter
    assert (request.page_size, request.page_token) == (7, "t")


@given(ended_filters())
def test_the_filter_of_a_bulk_request_survives_the_wire(job_filter: EndedFilter) -> None:
    message = pb.JobFilter.FromString(ended_filter(job_filter).SerializeToString())
    assert commands.ended_filter(message) == job_filter


def test_a_fingerprint_is_read_in_either_case() -> None:
    assert commands.fingerprint("ABCDEF0123456789") == "abcdef0123456789"


def test_what_a_client_leaves_out_has_the_defaults_of_the_contract() -> None:
    command = commands.submit_command(a_job_message(), "job")
    assert command.job_id is None
    assert command.submission == Submission(
        type="email.send",
        priority=Priority.HIGH,
        payload=None,
        idempotency_key=None,
        max_attempts=3,
        timeout=timedelta(seconds=300),
        retry_policy=RetryPolicy(
            initial=timedelta(seconds=1), max_backoff=timedelta(minutes=5), multiplier=2, jitter=0.2
        ),
        labels={},
        run_at=None,
    )


def test_a_retry_policy_keeps_the_defaults_of_what_it_leaves_out() -> None:
    message = changed(lambda job: job.retry_policy.CopyFrom(pb.RetryPolicy(jitter=0)))
    assert commands.submit_command(message, "job").submission.retry_policy == RetryPolicy(jitter=0)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (a_job_message(type=""), "job.type"),
        (a_job_message(type="a" * 129), "job.type"),
        (a_job_message(type="a b"), "job.type"),
        (a_job_message(type="a\0"), "job.type"),
        (a_job_message(priority=0), "job.priority"),
        (a_job_message(priority=5), "job.priority"),
        (a_job_message(priority=-1), "job.priority"),
        (a_job_message(payload_json="{"), "job.payload_json"),
        (a_job_message(payload_json="NaN"), "job.payload_json"),
        (a_job_message(payload_json='"\0"'), "job.payload_json"),
        (a_job_message(payload_json="[" * 201 + "]" * 201), "job.payload_json"),
        (a_job_message(payload_json=f'"{"x" * 1024 * 1024}"'), "job.payload_json"),
        (a_job_message(idempotency_key="k" * 257), "job.idempotency_key"),
        (a_job_message(idempotency_key="k\0"), "job.idempotency_key"),
        (a_job_message(max_attempts=-1), "job.max_attempts"),
        (a_job_message(max_attempts=101), "job.max_attempts"),
        (a_job_message(job_id="nonsense"), "job.job_id"),
        (a_job_message(job_id=f"{{{ID}}}"), "job.job_id"),
        (a_job_message(job_id=ID.replace("-", "")), "job.job_id"),
        (a_job_message(job_id=f"{ID[:-1]}_"), "job.job_id"),
        (a_job_message(job_id=f"{ID}\n"), "job.job_id"),
        (a_job_message(job_id=f"{ID}\0"), "job.job_id"),
        (changed(lambda job: job.timeout.CopyFrom(Duration())), "job.timeout"),
        (changed(lambda job: job.timeout.CopyFrom(Duration(nanos=999_999))), "job.timeout"),
        (changed(lambda job: job.timeout.CopyFrom(Duration(seconds=-1))), "job.timeout"),
        (changed(lambda job: job.timeout.CopyFrom(Duration(seconds=86_401))), "job.timeout"),
        (changed(lambda job: job.timeout.CopyFrom(Duration(seconds=1, nanos=-1))), "job.timeout"),
        (changed(lambda job: job.run_at.CopyFrom(Timestamp(nanos=-1))), "job.run_at"),
        (changed(lambda job: job.run_at.CopyFrom(Timestamp(seconds=2**62))), "job.run_at"),
        (changed(lambda job: job.labels.update({"": "v"})), "job.labels"),
        (changed(lambda job: job.labels.update({"k" * 64: "v"})), "job.labels"),
        (changed(lambda job: job.labels.update({"k\0": "v"})), "job.labels"),
        (changed(lambda job: job.labels.update({"k": "v" * 257})), "job.labels[k]"),
        (changed(lambda job: job.labels.update({"k": "\0"})), "job.labels[k]"),
        (changed(lambda job: job.labels.update({str(n): "" for n in range(33)})), "job.labels"),
        (changed(lambda job: job.retry_policy.initial.CopyFrom(Duration())), "job.retry_policy.initial"),
        (changed(lambda job: job.retry_policy.initial.CopyFrom(Duration(nanos=-1))), "job.retry_policy.initial"),
        (changed(lambda job: job.retry_policy.initial.CopyFrom(Duration(nanos=10**9))), "job.retry_policy.initial"),
        (changed(lambda job: job.retry_policy.max.CopyFrom(Duration(nanos=1_000))), "job.retry_policy.max"),
        (changed(lambda job: job.retry_policy.max.CopyFrom(Duration(nanos=10**9))), "job.retry_policy.max"),
        (changed(lambda job: setattr(job.retry_policy, "multiplier", 0.5)), "job.retry_policy.multiplier"),
        (changed(lambda job: setattr(job.retry_policy, "multiplier", math.nan)), "job.retry_policy.multiplier"),
        (changed(lambda job: setattr(job.retry_policy, "jitter", 1.5)), "job.retry_policy.jitter"),
        (changed(lambda job: setattr(job.retry_policy, "jitter", -0.5)), "job.retry_policy.jitter"),
    ],
)
def test_a_broken_rule_is_told_by_the_name_of_the_wires_field(message: pb.Job, field: str) -> None:
    assert refused(message).field == field


@pytest.mark.parametrize(
    "message",
    [
        a_job_message(type="a" * 128),
        a_job_message(payload_json="[" * 200 + "]" * 200),
        a_job_message(payload_json=f'"{"x" * (1024 * 1024 - 2)}"'),
        a_job_message(idempotency_key="k" * 256),
        a_job_message(max_attempts=100),
        a_job_message(job_id=ID.upper()),
        changed(lambda job: job.timeout.CopyFrom(Duration(nanos=1_000_000))),
        changed(lambda job: job.timeout.CopyFrom(Duration(seconds=86_400))),
        changed(lambda job: job.labels.update({"k" * 63: "v" * 256})),
        changed(lambda job: job.labels.update({str(n): "" for n in range(32)})),
    ],
)
def test_what_lies_just_within_the_limits_is_accepted(message: pb.Job) -> None:
    assert commands.submit_command(message, "job").submission.type == message.type


def test_a_batch_names_the_position_of_what_is_wrong() -> None:
    request = pb.SubmitJobsRequest(jobs=[a_job_message(), a_job_message(max_attempts=101)])
    with pytest.raises(InvalidFieldError) as caught:
        list(commands.batch_submit(request))
    assert caught.value.field == "jobs[1].max_attempts"


def test_a_submit_without_a_job_is_refused() -> None:
    with pytest.raises(InvalidFieldError) as caught:
        list(commands.single_submit(pb.SubmitJobRequest()))
    assert caught.value.field == "job"


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_of_none_or_too_many_jobs_is_refused(count: int) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        list(commands.batch_submit(pb.SubmitJobsRequest(jobs=[a_job_message()] * count)))
    assert caught.value.field == "jobs"


def test_a_batch_may_hold_a_thousand_jobs_of_four_mebibytes() -> None:
    jobs = [a_job_message(payload_json=f'"{"x" * 4096}"') for _ in range(1000)]
    request = pb.SubmitJobsRequest(jobs=jobs)
    assert request.ByteSize() < 4 * 1024 * 1024
    assert len(list(commands.batch_submit(request))) == 1000


@pytest.mark.parametrize(("text", "reason"), [("", "is required"), ("7", "must be a UUID")])
def test_an_id_is_required_and_a_uuid(text: str, reason: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        commands.job_id(text)
    assert (caught.value.field, caught.value.reason) == ("job_id", reason)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListJobsRequest(type_filter="a\0"), "type_filter"),
        (pb.ListJobsRequest(label_filter={"k\0": "v"}), "label_filter"),
        (pb.ListJobsRequest(label_filter={"k": "\0"}), "label_filter[k]"),
        (pb.ListJobsRequest(label_filter={str(n): "" for n in range(33)}), "label_filter"),
        (pb.ListJobsRequest(created_after=Timestamp(nanos=-1)), "created_after"),
        (pb.ListJobsRequest(created_before=Timestamp(nanos=-1)), "created_before"),
    ],
)
def test_a_filter_that_cannot_be_used_is_refused(request_: pb.ListJobsRequest, field: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        commands.job_filter(request_)
    assert caught.value.field == field


@pytest.mark.parametrize("field", ["state_filter", "priority_filter"])
def test_a_filter_by_a_number_without_a_name_is_refused(field: str) -> None:
    request = pb.ListJobsRequest()
    setattr(request, field, 99)
    with pytest.raises(InvalidFieldError) as caught:
        commands.job_filter(request)
    assert caught.value.field == field


def test_a_requeue_keeps_the_payload_when_it_names_none_or_an_empty_one() -> None:
    assert next(commands.requeue(pb.RequeueJobRequest())) == {"payload": None, "expected_version": 0}
    assert next(commands.requeue(pb.RequeueJobRequest(payload_json=""))) == {"payload": None, "expected_version": 0}
    assert next(commands.requeue(pb.RequeueJobRequest(payload_json="1", expected_version=7))) == {
        "payload": "1",
        "expected_version": 7,
    }


def test_negative_versions_are_refused() -> None:
    with pytest.raises(InvalidFieldError, match=r"^expected_version: "):
        next(commands.requeue(pb.RequeueJobRequest(expected_version=-1)))
    with pytest.raises(InvalidFieldError, match=r"^after_version: "):
        commands.after_version(pb.WatchJobRequest(after_version=-1))


def test_a_watch_begins_with_the_current_state_unless_told_otherwise() -> None:
    assert commands.after_version(pb.WatchJobRequest()) is None
    assert commands.after_version(pb.WatchJobRequest(after_version=7)) == 7

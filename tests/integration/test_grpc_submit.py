import uuid

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.domain.state import JobState
from tests.integration.grpc_refusals import bad_fields, details, refusal
from tests.integration.grpc_tools import FIRST, Api, a_job_message, over_loopback, submitted, until

NO_JOBS = pb.ListJobsRequest()


async def stored(api: Api) -> int:
    return len((await api.stub.ListJobs(NO_JOBS)).jobs)


@over_loopback
async def test_a_submitted_job_can_be_read_as_it_was_submitted(api: Api) -> None:
    job = a_job_message(payload_json='{ "a":1 }', max_attempts=7)
    job.labels["team"] = "a"
    response = await api.stub.SubmitJob(pb.SubmitJobRequest(job=job))
    status = await api.stub.GetJob(pb.GetJobRequest(job_id=response.job_id))
    assert response.created
    assert uuid.UUID(status.job_id).version == 4
    assert (status.state, status.type, status.priority) == (pb.JOB_STATE_QUEUED, "email.send", pb.PRIORITY_HIGH)
    assert (status.payload_json, status.max_attempts, dict(status.labels)) == ('{ "a":1 }', 7, {"team": "a"})
    assert (status.version, status.attempts, status.worker_id) == (FIRST, 0, "")
    assert status.created_at.ToDatetime(api.clock.now().tzinfo) == api.clock.now()


@over_loopback
async def test_a_job_for_later_is_scheduled_and_one_for_earlier_is_due_now(api: Api) -> None:
    later, earlier = a_job_message(), a_job_message()
    later.run_at.FromDatetime(api.clock.now().replace(year=2100))
    earlier.run_at.FromDatetime(api.clock.now().replace(year=1999))
    response = await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[later, earlier]))
    states = [(await api.job(result.job_id)).state for result in response.results]
    assert states == [JobState.SCHEDULED, JobState.QUEUED]


@over_loopback
async def test_a_repeated_submit_answers_with_the_existing_job(api: Api) -> None:
    request = pb.SubmitJobRequest(job=a_job_message(idempotency_key="order-7"))
    first = await api.stub.SubmitJob(request)
    again = await api.stub.SubmitJob(request)
    assert (again.job_id, first.created, again.created) == (first.job_id, True, False)


@pytest.mark.parametrize("name", ["job_id", "idempotency_key"])
@over_loopback
async def test_a_name_that_is_taken_by_other_content_is_a_mismatch(api: Api, name: str) -> None:
    names = {name: str(uuid.uuid4())}
    job_id = await submitted(api, **names)
    error = await refusal(submitted(api, **names, payload_json="1"))
    info = details(error, ErrorInfo)
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert (info.reason, info.domain, info.metadata["job_id"]) == ("IDEMPOTENCY_MISMATCH", "scheduler.v1", job_id)


@over_loopback
async def test_in_a_batch_the_first_of_a_repeated_name_creates(api: Api) -> None:
    job = a_job_message(idempotency_key="order-7")
    response = await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[job, a_job_message(), job]))
    first, other, again = response.results
    assert [first.created, other.created, again.created] == [True, True, False]
    assert (first.job_id == again.job_id, first.job_id == other.job_id) == (True, False)
    assert await stored(api) == 2


@over_loopback
async def test_a_mismatch_inside_a_batch_leaves_nothing_stored_and_names_its_position(api: Api) -> None:
    jobs = [a_job_message(), a_job_message(idempotency_key="k"), a_job_message(idempotency_key="k", payload_json="1")]
    error = await refusal(api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=jobs)))
    assert details(error, ErrorInfo).metadata["index"] == "2"
    assert await stored(api) == 0


@over_loopback
async def test_a_batch_with_one_wrong_job_leaves_nothing_stored(api: Api) -> None:
    jobs = [a_job_message(), a_job_message(priority=0)]
    error = await refusal(api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=jobs)))
    assert bad_fields(error) == ["jobs[1].priority"]
    assert await stored(api) == 0


@pytest.mark.parametrize("count", [0, 1001])
@over_loopback
async def test_a_batch_of_none_or_too_many_jobs_is_refused(api: Api, count: int) -> None:
    error = await refusal(api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message()] * count)))
    assert bad_fields(error) == ["jobs"]


@over_loopback
async def test_a_batch_of_a_thousand_jobs_is_stored_in_order(api: Api) -> None:
    response = await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message()] * 1000))
    places = [str((await api.job(result.job_id)).queued_at) for result in response.results]
    assert places == sorted(set(places))
    assert all(result.created for result in response.results)


@over_loopback
async def test_a_batch_above_four_mebibytes_is_told_so_and_one_above_eight_is_not_even_read(api: Api) -> None:
    large = a_job_message(payload_json=f'"{"x" * 1_000_000}"')
    error = await refusal(api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[large] * 5)))
    unread = await refusal(api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[large] * 9)))
    assert bad_fields(error) == ["jobs"]
    assert unread.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await stored(api) == 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"type": ""}, "job.type"),
        ({"type": "no spaces"}, "job.type"),
        ({"priority": 0}, "job.priority"),
        ({"priority": 17}, "job.priority"),
        ({"payload_json": "{'a': 1}"}, "job.payload_json"),
        ({"max_attempts": 101}, "job.max_attempts"),
        ({"max_attempts": -1}, "job.max_attempts"),
        ({"job_id": "42"}, "job.job_id"),
        ({"idempotency_key": "a\0b"}, "job.idempotency_key"),
    ],
)
@over_loopback
async def test_a_broken_rule_is_an_invalid_argument_that_names_the_field(
    api: Api, fields: dict[str, object], named: str
) -> None:
    assert bad_fields(await refusal(submitted(api, **fields))) == [named]
    assert api.rpcs.ended == [("SubmitJob", "INVALID_ARGUMENT")]


@over_loopback
async def test_each_refused_submit_is_counted_once(api: Api) -> None:
    await refusal(submitted(api, type=""))
    await refusal(api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message(type="")] * 2)))
    assert api.telemetry.submit_errors == ["InvalidFieldError"] * 2
    await submitted(api, idempotency_key="k")
    await refusal(submitted(api, idempotency_key="k", payload_json="1"))
    assert api.telemetry.submit_errors[2:] == ["IdempotencyMismatchError"]


@over_loopback
async def test_a_submit_without_a_job_is_refused(api: Api) -> None:
    assert bad_fields(await refusal(api.stub.SubmitJob(pb.SubmitJobRequest()))) == ["job"]


@over_loopback
async def test_without_the_store_a_submit_is_unavailable_and_says_when_to_try_again(api: Api) -> None:
    api.store_switch.off()
    error = await refusal(submitted(api, idempotency_key="k"))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert details(error, RetryInfo).retry_delay.ToTimedelta().total_seconds() > 0
    assert "switched off" not in (error.details() or "")
    assert [event for event, _ in api.telemetry.faults] == ["rpc_refused"]
    api.store_switch.on()
    assert await stored(api) == 0


@over_loopback
async def test_without_the_queue_a_submit_is_acknowledged_all_the_same(api: Api) -> None:
    api.queue_switch.off()
    job_id = await submitted(api)
    assert (await api.job(job_id)).state is JobState.QUEUED


@over_loopback
async def test_a_client_that_runs_out_of_time_can_repeat_its_submit(api: Api) -> None:
    api.gate.guard(api.store.repository, "add_all")
    api.gate.shut()
    request = pb.SubmitJobRequest(job=a_job_message(job_id=str(uuid.uuid4())))
    call = api.stub.SubmitJob(request, timeout=2)
    await until(lambda: api.gate.waiting == 1)
    assert (await refusal(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: api.rpcs.gave_up("SubmitJob"))
    api.gate.open()
    again = await api.stub.SubmitJob(request)
    assert (again.job_id, again.created) == (request.job.job_id, False)
    assert await stored(api) == 1

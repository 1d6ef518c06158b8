import asyncio
from collections.abc import Mapping, Sequence

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure, ResourceInfo, RetryInfo

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application.deadline import remaining_seconds
from scheduler.application.dto import JobDetails
from scheduler.domain.ids import JobId
from scheduler.domain.state import JobState
from tests.integration.grpc_refusals import bad_fields, details, refusal
from tests.integration.grpc_tools import FIRST, Api, over_loopback, submitted, until

NOBODY = "c0ffee00-0000-4000-8000-000000000000"
ONE_JOB_CALLS = {
    "GetJob": pb.GetJobRequest,
    "CancelJob": pb.CancelJobRequest,
    "RequeueJob": pb.RequeueJobRequest,
    "ListAttempts": pb.ListAttemptsRequest,
}


@pytest.mark.parametrize("method", sorted(ONE_JOB_CALLS))
@pytest.mark.parametrize("job_id", ["", "42", "{" + NOBODY + "}", NOBODY + "\0"])
@over_loopback
async def test_an_id_that_is_no_uuid_is_refused(api: Api, method: str, job_id: str) -> None:
    error = await refusal(getattr(api.stub, method)(ONE_JOB_CALLS[method](job_id=job_id)))
    assert bad_fields(error) == ["job_id"]


@pytest.mark.parametrize("method", sorted(ONE_JOB_CALLS))
@over_loopback
async def test_a_job_that_does_not_exist_is_not_found(api: Api, method: str) -> None:
    error = await refusal(getattr(api.stub, method)(ONE_JOB_CALLS[method](job_id=NOBODY)))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert details(error, ResourceInfo).resource_name == NOBODY
    assert api.rpcs.ended == [(method, "NOT_FOUND")]


@pytest.mark.parametrize("method", [*sorted(ONE_JOB_CALLS), "ListJobs", "GetQueueStats"])
@over_loopback
async def test_without_the_store_every_call_is_unavailable(api: Api, method: str) -> None:
    requests = {"ListJobs": pb.ListJobsRequest(), "GetQueueStats": pb.GetQueueStatsRequest()}
    request = requests.get(method) or ONE_JOB_CALLS[method](job_id=NOBODY)
    api.store_switch.off()
    error = await refusal(getattr(api.stub, method)(request))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert details(error, RetryInfo).HasField("retry_delay")


@over_loopback
async def test_a_succeeded_job_shows_its_result(api: Api) -> None:
    job_id = await submitted(api)
    running = await api.start(job_id)
    await api.succeed(job_id, result='{"sent": 1}')
    status = await api.stub.GetJob(pb.GetJobRequest(job_id=job_id))
    assert (status.state, status.result_json, status.worker_id) == (
        pb.JOB_STATE_SUCCEEDED,
        '{"sent": 1}',
        str(running.worker_id),
    )
    assert (status.version, status.attempts) == (FIRST + 2, 1)


@over_loopback
async def test_cancel_tells_whether_the_job_is_cancelled_now(api: Api) -> None:
    waiting, succeeded = await submitted(api), await submitted(api)
    await api.start(succeeded)
    await api.succeed(succeeded)
    answers = [await api.stub.CancelJob(pb.CancelJobRequest(job_id=job)) for job in (waiting, waiting, succeeded)]
    assert [answer.cancelled for answer in answers] == [True, True, False]
    assert (await api.job(waiting)).version == FIRST + 1


@over_loopback
async def test_a_cancel_goes_on_when_its_client_gives_up(api: Api) -> None:
    job_id = await submitted(api)
    api.gate.shut()
    call = api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    await until(lambda: api.gate.waiting == 1)
    call.cancel()
    await until(lambda: ("CancelJob", "CANCELLED") in api.rpcs.ended)
    api.gate.open()
    await until(lambda: api.gate.waiting == 0)
    await asyncio.sleep(0)
    assert (await api.job(job_id)).state is JobState.CANCELLED


@over_loopback
async def test_a_cancel_that_outlasts_its_deadline_is_not_left_half_done(api: Api) -> None:
    job_id = await submitted(api, idempotency_key="k")
    await api.start(job_id)
    api.gate.shut()
    call = api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id), timeout=2)
    await until(lambda: api.gate.waiting == 1)
    assert (await refusal(call)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: api.rpcs.gave_up("CancelJob"))
    api.gate.open()
    await until(lambda: api.gate.waiting == 0)
    status = await api.stub.GetJob(pb.GetJobRequest(job_id=job_id))
    attempts = (await api.stub.ListAttempts(pb.ListAttemptsRequest(job_id=job_id))).attempts
    assert status.state == pb.JOB_STATE_CANCELLED
    assert [attempt.outcome for attempt in attempts] == [pb.ATTEMPT_OUTCOME_CANCELLED]


@over_loopback
async def test_an_ended_job_is_requeued_with_its_payload_or_a_new_one(api: Api) -> None:
    job_id = await submitted(api, payload_json="1")
    for payload, expected in (("", "1"), ("2", "2")):
        await api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
        version = (await api.job(job_id)).version
        answer = await api.stub.RequeueJob(
            pb.RequeueJobRequest(job_id=job_id, payload_json=payload, expected_version=version)
        )
        status = await api.stub.GetJob(pb.GetJobRequest(job_id=job_id))
        assert (answer.version, answer.state) == (version + 1, pb.JOB_STATE_QUEUED)
        assert status.payload_json == expected


@over_loopback
async def test_a_job_that_has_not_ended_cannot_be_requeued(api: Api) -> None:
    job_id = await submitted(api)
    error = await refusal(api.stub.RequeueJob(pb.RequeueJobRequest(job_id=job_id)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert details(error, PreconditionFailure).violations[0].type == "STATE"
    assert details(error, ErrorInfo).metadata["state"] == "QUEUED"


@over_loopback
async def test_a_requeue_of_another_version_than_expected_is_refused(api: Api) -> None:
    job_id = await submitted(api)
    await api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    error = await refusal(api.stub.RequeueJob(pb.RequeueJobRequest(job_id=job_id, expected_version=FIRST)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert details(error, ErrorInfo).metadata["version"] == str(FIRST + 1)


@pytest.mark.parametrize(
    ("fields", "named"), [({"payload_json": "{"}, "payload_json"), ({"expected_version": -1}, "expected_version")]
)
@over_loopback
async def test_a_requeue_that_breaks_a_rule_names_the_field(api: Api, fields: dict[str, object], named: str) -> None:
    request = pb.RequeueJobRequest(job_id=await submitted(api))
    for name, value in fields.items():
        setattr(request, name, value)
    assert bad_fields(await refusal(api.stub.RequeueJob(request))) == [named]


@over_loopback
async def test_the_history_holds_every_attempt_and_the_running_one(api: Api) -> None:
    job_id = await submitted(api)
    await api.start(job_id)
    await api.fail(job_id)
    await api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id))
    await api.stub.RequeueJob(pb.RequeueJobRequest(job_id=job_id))
    await api.start(job_id)
    attempts = (await api.stub.ListAttempts(pb.ListAttemptsRequest(job_id=job_id))).attempts
    assert [(attempt.fence, attempt.number, attempt.outcome, attempt.error) for attempt in attempts] == [
        (FIRST + 1, 1, pb.ATTEMPT_OUTCOME_RETRY, "broken"),
        (FIRST + 5, 1, pb.ATTEMPT_OUTCOME_RUNNING, ""),
    ]
    assert [attempt.HasField("finished_at") for attempt in attempts] == [True, False]


@over_loopback
async def test_queue_stats_count_what_waits_and_runs(api: Api) -> None:
    await submitted(api)
    await submitted(api, priority=pb.PRIORITY_LOW)
    await api.start(await submitted(api))
    stats = await api.stub.GetQueueStats(pb.GetQueueStatsRequest())
    depths = {queue.priority: queue.depth for queue in stats.queues}
    assert list(depths.items()) == [
        (pb.PRIORITY_CRITICAL, 0),
        (pb.PRIORITY_HIGH, 1),
        (pb.PRIORITY_DEFAULT, 0),
        (pb.PRIORITY_LOW, 1),
    ]
    assert (stats.processing, stats.scheduled, stats.retrying, stats.dead_letters) == (1, 0, 0, 0)


@pytest.mark.parametrize(("seconds", "least", "most"), [(4.0, 0, 5), (None, 5, 10), (600.0, 10, 30)])
@over_loopback
async def test_a_call_may_take_as_long_as_its_client_waits_within_bounds(
    api: Api, seconds: float | None, least: float, most: float
) -> None:
    seen: list[float] = []

    async def load(ids: Sequence[JobId], *, strict: bool = False) -> Mapping[JobId, JobDetails]:
        seen.append(remaining_seconds())
        return {}

    api.store.repository.load_details = load  # type: ignore[method-assign] # tells what it was given
    await refusal(api.stub.GetJob(pb.GetJobRequest(job_id=NOBODY), timeout=seconds))
    assert least < seen[0] <= most

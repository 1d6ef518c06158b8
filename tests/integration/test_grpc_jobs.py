import asyncio
import uuid

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, PreconditionFailure, ResourceInfo, RetryInfo

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.domain.state import JobState
from tests.integration.grpc_tools import (
    Api,
    a_job_message,
    bad_fields,
    details,
    over_loopback,
    refusal,
    submitted,
    until,
)
from tests.support.builders import SECOND

NOBODY = str(uuid.uuid4())
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
    assert (status.version, status.attempts) == (3, 1)


@over_loopback
async def test_cancel_tells_whether_the_job_is_cancelled_now(api: Api) -> None:
    waiting, succeeded = await submitted(api), await submitted(api)
    await api.start(succeeded)
    await api.succeed(succeeded)
    answers = [await api.stub.CancelJob(pb.CancelJobRequest(job_id=job)) for job in (waiting, waiting, succeeded)]
    assert [answer.cancelled for answer in answers] == [True, True, False]
    assert (await api.job(waiting)).version == 2


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
    error = await refusal(api.stub.CancelJob(pb.CancelJobRequest(job_id=job_id), timeout=0.1))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: ("CancelJob", "DEADLINE_EXCEEDED") in api.rpcs.ended)
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
    error = await refusal(api.stub.RequeueJob(pb.RequeueJobRequest(job_id=job_id, expected_version=1)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert details(error, ErrorInfo).metadata["version"] == "2"


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
        (2, 1, pb.ATTEMPT_OUTCOME_RETRY, "broken"),
        (6, 1, pb.ATTEMPT_OUTCOME_RUNNING, ""),
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


async def listed(api: Api, request: pb.ListJobsRequest) -> list[str]:
    ids: list[str] = []
    while True:
        page = await api.stub.ListJobs(request)
        ids += [job.job_id for job in page.jobs]
        if not page.next_page_token:
            return ids
        request.page_token = page.next_page_token


@over_loopback
async def test_pages_list_every_job_once_newest_first(api: Api) -> None:
    ids = []
    for _ in range(7):
        ids.append(await submitted(api))
        api.clock.advance(SECOND)
    assert await listed(api, pb.ListJobsRequest(page_size=3)) == ids[::-1]


@over_loopback
async def test_each_filter_narrows_the_list(api: Api) -> None:
    plain = await submitted(api)
    urgent = await submitted(api, priority=pb.PRIORITY_CRITICAL)
    other = await submitted(api, type="other")
    labelled_job = a_job_message()
    labelled_job.labels["team"] = "a"
    labelled = (await api.stub.SubmitJob(pb.SubmitJobRequest(job=labelled_job))).job_id
    await api.stub.CancelJob(pb.CancelJobRequest(job_id=plain))
    begin = api.clock.now()
    api.clock.advance(SECOND)
    late = await submitted(api)
    after, before = pb.ListJobsRequest(), pb.ListJobsRequest()
    after.created_after.FromDatetime(api.clock.now())
    before.created_before.FromDatetime(api.clock.now())
    assert begin < api.clock.now()
    assert await listed(api, pb.ListJobsRequest(state_filter=pb.JOB_STATE_CANCELLED)) == [plain]
    assert await listed(api, pb.ListJobsRequest(priority_filter=pb.PRIORITY_CRITICAL)) == [urgent]
    assert await listed(api, pb.ListJobsRequest(type_filter="other")) == [other]
    assert await listed(api, pb.ListJobsRequest(label_filter={"team": "a"})) == [labelled]
    assert await listed(api, after) == [late]
    assert set(await listed(api, before)) == {plain, urgent, other, labelled}


@over_loopback
async def test_a_list_comes_without_payloads(api: Api) -> None:
    await submitted(api, payload_json="1")
    (job,) = (await api.stub.ListJobs(pb.ListJobsRequest())).jobs
    assert job.payload_json == ""


@over_loopback
async def test_a_page_holds_50_jobs_by_default_and_1000_at_most(api: Api) -> None:
    for _ in range(2):
        await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message()] * 600))
    default = await api.stub.ListJobs(pb.ListJobsRequest())
    most = await api.stub.ListJobs(pb.ListJobsRequest(page_size=2_000_000_000))
    assert (len(default.jobs), len(most.jobs)) == (50, 1000)


@over_loopback
async def test_a_token_goes_on_only_with_its_own_filters(api: Api) -> None:
    await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message()] * 3))
    page = await api.stub.ListJobs(pb.ListJobsRequest(page_size=1))
    other = pb.ListJobsRequest(type_filter="email.send", page_token=page.next_page_token)
    larger = pb.ListJobsRequest(page_size=2, page_token=page.next_page_token)
    assert bad_fields(await refusal(api.stub.ListJobs(other))) == ["page_token"]
    assert len((await api.stub.ListJobs(larger)).jobs) == 2


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"page_size": -1}, "page_size"),
        ({"page_token": "garbled"}, "page_token"),
        ({"state_filter": 99}, "state_filter"),
        ({"priority_filter": 99}, "priority_filter"),
        ({"type_filter": "a\0"}, "type_filter"),
    ],
)
@over_loopback
async def test_a_list_that_cannot_be_made_names_the_field(api: Api, fields: dict[str, object], named: str) -> None:
    request = pb.ListJobsRequest()
    for name, value in fields.items():
        setattr(request, name, value)
    assert bad_fields(await refusal(api.stub.ListJobs(request))) == [named]

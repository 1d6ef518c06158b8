"""RequeueJobs, PurgeJobs and ListErrorGroups over the wire."""

import asyncio
from collections.abc import Sequence

import grpc
import pytest

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_views import BulkResult
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.dto import JobFilter
from scheduler.domain.fingerprint import fingerprint
from scheduler.domain.job import Job
from scheduler.domain.state import DEAD_STATES, REQUEUEABLE_STATES, JobState
from tests.integration.grpc_refusals import bad_fields, refusal
from tests.integration.grpc_tools import Api, over_loopback, until
from tests.support.builders import HOUR, MICROSECOND, a_job, a_new_job

DEAD = EndedFilter(states=DEAD_STATES)
DEADLETTER = pb.JobFilter(state_filter=[pb.JOB_STATE_DEADLETTER])
FAILED = pb.JobFilter(state_filter=[pb.JOB_STATE_FAILED])


async def dead_letters(api: Api, count: int, error: str = "broken") -> Sequence[Job]:
    """Store dead letters that ended one after the other."""
    began = api.clock.now() - HOUR
    kind = fingerprint("email.send", error)
    jobs = [
        a_job(JobState.DEADLETTER, created_at=began + n * MICROSECOND, last_error=error, error_fingerprint=kind)
        for n in range(count)
    ]
    await api.store.repository.add_all([a_new_job(job) for job in jobs])
    return jobs


async def states(api: Api, jobs: Sequence[Job]) -> list[JobState | None]:
    stored = await api.store.repository.load([job.id for job in jobs])
    return [stored[job.id].state if job.id in stored else None for job in jobs]


@over_loopback
async def test_jobs_are_counted_then_queued_again_in_parts(api: Api) -> None:
    jobs = await dead_letters(api, 7)
    async with SchedulerClient(api.address) as client:
        assert await client.requeue_jobs(DEAD, dry_run=True) == BulkResult(count=7, cursor="")
        first = await client.requeue_jobs(DEAD, limit=5)
        assert (first.count, bool(first.cursor)) == (5, True)
        assert await states(api, jobs) == [JobState.QUEUED] * 5 + [JobState.DEADLETTER] * 2
        assert await client.requeue_jobs(DEAD, cursor=first.cursor) == BulkResult(count=2, cursor="")


@over_loopback
async def test_more_says_whether_the_cursor_leads_on(api: Api) -> None:
    await dead_letters(api, 2)
    requeue, purge = pb.RequeueJobsRequest(filter=DEADLETTER, limit=1), pb.PurgeJobsRequest(filter=DEADLETTER, limit=1)
    for last in (False, True):
        requeue.dry_run = purge.dry_run = True
        for answer in (await api.stub.RequeueJobs(requeue), await api.stub.PurgeJobs(purge)):
            assert (answer.count, answer.more, bool(answer.next_cursor)) == (1, not last, not last)
        requeue.cursor = purge.cursor = answer.next_cursor


@over_loopback
async def test_jobs_are_purged_with_their_names(api: Api) -> None:
    jobs = await dead_letters(api, 3)
    (other,) = await dead_letters(api, 1, "another")
    async with SchedulerClient(api.address) as client:
        narrow = EndedFilter(states=DEAD_STATES, error_text="broken")
        assert await client.purge_jobs(narrow, dry_run=True) == BulkResult(count=3, cursor="")
        assert await client.purge_jobs(narrow) == BulkResult(count=3, cursor="")
    assert await states(api, [*jobs, other]) == [None, None, None, JobState.DEADLETTER]


@over_loopback
async def test_kinds_of_errors_are_shown_and_their_jobs_listed(api: Api) -> None:
    jobs = await dead_letters(api, 2, "no user 17")
    api.clock.advance(HOUR)
    (unknown,) = await dead_letters(api, 1)
    await api.store.ended_jobs.delete([unknown])
    await api.store.repository.add_all([a_new_job(a_job(JobState.FAILED, created_at=api.clock.now()))])
    kind = fingerprint("email.send", "no user 18")
    async with SchedulerClient(api.address) as client:
        found = await client.error_groups()
        only = await client.error_groups(fingerprint=kind, job_type="email.send", limit=5)
        listed = [job.job_id async for job in client.list(JobFilter(error_fingerprint=kind))]
        first = await client.error_groups(limit=1)

    assert [group.fingerprint for group in found.groups] == ["unknown", kind]
    assert list(only.groups) == list(found.groups[1:])
    assert ([group.fingerprint for group in first.groups], first.more, found.more) == (["unknown"], True, False)
    (group,) = only.groups
    assert (group.type, group.sample_error, group.sample_job_id) == ("email.send", "no user 17", str(jobs[1].id))
    assert (group.count, group.count_capped, group.failed, group.dead_letters) == (2, False, 0, 2)
    assert (group.first_seen, group.last_seen) == (jobs[0].finished_at, jobs[1].finished_at)
    assert listed == [str(job.id) for job in reversed(jobs)]


def test_a_client_that_goes_away_ends_the_work_with_the_running_batch() -> None:
    async def scenario() -> None:
        api = Api()
        async with api.served():
            jobs = await dead_letters(api, 50)
            api.gate.shut()
            call = api.stub.RequeueJobs(pb.RequeueJobsRequest(filter=DEADLETTER, rate=2))
            await until(lambda: api.gate.waiting == 1)
            call.cancel()
            await until(lambda: ("RequeueJobs", "CANCELLED") in api.rpcs.ended)
            api.gate.open()
        # The server waits for what it has begun.
        assert (await states(api, jobs)).count(JobState.QUEUED) == 2

    asyncio.run(scenario())


@over_loopback
async def test_a_call_answers_what_it_did_before_its_deadline(api: Api) -> None:
    await dead_letters(api, 50)
    request = pb.RequeueJobsRequest(filter=DEADLETTER, rate=2)
    answer = await api.stub.RequeueJobs(request, timeout=3.0)
    assert (0 < answer.count < 50, answer.more) == (True, True)


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (pb.RequeueJobsRequest(), "filter.state_filter"),
        (pb.RequeueJobsRequest(filter=pb.JobFilter(type_filter="x")), "filter.state_filter"),
        (pb.RequeueJobsRequest(filter=pb.JobFilter(state_filter=[pb.JOB_STATE_UNSPECIFIED])), "filter.state_filter"),
        (pb.RequeueJobsRequest(filter=pb.JobFilter(state_filter=[pb.JobState.ValueType(99)])), "filter.state_filter"),
        (
            pb.RequeueJobsRequest(filter=pb.JobFilter(state_filter=[pb.JOB_STATE_FAILED, pb.JOB_STATE_QUEUED])),
            "filter.state_filter",
        ),
        (
            pb.RequeueJobsRequest(filter=pb.JobFilter(state_filter=[pb.JOB_STATE_SUCCEEDED])),
            "filter.state_filter",
        ),
        (pb.PurgeJobsRequest(filter=pb.JobFilter(state_filter=[pb.JOB_STATE_RUNNING])), "filter.state_filter"),
        (pb.PurgeJobsRequest(), "filter.state_filter"),
        (pb.RequeueJobsRequest(filter=FAILED, limit=-1), "limit"),
        (pb.RequeueJobsRequest(filter=FAILED, rate=-1), "rate"),
        (pb.PurgeJobsRequest(filter=FAILED, limit=-1), "limit"),
        (pb.RequeueJobsRequest(filter=FAILED, cursor="x"), "cursor"),
        (pb.PurgeJobsRequest(filter=FAILED, cursor="x"), "cursor"),
        (
            pb.PurgeJobsRequest(filter=pb.JobFilter(state_filter=[pb.JOB_STATE_FAILED], error_fingerprint="x")),
            "filter.error_fingerprint",
        ),
        (
            pb.PurgeJobsRequest(
                filter=pb.JobFilter(state_filter=[pb.JOB_STATE_FAILED], priority_filter=pb.Priority.ValueType(9))
            ),
            "filter.priority_filter",
        ),
        (
            pb.PurgeJobsRequest(filter=pb.JobFilter(state_filter=[pb.JOB_STATE_FAILED], error_text="\0")),
            "filter.error_text",
        ),
        (
            pb.PurgeJobsRequest(filter=pb.JobFilter(state_filter=[pb.JOB_STATE_FAILED], type_filter="\0")),
            "filter.type_filter",
        ),
        (
            pb.PurgeJobsRequest(filter=pb.JobFilter(state_filter=[pb.JOB_STATE_FAILED], label_filter={"a": "\0"})),
            "filter.label_filter[a]",
        ),
        (pb.ListErrorGroupsRequest(limit=-1), "limit"),
        (pb.ListErrorGroupsRequest(error_fingerprint="123"), "error_fingerprint"),
        (pb.ListErrorGroupsRequest(type_filter="\0"), "type_filter"),
        (pb.ListJobsRequest(error_fingerprint="z" * 16), "error_fingerprint"),
    ],
    ids=str,
)
def test_bad_input_names_its_field_and_changes_nothing(request_: object, named: str) -> None:
    @over_loopback
    async def scenario(api: Api) -> None:
        jobs = [a_job(state, created_at=api.clock.now() - HOUR) for state in JobState]
        await api.store.repository.add_all([a_new_job(job) for job in jobs])
        method = type(request_).__name__.removesuffix("Request")
        assert bad_fields(await refusal(getattr(api.stub, method)(request_))) == [named]
        assert await states(api, jobs) == list(JobState)

    scenario()


@over_loopback
async def test_a_cursor_of_another_filter_is_refused(api: Api) -> None:
    await dead_letters(api, 2)
    async with SchedulerClient(api.address) as client:
        cursor = (await client.requeue_jobs(DEAD, limit=1, dry_run=True)).cursor
    other = pb.JobFilter(state_filter=[pb.JOB_STATE_FAILED])
    error = await refusal(api.stub.RequeueJobs(pb.RequeueJobsRequest(filter=other, cursor=cursor)))
    assert bad_fields(error) == ["cursor"]


@over_loopback
async def test_a_store_out_of_reach_is_unavailable(api: Api) -> None:
    api.store_switch.off()
    for call in (
        api.stub.RequeueJobs(pb.RequeueJobsRequest(filter=FAILED)),
        api.stub.PurgeJobs(pb.PurgeJobsRequest(filter=FAILED)),
        api.stub.ListErrorGroups(pb.ListErrorGroupsRequest()),
    ):
        assert (await refusal(call)).code() is grpc.StatusCode.UNAVAILABLE


@over_loopback
async def test_every_state_that_may_be_queued_again_can_be_named(api: Api) -> None:
    jobs = [a_job(state, created_at=api.clock.now() - HOUR) for state in sorted(REQUEUEABLE_STATES)]
    await api.store.repository.add_all([a_new_job(job) for job in jobs])
    async with SchedulerClient(api.address) as client:
        assert (await client.requeue_jobs(EndedFilter(states=REQUEUEABLE_STATES))).count == 3
    assert set(await states(api, jobs)) == {JobState.QUEUED}

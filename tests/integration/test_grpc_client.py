import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
import grpc.aio
import pytest

from scheduler.adapters.grpc.client import Patience, SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError, FieldViolation
from scheduler.adapters.grpc.client_views import SubmittedJob
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.servicer import SERVICE
from scheduler.application.dto import JobFilter, NewJob
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.integration.grpc_tools import FIRST, Api, over_loopback, until
from tests.support.builders import a_submission

HASTY = Patience(resumes=2, first_pause=0.01, longest_pause=0.05)


@asynccontextmanager
async def a_client(api: Api, patience: Patience | None = None) -> AsyncIterator[SchedulerClient]:
    async with SchedulerClient(api.address, patience=patience) as client:
        yield client


async def caught(call: object) -> ClientError:
    with pytest.raises(ClientError) as error:
        await call  # type: ignore[misc] # any call of the client
    return error.value


@over_loopback
async def test_a_job_goes_through_its_life_as_the_client_sees_it(api: Api) -> None:
    async with a_client(api) as client:
        submitted = await client.submit(a_submission(payload="[1]", labels={"team": "a"}, priority=Priority.LOW))
        begin = await client.get(submitted.job_id)
        await api.start(submitted.job_id)
        await api.succeed(submitted.job_id, result='"done"')
        end = await client.get(submitted.job_id)
        (attempt,) = await client.attempts(submitted.job_id)
        events = [event async for event in client.watch(submitted.job_id)]
    assert submitted.created
    assert (begin.state, begin.payload, begin.labels, begin.priority) == (
        JobState.QUEUED,
        "[1]",
        {"team": "a"},
        Priority.LOW,
    )
    assert (end.state, end.result, end.version) == (JobState.SUCCEEDED, '"done"', FIRST + 2)
    assert (attempt.outcome, attempt.worker_id) == (AttemptOutcome.SUCCEEDED, end.worker_id)
    assert [(event.state, event.version) for event in events] == [(JobState.SUCCEEDED, FIRST + 2)]


@over_loopback
async def test_cancel_requeue_and_queue_stats(api: Api) -> None:
    async with a_client(api) as client:
        job_id = (await client.submit(a_submission(priority=Priority.CRITICAL))).job_id
        assert await client.cancel(job_id)
        requeued = await client.requeue(job_id, payload="2", expected_version=FIRST + 1)
        api.clock.advance(timedelta(seconds=7))
        stats = await client.queue_stats()
        payload = (await client.get(job_id)).payload
    assert (requeued.version, requeued.state, payload) == (FIRST + 2, JobState.QUEUED, "2")
    assert [(queue.priority, queue.depth, queue.oldest_age) for queue in stats.queues][:2] == [
        (Priority.CRITICAL, 1, timedelta(seconds=7)),
        (Priority.HIGH, 0, None),
    ]


@over_loopback
async def test_the_list_is_read_page_by_page(api: Api) -> None:
    async with a_client(api) as client:
        commands = [SubmitCommand(submission=a_submission(type=kind)) for kind in ("a", "b", "a", "a")]
        results = await client.submit_many(commands)
        listed = [job.job_id async for job in client.list(JobFilter(type="a"), page_size=1)]
        everything = [job.job_id async for job in client.list()]
    assert all(result.created for result in results)
    assert sorted(listed) == sorted(results[index].job_id for index in (0, 2, 3))
    assert sorted(everything) == sorted(result.job_id for result in results)
    assert [method for method, _ in api.rpcs.ended].count("ListJobs") == 4


@over_loopback
async def test_a_refusal_names_the_status_the_fields_and_the_reason(api: Api) -> None:
    async with a_client(api) as client:
        bad = await caught(client.get("42"))
        job_id = JobId(uuid.uuid4())
        await client.submit(a_submission(), job_id=job_id)
        mismatch = await caught(client.submit(a_submission(payload="1"), job_id=job_id))
        missing = await caught(client.cancel(str(uuid.uuid4())))
    assert (bad.status, bad.details.violations) == ("INVALID_ARGUMENT", [FieldViolation("job_id", "must be a UUID")])
    assert (mismatch.status, mismatch.details.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_MISMATCH")
    assert mismatch.details.metadata["job_id"] == str(job_id)
    assert missing.status == "NOT_FOUND"
    assert str(missing).startswith("NOT_FOUND: ")


@over_loopback
async def test_a_submit_whose_reply_is_lost_is_repeated_and_stores_one_job(api: Api) -> None:
    store = api.store.repository.add_all

    async def store_and_lose_the_reply(jobs: Sequence[NewJob]) -> None:
        await store(jobs)
        raise StoreUnavailableError("reply lost")

    api.store.repository.add_all = store_and_lose_the_reply  # type: ignore[method-assign] # for one call
    async with a_client(api) as client:
        submit = asyncio.create_task(client.submit(a_submission()))
        await until(lambda: ("SubmitJob", "UNAVAILABLE") in api.rpcs.ended)
        api.store.repository.add_all = store  # type: ignore[method-assign] # back again
        submitted = await submit
        listed = [job.job_id async for job in client.list()]
    assert submitted == SubmittedJob(job_id=listed[0], created=True)
    assert len(listed) == 1


@over_loopback
async def test_a_batch_larger_than_grpcs_own_retry_buffer_is_repeated_too(api: Api) -> None:
    commands = [SubmitCommand(submission=a_submission(payload=f'"{"x" * 900_000}"')) for _ in range(4)]
    api.store_switch.off()
    async with a_client(api) as client:
        submit = asyncio.create_task(client.submit_many(commands))
        await until(lambda: ("SubmitJobs", "UNAVAILABLE") in api.rpcs.ended)
        api.store_switch.on()
        assert all(result.created for result in await submit)


@over_loopback
async def test_an_outage_that_lasts_ends_in_an_error_that_says_when_to_try_again(api: Api) -> None:
    api.store_switch.off()
    async with a_client(api, HASTY) as client:
        watched = await caught(anext(client.watch(str(uuid.uuid4()))))
        refused = await caught(client.submit(a_submission()))
    assert (watched.status, refused.status) == ("UNAVAILABLE", "UNAVAILABLE")
    assert refused.details.retry_after == timedelta(seconds=1)
    methods = [method for method, _ in api.rpcs.ended]
    assert (methods.count("SubmitJob"), methods.count("WatchJob")) == (5, 3)


@over_loopback
async def test_without_a_server_the_client_gives_up_within_its_patience(api: Api) -> None:
    async with SchedulerClient("127.0.0.1:9", patience=Patience(seconds=0.5)) as client:
        error = await caught(client.queue_stats())
    assert error.status in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


@over_loopback
async def test_a_client_that_is_not_open_says_so(api: Api) -> None:
    assert (await caught(SchedulerClient(api.address).queue_stats())).status == "FAILED_PRECONDITION"


def test_submits_and_watches_survive_a_restart_of_the_server() -> None:
    async def scenario() -> None:
        before = Api()
        async with before.served() as server, a_client(before) as client:
            job_id = (await client.submit(a_submission())).job_id
            events = client.watch(job_id)
            seen = [await anext(events)]
            following = asyncio.ensure_future(anext(events))
            await server.stop(5)
            submit = asyncio.create_task(client.submit(a_submission()))
            after = Api(before)
            async with after.served(before.port):
                await until(lambda: after.hub._count == 1)  # noqa: SLF001 - the watch goes on, though nothing is new
                await after.start(job_id)
                seen.append(await following)
                assert (await submit).created
                await after.succeed(job_id)
                seen += [event async for event in events]
        assert [event.version for event in seen] == [FIRST, FIRST + 1, FIRST + 2]

    asyncio.run(scenario())


def test_a_call_that_a_stop_cut_off_succeeds_on_the_next_server() -> None:
    async def scenario() -> None:
        api = Api()
        async with api.served() as server, a_client(api) as client:
            job_id = (await client.submit(a_submission())).job_id
            api.gate.shut()
            call = asyncio.create_task(client.cancel(job_id))
            await until(lambda: api.gate.waiting == 1)
            stop = asyncio.create_task(server.stop(0.05))
            await until(lambda: ("CancelJob", "UNAVAILABLE") in api.rpcs.ended)
            api.gate.open()
            await stop
            successor = Api(earlier=api)
            async with successor.served(api.port):
                assert await call

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
def test_a_watch_goes_on_after_its_server_went_away_whatever_that_says(status: grpc.StatusCode) -> None:
    event = pb.JobEvent(job_id=str(uuid.uuid4()), state=pb.JOB_STATE_SUCCEEDED, version=3)
    tries = 0

    async def watch(_request: pb.WatchJobRequest, context: grpc.aio.ServicerContext) -> AsyncIterator[pb.JobEvent]:  # type: ignore[type-arg] # of no matter
        nonlocal tries
        tries += 1
        if tries == 1:
            await context.abort(status)
        yield event

    async def scenario() -> list[int]:
        server = grpc.aio.server()
        handler = grpc.unary_stream_rpc_method_handler(
            watch,
            request_deserializer=pb.WatchJobRequest.FromString,
            response_serializer=pb.JobEvent.SerializeToString,
        )
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"WatchJob": handler})])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with SchedulerClient(f"127.0.0.1:{port}", patience=HASTY) as client:
                return [seen.version async for seen in client.watch(event.job_id)]
        finally:
            await server.stop(0)

    assert asyncio.run(scenario()) == [3]
    assert tries == 2

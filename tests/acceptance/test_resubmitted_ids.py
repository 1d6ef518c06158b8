"""A worker that stands still while its job is cancelled, purged and submitted again: the new job is not its own."""

import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from scheduler.adapters.grpc.client_views import JobView
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from scheduler.entrypoints.stack import Stack
from tests.acceptance.load import Load, run_load
from tests.acceptance.processes import running, send, sibling, stop

pytestmark = pytest.mark.servers
SHORT, LONG = 0.3, 600.0


@pytest.fixture(autouse=True)
def no_other_worker(stack: Stack) -> None:
    """Keep the stack's own worker from taking the jobs."""
    stop(stack.worker)


class Life:
    """Jobs of one id, one after the other."""

    def __init__(self, load: Load) -> None:
        self.id = str(uuid4())
        self.client = load.client

    async def submit(self, sleep_seconds: float, delay: float = 0.0) -> None:
        submission = Submission(
            type="noop",
            priority=Priority.CRITICAL,
            payload=f'{{"sleep_seconds": {sleep_seconds}}}',
            labels={"life": self.id},
            run_at=datetime.now(UTC) + timedelta(seconds=delay) if delay else None,
        )
        [submitted] = await self.client.submit_many([SubmitCommand(submission=submission, job_id=JobId(UUID(self.id)))])
        assert submitted.created

    async def job(self) -> JobView:
        return await self.client.get(self.id)

    async def until(self, state: JobState) -> JobView:
        async for event in self.client.watch(self.id):
            if event.state is state:
                break
        return await self.job()

    async def cancel_and_purge(self) -> None:
        assert await self.client.cancel(self.id)
        job_filter = EndedFilter(states=frozenset({JobState.CANCELLED}), labels={"life": self.id})
        assert (await self.client.purge_jobs(job_filter)).count == 1


async def run_a_job(load: Load) -> None:
    """Run a job to its end: the one place of the worker was free again before."""
    [job_id] = await load.add(1)
    assert [event async for event in load.client.watch(job_id)][-1].state is JobState.SUCCEEDED


def play(
    stack: Stack, meanwhile: Callable[[Life], Awaitable[None]], afterwards: Callable[[Life, Load], Awaitable[None]]
) -> None:
    sleeper = sibling(stack.worker, "sleeper", METRICS_PORT=0, WORKER_POOL_SIZE=1)

    async def scenario(load: Load) -> None:
        life = Life(load)
        with running(sleeper):
            await life.submit(SHORT)
            await life.until(JobState.RUNNING)
            send(sleeper, signal.SIGSTOP)
            try:
                await life.cancel_and_purge()
                await meanwhile(life)
            finally:
                send(sleeper, signal.SIGCONT)
            await afterwards(life, load)
        await load.client.cancel(life.id)

    run_load(stack, scenario)


def test_a_new_job_that_runs_elsewhere_goes_on(stack: Stack) -> None:
    other = sibling(stack.worker, "other", METRICS_PORT=0, WORKER_POOL_SIZE=1)

    async def goes_on(life: Life, load: Load) -> None:
        before = await life.job()
        await run_a_job(load)
        after = await life.job()
        assert (after.state, after.version, after.worker_id) == (JobState.RUNNING, before.version, before.worker_id)
        assert [attempt.fence for attempt in await load.client.attempts(life.id)] == [before.version]

    async def meanwhile(life: Life) -> None:
        other.start()
        await life.submit(LONG)
        await life.until(JobState.RUNNING)

    try:
        play(stack, meanwhile, goes_on)
    finally:
        stop(other)


def test_a_new_job_that_waits_runs_itself(stack: Stack) -> None:
    async def wait_in_the_queue(life: Life) -> None:
        await life.submit(0, delay=0.2)
        await life.until(JobState.QUEUED)

    async def runs_once(life: Life, load: Load) -> None:
        ended = await life.until(JobState.SUCCEEDED)
        attempts = await load.client.attempts(life.id)
        assert (ended.attempts, len(attempts)) == (1, 1)
        assert attempts[0].started_at >= ended.created_at

    play(stack, wait_in_the_queue, runs_once)


def test_a_new_job_that_was_cancelled_stays_so(stack: Stack) -> None:
    async def cancel_again(life: Life) -> None:
        await life.submit(LONG)
        assert await life.client.cancel(life.id)

    async def stays(life: Life, load: Load) -> None:
        await run_a_job(load)
        assert (await life.job()).state is JobState.CANCELLED
        assert await load.client.attempts(life.id) == []

    play(stack, cancel_again, stays)

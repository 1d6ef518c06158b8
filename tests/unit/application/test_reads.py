"""What is read, and when it is refused."""

from datetime import timedelta

import pytest

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application.dto import JobFilter, ListCursor
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.use_cases.follow_store_clock import MAX_READINGS, FollowStoreClock
from scheduler.application.use_cases.get_job import GetJob
from scheduler.application.use_cases.get_queue_stats import GetQueueStats
from scheduler.application.use_cases.list_attempts import ListAttempts
from scheduler.application.use_cases.list_jobs import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, ListJobs
from scheduler.application.use_cases.sample_depths import SampleDepths
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.support.builders import SECOND, a_job, a_worker, an_entry
from tests.unit.application.shop import Shop, in_virtual_time


def test_a_job_is_read_with_its_payload() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job()
        await shop.store(job, payload="[1]")
        details = await GetJob(repository=shop.repository).execute(job.id)
        assert (details.job, details.payload, details.result) == (job, "[1]", None)

    in_virtual_time(scenario)


def test_the_running_attempt_is_part_of_the_history() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(JobState.RUNNING)
        await shop.store(job)
        (attempt,) = await ListAttempts(reader=shop.reader).execute(job.id)
        assert (attempt.id, attempt.outcome) == (job.attempt_id, None)

    in_virtual_time(scenario)


def test_the_counts_come_with_the_time_at_which_they_hold() -> None:
    async def scenario(shop: Shop) -> None:
        await shop.store(a_job(priority=Priority.LOW), a_job(JobState.SCHEDULED))
        stats, at = await GetQueueStats(reader=shop.reader, clock=shop.clock).execute()
        assert (stats.queues[Priority.LOW].depth, stats.scheduled, at) == (1, 1, shop.clock.now())

    in_virtual_time(scenario)


@pytest.mark.parametrize(
    ("asked", "given"),
    [(0, DEFAULT_PAGE_SIZE), (7, 7), (MAX_PAGE_SIZE, MAX_PAGE_SIZE), (MAX_PAGE_SIZE + 1, MAX_PAGE_SIZE)],
)
def test_a_page_has_the_size_asked_for_within_bounds(asked: int, given: int) -> None:
    async def scenario(shop: Shop) -> None:
        await shop.store(*(a_job() for _ in range(MAX_PAGE_SIZE + 2)))
        page = await ListJobs(reader=shop.reader).execute(JobFilter(), page_size=asked, after=None)
        assert len(page.jobs) == given

    in_virtual_time(scenario)


def test_pages_go_on_where_the_last_one_ended_and_a_negative_size_is_refused() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = [a_job(created_at=shop.clock.now() + index * SECOND) for index in range(3)]
        await shop.store(*jobs)
        list_jobs = ListJobs(reader=shop.reader).execute
        first = await list_jobs(JobFilter(), page_size=2, after=None)
        assert first.next == ListCursor(created_at=jobs[1].created_at, job_id=jobs[1].id)
        rest = await list_jobs(JobFilter(), page_size=2, after=first.next)
        assert (list(rest.jobs), rest.next) == ([jobs[0]], None)
        with pytest.raises(InvalidFieldError, match="page_size"):
            await list_jobs(JobFilter(), page_size=-1, after=None)

    in_virtual_time(scenario)


def sampler(shop: Shop) -> SampleDepths:
    return SampleDepths(
        reader=shop.reader, maintenance=shop.maintenance, registry=shop.registry, telemetry=shop.telemetry
    )


def test_the_gauges_show_store_queue_and_workers() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job()
        await shop.store(job)
        await shop.queue.enqueue_all([an_entry(job)])
        await shop.registered.register(a_worker(), SECOND)
        await sampler(shop).execute()
        ((queue, store, workers),) = shop.telemetry.samples
        assert queue is not None
        assert (queue.queues[job.priority], store.queues[job.priority].depth, workers) == (1, 1, 1)

    in_virtual_time(scenario)


def test_without_the_queue_the_gauges_show_the_store_and_without_the_store_nothing() -> None:
    async def scenario(shop: Shop) -> None:
        shop.queue_switch.off()
        await sampler(shop).execute()
        assert [queue for queue, _, _ in shop.telemetry.samples] == [None]
        shop.store_switch.off()
        with pytest.raises(StoreUnavailableError):
            await sampler(shop).execute()
        assert len(shop.telemetry.samples) == 1

    in_virtual_time(scenario)


class SlowClock(FixedClock):
    """Moves at each look, as if the store took that long to answer."""

    def __init__(self, *seconds: float) -> None:
        super().__init__()
        self._delays = [delay for each in seconds for delay in (0.0, each)]

    def monotonic(self) -> float:
        if self._delays:
            self.advance(timedelta(seconds=self._delays.pop(0)))
        return super().monotonic()


@pytest.mark.parametrize(("seconds", "readings"), [((0.2,), 1), ((0.21, 0.1), 2), ((0.3, 0.3, 0.3, 0.1), MAX_READINGS)])
def test_the_clock_gets_a_reading_that_was_quick_or_a_few_that_were_not(
    seconds: tuple[float, ...], readings: int
) -> None:
    async def scenario(shop: Shop) -> None:
        clock = SlowClock(*seconds)
        await FollowStoreClock(clock=clock, store_time=shop.store_time).execute()
        assert clock.observed == [shop.clock.now()] * readings

    in_virtual_time(scenario)

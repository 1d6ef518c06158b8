"""Requeue and deletion of many jobs: in batches, at a pace, in the caller's time, and going on where they stopped."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application import bulk
from scheduler.application.bulk import BulkChanges
from scheduler.application.dead_letters import BulkOrder, BulkOutcome, EndedFilter
from scheduler.application.deadline import time_limit
from scheduler.application.dto import JobFilter
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.use_cases.delete_jobs import DeleteJobs
from scheduler.application.use_cases.list_error_groups import ListErrorGroups
from scheduler.application.use_cases.requeue_jobs import RequeueJobs
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.job import Job
from scheduler.domain.priority import StrictOrder
from scheduler.domain.state import DEAD_STATES, FINAL_STATES, REQUEUEABLE_STATES, JobState
from tests.support.builders import HOUR, MICROSECOND, SECOND, a_job, an_entry
from tests.unit.application.shop import Shop, in_virtual_time

DEAD = EndedFilter(states=DEAD_STATES)
BEFORE = FixedClock().now() - HOUR


class Desk:
    """The use cases over a shop, and someone who waits for them."""

    def __init__(self, shop: Shop) -> None:
        self.gone = asyncio.Event()
        bulk_changes = BulkChanges(ended_jobs=shop.ended_jobs, clock=shop.clock)
        self.requeue = RequeueJobs(
            repository=shop.repository,
            bulk=bulk_changes,
            transitions=shop.transitions,
            queue=shop.best_effort,
            clock=shop.clock,
            telemetry=shop.telemetry,
        )
        self.delete = DeleteJobs(repository=shop.repository, ended_jobs=shop.ended_jobs, bulk=bulk_changes)

    async def requeued(self, job_filter: EndedFilter = DEAD, order: BulkOrder | None = None) -> BulkOutcome:
        return await self.requeue.execute(job_filter, order or BulkOrder(), self.gone)

    async def deleted(self, job_filter: EndedFilter = DEAD, order: BulkOrder | None = None) -> BulkOutcome:
        return await self.delete.execute(job_filter, order or BulkOrder(), self.gone)


async def dead_letters(shop: Shop, count: int) -> Sequence[Job]:
    """Store dead letters that ended one after the other, a while ago; return them in that order."""
    jobs = [a_job(JobState.DEADLETTER, created_at=BEFORE + n * MICROSECOND) for n in range(count)]
    await shop.store(*reversed(jobs))
    return jobs


async def states(shop: Shop, jobs: Sequence[Job]) -> list[JobState]:
    return [await shop.state(job.id) for job in jobs]


def test_all_that_match_are_queued_behind_what_is_queued_the_oldest_end_first() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = await dead_letters(shop, 7)
        queued = await shop.submit()
        shop.later(1)

        assert await Desk(shop).requeued() == BulkOutcome(count=7, next=None)

        stored = [await shop.job(job.id) for job in jobs]
        assert {(job.state, job.attempts, job.version) for job in stored} == {(JobState.QUEUED, 0, 4)}
        claimed = await shop.queue.claim(StrictOrder().plan(10, 0), SECOND)
        assert [entry.job_id for entry in claimed] == [queued, *(job.id for job in jobs)]
        assert [an_entry(job) for job in stored] == list(claimed[1:])
        assert [job.id for job in shop.telemetry.requeued] == [job.id for job in jobs]

    in_virtual_time(scenario)


def test_what_does_not_match_is_left_alone() -> None:
    async def scenario(shop: Shop) -> None:
        others = [a_job(state, created_at=BEFORE) for state in JobState if state not in DEAD_STATES]
        alike = [a_job(JobState.FAILED, created_at=BEFORE, type=job_type) for job_type in ("x", "y")]
        await shop.store(*others, *alike)

        assert (await Desk(shop).requeued(replace(DEAD, type="x"))).count == 1
        assert await states(shop, others) == [job.state for job in others]

    in_virtual_time(scenario)


@pytest.mark.parametrize("what", ["requeued", "deleted"])
def test_a_dry_run_counts_and_changes_nothing(what: str) -> None:
    async def scenario(shop: Shop) -> None:
        jobs = await dead_letters(shop, 7)

        outcome = await getattr(Desk(shop), what)(DEAD, BulkOrder(dry_run=True, rate=1))

        assert outcome == BulkOutcome(count=7, next=None)
        assert set(await states(shop, jobs)) == {JobState.DEADLETTER}

    in_virtual_time(scenario)


@pytest.mark.parametrize("what", ["requeued", "deleted"])
def test_a_call_goes_on_where_the_one_before_reached_its_limit(what: str) -> None:
    async def scenario(shop: Shop) -> None:
        await dead_letters(shop, 7)
        call, cursor, counts = getattr(Desk(shop), what), None, []
        for _ in range(3):
            outcome = await call(DEAD, BulkOrder(limit=3, cursor=cursor))
            counts.append(outcome.count)
            cursor = outcome.next

        assert (counts, cursor) == ([3, 3, 1], None)

    in_virtual_time(scenario)


def test_one_call_changes_a_bounded_number_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(shop: Shop) -> None:
        monkeypatch.setattr(bulk, "MAX_JOBS", 4)
        await dead_letters(shop, 5)

        for limit in (0, 9):
            outcome = await Desk(shop).requeued(DEAD, BulkOrder(limit=limit, dry_run=True))
            assert (outcome.count, outcome.next is None) == (4, False)

    in_virtual_time(scenario)


def test_a_job_that_ends_after_the_call_began_is_not_queued_again_by_it_or_those_that_go_on() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = await dead_letters(shop, 2)
        desk = Desk(shop)
        first = await desk.requeued(DEAD, BulkOrder(limit=1))
        shop.later(1)
        again = a_job(JobState.DEADLETTER, created_at=shop.clock.now())
        await shop.store(again)
        shop.later(1)

        second = await desk.requeued(DEAD, BulkOrder(cursor=first.next))

        assert (first.count, second) == (1, BulkOutcome(count=1, next=None))
        assert await states(shop, [*jobs, again]) == [JobState.QUEUED, JobState.QUEUED, JobState.DEADLETTER]

    in_virtual_time(scenario)


@pytest.mark.parametrize("what", ["requeued", "deleted"])
def test_a_job_that_moved_or_went_meanwhile_is_skipped_and_not_counted(what: str) -> None:
    async def scenario(shop: Shop) -> None:
        moved, gone, there = await dead_letters(shop, 3)
        scan = shop.gate.hold("scan")
        call = asyncio.create_task(getattr(Desk(shop), what)())
        await scan.reached()
        again = shop.transitions.change(moved, moved.requeue(shop.clock.now()))
        await shop.stored.apply([again])
        await shop.forget(gone.id)
        scan.let_go()

        assert (await call).count == 1
        assert await shop.job(moved.id) == again.job
        left = await shop.reader.list_jobs(JobFilter(state=JobState.DEADLETTER), limit=5, after=None)
        assert there.id not in {job.id for job in left.jobs}

    in_virtual_time(scenario)


def test_a_job_that_moves_at_the_last_moment_is_not_counted() -> None:
    async def scenario(shop: Shop) -> None:
        (job,) = await dead_letters(shop, 1)
        load = shop.gate.hold("load")
        call = asyncio.create_task(Desk(shop).requeued())
        await load.reached()
        await shop.stored.apply([shop.transitions.change(job, job.requeue(shop.clock.now()))])
        load.let_go()

        assert await call == BulkOutcome(count=0, next=None)
        assert (shop.telemetry.requeued, (await shop.job(job.id)).version) == ([], 4)

    in_virtual_time(scenario)


def test_a_rate_spreads_the_jobs_over_time() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = await dead_letters(shop, 7)
        began = shop.clock.now()

        assert (await Desk(shop).requeued(DEAD, BulkOrder(rate=2))).count == 7

        waits = [(await shop.job(job.id)).updated_at - began for job in jobs]
        assert [round(2 * wait.total_seconds()) for wait in waits] == [0, 0, 2, 3, 3, 5, 6]
        assert shop.clock.now() - began >= timedelta(seconds=3.5)

    in_virtual_time(scenario)


def test_a_client_that_goes_away_ends_the_work_with_the_running_batch() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = await dead_letters(shop, 5)
        desk = Desk(shop)
        apply = shop.gate.hold("apply", before=True)
        call = asyncio.create_task(desk.requeued(DEAD, BulkOrder(rate=2)))
        await apply.reached()
        desk.gone.set()
        apply.let_go()

        outcome = await call

        assert (outcome.count, outcome.next is None) == (2, False)
        assert (await states(shop, jobs)).count(JobState.QUEUED) == 2

    in_virtual_time(scenario)


def test_a_pause_ends_with_the_client() -> None:
    async def scenario(shop: Shop) -> None:
        await dead_letters(shop, 2)
        desk = Desk(shop)
        began = shop.clock.now()
        asyncio.get_running_loop().call_later(0.25, desk.gone.set)

        assert (await desk.requeued(DEAD, BulkOrder(rate=1))).count == 1
        assert shop.clock.now() - began < timedelta(seconds=0.5)

    in_virtual_time(scenario)


def test_when_time_runs_short_the_answer_tells_where_to_go_on() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = await dead_letters(shop, 7)
        desk = Desk(shop)
        with time_limit(0.0):
            nothing = await desk.requeued()

        assert (nothing.count, nothing.next is None) == (0, False)
        assert await desk.requeued(DEAD, BulkOrder(cursor=nothing.next)) == BulkOutcome(count=7, next=None)
        assert set(await states(shop, jobs)) == {JobState.QUEUED}

    in_virtual_time(scenario)


def test_a_store_that_is_away_is_an_error_before_anything_was_done_and_an_early_end_after() -> None:
    async def scenario(shop: Shop) -> None:
        await dead_letters(shop, 7)
        desk = Desk(shop)
        shop.store_switch.off()
        with pytest.raises(StoreUnavailableError):
            await desk.requeued()
        shop.store_switch.on()

        apply = shop.gate.hold("apply")
        call = asyncio.create_task(desk.requeued())
        await apply.reached()
        scan = shop.gate.hold("scan", before=True)
        apply.let_go()
        await scan.reached()
        shop.store_switch.off()
        scan.let_go()
        outcome = await call
        shop.store_switch.on()

        assert (outcome.count, outcome.next is None) == (3, False)
        assert await desk.requeued(DEAD, BulkOrder(cursor=outcome.next)) == BulkOutcome(count=4, next=None)

    in_virtual_time(scenario)


def test_without_redis_they_are_queued_all_the_same() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = await dead_letters(shop, 3)
        shop.queue_switch.off()

        assert (await Desk(shop).requeued()).count == 3
        assert set(await states(shop, jobs)) == {JobState.QUEUED}

    in_virtual_time(scenario)


@pytest.mark.parametrize(
    "named", [frozenset(), {JobState.QUEUED}, {JobState.FAILED, JobState.RUNNING}], ids=["all", "one", "two"]
)
def test_a_filter_names_final_states_or_is_refused(named: set[JobState]) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        EndedFilter(states=frozenset(named))
    assert refusal.value.field == "state_filter"


def test_jobs_that_succeeded_are_not_queued_again_but_may_be_deleted() -> None:
    async def scenario(shop: Shop) -> None:
        jobs = [a_job(state, created_at=BEFORE) for state in JobState]
        await shop.store(*jobs)
        desk = Desk(shop)
        with pytest.raises(InvalidFieldError) as refusal:
            await desk.requeued(EndedFilter(states=FINAL_STATES))
        assert (refusal.value.field, await states(shop, jobs)) == ("state_filter", list(JobState))

        assert (await desk.requeued(EndedFilter(states=REQUEUEABLE_STATES), BulkOrder(dry_run=True))).count == 3
        assert (await desk.deleted(EndedFilter(states=FINAL_STATES))).count == 4
        left = await shop.reader.list_jobs(JobFilter(), limit=9, after=None)
        assert {job.state for job in left.jobs} == set(JobState) - FINAL_STATES

    in_virtual_time(scenario)


def test_a_list_of_kinds_of_errors_is_bounded() -> None:
    async def scenario(shop: Shop) -> None:
        await shop.store(*(a_job(JobState.FAILED, error_fingerprint=f"{n:016x}") for n in range(101)))
        groups = ListErrorGroups(ended_jobs=shop.ended_jobs)

        sizes = [
            len((await groups.execute(fingerprint=None, job_type=None, limit=limit)).groups) for limit in (0, 1, 999)
        ]

        assert sizes == [20, 1, 100]
        with pytest.raises(InvalidFieldError, match="limit"):
            await groups.execute(fingerprint=None, job_type=None, limit=-1)

    in_virtual_time(scenario)

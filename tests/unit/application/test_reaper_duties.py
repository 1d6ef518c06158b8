"""The reaper's duties: each a batch at a time, each harmless when another reaper was faster."""

import asyncio
from datetime import timedelta

import pytest

from scheduler.application.dto import PurgeRule
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.use_cases import purge_jobs, recover_lost_jobs, release_due_jobs, return_hand_outs
from scheduler.application.use_cases.close_dead_workers import CloseDeadWorkers
from scheduler.application.use_cases.purge_jobs import KEEP_CLOSED_WORKERS, PurgeJobs
from scheduler.application.use_cases.recover_lost_jobs import CLOSED_WITHIN, RecoverLostJobs
from scheduler.application.use_cases.release_due_jobs import ReleaseDueJobs
from scheduler.application.use_cases.return_hand_outs import ReturnHandOuts
from scheduler.domain.lease import LeaseTerms
from scheduler.domain.priority import StrictOrder
from scheduler.domain.state import JobState
from tests.support.builders import HOUR, SECOND, a_change, a_job, a_queue_entry, a_worker, a_worker_id, an_entry
from tests.unit.application.shop import Shop, in_virtual_time

TERMS = LeaseTerms()


def closer(shop: Shop) -> CloseDeadWorkers:
    return CloseDeadWorkers(
        registry=shop.registry,
        store_time=shop.store_time,
        recover=recoverer(shop),
        clock=shop.clock,
        terms=TERMS,
        telemetry=shop.telemetry,
    )


def recoverer(shop: Shop) -> RecoverLostJobs:
    return RecoverLostJobs(
        repository=shop.repository,
        sweeper=shop.sweeper,
        queue=shop.best_effort,
        transitions=shop.transitions,
        clock=shop.clock,
        telemetry=shop.telemetry,
    )


def releaser(shop: Shop) -> ReleaseDueJobs:
    return ReleaseDueJobs(
        repository=shop.repository,
        sweeper=shop.sweeper,
        queue=shop.best_effort,
        transitions=shop.transitions,
        clock=shop.clock,
        telemetry=shop.telemetry,
    )


def returner(shop: Shop) -> ReturnHandOuts:
    return ReturnHandOuts(repository=shop.repository, maintenance=shop.maintenance, telemetry=shop.telemetry)


async def depth(shop: Shop) -> int:
    return sum((await shop.maintenance.depths()).queues.values())


def test_a_reaper_closes_nobody_before_it_has_watched_for_a_whole_lease() -> None:
    async def scenario(shop: Shop) -> None:
        worker = a_worker()
        await shop.registered.register(worker, SECOND)
        close = closer(shop)
        for _ in range(12):
            await close.execute()
            assert shop.telemetry.closed_workers == []
            shop.later(1)
        await close.execute()
        assert shop.telemetry.closed_workers == [worker.id]

    in_virtual_time(scenario)


def test_a_worker_that_renews_is_never_closed() -> None:
    async def scenario(shop: Shop) -> None:
        worker, close = a_worker(), closer(shop)
        await shop.registered.register(worker, TERMS.duration)
        for _ in range(60):
            shop.later(1)
            await shop.registered.renew(worker.id, TERMS.duration)
            await close.execute()
        assert shop.telemetry.closed_workers == []

    in_virtual_time(scenario)


@pytest.mark.parametrize("fails", ["read", "close_expired"])
def test_after_an_outage_workers_get_a_whole_lease_to_renew(fails: str) -> None:
    async def scenario(shop: Shop) -> None:
        close = closer(shop)
        for _ in range(13):
            await close.execute()
            shop.later(1)
        await shop.registered.register(a_worker(), SECOND)
        failing = shop.gate.hold(fails, before=True)
        turn = asyncio.create_task(close.execute())
        await failing.reached()
        shop.store_switch.lose_replies()
        shop.later(5)
        failing.let_go()
        with pytest.raises(StoreUnavailableError):
            await turn
        shop.store_switch.on()
        for _ in range(12):
            await close.execute()
            assert shop.telemetry.closed_workers == []
            shop.later(1)
        await close.execute()
        assert len(shop.telemetry.closed_workers) == 1

    in_virtual_time(scenario)


def test_a_reaper_that_stood_still_looks_again_half_a_lease_later() -> None:
    async def scenario(shop: Shop) -> None:
        close = closer(shop)
        for _ in range(13):
            await close.execute()
            shop.later(1)
        await shop.registered.register(a_worker(), SECOND)
        shop.later(10)
        for _ in range(6):
            await close.execute()
            assert shop.telemetry.closed_workers == []
            shop.later(1)
        await close.execute()
        assert len(shop.telemetry.closed_workers) == 1

    in_virtual_time(scenario)


def test_the_jobs_of_a_worker_are_recovered_in_the_turn_that_closes_it() -> None:
    async def scenario(shop: Shop) -> None:
        worker, close = a_worker(), closer(shop)
        await shop.registered.register(worker, SECOND)
        job = a_job(JobState.RUNNING, worker_id=worker.id)
        await shop.store(job)
        for _ in range(13):
            await close.execute()
            shop.later(1)
        assert (shop.telemetry.closed_workers, await shop.state(job.id)) == ([worker.id], JobState.QUEUED)

    in_virtual_time(scenario)


def test_jobs_of_a_closed_worker_run_again_at_their_old_place_and_its_attempts_are_revoked() -> None:
    async def scenario(shop: Shop) -> None:
        worker = a_worker()
        await shop.registered.register(worker, SECOND)
        job = a_job(JobState.RUNNING, worker_id=worker.id)
        await shop.store(job)
        assert not await recoverer(shop).execute()
        assert shop.telemetry.recovered == []
        await shop.registered.close(worker.id)
        async with shop.memory_bus.subscribe(worker_id=worker.id) as subscription:
            assert not await recoverer(shop).execute()
            event = await anext(aiter(subscription.events()))
            assert getattr(event, "attempt_id", None) == job.attempt_id
        recovered = await shop.job(job.id)
        assert (recovered.state, recovered.losses, recovered.queued_at) == (JobState.QUEUED, 1, job.queued_at)
        (entry,) = await shop.queue.claim(StrictOrder().plan(1, 0), SECOND)
        assert entry == an_entry(recovered)
        assert shop.telemetry.recovered == [recovered]

    in_virtual_time(scenario)


def test_a_job_that_lost_its_last_worker_is_a_dead_letter_and_not_queued() -> None:
    async def scenario(shop: Shop) -> None:
        worker = a_worker()
        await shop.registered.register(worker, SECOND)
        await shop.registered.close(worker.id)
        job = a_job(JobState.RUNNING, worker_id=worker.id, attempts=3)
        await shop.store(job)
        await recoverer(shop).execute()
        assert (await shop.state(job.id), await depth(shop)) == (JobState.DEADLETTER, 0)

    in_virtual_time(scenario)


def test_jobs_of_workers_that_nobody_knows_are_recovered_by_the_rarer_sweep() -> None:
    async def scenario(shop: Shop) -> None:
        unknown = a_job(JobState.RUNNING, worker_id=a_worker_id())
        closed_long_ago = a_worker()
        await shop.registered.register(closed_long_ago, SECOND)
        await shop.registered.close(closed_long_ago.id)
        old = a_job(JobState.RUNNING, worker_id=closed_long_ago.id)
        await shop.store(unknown, old)
        shop.later(CLOSED_WITHIN.total_seconds() + 1)
        await recoverer(shop).execute()
        assert shop.telemetry.recovered == []
        await recoverer(shop).execute_absent()
        assert {job.id for job in shop.telemetry.recovered} == {unknown.id, old.id}

    in_virtual_time(scenario)


def test_of_two_reapers_one_recovers_a_job() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(JobState.RUNNING)
        await shop.store(job)
        await asyncio.gather(recoverer(shop).execute_absent(), recoverer(shop).execute_absent())
        assert (await shop.job(job.id)).losses == 1
        assert len(shop.telemetry.recovered) == 1

    in_virtual_time(scenario)


def test_what_is_due_is_queued_at_the_place_of_its_time_and_the_rest_waits() -> None:
    async def scenario(shop: Shop) -> None:
        now = shop.clock.now()
        due, retry = a_job(JobState.SCHEDULED, run_at=now), a_job(JobState.RETRYING, run_at=now - SECOND)
        later = a_job(JobState.SCHEDULED, run_at=now + SECOND)
        await shop.store(due, retry, later)
        async with shop.memory_bus.subscribe() as subscription:
            await subscription.watch_jobs([due.id])
            assert not await releaser(shop).execute()
            assert getattr(await anext(aiter(subscription.events())), "job_id", None) == due.id
        assert [entry.job_id for entry in await shop.queue.claim(StrictOrder().plan(5, 0), SECOND)] == [
            retry.id,
            due.id,
        ]
        assert {job.id for job in shop.telemetry.released_due} == {due.id, retry.id}
        assert await shop.state(later.id) is JobState.SCHEDULED
        assert not await releaser(shop).execute()

    in_virtual_time(scenario)


def test_of_two_reapers_one_releases_a_job() -> None:
    async def scenario(shop: Shop) -> None:
        await shop.store(a_job(JobState.SCHEDULED, run_at=shop.clock.now()))
        await asyncio.gather(releaser(shop).execute(), releaser(shop).execute())
        assert (len(shop.telemetry.released_due), await depth(shop)) == (1, 1)

    in_virtual_time(scenario)


def test_an_overdue_hand_out_goes_back_if_it_is_queued_and_is_forgotten_otherwise() -> None:
    async def scenario(shop: Shop) -> None:
        queued, running = a_job(), a_job(JobState.RUNNING)
        await shop.store(queued, running)
        entries = [an_entry(queued), an_entry(running), a_queue_entry()]
        await shop.queue.enqueue_all(entries)
        await shop.queue.claim(StrictOrder().plan(5, 0), SECOND)
        assert not await returner(shop).execute()
        assert (await shop.maintenance.depths()).processing == 3
        shop.later(1)
        await returner(shop).execute()
        depths = await shop.maintenance.depths()
        assert (depths.processing, depths.queues[queued.priority]) == (0, 1)
        assert shop.telemetry.repairs["overdue"] == 1

    in_virtual_time(scenario)


def test_what_ended_long_ago_is_purged_by_its_own_rule_and_so_are_closed_workers() -> None:
    async def scenario(shop: Shop) -> None:
        ended = shop.clock.now()
        done, failed = (a_job(state, finished_at=ended) for state in (JobState.SUCCEEDED, JobState.FAILED))
        await shop.store(done, failed)
        worker = a_worker()
        await shop.registered.register(worker, SECOND)
        await shop.registered.close(worker.id)
        rules = [
            PurgeRule(states=[JobState.SUCCEEDED], keep_for=HOUR),
            PurgeRule(states=[JobState.FAILED], keep_for=2 * HOUR),
        ]
        purge = PurgeJobs(sweeper=shop.sweeper, registry=shop.registry, clock=shop.clock, rules=rules)
        left = []
        for _ in range(3):
            assert not await purge.execute()
            left.append(len(await shop.stored.load([done.id, failed.id])))
            shop.later(HOUR.total_seconds() + 1)
        assert left == [2, 1, 0]
        shop.later(KEEP_CLOSED_WORKERS.total_seconds())
        await purge.execute()
        assert await shop.registered.forget_closed(timedelta(0)) == 0

    in_virtual_time(scenario)


def test_without_rules_nothing_is_purged() -> None:
    async def scenario(shop: Shop) -> None:
        purge = PurgeJobs(sweeper=shop.sweeper, registry=shop.registry, clock=shop.clock, rules=[])
        assert not await purge.execute()

    in_virtual_time(scenario)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_full_batch_says_that_there_may_be_more(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (purge_jobs, recover_lost_jobs, release_due_jobs, return_hand_outs):
        monkeypatch.setattr(module, "BATCH", 2)

    async def scenario(shop: Shop) -> None:
        now = shop.clock.now()
        for _ in range(count):
            handed_out = a_job()
            await shop.store(
                handed_out,
                a_job(JobState.SCHEDULED, run_at=now),
                a_job(JobState.RUNNING),
                a_job(JobState.SUCCEEDED, finished_at=now - 2 * HOUR),
            )
            await shop.queue.enqueue_all([an_entry(handed_out)])
        await shop.queue.claim(StrictOrder().plan(9, 0), timedelta(0))
        rule = PurgeRule(states=[JobState.SUCCEEDED], keep_for=HOUR)
        purge = PurgeJobs(sweeper=shop.sweeper, registry=shop.registry, clock=shop.clock, rules=[rule])
        more = [
            await work()
            for work in (
                returner(shop).execute,
                releaser(shop).execute,
                recoverer(shop).execute_absent,
                purge.execute,
            )
        ]
        assert more == [count >= 2] * 4

    in_virtual_time(scenario)


def test_a_transition_that_another_made_first_changes_nothing() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job(JobState.RUNNING)
        await shop.store(job)
        hold = shop.gate.hold("held_by_absent_workers")
        recovering = asyncio.create_task(recoverer(shop).execute_absent())
        await hold.reached()
        await shop.stored.apply([a_change(job, job.succeed(shop.clock.now()))])
        hold.let_go()
        await recovering
        assert await shop.state(job.id) is JobState.SUCCEEDED
        assert (shop.telemetry.recovered, await depth(shop)) == ([], 0)

    in_virtual_time(scenario)

"""Jobs are accepted once, all of a request or none, whoever else submits."""

import asyncio

import pytest

from scheduler.application.dto import SubmitOutcome
from scheduler.application.errors import IdempotencyMismatchError, StoreRejectedError, StoreUnavailableError
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import JobId
from scheduler.domain.submission import Submission
from tests.support.builders import a_job_id, a_submission
from tests.unit.application.shop import Shop, in_virtual_time, settled


def command(submission: Submission | None = None, job_id: JobId | None = None) -> SubmitCommand:
    return SubmitCommand(submission=submission or a_submission(), job_id=job_id)


async def submit(shop: Shop, *commands: SubmitCommand) -> list[SubmitOutcome]:
    return list(await shop.submit_jobs.execute(commands))


async def stored_count(shop: Shop) -> int:
    return (await shop.reader.queue_stats()).queues[a_submission().priority].depth


def test_an_accepted_job_is_stored_queued_and_counted() -> None:
    async def scenario(shop: Shop) -> None:
        chosen = a_job_id()
        outcomes = await submit(shop, command(job_id=chosen), command())
        assert outcomes[0] == SubmitOutcome(job_id=chosen, created=True)
        assert [job.id for job in shop.telemetry.submitted] == [outcome.job_id for outcome in outcomes]
        assert (await shop.maintenance.depths()).queues[a_submission().priority] == 2

    in_virtual_time(scenario)


def test_a_job_with_names_of_ours_alone_costs_one_statement() -> None:
    async def scenario(shop: Shop) -> None:
        await submit(shop, command())
        assert [call for call in shop.gate.calls if call != "enqueue_all"] == ["add_all"]

    in_virtual_time(scenario)


def test_a_repeat_creates_nothing_and_is_not_counted() -> None:
    async def scenario(shop: Shop) -> None:
        job_id = a_job_id()
        await submit(shop, command(job_id=job_id))
        assert await submit(shop, command(job_id=job_id)) == [SubmitOutcome(job_id=job_id, created=False)]
        assert len(shop.telemetry.submitted) == await stored_count(shop) == 1

    in_virtual_time(scenario)


def test_two_flushes_that_race_for_a_key_create_one_job() -> None:
    async def scenario(shop: Shop) -> None:
        hold = shop.gate.hold("find_taken")
        keyed = command(a_submission(idempotency_key="k"))
        slow = asyncio.create_task(submit(shop, keyed))
        await hold.reached()
        (quick,) = await submit(shop, keyed)
        hold.let_go()
        assert quick.created
        assert await slow == [SubmitOutcome(job_id=quick.job_id, created=False)]
        assert await stored_count(shop) == 1

    in_virtual_time(scenario)


def test_two_flushes_that_race_for_a_key_with_other_content_refuse_the_slower_one() -> None:
    async def scenario(shop: Shop) -> None:
        hold = shop.gate.hold("find_taken")
        slow = asyncio.create_task(submit(shop, command(a_submission(idempotency_key="k", payload="1"))))
        await hold.reached()
        await submit(shop, command(a_submission(idempotency_key="k", payload="2")))
        hold.let_go()
        with pytest.raises(IdempotencyMismatchError):
            await slow
        assert await stored_count(shop) == 1

    in_virtual_time(scenario)


def test_a_refused_request_is_refused_whole_and_its_flush_mates_are_stored() -> None:
    async def scenario(shop: Shop) -> None:
        job_id = a_job_id()
        await submit(shop, command(job_id=job_id))
        holds = [shop.gate.hold("add_all"), shop.gate.hold("add_all")]
        before = [asyncio.create_task(submit(shop, command())) for _ in range(2)]
        await settled()
        bad = asyncio.create_task(submit(shop, command(), command(a_submission(payload="2"), job_id=job_id)))
        good = asyncio.create_task(submit(shop, command()))
        await settled()
        for hold in holds:
            hold.let_go()
        await asyncio.gather(*before)
        with pytest.raises(IdempotencyMismatchError):
            await bad
        assert (await good)[0].created
        assert shop.telemetry.submit_errors == ["IdempotencyMismatchError"]

    in_virtual_time(scenario)


def test_a_job_that_the_store_cannot_hold_is_refused_alone() -> None:
    async def scenario(shop: Shop) -> None:
        holds = [shop.gate.hold("add_all"), shop.gate.hold("add_all")]
        waiting = [asyncio.create_task(submit(shop, command())) for _ in range(2)]
        await settled()
        unfit = a_submission()
        object.__setattr__(unfit, "payload", '"\x00"')
        waiting += [asyncio.create_task(submit(shop, command(each))) for each in (None, unfit, None, None)]
        await settled()
        for hold in holds:
            hold.let_go()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert [isinstance(answer, StoreRejectedError) for answer in answers] == [
            False,
            False,
            False,
            True,
            False,
            False,
        ]
        assert await stored_count(shop) == 5

    in_virtual_time(scenario)


def test_a_reply_that_was_lost_is_an_outage_and_the_repeat_finds_the_job() -> None:
    async def scenario(shop: Shop) -> None:
        job_id = a_job_id()
        hold = shop.gate.hold("add_all")
        unlucky = asyncio.create_task(submit(shop, command(job_id=job_id)))
        await hold.reached()
        shop.store_switch.lose_replies()
        hold.let_go()
        with pytest.raises(StoreUnavailableError):
            await unlucky
        shop.store_switch.on()
        assert await submit(shop, command(job_id=job_id)) == [SubmitOutcome(job_id=job_id, created=False)]

    in_virtual_time(scenario)


def test_without_the_queue_a_submit_succeeds_all_the_same() -> None:
    async def scenario(shop: Shop) -> None:
        shop.queue_switch.off()
        (outcome,) = await submit(shop, command())
        assert outcome.created
        assert await stored_count(shop) == 1

    in_virtual_time(scenario)


def test_a_caller_that_gives_up_does_not_take_its_job_back() -> None:
    async def scenario(shop: Shop) -> None:
        hold = shop.gate.hold("add_all", before=True)
        caller = asyncio.create_task(submit(shop, command()))
        await hold.reached()
        caller.cancel()
        await settled()
        hold.let_go()
        await settled()
        assert caller.cancelled()
        assert await stored_count(shop) == 1
        assert len(shop.telemetry.submitted) == 1

    in_virtual_time(scenario)

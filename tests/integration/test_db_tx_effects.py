"""Once and no more than once: lost replies, attempts that overlap, and many at a time."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scheduler.adapters.handlers.db_tx.handler import DOUBT
from scheduler.adapters.handlers.db_tx.outcome import TargetError
from scheduler.application.ports.handlers import PermanentError
from tests.integration.cockroach_tools import Draws, bystander
from tests.integration.db_tx_tools import Attempts, Job, Target, play, query, run_once, until_idle
from tests.support.backends import eventually
from tests.support.proxy import FaultProxy

pytestmark = pytest.mark.servers
TRANSFER = "UPDATE accounts SET balance = balance + $2 WHERE id = $1"
MOVE = (
    "UPDATE accounts SET balance = balance + CASE WHEN id = $1 THEN 0 - $3 ELSE $3 END WHERE id IN ($1, $2)"
    " RETURNING balance"
)


@pytest.fixture
def target(db_tx_target: Target) -> Iterator[Target]:
    db_tx_target.reset()
    yield db_tx_target
    # Whatever was done to it, no transaction is left behind.
    until_idle(db_tx_target)


def behind_a_proxy(target: Target, scenario: Callable[[Attempts, FaultProxy], Coroutine[object, object, None]]) -> None:
    async def with_proxy() -> None:
        address = conninfo_to_dict(target.url)
        async with FaultProxy(str(address["host"]), int(str(address["port"]))) as proxy:
            attempts = Attempts(make_conninfo("", **{**address, "port": proxy.port}))
            try:
                await scenario(attempts, proxy)
            finally:
                await attempts.handler.close()

    asyncio.run(with_proxy())


# --- replies that are lost


def test_a_commit_whose_reply_is_lost_is_looked_up_at_once(target: Target) -> None:
    job = Job(payload=query(TRANSFER, 1, 5))

    async def scenario(attempts: Attempts, proxy: FaultProxy) -> None:
        proxy.lose_reply_to(b"COMMIT")
        assert await attempts.run(job) == 1
        assert proxy.lost_replies == 1

    behind_a_proxy(target, scenario)
    assert target.balances()[1] == 105
    assert target.effects(job.id) == [(1, 1)]


def test_a_commit_whose_fate_cannot_be_found_out_is_told_as_unknown_and_found_by_the_next_attempt(
    target: Target,
) -> None:
    job = Job(payload=query(TRANSFER, 1, 5))

    async def scenario(attempts: Attempts, proxy: FaultProxy) -> None:
        def cut_off() -> float:
            proxy.refuse()
            return 0.5

        doubtful = Attempts(attempts.url, draw=cut_off)
        proxy.lose_reply_to(b"COMMIT")
        with pytest.raises(TargetError) as failure:
            await doubtful.run(job)
        assert str(failure.value).endswith(DOUBT)
        proxy.heal()
        assert await attempts.run(job) == 1

    behind_a_proxy(target, scenario)
    assert target.balances()[1] == 105
    assert target.effects(job.id) == [(1, 1)]


def test_a_statement_whose_reply_is_lost_is_left_to_the_next_attempt(target: Target) -> None:
    job = Job(payload=query(TRANSFER, 1, 5))

    async def scenario(attempts: Attempts, proxy: FaultProxy) -> None:
        proxy.lose_reply_to(TRANSFER.encode())
        with pytest.raises(TargetError):
            await attempts.run(job)
        assert target.balances()[1] == 100
        assert await attempts.run(job) == 1

    behind_a_proxy(target, scenario)
    assert target.balances()[1] == 105
    assert target.effects(job.id) == [(2, 1)]


# --- attempts that overlap


def test_an_attempt_that_overlaps_an_older_one_waits_for_it_and_finds_its_effect(target: Target) -> None:
    job = Job(payload=query(TRANSFER, 1, 5))

    async def scenario(attempts: Attempts) -> list[int]:
        async with bystander(target.admin_url) as other, other.transaction():
            await other.execute("SELECT id FROM accounts WHERE id = 1 FOR UPDATE")
            older = asyncio.create_task(attempts.run(job))
            await _until_waiting(target, 1)
            newer = asyncio.create_task(attempts.run(job))
            await _until_waiting(target, 2)
        return [await older, await newer]

    assert play(target.url, scenario) == [1, 1]
    assert target.balances()[1] == 105
    assert target.effects(job.id) == [(1, 1)]


def test_an_attempt_that_overlaps_one_that_fails_takes_effect_itself(target: Target) -> None:
    job = Job(payload=query(TRANSFER, 1, 5))

    async def scenario(attempts: Attempts) -> int:
        async with bystander(target.admin_url) as other, other.transaction():
            await other.execute("SELECT id FROM accounts WHERE id = 1 FOR UPDATE")
            older = asyncio.create_task(attempts.run(job))
            await _until_waiting(target, 1)
            newer = asyncio.create_task(attempts.run(job))
            await _until_waiting(target, 2)
            older.cancel()
            with pytest.raises(asyncio.CancelledError):
                await older
        return await newer

    assert play(target.url, scenario) == 1
    assert target.balances()[1] == 105
    assert target.effects(job.id) == [(2, 1)]


def test_an_attempt_that_wakes_up_late_changes_nothing(target: Target) -> None:
    job = Job(payload=query(TRANSFER, 1, 5))
    job.attempts = 1
    run_once(target, job)
    job.attempts = 0

    assert run_once(target, job) == 1
    assert target.balances()[1] == 105
    assert target.effects(job.id) == [(2, 1)]


# --- many at a time


def test_a_conflict_with_another_transaction_is_repeated_within_the_attempt(target: Target) -> None:
    draws = Draws()
    job = Job(payload=query(TRANSFER, 1, 5))

    async def scenario(attempts: Attempts) -> None:
        conflicting = Attempts(attempts.url, draw=draws)
        async with bystander(target.admin_url) as other, other.transaction():
            await other.execute("UPDATE accounts SET balance = 50 WHERE id = 1")
            running = asyncio.create_task(conflicting.run(job))
            await _until_waiting(target, 1)
        assert await running == 1
        await conflicting.handler.close()

    play(target.url, scenario)
    assert draws.count == 1
    assert target.balances()[1] == 55
    assert target.effects(job.id) == [(1, 1)]


def test_jobs_that_have_nothing_to_do_with_each_other_do_not_abort_each_other(target: Target) -> None:
    draws = Draws()

    async def scenario(attempts: Attempts) -> None:
        busy = Attempts(attempts.url, draw=draws)
        jobs = [Job(payload=query("SELECT $1", "x")) for _ in range(200)]
        assert await asyncio.gather(*(busy.run(job) for job in jobs)) == [1] * len(jobs)
        await busy.handler.close()

    play(target.url, scenario)
    assert draws.count == 0


def test_money_moved_by_many_workers_with_attempts_that_overlap_is_neither_made_nor_lost(target: Target) -> None:
    draws = Draws()
    chance = random.Random(4711)
    moves = [(*chance.sample([1, 2, 3], 2), chance.randint(1, 60)) for _ in range(100)]
    jobs = [Job(payload=query(MOVE, *move)) for move in moves]

    async def scenario(attempts: Attempts) -> list[int | BaseException]:
        workers = [Attempts(attempts.url, draw=draws) for _ in range(3)]
        runs = [chance.choice(workers).run(job, seconds=100) for job in jobs for _ in range(2)]
        results = await asyncio.gather(*runs, return_exceptions=True)
        for worker in workers:
            await worker.handler.close()
        return results

    results = play(target.url, scenario)

    expected = {1: 100, 2: 100, 3: 100}
    for job, (giver, taker, amount) in zip(jobs, moves, strict=True):
        if target.effects(job.id):
            expected[giver] -= amount
            expected[taker] += amount
    assert target.balances() == expected
    assert sum(expected.values()) == 300
    for job, first, second in zip(jobs, results[::2], results[1::2], strict=True):
        if target.effects(job.id):
            # One of two overlapping attempts may have found the account empty, before the other found it full.
            assert 2 in (first, second)
        else:
            assert [type(first), type(second)] == [PermanentError] * 2
    assert draws.count > 0


async def _until_waiting(target: Target, statements: int) -> None:
    async def waiting() -> bool:
        return await asyncio.to_thread(lambda: target.waiting) == statements

    await eventually(waiting, f"{statements} statements wait for locks")

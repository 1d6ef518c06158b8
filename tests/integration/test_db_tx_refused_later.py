"""A statement that was allowed once and is refused now: what happened before is the truth."""

import asyncio
from collections.abc import Iterator, Mapping

import pytest

from scheduler.adapters.handlers.db_tx.outcome import TargetError
from scheduler.application.ports.handlers import PermanentError
from tests.integration.cockroach_tools import bystander
from tests.integration.db_tx_tools import Attempts, Job, Target, play, query, until_idle
from tests.support.backends import eventually

pytestmark = pytest.mark.servers
TRANSFER = "UPDATE accounts SET balance = balance + $2 WHERE id = $1"
NAMED = '{"statement": "transfer", "params": [1, 5]}'
BEFORE: Mapping[str, str] = {"transfer": TRANSFER}
NOW: Mapping[str, str] = {"other": "SELECT 1"}
REFUSALS = [
    pytest.param(
        NAMED, BEFORE, NOW, "'transfer' is not one of the allowed statements", id="the name has left the list"
    ),
    pytest.param(NAMED, BEFORE, {"transfer": "SELECT 1"}, "params: must be 0 values", id="the name means another one"),
    pytest.param(NAMED, BEFORE, None, "this worker has no named statements", id="there is no list any more"),
    pytest.param(query(TRANSFER, 1, 5), None, NOW, "runs named statements only", id="there is a list now"),
]


@pytest.fixture
def target(db_tx_target: Target) -> Iterator[Target]:
    db_tx_target.reset()
    yield db_tx_target
    until_idle(db_tx_target)


def run(url: str, job: Job, statements: Mapping[str, str] | None) -> int:
    return play(url, lambda attempts: attempts.run(job), statements=statements)


@pytest.mark.parametrize(("payload", "before", "now", "reason"), REFUSALS)
def test_an_effect_from_before_the_refusal_is_the_success_of_the_job(
    target: Target, payload: str, before: Mapping[str, str] | None, now: Mapping[str, str] | None, reason: str
) -> None:
    with pytest.raises(PermanentError, match=reason):
        run(target.url, Job(payload=payload), now)
    job = Job(payload=payload)

    assert run(target.url, job, before) == 1
    assert run(target.url, job, now) == 1

    assert target.balances() == {1: 105, 2: 100, 3: 100}
    assert target.effects(job.id) == [(1, 1)]


@pytest.mark.parametrize(("payload", "before", "now", "reason"), REFUSALS)
def test_without_an_effect_the_job_fails_with_the_refusal_and_nothing_is_left(
    target: Target, payload: str, before: Mapping[str, str] | None, now: Mapping[str, str] | None, reason: str
) -> None:
    job = Job(payload=payload, attempts=1)

    with pytest.raises(PermanentError, match=reason):
        run(target.url, job, now)
    assert target.effects(job.id) == []

    assert run(target.url, job, before) == 1
    assert target.balances() == {1: 105, 2: 100, 3: 100}


def test_an_older_attempt_that_still_runs_is_waited_for(target: Target) -> None:
    job = Job(payload=NAMED)

    async def scenario(attempts: Attempts) -> list[int]:
        newer = Attempts(attempts.url, statements=NOW)
        async with bystander(target.admin_url) as other, other.transaction():
            await other.execute("SELECT id FROM accounts WHERE id = 1 FOR UPDATE")
            running = [asyncio.create_task(attempts.run(job))]
            await _until_waiting(target, 1)
            running.append(asyncio.create_task(newer.run(job)))
            await _until_waiting(target, 2)
        results = await asyncio.gather(*running)
        await newer.handler.close()
        return results

    assert play(target.url, scenario, statements=BEFORE) == [1, 1]
    assert target.balances()[1] == 105


def test_as_long_as_the_target_cannot_be_asked_the_job_is_not_failed(target: Target) -> None:
    job = Job(payload=NAMED)
    run(target.url, job, BEFORE)

    with pytest.raises(TargetError, match="no connection to the target database"):
        run(f"{target.url} port=1", job, NOW)

    assert run(target.url, job, NOW) == 1


def test_an_effect_of_another_payload_is_no_success(target: Target) -> None:
    job = Job(payload=NAMED)
    run(target.url, job, BEFORE)
    job.payload = query(TRANSFER, 2, 5)

    with pytest.raises(PermanentError, match="took effect in attempt 1, with another payload"):
        run(target.url, job, BEFORE)
    assert target.balances() == {1: 105, 2: 100, 3: 100}


async def _until_waiting(target: Target, statements: int) -> None:
    async def waiting() -> bool:
        return await asyncio.to_thread(lambda: target.waiting) == statements

    await eventually(waiting, f"{statements} statements wait for locks")

"""The lease: opened, renewed, doubted in time, replaced, closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from scheduler.application.errors import DuplicateJobsError, SchemaNotMigratedError, StoreRejectedError
from scheduler.application.worker.lease import LeaseHolder
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import AttemptId, Fence, WorkerId
from scheduler.domain.state import JobState
from tests.support.builders import SECOND, a_job, a_job_id
from tests.unit.application.shop import settled
from tests.unit.application.workshop import LEASE_SECONDS, Workshop, until, with_a_worker

DOUBTED_AFTER = LEASE_SECONDS - 3


class Notes(LeaseHolder):
    """Writes down what the lease says, and when."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self.said: list[tuple[float, str]] = []
        self.lost: list[frozenset[AttemptId]] = []
        self.strangers: list[frozenset[AttemptId]] = []
        self.running: frozenset[AttemptId] = frozenset()
        self.stuck = False

    def words(self) -> list[str]:
        return [word for _, word in self.said]

    def lease_opened(self, worker_id: WorkerId) -> None:
        self._note("opened")

    def lease_suspended(self) -> None:
        self._note("suspended")

    def running_attempts(self) -> frozenset[AttemptId]:
        return self.running

    def attempts_checked(self, *, lost: frozenset[AttemptId], strangers: frozenset[AttemptId]) -> None:
        self.lost.append(lost)
        self.strangers.append(strangers)

    def has_stuck_handler(self) -> bool:
        return self.stuck

    def handler_stuck(self) -> None:
        self._note("stuck")

    def _note(self, word: str) -> None:
        self.said.append((self._shop.clock.monotonic(), word))


@asynccontextmanager
async def kept(shop: Workshop, notes: Notes) -> AsyncIterator["asyncio.Task[None]"]:
    stopping = asyncio.Event()
    keeping = asyncio.create_task(shop.keeper().run(notes, stopping))
    try:
        await settled()
        yield keeping
    finally:
        stopping.set()
        await keeping


async def expired(shop: Workshop) -> bool:
    return bool(await shop.registered.close_expired(shop.clock.now()))


def renewals(shop: Workshop) -> list[str]:
    return [result for _, result in shop.telemetry.renewals]


def test_the_lease_is_opened_once_renewed_every_third_and_closed_at_the_end() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        async with kept(shop, notes):
            assert notes.words() == ["opened"]
            for _ in range(30):
                await asyncio.sleep(4)
                assert not await expired(shop)
            assert await shop.registered.count_open() == 1
        assert await shop.registered.count_open() == 0
        assert notes.words() == ["opened"]
        assert 30 <= len(renewals(shop)) <= 32
        assert set(renewals(shop)) == {"ok"}

    with_a_worker(scenario)


def test_a_lease_is_opened_as_soon_as_the_store_is_there() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        shop.store_switch.off()
        async with kept(shop, notes):
            await asyncio.sleep(60)
            assert notes.said == []
            shop.store_switch.on()
            await until(lambda: notes.words() == ["opened"], seconds=1)

    with_a_worker(scenario)


def test_a_short_silence_of_the_store_costs_nothing() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        async with kept(shop, notes):
            shop.store_switch.off()
            await asyncio.sleep(8)
            shop.store_switch.on()
            await asyncio.sleep(20)
            assert notes.words() == ["opened"]
            assert renewals(shop).count("unavailable") > 3

    with_a_worker(scenario)


@pytest.mark.parametrize(
    "error", [SchemaNotMigratedError(["workers"]), StoreRejectedError("x"), DuplicateJobsError("x")], ids=repr
)
def test_whatever_the_store_says_the_lease_goes_on_when_it_answers(error: SchedulerError) -> None:
    async def scenario(shop: Workshop) -> None:
        async def refuse(worker_id: WorkerId, lease: timedelta) -> bool:
            raise error

        notes = Notes(shop)
        async with kept(shop, notes) as keeping:
            renew = shop.registry.renew
            shop.registry.renew = refuse  # type: ignore[method-assign] # a store with a whim
            await asyncio.sleep(60)
            assert notes.words() == ["opened", "suspended"]
            shop.registry.renew = renew  # type: ignore[method-assign] # as above
            await until(lambda: notes.words() == ["opened", "suspended", "opened"], seconds=1)
            assert not keeping.done()

    with_a_worker(scenario)


def test_a_lease_is_doubted_before_it_runs_out_and_believed_again_under_the_same_name() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        async with kept(shop, notes):
            shop.store_switch.off()
            await until(lambda: notes.words() == ["opened", "suspended"])
            since_good = notes.said[1][0] - notes.said[0][0]
            assert DOUBTED_AFTER <= since_good <= DOUBTED_AFTER + 0.7
            assert not await expired(shop)
            await asyncio.sleep(1)
            shop.store_switch.on()
            await until(lambda: notes.words()[2:] == ["opened"], seconds=1)
            assert len(shop.opened) == 1

    with_a_worker(scenario)


def test_a_closed_lease_is_given_up_and_replaced_under_a_new_name() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        async with kept(shop, notes):
            await shop.registered.close(shop.opened[0].id)
            await until(lambda: notes.words() == ["opened", "suspended", "opened"])
            assert len({worker.id for worker in shop.opened}) == 2
            assert "closed" in renewals(shop)
            assert await shop.registered.count_open() == 1

    with_a_worker(scenario)


def test_a_lease_that_was_closed_while_the_store_was_away_is_replaced_without_a_second_word() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        async with kept(shop, notes):
            shop.store_switch.off()
            await asyncio.sleep(20)
            assert await expired(shop)
            shop.store_switch.on()
            await asyncio.sleep(1)
            assert notes.words() == ["opened", "suspended", "opened"]
            assert len(shop.opened) == 2

    with_a_worker(scenario)


def test_lost_attempts_and_strangers_are_told_apart() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        async with kept(shop, notes):
            held = a_job(JobState.RUNNING, worker_id=shop.opened[0].id)
            stranger = a_job(JobState.RUNNING, worker_id=shop.opened[0].id)
            await shop.store(held, stranger)
            lost = AttemptId(a_job_id(), Fence(2))
            notes.running = frozenset({held.attempt_id, lost})
            await asyncio.sleep(5)
            assert notes.lost[-1] == {lost}
            assert notes.strangers[-1] == {stranger.attempt_id}

    with_a_worker(scenario)


def test_a_stuck_handler_ends_the_keeping_and_the_lease_is_neither_renewed_nor_closed() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        async with kept(shop, notes) as keeping:
            notes.stuck = True
            await keeping
            assert notes.words() == ["opened", "stuck"]
            assert await shop.registered.count_open() == 1
            await asyncio.sleep(LEASE_SECONDS)
            assert await expired(shop)

    with_a_worker(scenario)


def test_a_stop_during_an_outage_ends_at_once() -> None:
    async def scenario(shop: Workshop) -> None:
        before = shop.clock.now()
        async with kept(shop, Notes(shop)):
            shop.store_switch.off()
        assert shop.clock.now() - before < SECOND
        assert renewals(shop) == ["ok", "unavailable"]

    with_a_worker(scenario)


def test_a_stop_before_the_lease_was_opened_closes_nothing() -> None:
    async def scenario(shop: Workshop) -> None:
        shop.store_switch.off()
        async with kept(shop, Notes(shop)):
            shop.store_switch.on()
        assert shop.gate.calls == []
        assert renewals(shop) == []

    with_a_worker(scenario)


def test_a_handler_that_is_stuck_at_once_opens_no_lease() -> None:
    async def scenario(shop: Workshop) -> None:
        notes = Notes(shop)
        notes.stuck = True
        async with kept(shop, notes) as keeping:
            await keeping
        assert notes.words() == ["stuck"]
        assert shop.opened == []

    with_a_worker(scenario)

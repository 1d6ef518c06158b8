"""The queue is an accelerator: told what it must know, never waited for long, never missed."""

from scheduler.application.best_effort import HINT_SECONDS, BestEffortQueue
from scheduler.application.deadline import remaining_seconds, time_limit
from scheduler.domain.state import JobState
from tests.support.builders import a_job, an_entry
from tests.unit.application.shop import Shop, in_virtual_time


def test_nothing_to_tell_is_not_told() -> None:
    async def scenario(shop: Shop) -> None:
        queue = shop.best_effort
        await queue.enqueue([])
        await queue.enqueue([a_job(state) for state in JobState if state is not JobState.QUEUED])
        await queue.remove([])
        await queue.ack([])
        await queue.give_back([])
        shop.queue_switch.off()
        await queue.announce([])
        assert (shop.gate.calls, shop.telemetry.faults) == ([], [])

    in_virtual_time(scenario)


def test_an_outage_is_told_once_a_command_and_raised_to_nobody() -> None:
    async def scenario(shop: Shop) -> None:
        job = a_job()
        shop.queue_switch.off()
        queue = shop.best_effort
        await queue.enqueue([job])
        await queue.remove([job.id])
        await queue.ack([job.id])
        await queue.give_back([an_entry(job)])
        await queue.announce([job])
        assert [event for event, _ in shop.telemetry.faults] == ["queue_command_skipped"] * 5

    in_virtual_time(scenario)


def test_a_hint_has_a_short_time_of_its_own_whatever_the_caller_has() -> None:
    async def scenario(shop: Shop) -> None:
        left: list[float] = []
        ack = shop.queue.ack

        async def note_the_limit(ids: object) -> None:
            left.append(remaining_seconds())
            await ack(ids)  # type: ignore[arg-type] # passed through

        shop.queue.ack = note_the_limit  # type: ignore[method-assign] # listens in
        queue = BestEffortQueue(queue=shop.queue, bus=shop.bus, faults=shop.telemetry)
        for seconds in (100, 0.001):
            with time_limit(seconds):
                await queue.ack([a_job().id])
        assert all(HINT_SECONDS - 0.4 < seconds <= HINT_SECONDS for seconds in left)

    in_virtual_time(scenario)

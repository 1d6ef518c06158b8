"""JobQueue."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from scheduler.application.dto import QueueEntry
from scheduler.domain.priority import ClaimPlan, Priority, StrictOrder, WeightedOrder
from tests.support.backends import QueueBackend, Run, eventually
from tests.support.builders import HOUR, MICROSECOND, NOW, a_job_id, a_queue_entry


def entries(priority: Priority, count: int) -> list[QueueEntry]:
    """Make entries of one priority, the oldest first."""
    return [a_queue_entry(priority, NOW + n * MICROSECOND) for n in range(count)]


def claimed(
    run: Run, broker: QueueBackend, limit: int = 100, *, plan: ClaimPlan | None = None, hand_out: timedelta = HOUR
) -> list[QueueEntry]:
    return list(run(broker.queue.claim(plan or StrictOrder().plan(limit, 0), hand_out)))


def sizes(run: Run, broker: QueueBackend) -> tuple[int, int]:
    """Count what is queued and what is handed out."""
    depths = run(broker.maintenance.depths())
    return sum(depths.queues.values()), depths.processing


def test_entries_come_back_as_they_were_put_in_oldest_first(run: Run, broker: QueueBackend) -> None:
    queued = entries(Priority.DEFAULT, 5)

    run(broker.queue.enqueue_all(queued[::-1]))

    assert claimed(run, broker) == queued
    assert claimed(run, broker) == []


@pytest.mark.parametrize("microsecond", [0, 1, 499_999, 999_999])
def test_places_are_kept_to_the_microsecond(run: Run, broker: QueueBackend, microsecond: int) -> None:
    entry = a_queue_entry(queued_at=NOW.replace(year=2199, microsecond=microsecond))

    run(broker.queue.enqueue_all([entry]))

    assert claimed(run, broker) == [entry]


def test_equal_times_are_ordered_by_id(run: Run, broker: QueueBackend) -> None:
    queued = [a_queue_entry() for _ in range(20)]

    run(broker.queue.enqueue_all(queued))

    assert claimed(run, broker) == sorted(queued, key=lambda entry: entry.job_id)


def test_repeats_are_harmless_and_keep_the_first_place(run: Run, broker: QueueBackend) -> None:
    first, second = entries(Priority.HIGH, 2)
    run(broker.queue.enqueue_all([first, second]))

    later = QueueEntry(job_id=first.job_id, priority=first.priority, queued_at=NOW + HOUR)
    run(broker.queue.enqueue_all([later, first, first]))

    assert claimed(run, broker) == [first, second]


def test_enqueueing_acking_and_removing_nothing_is_fine(run: Run, broker: QueueBackend) -> None:
    run(broker.queue.enqueue_all([]))
    run(broker.queue.give_back([]))
    run(broker.queue.ack([]))
    run(broker.queue.remove_all([]))

    assert claimed(run, broker) == []


def test_a_strict_claim_empties_the_most_urgent_queue_first(run: Run, broker: QueueBackend) -> None:
    queues = {priority: entries(priority, 3) for priority in Priority}
    for priority in reversed(Priority):
        run(broker.queue.enqueue_all(queues[priority]))

    found = [each for limit in (2, 5, 1, 10) for each in claimed(run, broker, limit)]

    assert found == [each for priority in Priority for each in queues[priority]]


def test_a_claim_takes_at_most_its_limit(run: Run, broker: QueueBackend) -> None:
    run(broker.queue.enqueue_all(entries(Priority.LOW, 10)))

    assert [len(claimed(run, broker, limit)) for limit in (0, 3, 4, 100)] == [0, 3, 4, 3]


def of(found: Sequence[QueueEntry], priority: Priority) -> list[QueueEntry]:
    return [each for each in found if each.priority is priority]


def test_a_claim_walks_the_quotas_in_order(run: Run, broker: QueueBackend) -> None:
    queues = {priority: entries(priority, 9) for priority in (Priority.CRITICAL, Priority.DEFAULT, Priority.LOW)}
    run(broker.queue.enqueue_all([each for queue in queues.values() for each in queue]))

    plan = ClaimPlan(limit=6, quotas=[(Priority.LOW, 2), (Priority.DEFAULT, 3), (Priority.LOW, 5)])
    found = claimed(run, broker, plan=plan)

    assert of(found, Priority.LOW) == queues[Priority.LOW][:3]
    assert of(found, Priority.DEFAULT) == queues[Priority.DEFAULT][:3]
    assert len(found) == 6


def test_what_a_queue_leaves_of_its_share_goes_to_the_others(run: Run, broker: QueueBackend) -> None:
    high, low = entries(Priority.HIGH, 2), entries(Priority.LOW, 20)
    run(broker.queue.enqueue_all(high + low))

    found = claimed(run, broker, plan=WeightedOrder().plan(12, 0))

    assert of(found, Priority.HIGH) == high
    assert of(found, Priority.LOW) == low[:10]


def test_a_claimed_entry_is_handed_out_until_it_is_acked(run: Run, broker: QueueBackend) -> None:
    run(broker.queue.enqueue_all(entries(Priority.DEFAULT, 3)))
    first, second = claimed(run, broker, 2)
    assert sizes(run, broker) == (1, 2)

    run(broker.queue.ack([first.job_id, a_job_id()]))
    assert sizes(run, broker) == (1, 1)

    run(broker.queue.ack([first.job_id, second.job_id]))
    assert sizes(run, broker) == (1, 0)


def test_an_entry_is_handed_out_to_one_of_many(run: Run, broker: QueueBackend) -> None:
    queued = entries(Priority.DEFAULT, 200)
    run(broker.queue.enqueue_all(queued))

    async def compete() -> list[QueueEntry]:
        claims = (broker.queue.claim(StrictOrder().plan(7, 0), HOUR) for _ in range(40))
        return [entry for claim in await asyncio.gather(*claims) for entry in claim]

    found = run(compete())

    assert sorted(found, key=lambda entry: entry.queued_at) == queued


def test_entries_given_back_keep_their_places(run: Run, broker: QueueBackend) -> None:
    queued = entries(Priority.CRITICAL, 2) + entries(Priority.LOW, 4)
    run(broker.queue.enqueue_all(queued))
    first = claimed(run, broker, 4)

    run(broker.queue.give_back(first[1:]))

    assert sizes(run, broker) == (5, 1)
    assert claimed(run, broker) == queued[1:]


def test_removed_ids_leave_every_queue_and_the_handed_out(run: Run, broker: QueueBackend) -> None:
    queued = [each for priority in Priority for each in entries(priority, 2)]
    run(broker.queue.enqueue_all(queued))
    handed_out = claimed(run, broker, 1)

    run(broker.queue.remove_all([each.job_id for each in (queued[0], queued[3], queued[7])] + [a_job_id()]))

    assert handed_out == queued[:1]
    assert sizes(run, broker) == (5, 0)
    assert claimed(run, broker) == [each for n, each in enumerate(queued) if n not in {0, 3, 7}]


def test_a_removed_entry_that_is_given_back_stays_away(run: Run, broker: QueueBackend) -> None:
    run(broker.queue.enqueue_all(entries(Priority.HIGH, 1)))
    handed_out = claimed(run, broker)
    run(broker.queue.remove_all([each.job_id for each in handed_out]))

    run(broker.queue.give_back(handed_out))

    assert sizes(run, broker) == (0, 0)


def test_an_acked_id_can_be_queued_again(run: Run, broker: QueueBackend) -> None:
    (entry,) = entries(Priority.HIGH, 1)
    for _ in range(3):
        run(broker.queue.enqueue_all([entry]))
        assert claimed(run, broker) == [entry]
        run(broker.queue.ack([entry.job_id]))


def test_a_job_queued_again_before_its_ack_is_not_lost(run: Run, broker: QueueBackend) -> None:
    (entry,) = entries(Priority.HIGH, 1)
    run(broker.queue.enqueue_all([entry]))
    claimed(run, broker)

    run(broker.queue.enqueue_all([entry]))
    run(broker.queue.ack([entry.job_id]))

    assert claimed(run, broker) == [entry]


def test_an_id_that_is_handed_out_is_not_handed_out_again(run: Run, broker: QueueBackend) -> None:
    first, second = entries(Priority.HIGH, 2)
    run(broker.queue.enqueue_all([first]))
    claimed(run, broker)
    run(broker.queue.enqueue_all([first, second]))

    assert claimed(run, broker, 1) == [second]
    assert sizes(run, broker) == (0, 2)


def test_a_second_claim_of_an_id_does_not_put_off_the_end_of_its_hand_out(run: Run, broker: QueueBackend) -> None:
    (entry,) = entries(Priority.HIGH, 1)
    run(broker.queue.enqueue_all([entry]))
    claimed(run, broker, hand_out=timedelta(milliseconds=30))
    run(broker.queue.enqueue_all([entry]))

    assert claimed(run, broker, hand_out=HOUR) == []

    async def overdue() -> bool:
        return bool(await broker.maintenance.overdue(10))

    run(eventually(overdue, "the hand-out is overdue"))


def test_a_thousand_entries_pass_in_one_batch(run: Run, broker: QueueBackend) -> None:
    queued = [each for priority in Priority for each in entries(priority, 250)]
    run(broker.queue.enqueue_all(queued))

    found = claimed(run, broker, 1000)
    assert found == queued

    run(broker.queue.give_back(found))
    assert sizes(run, broker) == (1000, 0)
    run(broker.queue.remove_all([each.job_id for each in queued]))
    assert sizes(run, broker) == (0, 0)


def test_a_hand_out_becomes_overdue_by_the_queues_clock(run: Run, broker: QueueBackend) -> None:
    short, long = entries(Priority.HIGH, 2)
    run(broker.queue.enqueue_all([short, long]))
    claimed(run, broker, 1, hand_out=timedelta(milliseconds=30))
    claimed(run, broker, 1, hand_out=HOUR)

    async def overdue() -> bool:
        return bool(await broker.maintenance.overdue(10))

    run(eventually(overdue, "the hand-out is overdue"))
    assert list(run(broker.maintenance.overdue(10))) == [short.job_id]

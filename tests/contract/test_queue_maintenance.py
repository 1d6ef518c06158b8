"""QueueMaintenance."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from scheduler.application.dto import QueueEntry
from scheduler.application.ports.queue_maintenance import QueueDepths
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority, StrictOrder
from tests.support.backends import QueueBackend, Run, eventually
from tests.support.builders import HOUR, MICROSECOND, NOW, a_job_id, a_queue_entry

AT_ONCE = timedelta(milliseconds=1)


def queued(run: Run, broker: QueueBackend, count: int, priority: Priority = Priority.DEFAULT) -> list[QueueEntry]:
    entries = [a_queue_entry(priority, NOW + n * MICROSECOND) for n in range(count)]
    run(broker.queue.enqueue_all(entries))
    return entries


def claimed(run: Run, broker: QueueBackend, limit: int = 100, hand_out: timedelta = HOUR) -> list[QueueEntry]:
    return list(run(broker.queue.claim(StrictOrder().plan(limit, 0), hand_out)))


def made_overdue(run: Run, broker: QueueBackend, count: int) -> list[QueueEntry]:
    entries = queued(run, broker, count)
    claimed(run, broker, count, AT_ONCE)

    async def all_overdue() -> bool:
        return len(await broker.maintenance.overdue(100)) == count

    run(eventually(all_overdue, "the hand-outs are overdue"))
    return entries


def sizes(run: Run, broker: QueueBackend) -> tuple[int, int]:
    """Count what is queued and what is handed out."""
    depths = run(broker.maintenance.depths())
    return sum(depths.queues.values()), depths.processing


def ids(entries: list[QueueEntry]) -> list[JobId]:
    return [entry.job_id for entry in entries]


def test_depths_count_each_queue_and_what_is_handed_out(run: Run, broker: QueueBackend) -> None:
    for n, priority in enumerate(Priority):
        queued(run, broker, n + 1, priority)
    claimed(run, broker, 2)

    depths = run(broker.maintenance.depths())

    assert depths == QueueDepths(
        queues={Priority.CRITICAL: 0, Priority.HIGH: 1, Priority.DEFAULT: 3, Priority.LOW: 4}, processing=2
    )


def test_overdue_returns_a_bounded_number(run: Run, broker: QueueBackend) -> None:
    entries = made_overdue(run, broker, 5)

    assert sorted(run(broker.maintenance.overdue(100))) == sorted(ids(entries))
    assert len(run(broker.maintenance.overdue(3))) == 3


def test_overdue_hand_outs_come_back_to_their_places_or_are_forgotten(run: Run, broker: QueueBackend) -> None:
    back, gone, untouched = made_overdue(run, broker, 3)
    later = queued(run, broker, 2)

    assert run(broker.maintenance.return_overdue([back], [gone.job_id, a_job_id()])) == 1

    assert list(run(broker.maintenance.overdue(100))) == [untouched.job_id]
    assert sizes(run, broker) == (3, 1)
    assert claimed(run, broker) == sorted([back, *later], key=lambda entry: (entry.queued_at, entry.job_id))


def test_what_is_no_longer_overdue_is_left_alone(run: Run, broker: QueueBackend) -> None:
    acked, given_back, removed, claimed_again = entries = made_overdue(run, broker, 4)
    run(broker.queue.ack([acked.job_id]))
    run(broker.queue.remove_all([removed.job_id]))
    run(broker.queue.give_back([given_back, claimed_again]))
    run(broker.queue.remove_all([given_back.job_id]))
    assert claimed(run, broker) == [claimed_again]

    assert run(broker.maintenance.return_overdue(entries, [])) == 0
    assert run(broker.maintenance.return_overdue([], ids(entries))) == 0

    assert sizes(run, broker) == (0, 1)


def test_only_one_of_two_reapers_returns_a_hand_out(run: Run, broker: QueueBackend) -> None:
    entries = made_overdue(run, broker, 3)

    assert [run(broker.maintenance.return_overdue(entries, [])) for _ in range(2)] == [3, 0]

    assert claimed(run, broker) == entries


def test_returning_nothing_is_fine(run: Run, broker: QueueBackend) -> None:
    assert run(broker.maintenance.return_overdue([], [])) == 0
    assert run(broker.maintenance.enqueue_missing([])) == 0
    assert run(broker.maintenance.discard([])) == 0


def test_missing_entries_are_added_and_counted(run: Run, broker: QueueBackend) -> None:
    handed_out, waiting = queued(run, broker, 2)
    claimed(run, broker, 1)
    missing = [a_queue_entry(Priority.LOW), a_queue_entry(Priority.CRITICAL)]

    assert run(broker.maintenance.enqueue_missing([handed_out, waiting, *missing])) == 2
    assert run(broker.maintenance.enqueue_missing([handed_out, waiting, *missing])) == 0

    assert sizes(run, broker) == (3, 1)
    assert claimed(run, broker) == [missing[1], waiting, missing[0]]


def test_an_entry_that_is_there_keeps_its_place(run: Run, broker: QueueBackend) -> None:
    first, second = queued(run, broker, 2)

    later = QueueEntry(job_id=first.job_id, priority=first.priority, queued_at=NOW + HOUR)
    assert run(broker.maintenance.enqueue_missing([later])) == 0

    assert claimed(run, broker) == [first, second]


def a_round(
    run: Run, broker: QueueBackend, count: int, between: Callable[[], object] = lambda: None
) -> tuple[Counter[tuple[Priority, JobId]], int]:
    """Scan once through everything; return what was seen and how much junk was removed."""
    seen: Counter[tuple[Priority, JobId]] = Counter()
    junk, cursor = 0, None
    while True:
        page = run(broker.maintenance.scan(cursor, count))
        seen.update(page.entries)
        junk += page.junk
        if page.next is None:
            return seen, junk
        cursor = page.next
        between()


@pytest.mark.parametrize("count", [1, 7, 1000])
def test_a_scan_sees_every_member_of_every_queue(run: Run, broker: QueueBackend, count: int) -> None:
    members = {(priority, each.job_id) for priority in Priority for each in queued(run, broker, 150, priority)}

    for _ in range(2):
        seen, junk = a_round(run, broker, count)
        assert seen.keys() == members
        assert junk == 0


def test_a_scan_of_empty_queues_ends(run: Run, broker: QueueBackend) -> None:
    assert a_round(run, broker, 10) == (Counter(), 0)


def test_a_scan_does_not_see_what_is_handed_out(run: Run, broker: QueueBackend) -> None:
    queued(run, broker, 2)
    claimed(run, broker, 1)

    seen, _ = a_round(run, broker, 10)

    assert len(seen) == 1


def test_a_scan_sees_what_stays_while_others_come_and_go(run: Run, broker: QueueBackend) -> None:
    staying = {(Priority.DEFAULT, each.job_id) for each in queued(run, broker, 300)}
    passing = queued(run, broker, 300, Priority.CRITICAL)

    def churn() -> None:
        run(broker.queue.remove_all(ids([passing.pop() for _ in range(min(10, len(passing)))])))
        queued(run, broker, 10, Priority.LOW)
        claimed(run, broker, 1)

    seen, _ = a_round(run, broker, 100, churn)

    assert staying <= seen.keys()


def test_a_scan_removes_members_that_can_be_no_entry(run: Run, broker: QueueBackend) -> None:
    entries = queued(run, broker, 5)
    run(broker.put_junk())
    planted = sum(sizes(run, broker)) - len(entries)

    seen, junk = a_round(run, broker, 100)

    assert junk == planted
    assert seen.keys() == {(Priority.DEFAULT, each.job_id) for each in entries}
    assert sizes(run, broker) == (len(entries), 0)


def test_a_claim_hands_out_no_junk(run: Run, broker: QueueBackend) -> None:
    entries = queued(run, broker, 5)
    run(broker.put_junk())

    assert claimed(run, broker, 5) == entries


def test_overdue_returns_no_junk(run: Run, broker: QueueBackend) -> None:
    entries = made_overdue(run, broker, 2)
    run(broker.put_junk())

    async def only_ids() -> bool:
        return sorted(await broker.maintenance.overdue(100)) == sorted(ids(entries))

    run(eventually(only_ids, "junk is out of the way"))


def test_keys_of_a_wrong_type_are_removed_and_the_queues_work_again(run: Run, broker: QueueBackend) -> None:
    run(broker.put_wrong_type())

    seen, _ = a_round(run, broker, 100)

    assert seen == Counter()
    entries = queued(run, broker, 2)
    assert claimed(run, broker, 1) == entries[:1]
    assert sizes(run, broker) == (1, 1)
    assert a_round(run, broker, 100)[1] == 0


def test_discard_takes_members_out_of_just_that_queue(run: Run, broker: QueueBackend) -> None:
    entry, other = queued(run, broker, 2, Priority.HIGH)
    run(broker.queue.enqueue_all([QueueEntry(job_id=entry.job_id, priority=Priority.LOW, queued_at=NOW)]))

    assert run(broker.maintenance.discard([(Priority.LOW, entry.job_id), (Priority.LOW, other.job_id)])) == 1

    assert claimed(run, broker) == [entry, other]
    assert run(broker.maintenance.discard([(Priority.HIGH, entry.job_id)])) == 0
    assert sizes(run, broker) == (0, 2)

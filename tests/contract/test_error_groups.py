"""EndedJobs: kinds of errors."""

from collections.abc import Sequence

from scheduler.application.dead_letters import COUNTED_IN_ALL, ErrorGroup, ErrorGroups
from scheduler.domain.state import DEAD_STATES, JobState
from tests.contract.steps import added
from tests.support.backends import SMALL_CAP, SMALL_KINDS, Run, StoreBackend
from tests.support.builders import HOUR, NOW, SECOND, a_change, a_job

ONE, OTHER = "1" * 16, "2" * 16


def grouped(
    run: Run, store: StoreBackend, *, fingerprint: str | None = None, job_type: str | None = None, limit: int = 10
) -> ErrorGroups:
    return run(store.ended_jobs.error_groups(fingerprint=fingerprint, job_type=job_type, limit=limit))


def fingerprints(groups: Sequence[ErrorGroup]) -> list[str]:
    return [group.fingerprint for group in groups]


def test_a_store_without_dead_letters_has_no_kinds_of_errors(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(state) for state in JobState if state not in DEAD_STATES])

    assert grouped(run, store) == ErrorGroups(groups=[], more=False)


def test_a_kind_shows_its_counts_its_times_and_its_newest_job(run: Run, store: StoreBackend) -> None:
    old = a_job(JobState.FAILED, finished_at=NOW, error_fingerprint=ONE)
    mid = a_job(JobState.DEADLETTER, finished_at=NOW + SECOND, error_fingerprint=ONE)
    new = a_job(JobState.DEADLETTER, finished_at=NOW + HOUR, error_fingerprint=ONE, type="new", last_error="é'")
    added(run, store, [mid, new, old])

    (group,) = grouped(run, store).groups

    assert group == ErrorGroup(
        fingerprint=ONE,
        type="new",
        sample_job_id=new.id,
        sample_error="é'",
        failed=1,
        dead_letters=2,
        is_capped=False,
        first_seen=NOW,
        last_seen=NOW + HOUR,
    )


def test_each_kind_is_shown_by_its_own_dead_jobs_alone(run: Run, store: StoreBackend) -> None:
    dead = [
        a_job(JobState.FAILED, finished_at=NOW + n * SECOND, error_fingerprint=kind)
        for n, kind in ((1, ONE), (0, OTHER))
    ]
    cancelled = [
        a_job(JobState.CANCELLED, finished_at=at, created_at=NOW - HOUR, error_fingerprint=ONE)
        for at in (NOW - HOUR, NOW + HOUR)
    ]
    added(run, store, [*dead, *cancelled])

    groups = grouped(run, store).groups

    assert [(group.fingerprint, group.sample_job_id) for group in groups] == [(ONE, dead[0].id), (OTHER, dead[1].id)]
    assert [(group.first_seen, group.last_seen) for group in groups] == [(NOW + SECOND,) * 2, (NOW,) * 2]


def test_a_kind_is_found_behind_many_newer_jobs_of_another(run: Run, store: StoreBackend) -> None:
    newer = [a_job(JobState.FAILED, finished_at=NOW + SECOND, error_fingerprint=ONE) for _ in range(SMALL_KINDS)]
    added(run, store, [*newer, a_job(JobState.FAILED, finished_at=NOW, error_fingerprint=OTHER)])

    assert fingerprints(grouped(run, store).groups) == [ONE, OTHER]


def test_the_kind_seen_last_comes_first_and_a_limit_is_kept(run: Run, store: StoreBackend) -> None:
    at = {ONE: NOW + SECOND, OTHER: NOW, "": NOW + HOUR}
    added(run, store, [a_job(JobState.FAILED, finished_at=at[kind], error_fingerprint=kind) for kind in at])

    everything, two = grouped(run, store, limit=3), grouped(run, store, limit=2)

    assert (fingerprints(everything.groups), everything.more) == (["", ONE, OTHER], False)
    assert (fingerprints(two.groups), two.more) == (["", ONE], True)


def test_a_count_stops_at_the_cap_with_the_newest(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(JobState.FAILED, finished_at=NOW - HOUR, error_fingerprint=ONE) for _ in range(3)])
    newest = [a_job(JobState.DEADLETTER, finished_at=NOW, error_fingerprint=ONE) for _ in range(SMALL_CAP - 1)]
    added(run, store, newest)

    (group,) = grouped(run, store).groups

    assert (group.failed, group.dead_letters, group.is_capped) == (1, SMALL_CAP - 1, True)
    assert group.first_seen == NOW - HOUR


def test_one_kind_can_be_asked_for(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(JobState.FAILED, error_fingerprint=kind) for kind in (ONE, OTHER, "")])

    for kind in (ONE, OTHER, ""):
        assert fingerprints(grouped(run, store, fingerprint=kind).groups) == [kind]
    assert list(grouped(run, store, fingerprint="11").groups) == []


def test_the_kinds_of_one_type_can_be_asked_for(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(JobState.FAILED, type=kind[:1], error_fingerprint=kind) for kind in (ONE, OTHER)])

    assert fingerprints(grouped(run, store, job_type="2").groups) == [OTHER]


def test_a_kind_is_gone_with_its_last_job(run: Run, store: StoreBackend) -> None:
    dead = a_job(JobState.DEADLETTER, error_fingerprint=ONE)
    added(run, store, [dead])
    run(store.repository.apply([a_change(dead, dead.requeue(NOW))]))

    assert list(grouped(run, store).groups) == []


def test_the_kinds_of_a_long_list_are_counted_less_far(run: Run, store: StoreBackend) -> None:
    added(run, store, [a_job(JobState.FAILED, error_fingerprint=ONE) for _ in range(SMALL_CAP - 1)])

    (short,) = grouped(run, store, limit=10).groups
    (long,) = grouped(run, store, limit=COUNTED_IN_ALL // 2).groups

    assert (short.failed, short.is_capped) == (SMALL_CAP - 1, False)
    assert (long.failed, long.is_capped) == (2, True)

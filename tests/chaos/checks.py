"""What must hold after every run, whatever was done to the fleet. Pure: evidence in, violations out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf

from scheduler.adapters.grpc.client_views import JobView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import FINAL_STATES, JobState
from tests.chaos.diary import Did
from tests.chaos.effects import (
    attempts_run_their_payload,
    ends_of_purges,
    every_version_is_explained,
    nothing_starts_early,
    purged,
    requeues_move_the_version,
)
from tests.chaos.evidence import Call, Evidence
from tests.chaos.excused import broken_promises_of_excused, without_excused
from tests.chaos.liveness import comes_to_rest, recovers_in_time
from tests.chaos.overlaps import overlaps
from tests.chaos.specs import GROUP

SENT_AGAIN = 10
"""How often one call that requeues many may have been sent until it was answered."""
START_SECONDS = 30.0
"""A process that is asked to stop earlier may not have begun to listen for that: it just ends."""


def violations(evidence: Evidence) -> Sequence[str]:
    """Return every violation in words."""
    checks = (
        _surprises,
        _every_acknowledged_job_is_final,
        _no_submit_created_twice,
        _one_result_a_job,
        _history_agrees,
        _ledger_agrees,
        _attempts_within_bounds,
        _cancelled_stays_cancelled,
        _watches_increase_and_end,
        _versions_mean_one_state,
        _nothing_left_in_redis,
        _processes_live_on,
        every_version_is_explained,
        requeues_move_the_version,
        attempts_run_their_payload,
        nothing_starts_early,
        comes_to_rest,
        recovers_in_time,
        overlaps,
    )
    judged = without_excused(evidence)
    found = [f"{check.__name__.strip('_')}: {text}" for check in checks for text in check(judged)]
    return [*found, *broken_promises_of_excused(evidence)]


def _surprises(evidence: Evidence) -> Iterator[str]:
    yield from (surprise.text for surprise in evidence.records.surprises)


def _every_acknowledged_job_is_final(evidence: Evidence) -> Iterator[str]:
    purges = ends_of_purges(evidence)
    for ack in evidence.records.acks:
        if ack.job_id not in evidence.jobs and not _sent_before(ack.job_id, purges, evidence):
            yield f"{ack.job_id} is lost"
    for job in evidence.jobs.values():
        if job.state not in FINAL_STATES:
            yield f"{job.job_id} is still {job.state}"


def _sent_before(job_id: str, purges: Mapping[str, float], evidence: Evidence) -> bool:
    """Return whether the job may be gone by a purge: one that was sent, or ended, after the last submit of it."""
    last = max((ack.at for ack in evidence.records.acks if ack.job_id == job_id and ack.created), default=-inf)
    return job_id in purges and purges[job_id] >= last


def _final(evidence: Evidence) -> Iterator[JobView]:
    """Yield those of which job and history were read at rest."""
    return (job for job in evidence.jobs.values() if job.state in FINAL_STATES)


def _no_submit_created_twice(evidence: Evidence) -> Iterator[str]:
    created = Counter(ack.number for ack in evidence.records.acks if ack.created)
    lives = {spec.number: 1 for spec in evidence.specs}
    for spec in evidence.specs:
        lives[spec.number] += sum(call.job_id == str(spec.ids[0]) for call in evidence.records.purges)
    for number, times in created.items():
        if times > lives[number]:
            yield f"job {number} was created {times} times"
    ids: dict[int, set[str]] = {}
    for ack in evidence.records.acks:
        ids.setdefault(ack.number, set()).add(ack.job_id)
    yield from (f"job {number} has the ids {found}" for number, found in ids.items() if len(found) > 1)
    allowed = {str(job_id) for spec in evidence.specs for job_id in spec.ids}
    yield from (f"{job_id} was never asked for" for job_id in evidence.jobs.keys() - allowed)
    for spec in evidence.specs:
        if len(evidence.jobs.keys() & {str(job_id) for job_id in spec.ids}) > 1:
            yield f"job {spec.number} is stored twice"


def _one_result_a_job(evidence: Evidence) -> Iterator[str]:
    returned = {entry.key: entry for entry in evidence.ledger if entry.detail == "success"}
    for job in _final(evidence):
        accepted = [one for one in evidence.attempts[job.job_id] if one.outcome is AttemptOutcome.SUCCEEDED]
        if len(accepted) != (job.state is JobState.SUCCEEDED):
            yield f"{job.job_id} is {job.state} and has {len(accepted)} accepted results"
        for attempt in accepted:
            entry = returned.get((job.job_id, attempt.fence))
            if entry is None:
                yield f"{job.job_id} has a result of attempt {attempt.fence}, which returned none"
            elif f'"fence": {attempt.fence},' not in (job.result or "") or entry.worker_id not in (job.result or ""):
                yield f"{job.job_id} has the result {job.result} of another attempt than {attempt.fence}"


def _history_agrees(evidence: Evidence) -> Iterator[str]:
    for job_id, attempts in evidence.attempts.items():
        fences = [attempt.fence for attempt in attempts]
        if len(set(fences)) != len(fences):
            yield f"{job_id} has the fences {fences}"
        if any(attempt.outcome is None for attempt in attempts) and evidence.jobs[job_id].state in FINAL_STATES:
            yield f"{job_id} is final and has an attempt without an outcome"


def _ledger_agrees(evidence: Evidence) -> Iterator[str]:
    """Every handler that ran is in the history, started once; every judged attempt ran."""
    starts = Counter(entry.key for entry in evidence.ledger if entry.mark == "STARTED")
    yield from (f"attempt {key} was started {times} times" for key, times in starts.items() if times > 1)
    known = {(job_id, attempt.fence): attempt for job_id, attempts in evidence.attempts.items() for attempt in attempts}
    gone = ends_of_purges(evidence)
    for entry in evidence.ledger:
        if entry.mark == "STARTED" and entry.key not in known and entry.at > gone.get(entry.job_id, -inf):
            yield f"attempt {entry.key} ran and is not in the history"
    judged = {AttemptOutcome.SUCCEEDED, AttemptOutcome.FAILED, AttemptOutcome.RETRY, AttemptOutcome.TIMED_OUT}
    for key, attempt in known.items():
        if attempt.outcome in judged and key not in starts:
            yield f"attempt {key} is {attempt.outcome} and never ran"
    for entry in evidence.ledger:
        if entry.mark == "STARTED" and entry.key in known and known[entry.key].worker_id != entry.worker_id:
            yield f"attempt {entry.key} ran on {entry.worker_id}, the history says {known[entry.key].worker_id}"


def _attempts_within_bounds(evidence: Evidence) -> Iterator[str]:
    requeues = Counter(call.job_id for call in evidence.records.requeues)
    for spec in evidence.specs:
        if spec.number // GROUP in evidence.records.requeued_groups:
            requeues.update({str(job_id): SENT_AGAIN for job_id in spec.ids})
    for job in _final(evidence):
        burnt = sum(one.outcome is not AttemptOutcome.RELEASED for one in evidence.attempts[job.job_id])
        if job.attempts > job.max_attempts or burnt > job.max_attempts * (1 + requeues[job.job_id]):
            yield f"{job.job_id} was tried {burnt} times, {job.attempts} since its last requeue, of {job.max_attempts}"
        if not requeues[job.job_id] and job.attempts != burnt:
            yield f"{job.job_id} counts {job.attempts} attempts, its history {burnt}"


def _cancelled_stays_cancelled(evidence: Evidence) -> Iterator[str]:
    gone = purged(evidence)
    for call in evidence.records.cancels:
        state = evidence.jobs[call.job_id].state if call.job_id in evidence.jobs else None
        requeued = any(_may_follow(call, requeue) for requeue in evidence.records.requeues)
        requeued = requeued or call.job_id in gone
        if call.granted and state is not JobState.CANCELLED and not requeued:
            yield f"{call.job_id} was cancelled and is {state}"
    cancelled = {call.job_id for call in evidence.records.cancels}
    for job in evidence.jobs.values():
        if job.state is JobState.CANCELLED and job.job_id not in cancelled:
            yield f"{job.job_id} is cancelled, and nobody asked for it"


def _may_follow(cancel: Call, requeue: Call) -> bool:
    return requeue.job_id == cancel.job_id and (requeue.done_at is None or requeue.done_at > cancel.sent_at)


def _watches_increase_and_end(evidence: Evidence) -> Iterator[str]:
    gone = purged(evidence)
    for watch in evidence.records.watches:
        versions = [event.version for event in watch.events]
        if any(later <= earlier for earlier, later in pairwise(versions)):
            yield f"a watcher of {watch.job_id} saw the versions {versions}"
        if watch.job_id in gone:
            continue
        if not watch.ended:
            yield f"a watch of {watch.job_id} never ended"
        elif not watch.events or watch.events[-1].state not in FINAL_STATES:
            yield f"a watch of {watch.job_id} ended with {watch.events[-1:]}"


def _versions_mean_one_state(evidence: Evidence) -> Iterator[str]:
    seen: dict[tuple[str, int], set[JobState]] = {}
    for job in evidence.jobs.values():
        seen[job.job_id, job.version] = {job.state}
    for watch in evidence.records.watches:
        for event in watch.events:
            seen.setdefault((watch.job_id, event.version), set()).add(event.state)
            if watch.job_id in evidence.jobs and event.version > evidence.jobs[watch.job_id].version:
                yield f"{watch.job_id} is at {evidence.jobs[watch.job_id].version}, a watcher saw {event.version}"
    yield from (f"version {key} was seen as {states}" for key, states in seen.items() if len(states) > 1)


def _processes_live_on(evidence: Evidence) -> Iterator[str]:
    started = {event.pid: event.at for event in evidence.happenings if event.did is Did.STARTED}
    for event in evidence.happenings:
        if event.did is Did.ENDED:
            yield f"{event.whom} [{event.pid}] ended by itself: {event.detail}"
        if event.did is Did.STOPPED and event.detail != "exit code 0" and event.at - started[event.pid] > START_SECONDS:
            yield f"{event.whom} [{event.pid}] did not stop well: {event.detail}"


def _nothing_left_in_redis(evidence: Evidence) -> Iterator[str]:
    yield from (f"{member} is still queued or handed out" for member in evidence.left_in_redis)

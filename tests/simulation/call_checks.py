"""What must hold between clients and the store: a call has the effect that it says, once, and no other."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from scheduler.application.dead_letters import BulkOutcome
from scheduler.application.dto import SubmitOutcome
from scheduler.application.errors import UnavailableError
from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState
from tests.simulation.book import Asked, BulkCall, JobCall, Wish
from tests.simulation.checks import CLOCK_TOLERANCE, Evidence, Life, jumped
from tests.simulation.journal import Deletion, Move


def check_submits(evidence: Evidence) -> Iterator[str]:
    """A name stands for one job until that is purged, and exactly one submit creates each life."""
    purged = evidence.world.servers.journal.deletions
    for name, wishes in _by_name(evidence.book.wishes).items():
        ids = {outcome.job_id for wish in wishes for outcome in wish.outcomes()}
        if len(ids) > 1 and not ids & purged.keys():
            yield f"{name} stands for the jobs {sorted(ids)}"
    created: defaultdict[JobId, int] = defaultdict(int)
    for wish in evidence.book.wishes:
        for outcome in wish.outcomes():
            created[outcome.job_id] += outcome.created
    unanswered = any(not isinstance(call.answer, SubmitOutcome) for wish in evidence.book.wishes for call in wish.calls)
    for job_id, count in created.items():
        lives = len(evidence.lives.get(job_id, []))
        if count > lives or (count < lives and not unanswered):
            yield f"job {job_id} was created by {count} submits and had {lives} lives"


def _by_name(wishes: Sequence[Wish]) -> dict[str, list[Wish]]:
    """Group what was asked for by each key, and the unnamed by themselves."""
    names: defaultdict[str, list[Wish]] = defaultdict(list)
    for number, wish in enumerate(wishes):
        names[wish.submission.idempotency_key or f"submission {number}"].append(wish)
    return names


def check_contents(evidence: Evidence) -> Iterator[str]:
    """A submit that says yes speaks of a job with the content that was asked for."""
    for wish in evidence.book.wishes:
        for call in wish.calls:
            if isinstance(call.answer, SubmitOutcome) and not any(
                _lived(life, call) and life.last.request_hash == wish.submission.request_hash
                for life in evidence.lives.get(call.answer.job_id, [])
            ):
                yield f"a submit at {call.at:.4f} was told {call.answer.job_id}, which has other content or none"


def _lived(life: Life, call: Asked) -> bool:
    ended_at = float("inf") if life.deletion is None else life.deletion.at
    return life.moves[0].at <= call.answered_at and call.at <= ended_at


def check_effects(evidence: Evidence) -> Iterator[str]:
    """A cancel or a requeue has one effect at most, and none when it is refused."""
    for call in (*evidence.book.cancels, *evidence.book.requeues):
        moves = _caused(evidence, call)
        if len(moves) > 1:
            yield f"the call about {call.job_id} at {call.at:.4f} moved it {len(moves)} times"
        refused = isinstance(call.answer, SchedulerError) and not isinstance(call.answer, UnavailableError)
        if moves and (refused or call.answer is False):
            yield f"the call about {call.job_id} at {call.at:.4f} was told {call.answer!r} and took effect"


def check_cancels(evidence: Evidence) -> Iterator[str]:
    """A cancel that returned true was in effect when it returned; one that returned false found an ended job."""
    for call in evidence.book.cancels:
        if not isinstance(call.answer, bool):
            continue
        states = _states_during(evidence.moves.get(call.job_id, []), call)
        if call.answer and JobState.CANCELLED not in states:
            yield f"cancel of {call.job_id} at {call.at:.4f} returned true and it was not CANCELLED"
        if not call.answer and not states & {JobState.SUCCEEDED, JobState.FAILED, JobState.DEADLETTER}:
            yield f"cancel of {call.job_id} at {call.at:.4f} returned false and it had not ended"


def _states_during(moves: Sequence[Move], call: Asked) -> set[JobState]:
    before = [move for move in moves if move.at < call.at]
    during = [move for move in moves if call.at <= move.at <= call.answered_at]
    return {move.after.state for move in (*(before or moves)[-1 if before else 0 :][:1], *during)}


def check_requeues(evidence: Evidence) -> Iterator[str]:
    """A requeue that says yes has queued the job, with the payload that it brought."""
    for call in evidence.book.requeues:
        if not isinstance(call.answer, Job):
            continue
        moves = _caused(evidence, call)
        if [move.after for move in moves] != [call.answer]:
            yield f"requeue of {call.job_id} returned v{call.answer.version}, which it did not store"
        if call.payload is not None and any(move.payload != call.payload for move in moves):
            yield f"requeue of {call.job_id} at {call.at:.4f} did not store its payload"


def check_bulk(evidence: Evidence) -> Iterator[str]:
    """A bulk call counts what it changed: no more, and no less once it is through. No job counts twice."""
    for call in evidence.book.bulk_requeues:
        moved = [move.after.id for move in _all_caused(evidence, call)]
        if len(set(moved)) < len(moved):
            yield f"the bulk requeue at {call.at:.4f} queued a job twice"
        yield from _check_count(call, len(moved))
    for call in evidence.book.deletions:
        gone = [deletion for _, deletion in _deletions(evidence) if deletion.cause is call]
        if isinstance(call.answer, BulkOutcome) and call.answer.count > len(gone):
            yield f"the deletion at {call.at:.4f} counted {call.answer.count} jobs and deleted {len(gone)}"


def _check_count(call: BulkCall, count: int) -> Iterator[str]:
    if not isinstance(call.answer, BulkOutcome):
        return
    said, through = call.answer.count, call.answer.next is None
    if said > count or (through and said < count):
        yield f"the bulk call at {call.at:.4f} counted {said} jobs and changed {count}"


def check_deletions(evidence: Evidence) -> Iterator[str]:
    """Only ended jobs go: when their time is over, or because a client said so."""
    for job_id, deletion in _deletions(evidence):
        job = deletion.row.job
        if job.finished_at is None:
            yield f"job {job_id} was deleted while it was {job.state}"
        elif deletion.cause is None and not jumped(evidence, deletion.at):
            kept = deletion.store_now - job.finished_at
            if kept < evidence.world.keep_for - CLOCK_TOLERANCE:
                yield f"job {job_id} was deleted {kept} after its end"


def check_payloads(evidence: Evidence) -> Iterator[str]:
    """A handler gets the payload of its start; only a requeue replaces it."""
    started = {
        move.after.attempt_id: move.payload
        for moves in evidence.moves.values()
        for move in moves
        if move.after.state is JobState.RUNNING
    }
    for run in evidence.world.ledger.runs:
        if run.attempt_id in started and run.payload != started[run.attempt_id]:
            yield f"{run.attempt_id} ran with the payload {run.payload}, not with {started[run.attempt_id]}"
    for job_id, life in evidence.each_life():
        for before, move in zip(life.moves, life.moves[1:], strict=False):
            brought = move.cause.payload if isinstance(move.cause, JobCall) else None
            if move.payload not in {before.payload, brought}:
                yield f"job {job_id} has the payload {move.payload} at v{move.after.version}"


def _caused(evidence: Evidence, call: JobCall) -> list[Move]:
    return [move for move in evidence.moves.get(call.job_id, []) if move.cause is call]


def _all_caused(evidence: Evidence, call: BulkCall) -> list[Move]:
    return [move for moves in evidence.moves.values() for move in moves if move.cause is call]


def _deletions(evidence: Evidence) -> Iterator[tuple[JobId, Deletion]]:
    for job_id, deletions in evidence.world.servers.journal.deletions.items():
        for deletion in deletions:
            yield job_id, deletion


CALL_CHECKS = (
    check_submits,
    check_contents,
    check_cancels,
    check_bulk,
    check_deletions,
    check_payloads,
)

"""What must hold at the end of every run, judged from the journal, the ledger and what clients were told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

from scheduler.adapters.memory.store import JobRow, MemoryData
from scheduler.domain.attempt import Attempt, AttemptOutcome
from scheduler.domain.ids import AttemptId, Fence, JobId
from scheduler.domain.job import Job
from scheduler.domain.state import WAITING_STATES, JobState, may_become
from tests.simulation.book import Book
from tests.simulation.fleet import Fleet
from tests.simulation.host import World
from tests.simulation.journal import Deletion, Move

CLOCK_TOLERANCE = timedelta(seconds=0.5)
"""How far a process's clock may be off: half a round trip, and what it drifts between two readings."""
JUMP_SECONDS = 45.0
"""How long after the store's clock was set processes may not have noticed."""


@dataclass(frozen=True, slots=True)
class Life:
    """What became of an id from a submit to its purge, or to the end of the run."""

    moves: Sequence[Move]
    deletion: Deletion | None
    row: JobRow | None
    history: Mapping[Fence, Attempt]

    @property
    def last(self) -> Job:
        return self.moves[-1].after


@dataclass(frozen=True)
class Evidence:
    """Everything that a run left behind."""

    world: World
    fleet: Fleet
    book: Book
    data: MemoryData
    queued: frozenset[JobId]
    """What the queue holds, handed out or not."""

    @property
    def moves(self) -> dict[JobId, list[Move]]:
        return self.world.servers.journal.moves

    @cached_property
    def lives(self) -> Mapping[JobId, Sequence[Life]]:
        """Return the lives of each id, in order."""
        return {job_id: list(self._lives_of(job_id, moves)) for job_id, moves in self.moves.items()}

    def _lives_of(self, job_id: JobId, moves: Sequence[Move]) -> Iterator[Life]:
        deletions = self.world.servers.journal.deletions.get(job_id, [])
        begins = [at for at, move in enumerate(moves) if move.before is None]
        for number, begin in enumerate(begins):
            end = begins[number + 1] if number + 1 < len(begins) else len(moves)
            deletion = deletions[number] if number < len(deletions) else None
            row = self.data.jobs.get(job_id) if deletion is None else deletion.row
            history = self.data.history.get(job_id, {}) if deletion is None else deletion.history
            yield Life(moves[begin:end], deletion, row, history)

    def each_life(self) -> Iterator[tuple[JobId, Life]]:
        return ((job_id, life) for job_id, lives in self.lives.items() for life in lives)

    def attempt(self, attempt_id: AttemptId) -> Attempt | None:
        """Return what the history says of an attempt, or said until its job was purged."""
        found = (life.history.get(attempt_id.fence) for life in self.lives.get(attempt_id.job_id, []))
        return next((attempt for attempt in found if attempt is not None), None)


def check_versions(evidence: Evidence) -> Iterator[str]:
    """Each stored version is the next one, each transition one that the table allows; a later life begins above."""
    for job_id, lives in evidence.lives.items():
        last = 0
        for life in lives:
            versions = [move.after.version for move in life.moves]
            if versions != list(range(versions[0], versions[0] + len(versions))):
                yield f"job {job_id} had the versions {versions}"
            if versions[0] <= last and not evidence.world.servers.clock.was_set_back:
                yield f"job {job_id} had version {versions[0]} again after it was purged at {last}"
            last = versions[-1]
            for move in life.moves:
                if move.before is not None and not may_become(move.before.state, move.after.state):
                    yield f"job {job_id} went from {move.before.state} to {move.after.state}"


def check_history(evidence: Evidence) -> Iterator[str]:
    """The history holds each attempt that left RUNNING, once, as the store recorded it."""
    for job_id, life in evidence.each_life():
        left = [move for move in life.moves if move.before is not None and move.before.state is JobState.RUNNING]
        recorded = life.history
        if sorted(recorded) != sorted({move.before.version for move in left if move.before is not None}):
            yield f"job {job_id} left RUNNING at other fences than its history tells: {sorted(recorded)}"
        if len(left) != len(recorded):
            yield f"job {job_id} left RUNNING {len(left)} times and has {len(recorded)} attempts"
        for move in left:
            attempt = recorded.get(Fence(move.before.version)) if move.before else None
            if attempt is not None and attempt.outcome is not move.after.last_outcome:
                yield f"job {job_id}: the history says {attempt.outcome}, the store said {move.after.last_outcome}"


def check_attempts(evidence: Evidence) -> Iterator[str]:
    """Each life of a job has at most max_attempts starts, and those given back do not count."""
    for job_id, moves in evidence.moves.items():
        attempts = 0
        for move in moves:
            attempts = _counted(attempts, move)
            if move.after.attempts != attempts:
                yield f"job {job_id} counts {move.after.attempts} attempts at v{move.after.version}, not {attempts}"
            if attempts > move.after.max_attempts:
                yield f"job {job_id} was started {attempts} times"


def _counted(attempts: int, move: Move) -> int:
    if move.before is None or (move.before.is_final and move.after.state is JobState.QUEUED):
        return 0
    if move.after.state is JobState.RUNNING:
        return attempts + 1
    released = move.before.state is JobState.RUNNING and move.after.last_outcome is AttemptOutcome.RELEASED
    return attempts - 1 if released else attempts


def check_due_times(evidence: Evidence) -> Iterator[str]:
    """Nothing fires before its time, by the store's clock."""
    for job_id, moves in evidence.moves.items():
        for move in moves:
            early = (
                move.before is not None and move.before.state in WAITING_STATES and move.after.state is JobState.QUEUED
            )
            if early and move.after.run_at > move.store_now + CLOCK_TOLERANCE and not jumped(evidence, move.at):
                yield f"job {job_id} fired at {move.store_now}, before its time {move.after.run_at}"


def jumped(evidence: Evidence, at: float) -> bool:
    """Return whether processes may be wrong about the time because it was set."""
    return any(jump <= at <= jump + JUMP_SECONDS for jump in evidence.world.servers.clock.jumps)


def check_end(evidence: Evidence) -> Iterator[str]:
    """Every job that was promised exists or was purged, and stands where only a client could move it on."""
    for job_id in evidence.book.acknowledged():
        if job_id not in evidence.data.jobs and job_id not in evidence.world.servers.journal.deletions:
            yield f"job {job_id} was acknowledged and does not exist"
    for row in evidence.data.jobs.values():
        if not is_settled(row.job, evidence):
            yield f"job {row.job.id} is {row.job.state} at the end"


def is_settled(job: Job, evidence: Evidence) -> bool:
    """Tell whether nothing is left to do for a job now."""
    waits = job.state is JobState.SCHEDULED and job.run_at > evidence.world.servers.clock.now()
    return job.is_final or waits


def check_results(evidence: Evidence) -> Iterator[str]:
    """The result of a job is the one that its succeeded attempt returned."""
    returned = {run.attempt_id for run in evidence.world.ledger.runs if run.end == "returned"}
    for job_id, life in evidence.each_life():
        good = [at.id for at in life.history.values() if at.outcome is AttemptOutcome.SUCCEEDED]
        if len(good) != (life.last.state is JobState.SUCCEEDED):
            yield f"job {job_id} is {life.last.state} and has {len(good)} accepted results"
        for attempt_id in good:
            if attempt_id not in returned:
                yield f"attempt {attempt_id} never returned and has an accepted result"
            if life.row is None or life.row.result != f'{{"fence": {attempt_id.fence}}}':
                yield f"job {job_id} holds the result {life.row and life.row.result}, not that of {attempt_id.fence}"


def check_watches(evidence: Evidence) -> Iterator[str]:
    """A watcher sees versions that were stored, in order, and the final state last."""
    for watched in evidence.book.watches:
        who = f"{watched.by}'s watch of {watched.job_id}"
        if watched.error and watched.job_id not in evidence.world.servers.journal.deletions:
            yield f"{who} ended with {watched.error}"
        versions = [job.version for job in watched.seen if job.running_progress is None]
        if versions != sorted(set(versions)):
            yield f"{who} saw the versions {versions}"
        stored = [silent(move.after) for move in evidence.moves.get(watched.job_id, [])]
        if any(silent(job) not in stored for job in watched.seen):
            yield f"{who} saw a version that was never stored"
        yield from check_progress(who, watched.seen)
        if watched.ended and not (watched.seen and watched.seen[-1].is_final):
            yield f"{who} ended before its job"
        if (
            not watched.ended
            and not watched.error
            and watched.job_id in evidence.data.jobs
            and is_final(watched.job_id, evidence)
        ):
            yield f"{who} does not end"


def check_progress(who: str, seen: Sequence[Job]) -> Iterator[str]:
    """Progress is shown under the version of the attempt that told it, and never after a newer version."""
    versions = [job.version for job in seen]
    if versions != sorted(versions):
        yield f"{who} saw the versions {versions}"
    for job in seen:
        if job.running_progress is not None and job.running_progress.message != str(job.version):
            yield f"{who} saw of version {job.version} what attempt {job.running_progress.message} had told"


def check_kept_progress(evidence: Evidence) -> Iterator[str]:
    """A job keeps what its last attempt told, and a new attempt begins anew."""
    for job_id, moves in evidence.moves.items():
        for move in moves:
            before, told = move.before, move.after.progress
            if told and move.after.state is JobState.RUNNING:
                yield f"{job_id} started at version {move.after.version} with progress"
            if told and before and before.state is JobState.RUNNING and told.message != str(before.version):
                yield f"{job_id} left version {before.version} with what attempt {told.message} had told"


def silent(job: Job) -> Job:
    """Return the job without its progress, which may be shown before it is stored."""
    return replace(job, progress=None)


def is_final(job_id: JobId, evidence: Evidence) -> bool:
    """Tell whether a stored job has ended."""
    return evidence.data.jobs[job_id].job.is_final


CHECKS = (
    check_versions,
    check_history,
    check_attempts,
    check_due_times,
    check_end,
    check_results,
    check_watches,
    check_kept_progress,
)

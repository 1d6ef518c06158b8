"""What must hold between workers: no two at one job, none closed that is well, no result refused that was taken."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.ids import AttemptId, Fence, WorkerId
from scheduler.domain.lease import LeaseTerms
from scheduler.domain.state import JobState
from tests.simulation.checks import Evidence, Life
from tests.simulation.host import Host
from tests.simulation.ledger import Run
from tests.simulation.processes import WorkerProcess

LEASE_SECONDS = LeaseTerms().duration.total_seconds()
FROZEN = frozenset({"paused", "blocked"})
"""A handler that cannot run cannot be stopped either, until its process goes on."""
STOP_SECONDS = 0.1
CANNOT_RENEW = frozenset({"paused", "cut from store", "isolated", "slow", "killed", "stuck"})
TAKEN = frozenset({AttemptOutcome.SUCCEEDED, AttemptOutcome.RETRY, AttemptOutcome.FAILED, AttemptOutcome.TIMED_OUT})
NOTICE_SECONDS = 20.0
"""A lease, and what it takes to notice that it is over."""


def check_starts(evidence: Evidence) -> Iterator[str]:
    """A handler runs once for a start that the store knows, under the worker that started."""
    starts = dict(_starts(evidence))
    seen: set[AttemptId] = set()
    for run in evidence.world.ledger.runs:
        if starts.get(run.attempt_id) != run.worker_id:
            yield f"{run.host} ran {run.attempt_id}, which no start of its own allows"
        if run.attempt_id in seen:
            yield f"{run.attempt_id} ran twice"
        if run.doubted:
            yield f"{run.attempt_id} began on {run.host} when its lease was in doubt"
        seen.add(run.attempt_id)


def _starts(evidence: Evidence) -> Iterator[tuple[AttemptId, WorkerId]]:
    for moves in evidence.moves.values():
        for move in moves:
            if move.after.state is JobState.RUNNING and move.after.worker_id is not None:
                yield move.after.attempt_id, move.after.worker_id


def check_overlaps(evidence: Evidence) -> Iterator[str]:
    """Two handlers run one job at a time only where the first cannot be stopped, or its job was taken by a client."""
    runs: dict[object, list[Run]] = {}
    for run in evidence.world.ledger.runs:
        runs.setdefault(run.attempt_id.job_id, []).append(run)
    for of_job in runs.values():
        for first, second in combinations(of_job, 2):
            if _overlap(first, second) and not _excused(evidence, first, second):
                yield f"{first.attempt_id} on {first.host} still ran when {second.host} began {second.attempt_id.fence}"


def _overlap(first: Run, second: Run) -> bool:
    return first.ended_at is None or second.started_at < first.ended_at


def _excused(evidence: Evidence, first: Run, second: Run) -> bool:
    taken = any(_was_cancelled(evidence, run) or _was_frozen(evidence, run) for run in (first, second))
    return taken or not first.obedient


def _was_cancelled(evidence: Evidence, run: Run) -> bool:
    attempt = evidence.attempt(run.attempt_id)
    return attempt is not None and attempt.outcome is AttemptOutcome.CANCELLED


def _was_frozen(evidence: Evidence, run: Run) -> bool:
    """Tell whether the handler ended while its process stood still, or was stopped as soon as that went on."""
    ended_at = evidence.world.loop.time() if run.ended_at is None else run.ended_at
    return _host(evidence, run.host).was(FROZEN, ended_at - STOP_SECONDS, ended_at)


def _host(evidence: Evidence, name: str) -> Host:
    return next(host for host in evidence.fleet.ever if host.name == name)


def check_leases(evidence: Evidence) -> Iterator[str]:
    """No handler that can be stopped outlives the lease of its worker."""
    renewals = evidence.world.servers.journal.renewals
    for run in evidence.world.ledger.runs:
        ended_at = evidence.world.loop.time() if run.ended_at is None else run.ended_at
        if (
            run.obedient
            and not _was_frozen(evidence, run)
            and not _covered(renewals[run.worker_id], run.started_at, ended_at)
        ):
            yield f"{run.attempt_id} on {run.host} ran on until {ended_at:.4f}, past its worker's lease"


def _covered(renewals: list[float], begin: float, end: float) -> bool:
    """Tell whether each moment lies within a lease."""
    last = max(at for at in renewals if at <= begin)
    for at in [*(at for at in renewals if begin < at < end), end]:
        if at > last + LEASE_SECONDS:
            return False
        last = at
    return True


def check_closings(evidence: Evidence) -> Iterator[str]:
    """A reaper closes only workers that could not renew for a reason of their own, not one of the store's."""
    for host in evidence.fleet.workers():
        for worker_id in host.worker_ids:
            closing = evidence.world.servers.journal.closings.get(worker_id)
            if closing is not None and closing.expired and not _could_not_renew(host, closing.at):
                yield f"{host.name} was closed at {closing.at:.4f} although it was well"


def _could_not_renew(host: WorkerProcess, at: float) -> bool:
    was_ending = host.died_at is not None and host.died_at <= at
    return was_ending or host.stopping.is_set() or host.was(CANNOT_RENEW, at - NOTICE_SECONDS, at)


def check_refusals(evidence: Evidence) -> Iterator[str]:
    """A result that the store took is never called stale, unless its job was moved on or purged before that was known.

    A handler that would not stop can leave two.
    """
    stubborn = {run.attempt_id for run in evidence.world.ledger.runs if not run.obedient}
    for host in evidence.fleet.workers():
        for job_id, fence in host.telemetry.stale:
            if AttemptId(job_id, fence) not in stubborn and _was_taken(evidence.lives[job_id], fence):
                yield f"{host.name} was told that {job_id}@{fence} is stale, and it was taken"


def _was_taken(lives: Sequence[Life], fence: Fence) -> bool:
    attempts = ((life, life.history.get(fence)) for life in lives if life.deletion is None)
    return any(
        attempt is not None and attempt.outcome in TAKEN and life.last.version == fence + 1
        for life, attempt in attempts
    )


def check_queue(evidence: Evidence) -> Iterator[str]:
    """The queue holds nothing that has ended, and hands out nothing for ever."""
    for job_id in sorted(evidence.queued):
        yield f"job {job_id} is left in the queue"


LEASE_CHECKS = (
    check_starts,
    check_overlaps,
    check_leases,
    check_closings,
    check_refusals,
    check_queue,
)

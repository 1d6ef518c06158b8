"""What a fail-over to a standby that lagged excuses: the jobs whose last commits it never got, and nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import FINAL_STATES
from tests.chaos.evidence import Ack, Evidence
from tests.chaos.failover import COMMIT_SECONDS, FailOver
from tests.chaos.ledger import Entry, Mark


def without_excused(evidence: Evidence) -> Evidence:
    """Leave out jobs of which commits were lost, and renewals that may have been lost with them."""
    ids, numbers = _excused(evidence)
    if not evidence.fail_overs:
        return evidence
    records = evidence.records
    return replace(
        evidence,
        specs=[spec for spec in evidence.specs if spec.number not in numbers],
        records=replace(
            records,
            acks=[ack for ack in records.acks if ack.number not in numbers],
            cancels=[call for call in records.cancels if call.job_id not in ids],
            requeues=[call for call in records.requeues if call.job_id not in ids],
            purges=[call for call in records.purges if call.job_id not in ids],
            watches=[watch for watch in records.watches if watch.job_id not in ids],
            surprises=[surprise for surprise in records.surprises if not numbers & set(surprise.numbers)],
        ),
        jobs={job_id: job for job_id, job in evidence.jobs.items() if job_id not in ids},
        attempts={job_id: attempts for job_id, attempts in evidence.attempts.items() if job_id not in ids},
        ledger=[entry for entry in evidence.ledger if entry.job_id not in ids and not _may_be_lost(entry, evidence)],
    )


def broken_promises_of_excused(evidence: Evidence) -> Iterator[str]:
    """Find what not even a fail-over excuses."""
    ids, _ = _excused(evidence)
    for ack in evidence.records.acks:
        if ack.job_id in ids and ack.job_id not in evidence.jobs and not _was_missing(ack, evidence.fail_overs):
            yield f"{ack.job_id} is lost, and the promoted server had it"
    ran = {entry.key for entry in evidence.ledger if entry.mark is Mark.STARTED}
    for job_id in ids & evidence.jobs.keys():
        job = evidence.jobs[job_id]
        accepted = [one for one in evidence.attempts[job_id] if one.outcome is AttemptOutcome.SUCCEEDED]
        if job.state not in FINAL_STATES:
            yield f"{job_id} is still {job.state} after a fail-over"
        if len(accepted) > 1:
            yield f"{job_id} has {len(accepted)} accepted results after a fail-over"
        for attempt in accepted:
            if (job_id, attempt.fence) not in ran:
                yield f"{job_id} has a result of attempt {attempt.fence} after a fail-over, which never ran"


def _excused(evidence: Evidence) -> tuple[frozenset[str], frozenset[int]]:
    """Return the jobs, by id and by number, with the other ids of the same submission."""
    lost = {job_id for one in evidence.fail_overs for job_id in one.forgotten | one.missing}
    specs = [spec for spec in evidence.specs if any(str(job_id) in lost for job_id in spec.ids)]
    ids = lost | {str(job_id) for spec in specs for job_id in spec.ids}
    return frozenset(ids), frozenset(spec.number for spec in specs)


def _was_missing(ack: Ack, fail_overs: Sequence[FailOver]) -> bool:
    return any(ack.job_id in one.missing and ack.at <= one.promoted_at for one in fail_overs)


def _may_be_lost(entry: Entry, evidence: Evidence) -> bool:
    return entry.mark is Mark.RENEWED and any(
        one.stalled_at - COMMIT_SECONDS <= entry.at <= one.promoted_at for one in evidence.fail_overs
    )

"""One effect for each call: what cancels, requeues and purges did to a job, counted from outside by its version."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from math import inf

from scheduler.adapters.grpc.client_views import JobView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import FINAL_STATES, JobState
from tests.chaos.evidence import Call, Evidence
from tests.chaos.ledger import Mark
from tests.chaos.specs import GROUP, JobSpec

EARLY_SECONDS = 0.5
"""By how much the clocks of processes may differ, in rounds of asking the database."""
_WAITS = frozenset({AttemptOutcome.RETRY, AttemptOutcome.TIMED_OUT})


def every_version_is_explained(evidence: Evidence) -> Iterator[str]:
    """Each attempt takes two versions, each call and each wait for a time at most one, and nothing else takes any."""
    uncounted = purged(evidence) | _requeued_by_group(evidence)
    delayed = {str(job_id) for spec in evidence.specs if spec.run_after for job_id in spec.ids}
    for job_id, job in evidence.jobs.items():
        if job_id in uncounted or job.state not in FINAL_STATES:
            continue
        attempts = evidence.attempts[job_id]
        requeues = [call for call in evidence.records.requeues if call.job_id == job_id and not call.is_stale]
        granted = {call.expected_version for call in requeues if call.granted}
        cancels = sum(call.job_id == job_id for call in evidence.records.cancels)
        idle_cancels = cancels - sum(one.outcome is AttemptOutcome.CANCELLED for one in attempts)
        waits = sum(one.outcome in _WAITS for one in attempts) + (job_id in delayed)
        least = 2 * len(attempts) + len(granted)
        most = 2 * len(attempts) + len({call.expected_version for call in requeues}) + idle_cancels + waits
        moved = job.version - _first_version(job)
        if not least <= moved <= most:
            yield f"{job_id} moved {moved} times; attempts and calls explain {least} to {most}"


def requeues_move_the_version(evidence: Evidence) -> Iterator[str]:
    """A granted requeue made a later version than it named; one of a version that had passed is refused."""
    for call in evidence.records.requeues:
        if not call.granted:
            continue
        if call.is_stale:
            yield f"{call.job_id} was requeued at version {call.expected_version}, which had passed"
        elif call.version <= call.expected_version:
            yield f"the requeue of {call.job_id} at {call.expected_version} was told version {call.version}"
        elif call.job_id in evidence.jobs and evidence.jobs[call.job_id].version < call.version:
            yield f"{call.job_id} was requeued to version {call.version} and is at {evidence.jobs[call.job_id].version}"


def attempts_run_their_payload(evidence: Evidence) -> Iterator[str]:
    """What ran is the payload of this life of the job: its submission's, or that of the last requeue before."""
    ran = {entry.key: entry.detail for entry in evidence.ledger if entry.mark is Mark.STARTED}
    for job_id, job in evidence.jobs.items():
        if job.state is JobState.SUCCEEDED:
            wanted, got = _mark_of(job.payload), _mark_of(job.result)
            if wanted != got:
                yield f"{job_id} has the payload {wanted!r} and the result of {got!r}"
    for call in evidence.records.requeues:
        later = (other for other in evidence.records.requeues if other.job_id == call.job_id and other.mark is not None)
        end = min((other.expected_version for other in later if other.expected_version > call.version), default=inf)
        for (job_id, fence), mark in ran.items():
            is_of_call = call.granted and job_id == call.job_id and call.version < fence <= end
            if is_of_call and call.mark not in {None, mark}:
                yield f"attempt {(job_id, fence)} ran {mark!r} after a requeue with {call.mark!r}"


def nothing_starts_early(evidence: Evidence) -> Iterator[str]:
    due = {str(job_id): spec.run_after for spec in evidence.specs if spec.run_after for job_id in spec.ids}
    at_once = _requeued_by_group(evidence) | {call.job_id for call in evidence.records.requeues}
    for entry in evidence.ledger:
        if entry.mark is Mark.STARTED and entry.job_id in due.keys() - at_once:
            early = evidence.began + due[entry.job_id] - entry.at
            if early > EARLY_SECONDS:
                yield f"{entry.key} started {early:.1f} s before its time"


def purged(evidence: Evidence) -> frozenset[str]:
    """Return the jobs of which a life may have been purged."""
    return frozenset(call.job_id for call in evidence.records.purges)


def ends_of_purges(evidence: Evidence) -> Mapping[str, float]:
    """Return for each purged job until when its life may have ended; a handler may run on until it is told."""
    ends: dict[str, float] = {}
    for call in evidence.records.purges:
        ends[call.job_id] = max(ends.get(call.job_id, -inf), _end(call))
    return ends


def _first_version(job: JobView) -> int:
    """Return 1 for a job that counts from there, else the µs of its creation."""
    created = (job.created_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return created if job.version >= created else 1


def _end(call: Call) -> float:
    return inf if call.done_at is None else call.done_at


def _requeued_by_group(evidence: Evidence) -> frozenset[str]:
    def concerned(spec: JobSpec) -> bool:
        return spec.number // GROUP in evidence.records.requeued_groups

    return frozenset(str(job_id) for spec in evidence.specs if concerned(spec) for job_id in spec.ids)


def _mark_of(text: str | None) -> str:
    return str(json.loads(text or "{}").get("mark", ""))

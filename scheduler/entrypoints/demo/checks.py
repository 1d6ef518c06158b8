"""Whether what happened agrees with the plan, to the last job."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from scheduler.adapters.grpc.client_views import AttemptView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState
from scheduler.entrypoints.demo.evidence import Evidence
from scheduler.entrypoints.demo.plan import BACKOFF, OWN, Kind, PlannedJob

_SHORTEST_BACKOFF = BACKOFF.initial * 0.5
"""Well below the jitter's band: the clocks of two processes may differ a little."""
_EARLY = timedelta(milliseconds=50)
"""How far the clocks of worker and client may differ on one machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise, and how it was broken, if it was."""

    promise: str
    problems: Sequence[str]


_Find = Callable[[Evidence], Iterator[str]]


def check_all(evidence: Evidence) -> Sequence[Check]:
    """Check every promise."""
    return [Check(promise=promise, problems=list(find(evidence))) for promise, find in _PROMISES.items()]


def _stored(evidence: Evidence) -> Iterator[str]:
    listed = Counter(job.job_id for job in evidence.jobs)
    missing = evidence.plan.by_id.keys() - listed.keys()
    if missing:
        yield f"{len(missing)} are missing, such as {min(missing)}"
    if twice := [job_id for job_id, times in listed.items() if times > 1]:
        yield f"{len(twice)} are listed twice, such as {twice[0]}"
    if strange := listed.keys() - evidence.plan.by_id.keys():
        yield f"{len(strange)} were never submitted, such as {min(strange)}"
    if any(not answer.created for answer in evidence.submitted.answers):
        yield "a submission was answered as a repeat"


def _repeat(evidence: Evidence) -> Iterator[str]:
    repeated, first = evidence.submitted.repeated, str(evidence.plan.of(Kind.WATCHED)[0].job_id)
    if repeated.created or repeated.job_id != first:
        yield f"the second submission made job {repeated.job_id}, beside {first}"


def _states(evidence: Evidence) -> Iterator[str]:
    counts = Counter(job.state for job in evidence.jobs)
    for state in JobState:
        if counts[state] != evidence.plan.ending(state):
            yield f"{counts[state]} are {state}, planned were {evidence.plan.ending(state)}"


def _each_as_planned(evidence: Evidence) -> Iterator[str]:
    for job, planned in evidence.pairs:
        if (job.state, job.attempts, job.losses) != (planned.final, planned.attempts, 0):
            yield (
                f"{job.job_id} ({planned.kind}) is {job.state} after {job.attempts} attempts, {job.losses} lost, "
                f"not {planned.final} after {planned.attempts}"
            )


def _scheduled(evidence: Evidence) -> Iterator[str]:
    for job, planned in evidence.pairs:
        due = planned.submission.run_at
        if due is not None and (job.started_at is None or job.started_at < due - _EARLY):
            yield f"{job.job_id} started at {job.started_at}, due was {due}"


def _histories(evidence: Evidence) -> Iterator[str]:
    for job_id, attempts in evidence.attempts.items():
        planned = evidence.plan.by_id[job_id]
        outcomes = [attempt.outcome for attempt in attempts]
        expected = [AttemptOutcome.RETRY] * planned.failures + [_last_outcome(planned)]
        if outcomes != expected:
            yield f"{job_id} ({planned.kind}) has {[*map(str, outcomes)]}, not {[*map(str, expected)]}"
        fences = [attempt.fence for attempt in attempts]
        if fences != sorted(set(fences)):
            yield f"{job_id} has fences {fences}, which do not increase"


def _last_outcome(planned: PlannedJob) -> AttemptOutcome:
    return {
        JobState.SUCCEEDED: AttemptOutcome.SUCCEEDED,
        JobState.CANCELLED: AttemptOutcome.CANCELLED,
    }.get(planned.final, AttemptOutcome.FAILED)


def _backoffs(evidence: Evidence) -> Iterator[str]:
    for job_id, attempts in evidence.attempts.items():
        for before, after in pairwise(attempts):
            wait = _wait(before, after)
            if wait < _SHORTEST_BACKOFF:
                yield f"{job_id} was tried again after {wait.total_seconds():.3f} s"


def _wait(before: AttemptView, after: AttemptView) -> timedelta:
    return after.started_at - (before.finished_at or after.started_at)


def _dead_letter(evidence: Evidence) -> Iterator[str]:
    job = evidence.job(Kind.DEAD)
    if "failed attempt 3 of 100" not in job.last_error:
        yield f"{job.job_id} gives as its reason {job.last_error!r}"


def _cancelled(evidence: Evidence) -> Iterator[str]:
    states = [event.state for event in evidence.cancelled]
    if states[-2:] != [JobState.RUNNING, JobState.CANCELLED]:
        yield f"its watch saw {[*map(str, states)]}"


def _watched(evidence: Evidence) -> Iterator[str]:
    versions = [event.version for event in evidence.watched]
    if versions != sorted(set(versions)):
        yield f"the versions {versions} do not increase"
    if not evidence.watched or evidence.watched[-1].state is not JobState.SUCCEEDED:
        yield "the watch did not end with SUCCEEDED"
    if JobState.RETRYING not in {event.state for event in evidence.watched}:
        yield "the failed attempt was not seen"


def _queue_stats(evidence: Evidence) -> Iterator[str]:
    stats = evidence.stats
    left = {queue.priority.lower(): queue.depth for queue in stats.queues}
    left |= {"processing": stats.processing, "scheduled": stats.scheduled, "retrying": stats.retrying}
    for name, count in left.items():
        if count:
            yield f"{name}: {count}, though all jobs have ended"
    if stats.dead_letters != evidence.plan.ending(JobState.DEADLETTER):
        yield f"dead letters: {stats.dead_letters}"


def _metrics(evidence: Evidence) -> Iterator[str]:
    api, worker, plan = evidence.api_metrics, evidence.worker_metrics, evidence.plan
    figures = {
        "jobs_submitted_total": (api.total("jobs_submitted_total"), len(plan.jobs)),
        "jobs_processed_total of success": (
            worker.total("jobs_processed_total", 'status="success"'),
            plan.ending(JobState.SUCCEEDED),
        ),
        "jobs_processed_total of retry": (
            worker.total("jobs_processed_total", 'status="retry"'),
            sum(job.failures for job in plan.jobs),
        ),
        "jobs_deadlettered_total": (worker.total("jobs_deadlettered_total"), plan.ending(JobState.DEADLETTER)),
    }
    for name, (seen, planned) in figures.items():
        if seen != planned:
            yield f"{name} is {seen:g}, not {planned}"


def _types(evidence: Evidence) -> Iterator[str]:
    for job_type in evidence.plan.types:
        jobs = [job for job in evidence.plan.jobs if job.submission.type == job_type]
        # A cancelled attempt has ended when its worker is told: it reports nothing.
        planned = sum(job.attempts for job in jobs if job.final is not JobState.CANCELLED)
        seen = evidence.worker_metrics.total("job_processing_duration_seconds_count", f'type="{job_type}"')
        if seen != planned:
            yield f"{job_type} ran {seen:g} times, not {planned}"


def _results(evidence: Evidence) -> Iterator[str]:
    for job in evidence.results:
        planned = evidence.plan.by_id[job.job_id]
        if json.loads(job.result or "null") != planned.result:
            yield f"{job.job_id} ({planned.kind}) returned {job.result}, not {json.dumps(planned.result)}"
        if planned.kind in OWN and (job.progress, job.progress_message) != (100, "part 5 of 5"):
            yield f"{job.job_id} ({planned.kind}) ended at {job.progress:g} %, {job.progress_message!r}"


def _calls(evidence: Evidence) -> Iterator[str]:
    called = evidence.plan.of(Kind.CALLED, Kind.BUSY, Kind.MISSING)
    yield from _differences(evidence.calls, {str(job.job_id): job.attempts for job in called})


def _bookings(evidence: Evidence) -> Iterator[str]:
    yield from _differences(Counter(evidence.bookings), {str(job.job_id): 1 for job in evidence.plan.of(Kind.BOOKED)})


def _differences(seen: Mapping[str, int], planned: Mapping[str, int]) -> Iterator[str]:
    for job_id in sorted(seen.keys() | planned.keys()):
        if seen.get(job_id, 0) != planned.get(job_id, 0):
            yield f"{job_id}: {seen.get(job_id, 0)} times, not {planned.get(job_id, 0)}"


_PROMISES: Mapping[str, _Find] = {
    "every submitted job is there, once": _stored,
    "a repeated submission makes no second job": _repeat,
    "as many jobs in each final state as planned": _states,
    "each job ended as planned, after as many attempts": _each_as_planned,
    "no scheduled job started early": _scheduled,
    "the histories hold every attempt and its outcome": _histories,
    "failed attempts were tried again after their backoff": _backoffs,
    "each handler type ran as often as planned": _types,
    "results and progress of the handlers are kept": _results,
    "the web service was called once for each attempt": _calls,
    "each change of the database took effect once": _bookings,
    "the dead letter names its reason": _dead_letter,
    "the cancelled job was stopped while it ran": _cancelled,
    "the watch saw the watched job to its end": _watched,
    "the queues are empty": _queue_stats,
    "the metrics agree": _metrics,
}

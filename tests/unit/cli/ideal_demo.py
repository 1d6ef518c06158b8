"""A demo in which everything went as planned, as the service would tell it."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from scheduler.adapters.grpc.client_views import (
    AttemptView,
    EventView,
    JobView,
    QueueStatsView,
    QueueView,
    SubmittedJob,
)
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from scheduler.entrypoints.demo.evidence import Evidence, Metrics
from scheduler.entrypoints.demo.load import Rate, Submitted
from scheduler.entrypoints.demo.plan import OWN, Kind, Plan, PlannedJob, make_plan

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LAST_OUTCOMES = {JobState.SUCCEEDED: AttemptOutcome.SUCCEEDED, JobState.CANCELLED: AttemptOutcome.CANCELLED}


def ideal_evidence() -> Evidence:
    """Make what the checks want to see."""
    plan = make_plan(160, NOW, web_address="http://127.0.0.1:9")
    return Evidence(
        plan=plan,
        submitted=_submitted(plan),
        jobs=[_job(planned) for planned in plan.jobs],
        attempts={str(job.job_id): _attempts(job) for job in plan.jobs if job.kind is not Kind.PLAIN},
        results=[_job(job) for job in plan.jobs if job.result is not None],
        calls={str(job.job_id): job.attempts for job in plan.of(Kind.CALLED, Kind.BUSY, Kind.MISSING)},
        bookings=[str(job.job_id) for job in plan.of(Kind.BOOKED)],
        watched=_events(plan, Kind.WATCHED, JobState.QUEUED, JobState.RETRYING, JobState.RUNNING, JobState.SUCCEEDED),
        cancelled=_events(plan, Kind.CANCELLED, JobState.QUEUED, JobState.RUNNING, JobState.CANCELLED),
        stats=QueueStatsView(
            queues=[QueueView(priority=priority, depth=0, oldest_age=None) for priority in Priority],
            processing=0,
            scheduled=0,
            retrying=0,
            dead_letters=1,
        ),
        api_metrics=Metrics(text=_api_metrics(plan)),
        worker_metrics=Metrics(text=_worker_metrics(plan)),
    )


def _submitted(plan: Plan) -> Submitted:
    answers = [SubmittedJob(job_id=str(job.job_id), created=True) for job in plan.jobs]
    watched = str(plan.of(Kind.WATCHED)[0].job_id)
    rate = Rate(jobs=80, seconds=0.5)
    return Submitted(single=rate, batched=rate, answers=answers, repeated=SubmittedJob(job_id=watched, created=False))


def _job(planned: PlannedJob) -> JobView:
    started = (planned.submission.run_at or NOW) + SECOND
    return JobView(
        job_id=str(planned.job_id),
        state=planned.final,
        type=planned.submission.type,
        priority=planned.submission.priority,
        attempts=planned.attempts,
        max_attempts=planned.submission.max_attempts,
        losses=0,
        version=3,
        last_error="failed attempt 3 of 100, as the payload asks" if planned.kind is Kind.DEAD else "",
        worker_id=None,
        labels=planned.submission.labels,
        created_at=NOW,
        updated_at=started,
        run_at=planned.submission.run_at or NOW,
        started_at=started,
        finished_at=started + SECOND,
        payload=None,
        result=None if planned.result is None else json.dumps(planned.result),
        progress=100.0 if planned.kind in OWN else 0.0,
        progress_message="part 5 of 5" if planned.kind in OWN else "",
    )


def _attempts(planned: PlannedJob) -> Sequence[AttemptView]:
    last = LAST_OUTCOMES.get(planned.final, AttemptOutcome.FAILED)
    outcomes = [*[AttemptOutcome.RETRY] * planned.failures, last]
    return [
        AttemptView(
            fence=2 + 3 * index,
            number=index + 1,
            worker_id="w",
            started_at=NOW + 2 * index * SECOND,
            finished_at=NOW + (2 * index + 1) * SECOND,
            outcome=outcome,
            error="",
        )
        for index, outcome in enumerate(outcomes)
    ]


def _events(plan: Plan, kind: Kind, *states: JobState) -> Sequence[EventView]:
    job_id = str(plan.of(kind)[0].job_id)
    return [
        EventView(job_id=job_id, state=state, message="", at=NOW, attempts=1, version=version, last_error="")
        for version, state in enumerate(states, start=1)
    ]


def _api_metrics(plan: Plan) -> str:
    high = len(plan.jobs) // 2
    return (
        "# HELP jobs_submitted_total Jobs.\n"
        f'jobs_submitted_total{{priority="high"}} {high}.0\n'
        f'jobs_submitted_total{{priority="low"}} {len(plan.jobs) - high}.0\n'
        'jobs_submitted_errors_total{error_type="x"} 9.0\n'
    )


def _worker_metrics(plan: Plan) -> str:
    ran = Counter[str]()
    for job in plan.jobs:
        ran[job.submission.type] += job.attempts if job.final is not JobState.CANCELLED else 0
    durations = (f'job_processing_duration_seconds_count{{type="{name}"}} {count}.0\n' for name, count in ran.items())
    return "".join(durations) + (
        f'jobs_processed_total{{status="success"}} {plan.ending(JobState.SUCCEEDED)}.0\n'
        f'jobs_processed_total{{status="retry"}} {sum(job.failures for job in plan.jobs)}.0\n'
        'jobs_processed_total{status="failed"} 3.0\n'
        'jobs_deadlettered_total{priority="low"} 1.0\n'
    )

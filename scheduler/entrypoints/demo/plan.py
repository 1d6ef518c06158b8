"""What the demo submits, and what must become of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import cycle
from uuid import uuid4

from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import JobState
from scheduler.domain.submission import Submission
from scheduler.entrypoints.demo.target_database import BOOK
from scheduler.entrypoints.demo.web_service import BUSY, GREETING, MISSING, OPEN

RUN_LABEL = "demo"
BACKOFF = RetryPolicy(initial=timedelta(seconds=0.2), multiplier=1.0, jitter=0.2)
LONG_BACKOFF = RetryPolicy(initial=timedelta(seconds=2), multiplier=1.0, jitter=0.2)
"""Of the watched job: a watch may skip states that pass quickly, and is to see that it waits."""
WORK_SECONDS = 24.0
"""Of all handlers together, however many jobs there are."""
LONGEST_JOB_SECONDS = 0.06
HORIZON_SECONDS = 3.0
LAST_NUMBER = 100


class Kind(StrEnum):
    """What a job of the demo is there to show."""

    PLAIN = "plain"
    SCHEDULED = "scheduled ahead"
    RETRIED = "fails, then succeeds"
    REFUSED = "fails for good"
    DEAD = "never succeeds"
    CANCELLED = "cancelled while running"
    WATCHED = "watched"
    CALLED = "calls a web service"
    BUSY = "calls a busy one, then again"
    MISSING = "calls a page that is missing"
    BOOKED = "changes a database"
    ASYNC = "own handler, event loop"
    THREAD = "own handler, thread"
    PROCESS = "own handler, process"


OWN = (Kind.ASYNC, Kind.THREAD, Kind.PROCESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """A job, and how it must end; `failures` attempts of it fail in a way that is tried again."""

    kind: Kind
    job_id: JobId
    submission: Submission
    final: JobState = JobState.SUCCEEDED
    failures: int = 0
    result: Mapping[str, object] | None = None
    """What its handler must return."""

    @property
    def command(self) -> SubmitCommand:
        """Return the request for it."""
        return SubmitCommand(submission=self.submission, job_id=self.job_id)

    @property
    def attempts(self) -> int:
        """Return how many attempts it must take."""
        return self.failures + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole load, under one label."""

    run: str
    jobs: Sequence[PlannedJob]
    by_id: Mapping[str, PlannedJob] = field(init=False)

    def __post_init__(self) -> None:
        """Index the jobs."""
        object.__setattr__(self, "by_id", {str(job.job_id): job for job in self.jobs})

    def of(self, *kinds: Kind) -> Sequence[PlannedJob]:
        """Return the jobs of these kinds."""
        return [job for job in self.jobs if job.kind in kinds]

    def ending(self, state: JobState) -> int:
        """Return how many jobs must end so."""
        return sum(job.final is state for job in self.jobs)

    @property
    def results(self) -> int:
        """Return how many attempts must have a result; one that was cancelled has none."""
        return sum(job.attempts for job in self.jobs if job.final is not JobState.CANCELLED)

    @property
    def types(self) -> Sequence[str]:
        """Return the job types in the order of their first jobs."""
        return list(dict.fromkeys(job.submission.type for job in self.jobs))


def make_plan(jobs: int, now: datetime, *, web_address: str) -> Plan:
    """Plan about so many jobs: mostly plain ones, of all priorities."""
    nap = min(LONGEST_JOB_SECONDS, WORK_SECONDS / jobs)
    maker = _Maker(run=uuid4().hex[:8], now=now, nap=nap, web_address=web_address)
    special = [maker.cancelled(), maker.watched(), maker.dead()]
    scheduled = [maker.scheduled(HORIZON_SECONDS * step / (jobs // 8)) for step in range(1, jobs // 8 + 1)]
    retried = [maker.retried(failures=1 + step % 2) for step in range(jobs // 8)]
    refused = [maker.refused() for _ in range(jobs // 80)]
    others = [*scheduled, *retried, *refused, maker.missing()]
    for _ in range(jobs // 50):
        others += [maker.called(), maker.booked(), maker.own(Kind.ASYNC), maker.own(Kind.THREAD)]
    for _ in range(jobs // 100):
        others += [maker.busy(), maker.own(Kind.PROCESS)]
    plain = [maker.plain() for _ in range(jobs - len(special) - len(others))]
    return Plan(run=maker.run, jobs=[*special, *others, *plain])


_ANSWER = {"status": 200, "body": GREETING, "truncated": False}


class _Maker:
    """Makes one job of each kind, of each priority in turn."""

    def __init__(self, *, run: str, now: datetime, nap: float, web_address: str) -> None:
        self.run = run
        self._now = now
        self._nap = nap
        self._web_address = web_address
        self._priorities = cycle(Priority)

    def plain(self) -> PlannedJob:
        return self._job(Kind.PLAIN, {"sleep_seconds": self._nap})

    def scheduled(self, ahead: float) -> PlannedJob:
        # Never less than a second ahead, however long the submission takes.
        run_at = self._now + timedelta(seconds=1.0 + ahead)
        return self._job(Kind.SCHEDULED, {}, run_at=run_at)

    def retried(self, *, failures: int) -> PlannedJob:
        return self._job(Kind.RETRIED, {"fail_attempts": failures}, failures=failures)

    def refused(self) -> PlannedJob:
        return self._job(Kind.REFUSED, {"fail_permanently": True}, final=JobState.FAILED)

    def dead(self) -> PlannedJob:
        return self._job(Kind.DEAD, {"fail_attempts": 100}, failures=2, final=JobState.DEADLETTER)

    def cancelled(self) -> PlannedJob:
        return self._job(Kind.CANCELLED, {"sleep_seconds": 60}, final=JobState.CANCELLED, priority=Priority.CRITICAL)

    def watched(self) -> PlannedJob:
        job = self._job(
            Kind.WATCHED,
            {"fail_attempts": 1, "sleep_seconds": 0.3},
            failures=1,
            priority=Priority.CRITICAL,
            idempotency_key=f"{RUN_LABEL}-{self.run}",
        )
        return replace(job, submission=replace(job.submission, retry_policy=LONG_BACKOFF))

    def called(self) -> PlannedJob:
        return replace(self._call(Kind.CALLED, OPEN), result=_ANSWER)

    def busy(self) -> PlannedJob:
        return replace(self._call(Kind.BUSY, BUSY), failures=1, result=_ANSWER)

    def missing(self) -> PlannedJob:
        return replace(self._call(Kind.MISSING, MISSING), final=JobState.FAILED)

    def booked(self) -> PlannedJob:
        job_id = JobId(uuid4())
        job = self._job(Kind.BOOKED, {"statement": BOOK, "params": [str(job_id)]}, job_type="db_tx")
        return replace(job, job_id=job_id, result={"rows_affected": 1})

    def own(self, kind: Kind) -> PlannedJob:
        job = self._job(kind, {"last": LAST_NUMBER}, job_type=f"example.{kind.name.lower()}")
        return replace(job, result={"sum": sum(range(LAST_NUMBER + 1))})

    def _call(self, kind: Kind, page: str) -> PlannedJob:
        payload = {"url": f"{self._web_address}{page}", "method": "POST", "body": {"order": 17}}
        return self._job(kind, payload, job_type="http_call")

    def _job(
        self,
        kind: Kind,
        payload: Mapping[str, object],
        *,
        job_type: str = "noop",
        final: JobState = JobState.SUCCEEDED,
        failures: int = 0,
        priority: Priority | None = None,
        run_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> PlannedJob:
        submission = Submission(
            type=job_type,
            priority=priority or next(self._priorities),
            payload=json.dumps(payload),
            idempotency_key=idempotency_key,
            retry_policy=BACKOFF,
            labels={RUN_LABEL: self.run},
            run_at=run_at,
        )
        return PlannedJob(kind=kind, job_id=JobId(uuid4()), submission=submission, final=final, failures=failures)

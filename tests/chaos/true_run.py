"""The evidence of a run in which all went well: one job that was lost once and then succeeded."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.chaos.diary import Happening
from tests.chaos.evidence import Ack, Evidence, Records, WatchRecord
from tests.chaos.failover import FailOver
from tests.chaos.handler import SUCCESS
from tests.chaos.ledger import Entry, Mark
from tests.chaos.specs import JobSpec, draw_load

NOW = datetime(2026, 3, 4, tzinfo=UTC)
FIRST, SECOND = "first-worker", "second-worker"
LEASE = 4.0


def an_entry(mark: Mark, at: float, *, fence: int = 2, worker: str = FIRST, detail: str = "") -> Entry:
    pid = 1 if worker == FIRST else 2
    return Entry(mark=mark, at=at, pid=pid, worker_id=worker, job_id=JOB, fence=fence, attempt=1, detail=detail)


def renewed(at: float, worker: str = FIRST) -> Entry:
    return Entry(mark=Mark.RENEWED, at=at, pid=0, worker_id=worker, detail=f"{LEASE:g}")


def an_attempt(fence: int, outcome: AttemptOutcome | None, worker: str = FIRST) -> AttemptView:
    return AttemptView(
        fence=fence, number=1, worker_id=worker, started_at=NOW, finished_at=NOW, outcome=outcome, error=""
    )


def an_event(version: int, state: JobState) -> EventView:
    return EventView(job_id=JOB, state=state, message="", at=NOW, attempts=1, version=version, last_error="")


def _spec() -> JobSpec:
    """Draw one whose handler stops when it is told to."""
    specs = draw_load(Random(1), seconds=20, jobs_per_second=5, run="test").specs
    return next(spec for spec in specs if spec.is_cooperative and spec.key is not None)


SPEC = _spec()
JOB, OTHER = (str(job_id) for job_id in SPEC.ids)


@dataclass(slots=True)
class World:
    """One job that was lost once and then succeeded, and all that was seen of it."""

    job: JobView
    attempts: list[AttemptView]
    ledger: list[Entry]
    records: Records
    happenings: list[Happening] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    fail_overs: list[FailOver] = field(default_factory=list)
    spec: JobSpec = SPEC
    quiet_after: float = 5.0
    is_stored: bool = True

    @classmethod
    def true(cls) -> "World":
        watch = WatchRecord(JOB, [an_event(1, JobState.QUEUED), an_event(5, JobState.SUCCEEDED)], ended=True)
        return cls(
            job=JobView(
                job_id=JOB,
                state=JobState.SUCCEEDED,
                type="",
                priority=Priority.DEFAULT,
                attempts=2,
                max_attempts=2,
                losses=1,
                version=5,
                last_error="",
                worker_id=SECOND,
                labels={},
                created_at=NOW,
                updated_at=NOW,
                run_at=NOW,
                started_at=NOW,
                finished_at=NOW,
                payload=None,
                result=f'{{"fence": 4, "worker": "{SECOND}", "mark": ""}}',
            ),
            attempts=[an_attempt(2, AttemptOutcome.LOST), an_attempt(4, AttemptOutcome.SUCCEEDED, SECOND)],
            ledger=[
                renewed(0.0),
                an_entry(Mark.STARTED, 1.0),
                an_entry(Mark.CANCELLED, 3.0),
                renewed(5.0, SECOND),
                an_entry(Mark.STARTED, 6.0, fence=4, worker=SECOND),
                an_entry(Mark.ENDED, 7.0, fence=4, worker=SECOND, detail=SUCCESS),
            ],
            records=Records(acks=[Ack(number=SPEC.number, job_id=JOB, created=True)], watches=[watch]),
        )

    def evidence(self) -> Evidence:
        return Evidence(
            specs=[self.spec],
            records=self.records,
            jobs={self.job.job_id: self.job} if self.is_stored else {},
            attempts={self.job.job_id: self.attempts} if self.is_stored else {},
            ledger=self.ledger,
            happenings=self.happenings,
            left_in_redis=self.left,
            fail_overs=self.fail_overs,
            epoch=NOW,
            quiet_after=self.quiet_after,
        )

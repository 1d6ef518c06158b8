"""What the worker does, as log lines."""

from collections import Counter
from collections.abc import Sequence

from structlog.typing import FilteringBoundLogger

from scheduler.application.ports.telemetry import WorkerTelemetry
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState

MAX_ERROR_CHARS = 500
FAILED_EVENTS = {
    JobState.RETRYING: "job_retrying",
    JobState.FAILED: "job_failed",
    JobState.DEADLETTER: "job_deadlettered",
}


class LoggedWorker(WorkerTelemetry):
    """Logs how attempts end, and passes all on to `following`. Success is normal: it shows at DEBUG only."""

    def __init__(self, log: FilteringBoundLogger, *, following: WorkerTelemetry) -> None:
        self._log = log
        self._following = following

    def jobs_started(self, jobs: Sequence[Job]) -> None:
        """Pass it on: the end of each attempt is the one line."""
        self._following.jobs_started(jobs)

    def jobs_without_handler(self, jobs: Sequence[Job]) -> None:
        """Log each type once a claim; between two such claims a worker waits for seconds."""
        self._following.jobs_without_handler(jobs)
        for job_type, count in Counter(job.type for job in jobs).items():
            self._log.warning("job_without_handler", job_type=job_type, count=count)

    def attempt_ended(self, job: Job, attempt: Attempt) -> None:
        """Log the outcome."""
        self._following.attempt_ended(job, attempt)
        event = FAILED_EVENTS.get(job.state)
        if event is None:
            self._log.debug("attempt_ended", **_named(job, attempt))
        else:
            self._log_failure(event, job, attempt)

    def results_recorded(self, count: int) -> None:
        """Pass it on."""
        self._following.results_recorded(count)

    def stale_result(self, attempt_id: AttemptId) -> None:
        """Log which attempt it was."""
        self._following.stale_result(attempt_id)
        self._log.warning("stale_result_refused", job_id=str(attempt_id.job_id), fence=attempt_id.fence)

    def inflight(self, count: int) -> None:
        """Pass it on."""
        self._following.inflight(count)

    def lease_renewed(self, worker_id: WorkerId, *, result: str) -> None:
        """Log a renewal that failed; how often a missing store is reported is for the fault log."""
        self._following.lease_renewed(worker_id, result=result)
        if result == "closed":
            self._log.warning("lease_lost", worker_id=str(worker_id))
        elif result != "ok":
            self._log.debug("lease_not_renewed", worker_id=str(worker_id), result=result)

    def _log_failure(self, event: str, job: Job, attempt: Attempt) -> None:
        self._log.info(
            event,
            **_named(job, attempt),
            max_attempts=job.max_attempts,
            error=attempt.error[:MAX_ERROR_CHARS],
        )


def _named(job: Job, attempt: Attempt) -> dict[str, object]:
    return {
        "job_id": str(job.id),
        "job_type": job.type,
        "attempt": attempt.number,
        "worker_id": str(attempt.worker_id),
        "outcome": attempt.outcome,
    }

"""What the reaper does, as log lines."""

from collections import Counter
from collections.abc import Sequence

from structlog.typing import FilteringBoundLogger

from scheduler.application.dto import QueueStats
from scheduler.application.ports.queue_maintenance import QueueDepths
from scheduler.application.ports.telemetry import ReaperTelemetry
from scheduler.domain.ids import WorkerId
from scheduler.domain.job import Job
from scheduler.domain.state import JobState


class LoggedReaper(ReaperTelemetry):
    """Logs recoveries and repairs, one line a worker, and passes all on to `following`."""

    def __init__(self, log: FilteringBoundLogger, *, following: ReaperTelemetry) -> None:
        self._log = log
        self._following = following

    def jobs_released_due(self, jobs: Sequence[Job]) -> None:
        """Pass it on: due jobs are normal."""
        self._following.jobs_released_due(jobs)

    def workers_closed(self, workers: Sequence[WorkerId]) -> None:
        """Log each lost worker."""
        self._following.workers_closed(workers)
        for worker_id in workers:
            self._log.warning("worker_lost", worker_id=str(worker_id))

    def jobs_recovered(self, jobs: Sequence[Job]) -> None:
        """Log for each worker how many of its jobs were taken back, and each job that will not run again."""
        self._following.jobs_recovered(jobs)
        for worker_id, count in Counter(job.worker_id for job in jobs).items():
            self._log.warning("jobs_recovered", worker_id=str(worker_id), count=count)
        for job in jobs:
            if job.state is JobState.DEADLETTER:
                self._log.info("job_deadlettered", **_lost_attempt_of(job), error=job.last_error)
            else:
                self._log.debug("job_recovered", **_lost_attempt_of(job))

    def queue_repaired(self, kind: str, count: int) -> None:
        """Log a repair that changed something."""
        self._following.queue_repaired(kind, count)
        if count:
            self._log.info("queue_repaired", kind=kind, count=count)

    def depths(self, queue: QueueDepths | None, store: QueueStats, workers: int) -> None:
        """Pass it on."""
        self._following.depths(queue, store, workers)

    def expired_leases(self, workers: int) -> None:
        """Pass it on."""
        self._following.expired_leases(workers)


def _lost_attempt_of(job: Job) -> dict[str, object]:
    return {"job_id": str(job.id), "job_type": job.type, "attempt": job.attempts, "worker_id": str(job.worker_id)}

"""Handlers that were to end before they were done, as log lines."""

from datetime import timedelta

from structlog.typing import FilteringBoundLogger

from scheduler.application.ports.telemetry import StopTelemetry
from scheduler.domain.job import Job


class LoggedStops(StopTelemetry):
    """Logs handlers that do not end, and passes all on to `following`."""

    def __init__(self, log: FilteringBoundLogger, *, following: StopTelemetry) -> None:
        self._log = log
        self._following = following

    def cancelled(self, latency: timedelta) -> None:
        """Pass it on: a cancel is normal."""
        self._following.cancelled(latency)

    def handler_abandoned(self, job: Job, *, alive: int) -> None:
        """Log which job's handler runs on."""
        self._following.handler_abandoned(job, alive=alive)
        self._log.warning("handler_abandoned", alive=alive, **_attempt_of(job))

    def abandoned_handler_ended(self, job: Job, *, alive: int) -> None:
        """Log that it is over."""
        self._following.abandoned_handler_ended(job, alive=alive)
        self._log.info("abandoned_handler_ended", alive=alive, **_attempt_of(job))

    def worn_out(self, *, alive: int) -> None:
        """Log why the worker stops."""
        self._following.worn_out(alive=alive)
        self._log.critical("worker_worn_out", abandoned_handlers=alive)

    def grown(self, *, megabytes: int) -> None:
        """Log why the worker stops."""
        self._following.grown(megabytes=megabytes)
        self._log.critical("worker_worn_out", megabytes=megabytes)


def _attempt_of(job: Job) -> dict[str, object]:
    return {
        "job_id": str(job.id),
        "job_type": job.type,
        "attempt": job.attempts,
        "fence": job.version,
        "worker_id": str(job.worker_id),
    }

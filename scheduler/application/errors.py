"""What can go wrong for a caller of a use case: one leaf per decision that the caller can take."""

from collections.abc import Sequence
from datetime import timedelta

from scheduler.domain.errors import SchedulerError
from scheduler.domain.ids import JobId


class JobNotFoundError(SchedulerError):
    """No such job, or it was purged."""

    def __init__(self, job_id: JobId) -> None:
        """Keep the id that was asked for."""
        super().__init__(f"job {job_id} does not exist")
        self.job_id = job_id


class IdempotencyMismatchError(SchedulerError):
    """The job id or idempotency key was used before, with other content."""

    def __init__(self, job_id: JobId, index: int = 0) -> None:
        """Keep the existing job's id, and the position of the refused job in its request."""
        super().__init__(f"job {job_id} exists with other content")
        self.job_id = job_id
        self.index = index


class VersionConflictError(SchedulerError):
    """The job's version is not the one that the caller expected."""

    def __init__(self, job_id: JobId, expected: int, actual: int) -> None:
        """Keep both versions."""
        super().__init__(f"job {job_id} is at version {actual}, not {expected}")
        self.job_id = job_id
        self.expected = expected
        self.actual = actual


class UnknownVersionError(SchedulerError):
    """A watcher resumes after a version that the job has not reached."""

    def __init__(self, job_id: JobId, after_version: int, current: int) -> None:
        """Keep both versions."""
        super().__init__(f"after_version {after_version} is above the current version {current}")
        self.job_id = job_id
        self.after_version = after_version
        self.current = current


class DuplicateJobsError(SchedulerError):
    """Some id or idempotency key of the batch is taken: nothing was stored. Read again and decide again."""


class TooManyWatchersError(SchedulerError):
    """This process serves as many watch streams as it may."""

    def __init__(self, limit: int) -> None:
        """Keep the limit."""
        super().__init__(f"this server already serves {limit} watch streams")
        self.limit = limit


class ServerStoppingError(SchedulerError):
    """This process stops; another one will answer."""


class UnavailableError(SchedulerError):
    """A part is out of reach for now; try again after `retry_after`."""

    def __init__(self, part: str, detail: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        """Keep the part's name; the detail is for logs."""
        super().__init__(f"{part} is unavailable: {detail}")
        self.part = part
        self.retry_after = retry_after


class StoreUnavailableError(UnavailableError):
    """The SQL store does not answer in time."""

    def __init__(self, detail: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        """Name the part."""
        super().__init__("store", detail, retry_after)


class QueueUnavailableError(UnavailableError):
    """Redis does not answer or cannot take commands."""

    def __init__(self, detail: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        """Name the part."""
        super().__init__("queue", detail, retry_after)


class SchemaNotMigratedError(StoreUnavailableError):
    """The store's schema is older than this program, or being restored: run `scheduler migrate`, or wait."""

    def __init__(self, missing: Sequence[str]) -> None:
        """Keep the names of the migrations that have not run."""
        super().__init__(f"the schema lacks {', '.join(missing)}: run `scheduler migrate`")
        self.missing = missing


class StoreRejectedError(SchedulerError):
    """The store refused the data of a statement for good; the batch that held it changed nothing."""


class OverloadedError(SchedulerError):
    """So much waits to be stored that more would only wait longer."""

    def __init__(self, retry_after: timedelta = timedelta(seconds=1)) -> None:
        """Keep when to try again."""
        super().__init__("too many submissions wait to be stored")
        self.retry_after = retry_after


class PortInUseError(SchedulerError):
    """Another process listens on the port that this one was told to serve."""

    def __init__(self, port: int) -> None:
        """Keep the port."""
        super().__init__(f"port {port} is already in use")
        self.port = port

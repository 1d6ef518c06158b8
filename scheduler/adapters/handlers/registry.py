"""Which code does which job type."""

from collections.abc import Sequence

from scheduler.application.ports.handlers import Handler, HandlerRegistry
from scheduler.domain.errors import SchedulerError

BUILT_IN = "the built-in one"


class DuplicateHandlerError(SchedulerError):
    """A job type was given a second handler."""

    def __init__(self, job_type: str, first: str, second: str) -> None:
        """Keep the job type, and say where its two handlers come from."""
        super().__init__(f"job type {job_type!r} has two handlers: {first} and {second}")
        self.job_type = job_type


class Registry(HandlerRegistry):
    """Handlers by job type, filled before the worker starts."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._places: dict[str, str] = {}

    def register(self, job_type: str, handler: Handler, *, place: str = BUILT_IN) -> None:
        """Add a handler that `place` brings; raise DuplicateHandlerError when the type has one."""
        if job_type in self._handlers:
            raise DuplicateHandlerError(job_type, self._places[job_type], place)
        self._handlers[job_type] = handler
        self._places[job_type] = place

    def find(self, job_type: str) -> Handler | None:
        """Return the handler of the job type, or None."""
        return self._handlers.get(job_type)

    def types(self) -> Sequence[str]:
        """Return the registered job types, sorted."""
        return sorted(self._handlers)

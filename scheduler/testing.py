"""What the tests of handlers and of submitters need: `from scheduler.testing import InMemoryScheduler, run_handler`."""

from scheduler.domain.attempt import AttemptOutcome
from scheduler.entrypoints.testing.attempt import HandlerRun, job_context, run_handler, run_handler_sync
from scheduler.entrypoints.testing.in_memory import InMemoryScheduler

__all__ = ["AttemptOutcome", "HandlerRun", "InMemoryScheduler", "job_context", "run_handler", "run_handler_sync"]

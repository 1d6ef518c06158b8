"""What the author of handlers needs: `from scheduler.handlers import JobContext, handler`."""

from scheduler.adapters.handlers.declaration import HandlerDeclarationError, handler
from scheduler.adapters.handlers.definition import Executor, HandlerDefinition
from scheduler.adapters.handlers.retry_later import RetryLater
from scheduler.application.ports.handlers import HandlerLog, JobContext, PermanentError, RetryLaterError

__all__ = [
    "Executor",
    "HandlerDeclarationError",
    "HandlerDefinition",
    "HandlerLog",
    "JobContext",
    "PermanentError",
    "RetryLater",
    "RetryLaterError",
    "handler",
]

"""How each executor runs a handler."""

from scheduler.adapters.handlers.async_handler import AsyncHandler
from scheduler.adapters.handlers.definition import AnyDefinition, Executor
from scheduler.adapters.handlers.thread_handler import ThreadHandler
from scheduler.application.ports.handlers import Handler


def bind(definition: AnyDefinition) -> Handler:
    """Return what runs the definition's function."""
    if definition.executor is Executor.ASYNC:
        return AsyncHandler(definition)
    return ThreadHandler(definition)

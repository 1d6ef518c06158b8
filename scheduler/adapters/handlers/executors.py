"""How each executor runs a handler."""

from typing import assert_never

from scheduler.adapters.handlers.async_handler import AsyncHandler
from scheduler.adapters.handlers.definition import AnyDefinition, Executor
from scheduler.adapters.handlers.process.handler import ProcessHandler
from scheduler.adapters.handlers.process.pool import ProcessPool
from scheduler.adapters.handlers.thread_handler import ThreadHandler
from scheduler.application.ports.handlers import Handler


def bind(definition: AnyDefinition, processes: ProcessPool) -> Handler:
    """Return what runs the definition's function."""
    match definition.executor:
        case Executor.ASYNC:
            return AsyncHandler(definition)
        case Executor.THREAD:
            return ThreadHandler(definition)
        case Executor.PROCESS:
            module = definition.function.__module__
            return ProcessHandler(module=module, job_type=definition.job_type, pool=processes)
        case _:
            assert_never(definition.executor)

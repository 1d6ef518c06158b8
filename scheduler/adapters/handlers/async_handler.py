"""Handlers that run in the worker's event loop."""

from inspect import isawaitable

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.handlers.result import write_result
from scheduler.application.ports.handlers import Handler, JobContext


class AsyncHandler(Handler):
    """Awaits a function of a user; cancelled like any task."""

    def __init__(self, definition: AnyDefinition) -> None:
        self._definition = definition

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Read the payload, call the function, write its result."""
        result = self._definition.call(payload, context)
        return write_result(await result if isawaitable(result) else result)

"""Handlers that run in the worker's event loop."""

from collections.abc import Awaitable

from scheduler.adapters.handlers.definition import HandlerDefinition
from scheduler.adapters.handlers.result import write_result
from scheduler.application.ports.handlers import Handler, JobContext


class AsyncHandler(Handler):
    """Awaits a function of a user; cancelled like any task."""

    def __init__(self, definition: HandlerDefinition[object, Awaitable[object]]) -> None:
        self._definition = definition

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Read the payload, call the function, write its result."""
        definition = self._definition
        return write_result(await definition.function(definition.payload.read(payload), context))

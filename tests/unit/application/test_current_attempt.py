"""What runs on behalf of an attempt or of a call can be told from all else."""

import asyncio

import pytest

from scheduler.adapters.handlers.registry import Registry
from scheduler.application.current_attempt import current_attempt
from scheduler.application.current_trace import current_trace
from scheduler.application.ports.handlers import Handler, JobContext
from scheduler.application.untraced import UNTRACED
from scheduler.application.use_cases.run_job import RunJob
from scheduler.domain.trace import TraceContext
from tests.support.builders import a_trace
from tests.unit.application.test_run_job import an_attempt


class Looking(Handler):
    """Notes in which attempt it is, itself and in a task and a thread that it starts."""

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails
        self.seen: list[JobContext | None] = []

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        self._look()
        await asyncio.create_task(self._look_later())
        await asyncio.to_thread(self._look)
        if self._fails:
            raise ValueError("no")
        return None

    async def _look_later(self) -> None:
        self._look()

    def _look(self) -> None:
        self.seen.append(current_attempt())


@pytest.mark.parametrize("fails", [False, True])
def test_a_handler_and_what_it_starts_are_in_its_attempt_and_what_comes_after_it_is_not(*, fails: bool) -> None:
    handler = Looking(fails=fails)
    registry = Registry()
    registry.register("email.send", handler)
    started, context = an_attempt()

    async def scenario() -> JobContext | None:
        await RunJob(handlers=registry).execute(started, context)
        return current_attempt()

    assert asyncio.run(scenario()) is None
    assert handler.seen == [context] * 3


@pytest.mark.parametrize("trace", [None, a_trace()], ids=["none", "some"])
def test_a_call_is_in_the_trace_of_its_client_without_opentelemetry_too(trace: TraceContext | None) -> None:
    with UNTRACED.call("GetJob", lambda: trace):
        assert current_trace() == trace
    assert current_trace() is None

"""Handlers that do what handlers do: succeed, fail, hang, and ignore that they were told to stop."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random

from scheduler.application.ports.handlers import Handler, HandlerRegistry, JobContext, PermanentError, RetryLaterError
from tests.simulation.ledger import Ledger, Run
from tests.simulation.trace import Trace

KINDS = ("quick", "quick", "steady", "steady", "flaky", "flaky", "broken", "long", "long", "endless", "stubborn")
LONG_KINDS = ("long", "long", "long", "steady", "quick")


class SimulatedHandler(Handler):
    """Behaves as its kind and chance have it, and writes it into the ledger."""

    def __init__(
        self, kind: str, host: str, *, ledger: Ledger, rng: Random, trace: Trace, is_over: Callable[[], bool]
    ) -> None:
        self._kind = kind
        self._host = host
        self._ledger = ledger
        self._rng = rng
        self._trace = trace
        self._is_over = is_over

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        obedient = self._kind != "stubborn"
        run = self._ledger.begin(context.attempt_id, context.worker_id, self._host, obedient=obedient, payload=payload)
        self._trace.note(self._host, "handler begins", self._kind, context.attempt_id)
        try:
            result = await self._work(run, context)
        except BaseException as error:
            self._end(run, type(error).__name__)
            raise
        self._end(run, "returned")
        return result

    def _end(self, run: Run, how: str) -> None:
        self._ledger.end(run, how)
        self._trace.note(self._host, "handler ends", self._kind, run.attempt_id, how)

    async def _work(self, run: Run, context: JobContext) -> str | None:
        draw = self._rng.random()
        context.progress(100 * draw, str(context.fence))
        match self._kind:
            case "quick":
                await asyncio.sleep(0.05 * draw)
            case "steady":
                await asyncio.sleep(0.2 + 3 * draw)
            case "long":
                await asyncio.sleep(8 + 16 * draw)
            case "endless":
                await asyncio.sleep(60)
            case "stubborn":
                await self._ignore_cancellations(2 + 12 * draw)
            case _:
                await self._fail(draw)
        context.progress(100, str(context.fence))
        return json.dumps({"fence": context.attempt_id.fence})

    async def _fail(self, draw: float) -> None:
        await asyncio.sleep(draw)
        if self._kind == "broken":
            raise PermanentError("broken")
        if draw < 0.2:
            raise RetryLaterError("later", timedelta(seconds=2 * draw))
        if draw < 0.6:
            raise ValueError("flaky")

    async def _ignore_cancellations(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0 and not self._is_over():
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                if self._is_over():
                    raise


class SimulatedHandlers(HandlerRegistry):
    """A handler for each kind of job."""

    def __init__(self, host: str, *, ledger: Ledger, rng: Random, trace: Trace, is_over: Callable[[], bool]) -> None:
        self._handlers = {
            kind: SimulatedHandler(kind, host, ledger=ledger, rng=rng, trace=trace, is_over=is_over) for kind in KINDS
        }

    def find(self, job_type: str) -> Handler | None:
        return self._handlers.get(job_type)

    def types(self) -> Sequence[str]:
        return sorted(self._handlers)

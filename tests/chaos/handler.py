"""A job type that notes in the ledger what it does, and misbehaves as its payload asks."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from scheduler.application.ports.handlers import Handler, JobContext, PermanentError, RetryLaterError
from scheduler.domain.errors import SchedulerError
from tests.chaos.ledger import Entry, Ledger, Mark

CHAOS_WORK = "chaos.work"
SUCCESS = "success"


class DeliberateError(SchedulerError):
    """A failure that a retry may cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the payload asks for; times in seconds."""

    seconds: float = 0.0
    """Work so long."""
    block: float = 0.0
    """Then keep the event loop from everything else."""
    swallow: float = 0.0
    """When told to stop, go on for so long and return a result all the same."""
    fail_attempts: int = 0
    """Fail while the attempt's number is at most this."""
    permanently: bool = False
    """Fail for good."""
    retry_after: float = 0.0
    """Ask for this delay when failing."""
    die_attempts: int = 0
    """Kill the process while the attempt's number is at most this."""
    mark: str = ""
    """Tells this payload from the job's others; the result repeats it."""

    @classmethod
    def read(cls, payload: str | None) -> Self:
        fields = json.loads(payload or "{}")
        assert isinstance(fields, Mapping)
        return cls(**fields)


class ChaosHandler(Handler):
    """Returns its fence and worker, so that a result can be told from all others."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        behaviour = Behaviour.read(payload)
        self._note(Mark.STARTED, context, behaviour.mark)
        try:
            await self._work(behaviour, context)
        except asyncio.CancelledError:
            if not behaviour.swallow:
                self._note(Mark.CANCELLED, context)
                raise
            await asyncio.sleep(behaviour.swallow)
        except SchedulerError as error:
            self._note(Mark.ENDED, context, type(error).__name__)
            raise
        self._note(Mark.ENDED, context, SUCCESS)
        fields = {"fence": context.attempt_id.fence, "worker": str(context.worker_id), "mark": behaviour.mark}
        return json.dumps(fields)

    async def _work(self, behaviour: Behaviour, context: JobContext) -> None:
        await asyncio.sleep(behaviour.seconds)
        if behaviour.block:
            time.sleep(behaviour.block)  # noqa: ASYNC251 - the misbehaviour itself
        if context.attempt <= behaviour.die_attempts:
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour.permanently:
            raise PermanentError("as the payload asks")
        if context.attempt <= behaviour.fail_attempts:
            raise _failure(behaviour)

    def _note(self, mark: Mark, context: JobContext, detail: str = "") -> None:
        self._ledger.write(
            Entry(
                mark=mark,
                at=time.monotonic(),
                pid=os.getpid(),
                worker_id=str(context.worker_id),
                job_id=str(context.attempt_id.job_id),
                fence=context.attempt_id.fence,
                attempt=context.attempt,
                detail=detail,
            )
        )


def _failure(behaviour: Behaviour) -> SchedulerError:
    if behaviour.retry_after:
        return RetryLaterError("as the payload asks", timedelta(seconds=behaviour.retry_after))
    return DeliberateError("as the payload asks")

"""The handler."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from scheduler.adapters.handlers.db_tx.connections import Connections, PrivilegedRoleError
from scheduler.adapters.handlers.db_tx.effect import Effect, Taken
from scheduler.adapters.handlers.db_tx.outcome import RepeatableError, TargetError
from scheduler.adapters.handlers.db_tx.payload import Statement, read_payload
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.handlers import Handler, JobContext, PermanentError

FIRST_PAUSE: Final = 0.01
"""Seconds; the bound doubles with each repetition, and the pause is drawn between 0 and the bound."""
LONGEST_PAUSE: Final = 1.0
CHECK_SECONDS: Final = 5.0
"""What a worker's start waits for a target that may be away."""
DOUBT: Final = "; whether the job took effect is unknown, its next attempt will find out"
LONG_PAYLOAD: Final = 16 * 1024
"""Characters, read in 10 ms at the most; the 1 MiB that a payload may hold takes half a second."""
SERVER_GRACE_SECONDS: Final = 1.0
"""How much longer than the attempt a statement may run on the server: the worker ends it first, unless it is gone."""


class DbTxHandler(Handler):
    """Runs the payload's statement in a SERIALIZABLE transaction of the target, once for each job.

    Payload: `statement` (the name of one of `statements`) or, where those are None, `query` (SQL with parameters $1…),
    and `params`, an array. Result: `{"rows_affected": n}`, the same for an attempt that finds the job done.
    """

    def __init__(
        self,
        *,
        target: Connections | None,
        statements: Mapping[str, str] | None,
        clock: Clock,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Take the way to the target, None where no address is set; `statements` None allows any SQL."""
        self._target = target
        self._statements = statements
        self._clock = clock
        self._draw = draw

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Take effect, or find that an earlier attempt has; conflicts with others are repeated until the deadline."""
        if self._target is None:
            raise PermanentError("DB_TX_DATABASE_URL is not set on this worker")
        effect = Effect(
            attempt_id=context.attempt_id,
            attempt=context.attempt,
            payload_hash=sha256((payload or "").encode()).hexdigest(),
            statement=await self._read(payload),
        )
        taken = await self._take(effect, self._target, context)
        if taken.earlier_attempt is not None:
            context.logger.info("db_tx_effect_found", earlier_attempt=taken.earlier_attempt)
        return json.dumps({"rows_affected": taken.rows_affected})

    async def check_role(self) -> None:
        """Raise PrivilegedRoleError where the target can be asked and says so; each connection is checked, too."""
        if self._target is not None and self._statements is None:
            try:
                async with asyncio.timeout(CHECK_SECONDS), self._target.lend():
                    pass
            except PrivilegedRoleError:
                raise
            except (TimeoutError, TargetError):
                pass  # A target that is away keeps no worker from starting.

    async def close(self) -> None:
        """Close the connections to the target."""
        if self._target is not None:
            await self._target.close()

    async def _read(self, payload: str | None) -> Statement | PermanentError:
        if payload is not None and len(payload) > LONG_PAYLOAD:
            return await asyncio.to_thread(_statement_or_refusal, payload, self._statements)
        return _statement_or_refusal(payload, self._statements)

    async def _take(self, effect: Effect, target: Connections, context: JobContext) -> Taken:
        pauses = _pauses(self._draw)
        doubt = ""
        while True:
            try:
                async with target.lend() as connection:
                    return await effect.take(connection, seconds=self._left(context) + SERVER_GRACE_SECONDS)
            except RepeatableError as error:
                doubt = DOUBT if error.unknown else doubt
                pause = next(pauses)
                if pause >= self._left(context):
                    raise TargetError(f"{error}{doubt}") from error
                await asyncio.sleep(pause)
            except TargetError as error:
                raise TargetError(f"{error}{doubt}") from error

    def _left(self, context: JobContext) -> float:
        return max(0.0, (context.deadline - self._clock.now()).total_seconds())


def _statement_or_refusal(payload: str | None, allowed: Mapping[str, str] | None) -> Statement | PermanentError:
    try:
        return read_payload(payload, allowed)
    except PermanentError as refusal:
        return refusal


def _pauses(draw: Callable[[], float]) -> Iterator[float]:
    bound = FIRST_PAUSE
    while True:
        yield draw() * bound
        bound = min(LONGEST_PAUSE, 2 * bound)

"""A job type that does nothing, on request slowly or badly: for demos, load tests and drills."""

import asyncio
import json
import math
from dataclasses import dataclass

from scheduler.application.ports.handlers import Handler, JobContext, PermanentError
from scheduler.domain.errors import SchedulerError

MAX_SLEEP_SECONDS = 3600
MAX_PROGRESS_STEPS = 10_000
_LONGEST_INTEGER = 20


class DeliberateError(SchedulerError):
    """The payload asked for this failure, which a retry may cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Behaviour:
    sleep_seconds: float = 0.0
    progress_steps: int = 0
    fail_attempts: int = 0
    fail_permanently: bool = False


class NoopHandler(Handler):
    """Succeeds at once and without a result, unless an object as payload asks for something else.

    `sleep_seconds` (0 to 3600): wait first. `progress_steps` (integer, 0 to 10,000): wait in so many steps and tell
    the progress after each. `fail_permanently` (boolean): then fail for good. `fail_attempts` (integer): or fail as
    long as the attempt's number is at most that, in a way that is tried again. All else is ignored; a value that cannot
    be meant raises PermanentError with the field's name.
    """

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Behave as the payload says."""
        if payload is not None:
            await _behave(_read(payload), context)
        return None


async def _behave(behaviour: _Behaviour, context: JobContext) -> None:
    await _sleep(behaviour.sleep_seconds, behaviour.progress_steps, context)
    if behaviour.fail_permanently:
        raise PermanentError("failed for good, as the payload asks")
    if context.attempt <= behaviour.fail_attempts:
        raise DeliberateError(f"failed attempt {context.attempt} of {behaviour.fail_attempts}, as the payload asks")


async def _sleep(seconds: float, steps: int, context: JobContext) -> None:
    for step in range(1, steps + 1):
        await asyncio.sleep(seconds / steps)
        context.progress(100 * step / steps, f"step {step} of {steps}")
    if seconds and not steps:
        await asyncio.sleep(seconds)


def _read(payload: str) -> _Behaviour:
    document = _DECODER.decode(payload)
    if not isinstance(document, dict):
        return _NORMAL
    return _Behaviour(
        sleep_seconds=_sleep_seconds(document.get("sleep_seconds", 0)),
        progress_steps=_progress_steps(document.get("progress_steps", 0)),
        fail_attempts=_fail_attempts(document.get("fail_attempts", 0)),
        fail_permanently=_fail_permanently(document.get("fail_permanently", False)),
    )


def _sleep_seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SLEEP_SECONDS:
        raise PermanentError(f"sleep_seconds: must be a number between 0 and {MAX_SLEEP_SECONDS}")
    return float(value)


def _progress_steps(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_PROGRESS_STEPS:
        raise PermanentError(f"progress_steps: must be an integer between 0 and {MAX_PROGRESS_STEPS}")
    return value


def _fail_attempts(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise PermanentError("fail_attempts: must be an integer of at least 0")
    return value


def _fail_permanently(value: object) -> bool:
    if not isinstance(value, bool):
        raise PermanentError("fail_permanently: must be true or false")
    return value


def _integer(digits: str) -> int | float:
    """Read an integer; one too long to be of use is infinite, for Python refuses to convert thousands of digits."""
    if len(digits) <= _LONGEST_INTEGER:
        return int(digits)
    return -math.inf if digits.startswith("-") else math.inf


_DECODER = json.JSONDecoder(parse_int=_integer)
_NORMAL = _Behaviour()

"""Whatever a handler does ends as a success or a failure of its attempt."""

import asyncio
from datetime import timedelta

import pytest

from scheduler.adapters.handlers.registry import Registry
from scheduler.application.dto import StartedJob
from scheduler.application.outcomes import Success
from scheduler.application.ports.handlers import Handler, JobContext, PermanentError, RetryLaterError
from scheduler.application.use_cases.run_job import MAX_RESULT_BYTES, RunJob
from scheduler.domain.retry import Failure, FailureKind
from scheduler.domain.state import JobState
from tests.support.builders import NOW, a_job, a_worker_id
from tests.unit.application.shop import ScriptedHandler


def run(
    handler: Handler, *, timeout: timedelta = timedelta(seconds=30), job_type: str = "email.send"
) -> Success | Failure:
    registry = Registry()
    registry.register("email.send", handler)
    job = a_job(JobState.RUNNING, type=job_type, timeout=timeout)
    context = JobContext(
        attempt_id=job.attempt_id,
        job_type=job.type,
        attempt=1,
        max_attempts=3,
        worker_id=a_worker_id(),
        deadline=NOW,
    )
    return asyncio.run(RunJob(handlers=registry).execute(StartedJob(job=job, payload=None), context))


def raising(error: BaseException) -> ScriptedHandler:
    handler = ScriptedHandler()
    handler.error = error
    return handler


def returning(result: str | None) -> ScriptedHandler:
    handler = ScriptedHandler()
    handler.result = result
    return handler


@pytest.mark.parametrize("result", [None, '{"rows": 1}', "null"])
def test_a_result_that_is_json_or_nothing_is_a_success(result: str | None) -> None:
    assert run(returning(result)) == Success(result=result)


@pytest.mark.parametrize("result", ["{", "NaN", f'"{"x" * MAX_RESULT_BYTES}"'])
def test_any_other_result_fails_for_good(result: str) -> None:
    outcome = run(returning(result))
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.PERMANENT
    assert outcome.error.startswith("result: ")


def test_a_permanent_error_fails_for_good() -> None:
    assert run(raising(PermanentError("no such user"))) == Failure(kind=FailureKind.PERMANENT, error="no such user")


def test_a_handler_may_ask_for_its_own_delay() -> None:
    delay = timedelta(seconds=7)
    expected = Failure(kind=FailureKind.ERROR, error="busy", retry_after=delay)
    assert run(raising(RetryLaterError("busy", delay))) == expected


class PanicError(BaseException):
    """What extension modules raise past `except Exception`."""


class UnspeakableError(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (TimeoutError("of its own"), "TimeoutError: of its own"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (asyncio.CancelledError(), "CancelledError"),
        (PanicError("in another language"), "PanicError: in another language"),
        (BaseExceptionGroup("two", [SystemExit(1), ValueError()]), "BaseExceptionGroup: two (2 sub-exceptions)"),
        (UnspeakableError(), "UnspeakableError"),
    ],
)
def test_whatever_it_raises_by_itself_is_an_error_of_the_attempt(error: BaseException, text: str) -> None:
    assert run(raising(error)) == Failure(kind=FailureKind.ERROR, error=text)


def test_a_result_that_is_no_text_is_an_error_of_the_attempt() -> None:
    handler = ScriptedHandler()
    handler.result = {"rows": 1}  # type: ignore[assignment] # what a handler without type checks returns
    outcome = run(handler)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.ERROR


def test_a_delay_that_is_a_bare_number_is_refused_where_the_handler_raises_it() -> None:
    with pytest.raises(TypeError):
        RetryLaterError("busy", 30)  # type: ignore[arg-type] # what a handler without type checks does


def test_an_unknown_type_names_itself() -> None:
    outcome = run(returning(None), job_type="fax.send")
    assert outcome == Failure(kind=FailureKind.ERROR, error="no handler for job type 'fax.send'")


class Endless(Handler):
    """Waits for ever."""

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Wait."""
        await asyncio.Event().wait()
        return payload


def test_an_attempt_past_its_time_limit_is_stopped_and_timed_out() -> None:
    outcome = run(Endless(), timeout=timedelta(milliseconds=5))
    assert outcome == Failure(kind=FailureKind.TIMEOUT, error="ran longer than its timeout of 0.005 s")


class Stubborn(Handler):
    """Ignores that it is cancelled, once."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Wait, and go on all the same."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self._error is not None:
                raise self._error from None
        return "1"


def test_a_handler_that_ends_well_after_its_time_limit_keeps_its_result() -> None:
    assert run(Stubborn(), timeout=timedelta(milliseconds=5)) == Success(result="1")


def test_an_error_in_answer_to_the_time_limit_is_shown_as_it_is() -> None:
    outcome = run(Stubborn(ValueError("interrupted")), timeout=timedelta(milliseconds=5))
    assert outcome == Failure(kind=FailureKind.ERROR, error="ValueError: interrupted")


def test_a_cancellation_from_outside_is_not_the_handlers_doing() -> None:
    async def scenario() -> None:
        registry = Registry()
        registry.register("email.send", Endless())
        job = a_job(JobState.RUNNING)
        context = JobContext(
            attempt_id=job.attempt_id,
            job_type=job.type,
            attempt=1,
            max_attempts=3,
            worker_id=a_worker_id(),
            deadline=NOW,
        )
        running = asyncio.create_task(RunJob(handlers=registry).execute(StartedJob(job=job, payload=None), context))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(scenario())

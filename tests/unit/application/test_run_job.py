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


def an_attempt(job_type: str = "email.send") -> tuple[StartedJob, JobContext]:
    job = a_job(JobState.RUNNING, type=job_type)
    context = JobContext(
        attempt_id=job.attempt_id,
        job_type=job.type,
        attempt=1,
        max_attempts=3,
        worker_id=a_worker_id(),
        deadline=NOW,
    )
    return StartedJob(job=job, payload=None), context


def run(handler: Handler, *, job_type: str = "email.send") -> Success | Failure:
    registry = Registry()
    registry.register("email.send", handler)
    return asyncio.run(RunJob(handlers=registry).execute(*an_attempt(job_type)))


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


class ExitingError(Exception):
    """Ends the program when it is shown."""

    def __str__(self) -> str:
        raise SystemExit


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
        (
            BaseExceptionGroup("two", [SystemExit(1), ValueError()]),
            "BaseExceptionGroup: two (2 sub-exceptions); SystemExit: 1; ValueError",
        ),
        (GeneratorExit(), "GeneratorExit"),
        (UnspeakableError(), "UnspeakableError"),
        (ExitingError(), "ExitingError"),
        (ValueError("x" * 100_000_000), f"ValueError: {'x' * (4096 - len('ValueError: '))}"),
    ],
)
def test_whatever_it_raises_by_itself_is_an_error_of_the_attempt(error: BaseException, text: str) -> None:
    assert run(raising(error)) == Failure(kind=FailureKind.ERROR, error=text)


@pytest.mark.parametrize("result", [{"rows": 1}, 7, b"1", object()])
def test_a_result_that_is_no_text_fails_for_good(result: object) -> None:
    handler = ScriptedHandler()
    handler.result = result  # type: ignore[assignment] # what a handler without type checks returns
    name = type(result).__name__
    assert run(handler) == Failure(
        kind=FailureKind.PERMANENT, error=f"result: must be a JSON document or None, is of type {name}"
    )


class Shout(str):
    """A text with a mind of its own."""

    __slots__ = ()

    def __len__(self) -> int:
        raise SystemExit

    def encode(self, *_: object) -> bytes:
        raise SystemExit


def test_a_result_of_a_subclass_of_text_is_taken_by_its_letters() -> None:
    outcome = run(returning(Shout("[1]")))
    assert isinstance(outcome, Success)
    assert type(outcome.result) is str
    assert outcome.result == "[1]"


def test_a_delay_that_is_a_bare_number_is_refused_where_the_handler_raises_it() -> None:
    with pytest.raises(TypeError):
        RetryLaterError("busy", 30)  # type: ignore[arg-type] # what a handler without type checks does


def test_an_unknown_type_is_named_with_those_that_are_known() -> None:
    outcome = run(returning(None), job_type="fax.send")
    error = "no handler for job type 'fax.send'; this worker has email.send"
    assert outcome == Failure(kind=FailureKind.ERROR, error=error)


@pytest.mark.parametrize(("types", "ending"), [(0, "has none"), (1000, "…")])
def test_however_many_types_are_known_the_message_is_short(types: int, ending: str) -> None:
    registry = Registry()
    for number in range(types):
        registry.register(f"type-{number}", returning(None))
    outcome = asyncio.run(RunJob(handlers=registry).execute(*an_attempt("fax.send")))
    assert isinstance(outcome, Failure)
    assert outcome.error.endswith(ending)
    assert len(outcome.error) < 600


class Endless(Handler):
    """Waits for ever."""

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Wait."""
        await asyncio.Event().wait()
        return payload


def test_a_cancellation_from_outside_is_not_the_handlers_doing() -> None:
    async def scenario() -> None:
        registry = Registry()
        registry.register("email.send", Endless())
        running = asyncio.create_task(RunJob(handlers=registry).execute(*an_attempt()))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(scenario())

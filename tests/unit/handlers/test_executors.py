"""Users' functions as the worker runs them: in its event loop, or in threads of their own."""

import asyncio
import threading
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta
from functools import partial

import pytest
from pydantic import BaseModel

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.handlers.executors import bind
from scheduler.adapters.handlers.process.pool import ProcessPool
from scheduler.adapters.handlers.registry import Registry
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.application.dto import StartedJob
from scheduler.application.outcomes import Success
from scheduler.application.ports.handlers import JobContext
from scheduler.application.use_cases.run_job import RunJob
from scheduler.domain.retry import Failure, FailureKind
from scheduler.domain.state import JobState
from scheduler.handlers import PermanentError, RetryLater, handler
from tests.support.builders import NOW, a_job, a_worker_id

MINUTE = timedelta(minutes=1)


class Size(BaseModel):
    width: int
    error: str = ""


def run(definition: AnyDefinition, payload: str | None = '{"width": 3}') -> Success | Failure:
    return asyncio.run(attempt(definition, payload))


async def attempt(
    definition: AnyDefinition,
    payload: str | None = '{"width": 3}',
    *,
    cancellation: threading.Event | None = None,
    leave_running: Callable[[], Callable[[], None]] | None = None,
) -> Success | Failure:
    registry = Registry()
    registry.register(definition.job_type, bind(definition, ProcessPool(telemetry=RecordingTelemetry())))
    job = a_job(JobState.RUNNING, type=definition.job_type, timeout=MINUTE)
    context = JobContext(
        attempt_id=job.attempt_id,
        job_type=job.type,
        attempt=1,
        max_attempts=3,
        worker_id=a_worker_id(),
        deadline=NOW,
        cancellation=cancellation or threading.Event(),
        leave_running=leave_running or (lambda: lambda: None),
    )
    return await RunJob(handlers=registry).execute(StartedJob(job=job, payload=payload), context)


@handler("size.double")
async def double(payload: Size, context: JobContext) -> Size:
    return Size(width=payload.width * 2)


@handler("size.double")
def double_in_thread(payload: Size, context: JobContext) -> Size:
    return Size(width=payload.width * 2)


either = pytest.mark.parametrize("definition", [double, double_in_thread], ids=["async", "thread"])


@either
def test_a_payload_comes_typed_and_a_result_goes_as_json(definition: AnyDefinition) -> None:
    assert run(definition) == Success(result='{"width":6,"error":""}')


@either
def test_a_bad_payload_fails_for_good_and_names_the_field(definition: AnyDefinition) -> None:
    expected = "payload.width: Input should be a valid integer, unable to parse string as an integer"

    assert run(definition, '{"width": "wide"}') == Failure(kind=FailureKind.PERMANENT, error=expected)


def failing(error: BaseException, *, sync: bool) -> AnyDefinition:
    def fail(_payload: object, _context: JobContext) -> None:
        raise error

    async def fail_in_loop(_payload: object, _context: JobContext) -> None:
        raise error

    return handler("fail")(fail) if sync else handler("fail")(fail_in_loop)


@pytest.mark.parametrize("sync", [False, True], ids=["async", "thread"])
@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (PermanentError("no such image"), FailureKind.PERMANENT, "no such image"),
        (ValueError("wide"), FailureKind.ERROR, "ValueError: wide"),
        (StopIteration(1), FailureKind.ERROR, "RuntimeError: coroutine raised StopIteration"),
        (StopAsyncIteration(), FailureKind.ERROR, "StopAsyncIteration"),
        (SystemExit(3), FailureKind.ERROR, "SystemExit: 3"),
        (KeyboardInterrupt(), FailureKind.ERROR, "KeyboardInterrupt"),
        (GeneratorExit(), FailureKind.ERROR, "GeneratorExit"),
        (asyncio.CancelledError(), FailureKind.ERROR, "CancelledError"),
        (TimeoutError("the target's"), FailureKind.ERROR, "TimeoutError: the target's"),
        (BaseExceptionGroup("two", [SystemExit(), ValueError()]), FailureKind.ERROR, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_is_raised_fails_the_attempt_only(
    error: BaseException, kind: FailureKind, text: str | None, *, sync: bool
) -> None:
    outcome = run(failing(error, sync=sync))

    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.error) == (kind, text or outcome.error)


@pytest.mark.parametrize("sync", [False, True], ids=["async", "thread"])
@pytest.mark.parametrize("delay", [timedelta(seconds=30), 30, 30.0])
def test_a_retry_can_be_put_off(delay: timedelta | float, *, sync: bool) -> None:
    outcome = run(failing(RetryLater("locked", delay=delay), sync=sync))

    assert outcome == Failure(kind=FailureKind.ERROR, error="locked", retry_after=timedelta(seconds=30))


@pytest.mark.parametrize("result", [object(), float("nan"), "x" * 65 * 1024], ids=["object", "nan", "long"])
@pytest.mark.parametrize("sync", [False, True], ids=["async", "thread"])
def test_a_result_that_cannot_be_kept_fails_for_good(result: object, *, sync: bool) -> None:
    def answer(_payload: object, _context: JobContext) -> object:
        return result

    async def answer_in_loop(_payload: object, _context: JobContext) -> object:
        return result

    outcome = run(handler("answer")(answer) if sync else handler("answer")(answer_in_loop))

    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.PERMANENT
    assert outcome.error.startswith("result: must be ")


variable = ContextVar("variable", default="unset")


@handler("read")
def read_variable(_payload: object, _context: JobContext) -> list[str]:
    seen = [variable.get(), threading.current_thread().name]
    variable.set("changed by the handler")
    return seen


def test_a_thread_sees_context_variables_and_changes_copies() -> None:
    async def scenario() -> None:
        variable.set("set by the worker")
        outcome = await attempt(read_variable)
        assert isinstance(outcome, Success)
        assert outcome.result is not None
        assert outcome.result.startswith('["set by the worker","handler read ')
        assert variable.get() == "set by the worker"

    asyncio.run(scenario())


def test_handlers_that_hang_take_no_thread_from_others() -> None:
    hold, arrived = threading.Event(), threading.Semaphore(0)

    @handler("hang")
    def hang(_payload: object, _context: JobContext) -> None:
        arrived.release()
        hold.wait()

    async def scenario() -> None:
        hung = [asyncio.create_task(attempt(hang)) for _ in range(100)]
        for _ in hung:
            await asyncio.to_thread(arrived.acquire)
        assert await attempt(double_in_thread) == Success(result='{"width":6,"error":""}')
        assert await asyncio.to_thread(lambda: "the default executor is free") is not None
        hold.set()
        assert set(await asyncio.gather(*hung)) == {Success(result=None)}

    asyncio.run(scenario())


def test_a_cancelled_attempt_leaves_its_thread_at_once_and_reports_until_it_ends() -> None:
    arrived, told, reports = threading.Event(), threading.Event(), list[str]()
    ended = threading.Event()

    @handler("wait")
    def wait(_payload: object, context: JobContext) -> None:
        arrived.set()
        told.wait()
        reports.append(f"cancelled: {context.cancelled}")

    def leave_running() -> Callable[[], None]:
        reports.append("left")
        return ended.set

    async def scenario() -> None:
        cancellation = threading.Event()
        task = asyncio.create_task(attempt(wait, cancellation=cancellation, leave_running=leave_running))
        await asyncio.to_thread(arrived.wait)
        cancellation.set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert reports == ["left"]
        assert not ended.is_set()
        told.set()
        await asyncio.to_thread(partial(ended.wait, 10))
        assert reports == ["left", "cancelled: True"]
        assert ended.is_set()

    asyncio.run(scenario())


def test_a_thread_that_ends_after_its_event_loop_disturbs_nobody(recwarn: pytest.WarningsRecorder) -> None:
    arrived, hold = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    @handler("outlive")
    def outlive(_payload: object, _context: JobContext) -> None:
        threads.append(threading.current_thread())
        arrived.set()
        hold.wait()

    async def scenario() -> None:
        task = asyncio.create_task(attempt(outlive))
        await asyncio.to_thread(arrived.wait)
        task.cancel()

    asyncio.run(scenario())
    (thread,) = threads
    assert thread.daemon
    hold.set()
    thread.join(10)
    assert not thread.is_alive()
    assert list(recwarn) == []

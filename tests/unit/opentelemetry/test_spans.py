"""What is recorded of calls, batches and attempts, and what is not."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode, get_current_span

from scheduler.adapters.opentelemetry.spans import MAX_LINKS
from scheduler.application.current_trace import current_trace
from scheduler.application.dto import StartedJob
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.outcomes import Released, Success
from scheduler.application.ports.tracing import Outcome
from scheduler.application.unobserved import UNOBSERVED
from scheduler.domain.state import JobState
from scheduler.domain.trace import TraceContext
from tests.support.builders import a_failure, a_job, a_trace
from tests.unit.opentelemetry.recorder import Recorder


def unsampled(trace: TraceContext) -> TraceContext:
    return replace(trace, flags=0)


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def links_of(span: ReadableSpan) -> list[str]:
    return [f"{link.context.trace_id:032x}" for link in span.links]


def a_started_job(trace: TraceContext | None = None) -> StartedJob:
    return StartedJob(job=a_job(JobState.RUNNING), payload='{"secret": 1}', trace=trace)


def test_a_call_belongs_to_the_trace_of_its_caller_and_what_is_done_in_it_to_the_call() -> None:
    tracing, trace = Recorder(), a_trace("vendor=1")

    with tracing.call("GetJob", lambda: trace) as span, tracing.store(UNOBSERVED).call("load_details"):
        inner = current_trace()
        span.answered("OK", None)

    statement, call = tracing.spans
    assert (statement.name, call.name) == ("postgresql load_details", "scheduler.v1.SchedulerService/GetJob")
    assert (trace_of(call), parent_of(call)) == (trace.trace_id, trace.span_id)
    assert inner is not None
    assert (inner.trace_id, inner.span_id, inner.state) == (trace.trace_id, parent_of(statement), "vendor=1")
    assert (call.attributes or {})["rpc.response.status_code"] == "OK"
    assert current_trace() is None


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("INVALID_ARGUMENT", ValueError("payload: hunter2"), StatusCode.UNSET),
        ("UNAVAILABLE", StoreUnavailableError("hunter2"), StatusCode.ERROR),
        ("DEADLINE_EXCEEDED", None, StatusCode.ERROR),
    ],
)
def test_a_call_fails_by_the_servers_fault_alone_and_tells_no_text(
    status: str, error: BaseException | None, code: StatusCode
) -> None:
    tracing = Recorder()

    with tracing.call("SubmitJob", lambda: None) as span:
        span.answered(status, error)

    assert tracing.only().status.status_code is code
    assert "hunter2" not in tracing.only().to_json()


def test_a_batch_is_part_of_the_first_recorded_trace_and_linked_to_the_others() -> None:
    tracing, traces = Recorder(), [unsampled(a_trace()), a_trace(), a_trace()]

    with tracing.batch("submit_jobs", [None, *traces]):
        pass

    batch = tracing.only()
    assert (trace_of(batch), parent_of(batch)) == (traces[1].trace_id, traces[1].span_id)
    assert links_of(batch) == [traces[0].trace_id, traces[2].trace_id]
    assert (batch.attributes or {})["batch.size"] == 4


def test_a_batch_has_a_bounded_number_of_links() -> None:
    tracing = Recorder()

    with tracing.batch("submit_jobs", [a_trace() for _ in range(MAX_LINKS + 50)]):
        pass

    assert len(tracing.only().links) == MAX_LINKS


def test_an_attempt_begins_a_trace_that_is_linked_to_its_submitters() -> None:
    tracing, trace = Recorder(), a_trace()
    started = a_started_job(trace)

    attempt = tracing.attempt(started)
    with attempt.current():
        user_span = get_current_span().get_span_context()
        assert current_trace() == attempt.trace
    attempt.end(Success(result='"hunter2"'))

    span = tracing.only()
    assert attempt.trace is not None
    assert attempt.trace.trace_id == trace_of(span) == f"{user_span.trace_id:032x}" != trace.trace_id
    assert (parent_of(span), links_of(span)) == (None, [trace.trace_id])
    assert dict(span.attributes or {}) == {
        "job.id": str(started.job.id),
        "job.type": started.job.type,
        "job.priority": started.job.priority,
        "job.attempt": started.job.attempts,
        "job.fence": started.job.version,
        "worker.id": str(started.job.worker_id),
        "job.outcome": "succeeded",
    }


@pytest.mark.parametrize(
    ("outcome", "said", "code"),
    [
        (Success(), "succeeded", StatusCode.UNSET),
        (Released(), "released", StatusCode.UNSET),
        (None, "revoked", StatusCode.UNSET),
        (a_failure(error="cannot reach redis://user:hunter2@host"), "failed", StatusCode.ERROR),
    ],
)
def test_an_attempt_tells_how_it_ended(outcome: Outcome | None, said: str, code: StatusCode) -> None:
    tracing = Recorder()

    tracing.attempt(a_started_job()).end(outcome)

    span = tracing.only()
    assert ((span.attributes or {})["job.outcome"], span.status.status_code) == (said, code)
    assert "hunter2" not in span.to_json()
    assert span.status.description in {None, "cannot reach redis://***@host"}


@pytest.mark.parametrize(("trace", "recorded"), [(a_trace(), 1), (unsampled(a_trace()), 0), (None, 1)])
def test_an_attempt_is_recorded_if_its_submit_is(trace: TraceContext | None, recorded: int) -> None:
    tracing = Recorder()

    attempt = tracing.attempt(a_started_job(trace))
    attempt.end(Success())

    assert len(tracing.spans) == recorded
    assert attempt.trace is not None
    assert attempt.trace.is_sampled == bool(recorded)


@pytest.mark.parametrize(
    ("system", "enclose"),
    [
        ("postgresql", lambda tracing: tracing.store(UNOBSERVED).call("load")),
        ("redis", lambda tracing: tracing.queue(UNOBSERVED).call("load")),
    ],
)
def test_a_call_to_a_server_is_recorded_for_somebody_only(system: str, enclose: Callable[[Recorder], object]) -> None:
    tracing = Recorder()
    with pytest.raises(StoreUnavailableError), tracing.batch("duty", []), enclose(tracing):  # type: ignore[attr-defined] # a context manager
        raise StoreUnavailableError("hunter2")
    with enclose(tracing):  # type: ignore[attr-defined] # the same
        pass

    call, duty = tracing.spans
    assert (call.name, duty.name) == (f"{system} load", "duty")
    assert (call.status.status_code, call.status.description) == (StatusCode.ERROR, "StoreUnavailableError")
    assert "hunter2" not in call.to_json()


def test_the_repetition_of_a_statement_is_seen_on_its_span() -> None:
    tracing = Recorder()
    store = tracing.store(UNOBSERVED)

    with tracing.batch("duty", []), store.call("load"):
        store.repeated("load", "deadlock")

    assert [event.name for event in tracing.spans[0].events] == ["repeated"]


def test_tasks_of_two_attempts_do_not_mix() -> None:
    tracing = Recorder()

    async def work() -> TraceContext | None:
        await asyncio.sleep(0)
        return current_trace()

    async def scenario() -> None:
        attempts = [tracing.attempt(a_started_job()) for _ in range(2)]
        tasks = []
        for attempt in attempts:
            with attempt.current():
                tasks.append(asyncio.create_task(work()))
        assert [await task for task in tasks] == [attempt.trace for attempt in attempts]

    asyncio.run(scenario())

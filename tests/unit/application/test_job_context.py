"""What a handler gets, where nobody follows its attempt."""

import time
from dataclasses import replace
from typing import cast

import pytest

from scheduler.application.ports.handlers import HandlerLog, JobContext, SilentLog
from scheduler.domain.ids import AttemptId, Fence
from scheduler.domain.trace import TraceContext
from tests.support.builders import NOW, a_job_id, a_trace, a_worker_id
from tests.unit.logging.captured import Lines


def a_context() -> JobContext:
    return JobContext(
        attempt_id=AttemptId(a_job_id(), Fence(2)),
        job_type="email.send",
        attempt=1,
        max_attempts=3,
        worker_id=a_worker_id(),
        deadline=NOW,
    )


def test_it_names_the_attempt() -> None:
    context = a_context()
    assert (context.job_id, context.fence) == context.attempt_id


def test_calls_that_a_handler_makes_belong_to_the_trace_of_its_job() -> None:
    context = a_context()
    trace = a_trace("vendor=1")
    own = TraceContext.of_attempt(context.attempt_id)

    submitted = replace(context, trace=trace)

    assert (submitted.traceparent, submitted.tracestate) == (trace.traceparent, "vendor=1")
    assert (context.traceparent, context.tracestate) == (own.traceparent, "")


def test_its_log_names_the_attempt_its_worker_and_its_trace() -> None:
    lines, trace = Lines(), a_trace()
    context = replace(a_context(), log=cast("HandlerLog", lines.log()), trace=trace)

    context.logger.info("priced")

    assert lines.only() == {
        "event": "priced",
        "log_level": "info",
        "job_id": str(context.job_id),
        "job_type": "email.send",
        "attempt": 1,
        "fence": 2,
        "worker_id": str(context.worker_id),
        "trace_id": trace.trace_id,
    }


def test_it_tells_the_seconds_that_are_left_and_never_less_than_none() -> None:
    minute = replace(a_context(), monotonic_deadline=time.monotonic() + 60)
    over = replace(a_context(), monotonic_deadline=time.monotonic() - 60)

    assert 0 < minute.seconds_left <= 60
    assert over.seconds_left == 0


def test_it_tells_that_the_attempt_must_stop() -> None:
    context = a_context()
    assert (context.cancelled, context.wait_cancelled(0)) == (False, False)
    context.cancellation.set()
    assert (context.cancelled, context.wait_cancelled(60)) == (True, True)


def test_its_progress_and_what_it_leaves_running_may_go_unheard() -> None:
    context = a_context()
    context.progress(50, "half")
    ended = context.leave_running()
    ended()
    ended()


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "exception"])
def test_its_log_is_silent_unless_it_is_given_one(level: str) -> None:
    log = a_context().logger
    assert isinstance(log, SilentLog)
    assert getattr(log, level)("said", to="nobody") is None

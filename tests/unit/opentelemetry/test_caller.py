"""Whose trace a client tells."""

from scheduler.adapters.opentelemetry.caller import caller_trace
from scheduler.application.current_trace import in_trace
from tests.support.builders import a_trace
from tests.unit.opentelemetry.recorder import Recorder


def test_a_client_tells_the_current_span_or_else_the_trace_of_the_job_that_calls() -> None:
    trace, tracing = a_trace(), Recorder()

    with in_trace(trace):
        from_handler = caller_trace()
        with tracing.call("SubmitJob", lambda: None):
            from_span = caller_trace()

    assert from_handler == trace
    assert from_span is not None
    assert from_span.span_id in tracing.only().to_json()
    assert caller_trace() is None

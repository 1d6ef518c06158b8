"""The headers of W3C Trace Context."""

import pytest

from scheduler.domain.ids import AttemptId, Fence
from scheduler.domain.trace import TraceContext
from tests.support.builders import a_job_id

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("header", "sampled"), [(f"00-{TRACE}-{SPAN}-01", True), (f"00-{TRACE}-{SPAN}-00", False)])
def test_a_header_is_read_and_written_as_it_came(header: str, *, sampled: bool) -> None:
    trace = TraceContext.parse(header, "vendor=1")

    assert trace is not None
    assert (trace.trace_id, trace.span_id, trace.is_sampled, trace.state) == (TRACE, SPAN, sampled, "vendor=1")
    assert trace.traceparent == header


@pytest.mark.parametrize("header", [f"01-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-later-fields"])
def test_a_later_version_is_read_as_far_as_this_one_goes(header: str) -> None:
    trace = TraceContext.parse(header)

    assert trace is not None
    assert trace.traceparent == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f" 00-{TRACE}-{SPAN}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-\u0661\u0661",
    ],
)
def test_what_is_no_trace_is_none(header: str) -> None:
    assert TraceContext.parse(header) is None


@pytest.mark.parametrize("state", ["a=" + "x" * 511, "a=\0", "a=é", "a=1\nb=2"])
def test_a_state_that_is_none_costs_the_state_alone(state: str) -> None:
    trace = TraceContext.parse(f"00-{TRACE}-{SPAN}-01", state)

    assert trace is not None
    assert trace.state == ""


def test_a_job_without_a_trace_gets_one_with_a_span_for_each_attempt() -> None:
    job_id = a_job_id()
    first, second = (TraceContext.of_attempt(AttemptId(job_id, Fence(fence))) for fence in (2, 5))

    assert first.trace_id == second.trace_id == job_id.hex
    assert first.span_id != second.span_id
    assert TraceContext.parse(first.traceparent) == first == TraceContext.of_attempt(AttemptId(job_id, Fence(2)))

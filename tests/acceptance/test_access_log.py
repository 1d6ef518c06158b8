"""The access log of a real api."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.application.current_trace import in_trace
from scheduler.domain.trace import TraceContext
from scheduler.entrypoints.stack import HOST, Stack
from tests.acceptance.load import Load, run_load
from tests.acceptance.log_lines import Line, with_event
from tests.acceptance.operations import await_ready
from tests.acceptance.processes import running, sibling

pytestmark = pytest.mark.servers
STATS, UNKNOWN = 5, 2
TRACE = TraceContext(trace_id="c" * 32, span_id="d" * 16)
METHODS = {"SubmitJobs", "GetQueueStats", "GetJob"}


async def _calls(load: Load) -> None:
    with in_trace(TRACE):
        await load.add(1)
    for _ in range(STATS):
        await load.client.queue_stats()
    for _ in range(UNKNOWN):
        with pytest.raises(ClientError) as refused:
            await load.client.get(str(uuid4()))
        assert refused.value.status == "NOT_FOUND"


@pytest.fixture
def log_of_calls(stack: Stack) -> Callable[..., list[Line]]:
    def run(name: str, **environment: int) -> list[Line]:
        port, metrics_port = free_port(), free_port()
        api = sibling(stack.api, name, GRPC_PORT=port, METRICS_PORT=metrics_port, **environment)
        with running(api):
            await_ready(metrics_port)
            run_load(stack, _calls, address=f"{HOST}:{port}")
        return [line for line in with_event(api, "rpc_ended") if line["method"] in METHODS]

    return run


def test_a_sample_of_the_calls_and_every_error_are_logged(log_of_calls: Callable[..., list[Line]]) -> None:
    lines = log_of_calls("sampled-api", ACCESS_LOG_SAMPLE=3)

    assert [(line["method"], line["status"]) for line in lines] == [
        ("SubmitJobs", "OK"),
        ("GetQueueStats", "OK"),
        ("GetQueueStats", "OK"),
        *[("GetJob", "NOT_FOUND")] * UNKNOWN,
    ]
    for line in lines:
        assert line["level"] == "info"
        assert line["peer"].startswith(("ipv4:127.0.0.1:", "ipv6:"))
        assert line["seconds"] > 0
    assert [line.get("trace_id") for line in lines] == [TRACE.trace_id, None, None, None, None]


def test_by_default_no_call_is_logged(log_of_calls: Callable[..., list[Line]]) -> None:
    assert log_of_calls("silent-api") == []

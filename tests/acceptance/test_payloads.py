"""Payloads are the client's: they come back as they went in, byte for byte."""

import asyncio

import pytest

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.domain.priority import Priority
from scheduler.domain.submission import Submission
from scheduler.entrypoints.stack import Stack
from tests.acceptance.operations import get

pytestmark = pytest.mark.servers
ODD = [
    r'"\u0000"',
    r'"\ud800 \udfff"',
    r'["\u00e9", "é", "e\u0301", "𝄞", "\ud834\udd1e"]',
    "1e400",
    "-0.0",
    "12345678901234567890123456789012345678901234567890",
    '{"a": 1, "a": 2}',
    ' \r\n\t{ "spaces" : [ ] } ',
    '"\u2028\u2029\ufeff\x7f"',
    "null",
    '""',
    "[" * 200 + "]" * 200,
    '"' + "x" * (1024 * 1024 - 2) + '"',
]


@pytest.mark.parametrize("payload", ODD, ids=lambda payload: payload[:20])
def test_an_odd_payload_comes_back_byte_for_byte(stack: Stack, payload: str) -> None:
    async def round_trip() -> str | None:
        async with SchedulerClient(stack.address) as client:
            job = await client.submit(Submission(type="keeps.it", priority=Priority.LOW, payload=payload))
            kept = (await client.get(job.job_id)).payload
            await client.cancel(job.job_id)
            return kept

    assert asyncio.run(round_trip()) == payload


def test_a_payload_that_the_client_would_refuse_is_refused_by_the_server_too(stack: Stack) -> None:
    submission = Submission(type="keeps.it", priority=Priority.LOW)
    object.__setattr__(submission, "payload", '{"a": NaN}')

    async def submit() -> None:
        async with SchedulerClient(stack.address) as client:
            await client.submit(submission)

    with pytest.raises(ClientError) as refused:
        asyncio.run(submit())

    assert refused.value.status == "INVALID_ARGUMENT"
    assert [violation.field for violation in refused.value.details.violations] == ["job.payload_json"]
    assert get(stack.ports.api_metrics, "/health").status == 200

"""Requests that are made to cost much: what is refused before it is read, and how long the others wait."""

import asyncio
import time
from collections.abc import Callable

import grpc
import grpc.aio
import pytest

from scheduler.adapters.grpc import limits
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.servicer import METHODS, SERVICE
from tests.integration.grpc_refusals import bad_fields, refusal
from tests.integration.grpc_tools import Api, a_job_message, over_loopback, until

MIB = 1024 * 1024
LOW = 4
JOB = b"\x0a\x01a\x10\x04"
LOOP_STEP_SECONDS = 0.25
"""Far above a step of this code on a busy machine, far below the second and more that these took in one step."""


def length(size: int) -> bytes:
    """Write a length as protobuf does."""
    if size < 0x80:
        return bytes([size])
    return bytes([size & 0x7F | 0x80]) + length(size >> 7)


def nested(tag: bytes, content: bytes) -> bytes:
    return tag + length(len(content)) + content


def labels(size: int) -> bytes:
    entries = (nested(b"\x52", nested(b"\x0a", f"{n:x}".encode())) for n in range(size // 9))
    return b"".join(entries)


def many_lists(size: int) -> str:
    return "[" + "[]," * ((size - 8) // 3) + "[]]"


def batch_of(count: int, payload: str) -> bytes:
    job = a_job_message(payload_json=payload)
    return pb.SubmitJobsRequest(jobs=[job] * count).SerializeToString()


HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "labels": ("SubmitJob", lambda: nested(b"\x0a", labels(MIB))),
    "labels in two halves of a job": ("SubmitJob", lambda: nested(b"\x0a", labels(MIB // 2)) * 2),
    "more labels than fit": ("SubmitJob", lambda: nested(b"\x0a", labels(7 * MIB))),
    "fields of one byte": ("SubmitJob", lambda: b"\x0a\x00" * (MIB // 2)),
    "empty jobs": ("SubmitJobs", lambda: b"\x0a\x00" * (2 * MIB)),
    "unknown fields": ("SubmitJobs", lambda: b"\x10\x00" * (2 * MIB)),
    "jobs full of labels": ("SubmitJobs", lambda: nested(b"\x0a", labels(4100)) * 990),
    "a job full of labels": ("SubmitJobs", lambda: nested(b"\x0a", labels(MIB)) * 3),
    "lists, and one bad job": (
        "SubmitJobs",
        lambda: batch_of(3, many_lists(MIB)) + nested(b"\x0a", a_job_message(payload_json="[").SerializeToString()),
    ),
    "states to requeue": ("RequeueJobs", lambda: nested(b"\x0a", nested(b"\x0a", b"\x05" * 8_000_000))),
    "states to purge": ("PurgeJobs", lambda: nested(b"\x0a", nested(b"\x0a", b"\x05" * 60_000))),
    "a long id": ("GetJob", lambda: nested(b"\x0a", b"a" * MIB)),
    "a long page token": ("ListJobs", lambda: nested(b"\x2a", b"a" * MIB)),
}


async def call_raw(api: Api, method: str, data: bytes) -> object:
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = api.channel.unary_unary(
        f"/{SERVICE}/{method}", request_serializer=bytes, response_deserializer=bytes
    )
    return await call(data)


class LoopWatch:
    """Measures the longest time that the event loop gave to one step, in processor time of this thread."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest = max(self.longest, now - before)
            before = now


@pytest.mark.parametrize("name", HOSTILE)
@over_loopback
async def test_a_hostile_request_is_refused_and_holds_up_no_other_call(api: Api, name: str) -> None:
    method, build = HOSTILE[name]
    data = build()
    watch = LoopWatch()
    watching = asyncio.create_task(watch.run())
    error = await refusal(call_raw(api, method, data))
    watching.cancel()
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT, error
    assert watch.longest < LOOP_STEP_SECONDS
    trailers = sum(len(key) + len(value) for key, value in error.trailing_metadata() or ())
    assert trailers + len((error.details() or "").encode()) < 8 * 1024


@pytest.mark.parametrize(
    "payload", [many_lists(MIB), '{"a":[' + "{}," * 300_000 + "0]}", '["' + "\\\\" * 500_000 + '"]']
)
@over_loopback
async def test_a_large_valid_document_is_stored_byte_for_byte_without_holding_up_the_loop(
    api: Api, payload: str
) -> None:
    watch = LoopWatch()
    watching = asyncio.create_task(watch.run())
    job_id = (await api.stub.SubmitJob(pb.SubmitJobRequest(job=a_job_message(payload_json=payload)))).job_id
    watching.cancel()
    found = await api.stub.GetJob(pb.GetJobRequest(job_id=job_id))
    assert found.payload_json == payload
    assert watch.longest < LOOP_STEP_SECONDS


@over_loopback
async def test_a_full_batch_is_read_in_steps(api: Api) -> None:
    full = {f"{n:063}": "v" * 256 for n in range(32)}
    jobs = [pb.Job(type="noop", priority=pb.PRIORITY_LOW, labels=full if n % 3 == 0 else {}) for n in range(1000)]
    answer = await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=jobs))
    assert [result.created for result in answer.results] == [True] * 1000
    stored = await api.job(answer.results[999].job_id)
    assert stored.labels == full


@over_loopback
async def test_a_job_in_the_middle_of_a_large_batch_is_named(api: Api) -> None:
    jobs = [a_job_message(payload_json=f'"{"x" * 4000}"') for _ in range(900)]
    jobs[500].type = "?"
    error = await refusal(api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=jobs)))
    assert bad_fields(error) == ["jobs[500].type"]


@over_loopback
async def test_a_large_request_of_other_bytes_is_no_request(api: Api) -> None:
    for method in ("SubmitJob", "SubmitJobs", "RequeueJob"):
        for data in (b"\xff" * 100_000, nested(b"\x0a", b"\x0a\x7f" * 50_000), b"\x0a\xff\xff\x7f" * 30_000):
            error = await refusal(call_raw(api, method, data))
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@over_loopback
async def test_a_request_above_the_size_of_its_method_names_its_field(api: Api) -> None:
    for method, (field, most) in limits.REQUEST_BYTES.items():
        if method != "WatchJob":
            assert bad_fields(await refusal(call_raw(api, method, b"\0" * (most + 1)))) == [field], method
    await until(lambda: len(api.rpcs.ended) == len(limits.REQUEST_BYTES) - 1)


def test_each_method_has_its_size() -> None:
    assert set(limits.REQUEST_BYTES) == set(METHODS)

"""Large requests are read in steps, so that the event loop serves the other calls in between."""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from enum import IntEnum
from itertools import islice
from time import perf_counter
from typing import TypeVar

from google.protobuf.message import DecodeError

from scheduler.adapters.grpc.errors import CapReachedError, MalformedRequestError
from scheduler.adapters.grpc.limits import KIB
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application.ports.telemetry import RpcTelemetry
from scheduler.domain.errors import InvalidFieldError

LARGE_BYTES = 64 * KIB
MAX_WAITING_BYTES = 64 * 1024 * KIB
MAX_BATCH_JOBS = 1000
SLICE_SECONDS = 0.002
_MAX_FIELDS = 1024
"""Of one job, labels included; a full one has about 50."""
_MAX_BATCH_FIELDS = MAX_BATCH_JOBS + 64
_FIRST_FIELD_OF_BYTES = 1 << 3 | 2
"""The tag of `job` in a SubmitJobRequest, and of `jobs` in a SubmitJobsRequest."""
_VARINT_BITS = 70


class WireType(IntEnum):
    """How the value of a field is written; the others are groups, which end with a tag of their own."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


Step = TypeVar("Step")


class LargeRequests:
    """Works on one large request at a time; after each slice the loop is free for as long as the slice took."""

    def __init__(self, telemetry: RpcTelemetry) -> None:
        self._telemetry = telemetry
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def run(self, size: int, steps: Iterator[Step | None]) -> Sequence[Step]:
        """Run all steps and return what they yield beside None, which only ends a step.

        Raises CapReachedError when too many bytes wait for their turn.
        """
        if size <= LARGE_BYTES:
            return [step for step in steps if step is not None]
        done: list[Step] = []
        if self._waiting and self._waiting + size > MAX_WAITING_BYTES:
            self._telemetry.limited("large requests")
            raise CapReachedError("large requests")
        self._waiting += size
        try:
            async with self._turn:
                await _run_in_slices(steps, done)
        finally:
            self._waiting -= size
        return done


async def _run_in_slices(steps: Iterator[Step | None], done: list[Step]) -> None:
    is_through = False
    while not is_through:
        started = perf_counter()
        is_through = _run_slice(steps, done, started + SLICE_SECONDS)
        await asyncio.sleep(perf_counter() - started)


def _run_slice(steps: Iterator[Step | None], done: list[Step], until: float) -> bool:
    """Run steps for a while and return whether they are through."""
    was_enabled = gc.isenabled()
    gc.disable()  # a large document is many objects for a moment, and looking through them doubles its time
    try:
        for step in steps:
            if step is not None:
                done.append(step)
            if perf_counter() > until:
                return False
        return True
    finally:
        if was_enabled:
            gc.enable()


def check_fields(data: bytes) -> None:
    """Raise InvalidFieldError when the one job of a SubmitJobRequest has more fields than any job may have."""
    count = 0
    for tag, start, end in _fields(data, 0, len(data)):
        count += 1 + (_count_fields(data, start, end) if tag == _FIRST_FIELD_OF_BYTES else 0)
        _check_count(count, "job")


def read_batch(data: bytes) -> Iterator[pb.SubmitJobsRequest]:
    """Parse a SubmitJobsRequest in steps, and yield it after each; refuses what no valid batch has."""
    request, begin = pb.SubmitJobsRequest(), 0
    for index, (tag, start, end) in enumerate(_fields(data, 0, len(data))):
        if index >= _MAX_BATCH_FIELDS:
            raise InvalidFieldError("jobs", f"must be 1 to {MAX_BATCH_JOBS}, are more")
        if end - start > LARGE_BYTES and tag == _FIRST_FIELD_OF_BYTES:
            _check_count(_count_fields(data, start, end), f"jobs[{index}]")
        if end - begin > LARGE_BYTES:
            _merge(request, data[begin:end])
            begin = end
            yield request
    _merge(request, data[begin:])
    yield request


def _merge(request: pb.SubmitJobsRequest, data: bytes) -> None:
    try:
        request.MergeFromString(data)
    except DecodeError as error:
        raise MalformedRequestError from error


def _check_count(count: int, field: str) -> None:
    if count > _MAX_FIELDS:
        raise InvalidFieldError(field, f"must not have more than {_MAX_FIELDS} fields, labels included")


def _count_fields(data: bytes, begin: int, end: int) -> int:
    return sum(1 for _ in islice(_fields(data, begin, end), _MAX_FIELDS + 1))


def _fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the tag of each field of a message, and where its value begins and ends; groups are not entered."""
    while at < end:
        tag, start = _varint(data, at)
        match tag & 7:
            case WireType.BYTES:
                size, start = _varint(data, start)
                at = start + size
            case WireType.VARINT:
                _, at = _varint(data, start)
            case WireType.FIXED64 | WireType.FIXED32 as kind:
                at = start + (8 if kind == WireType.FIXED64 else 4)
            case _:
                at = start
        if at > end:
            raise MalformedRequestError
        yield tag, start, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, _VARINT_BITS, 7):
        if at >= len(data):
            break
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:  # noqa: PLR2004 - the bit that says that more bytes follow
            return number, at
    raise MalformedRequestError

"""What a refused call tells."""

from collections.abc import Awaitable, Sequence
from typing import TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status

Detail = TypeVar("Detail", bound=Message)


async def refusal(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    """Return the error that a call ends with."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError(f"answered with {answer}")


def details(error: grpc.aio.AioRpcError, kind: type[Detail]) -> Detail:
    """Return the error's only detail of that kind."""
    packed = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    assert len(packed) == 1
    assert isinstance(packed[0], bytes)
    status = Status.FromString(packed[0])
    assert status.code == error.code().value[0]
    found = []
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            found.append(message)
    (only,) = found
    return only


def bad_fields(error: grpc.aio.AioRpcError) -> Sequence[str]:
    """Return the fields that an INVALID_ARGUMENT names."""
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    return [violation.field for violation in details(error, BadRequest).field_violations]

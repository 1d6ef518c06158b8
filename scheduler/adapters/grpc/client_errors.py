"""What the service refuses, as its client sees it: the google.rpc details, read back."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from scheduler.adapters.grpc.times import to_timedelta
from scheduler.domain.errors import SchedulerError

_DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field that the service refused, in the wire's terms, and why."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetails:
    """What came beside the status; all of it is optional."""

    violations: Sequence[FieldViolation] = ()
    retry_after: timedelta | None = None
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class ClientError(SchedulerError):
    """A call that did not succeed; `status` is the name of its gRPC status, such as NOT_FOUND."""

    def __init__(self, status: str, message: str, details: ErrorDetails | None = None) -> None:
        """Keep each part apart."""
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.details = details or ErrorDetails()


@contextmanager
def client_errors() -> Iterator[None]:
    """Turn gRPC's errors from inside into ClientError."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise ClientError(error.code().name, error.details() or "", _details_of(error)) from error


def _details_of(error: grpc.aio.AioRpcError) -> ErrorDetails:
    metadata = error.trailing_metadata() or ()
    packed = next((value for key, value in metadata if key == _DETAILS_KEY), None)
    if not isinstance(packed, bytes):
        return ErrorDetails()
    try:
        return _read(Status.FromString(packed))
    except DecodeError:  # from something between us and the service
        return ErrorDetails()


def _read(status: Status) -> ErrorDetails:
    bad, info, retry = BadRequest(), ErrorInfo(), RetryInfo()
    for detail in status.details:
        _ = detail.Unpack(bad) or detail.Unpack(info) or detail.Unpack(retry)
    return ErrorDetails(
        violations=[FieldViolation(item.field, item.description) for item in bad.field_violations],
        retry_after=to_timedelta("retry_delay", retry.retry_delay) if retry.HasField("retry_delay") else None,
        reason=info.reason,
        metadata=dict(info.metadata),
    )

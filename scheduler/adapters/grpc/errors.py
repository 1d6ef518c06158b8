"""The one table from our errors to what a client is told: a status, a message and google.rpc details."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from scheduler.adapters.grpc.times import from_timedelta
from scheduler.application.errors import (
    IdempotencyMismatchError,
    JobNotFoundError,
    OverloadedError,
    SchemaNotMigratedError,
    ServerStoppingError,
    StoreRejectedError,
    TooManyWatchersError,
    UnavailableError,
    UnknownVersionError,
    VersionConflictError,
)
from scheduler.domain.errors import InvalidFieldError, SchedulerError, TransitionNotAllowedError

DOMAIN = "scheduler.v1"
RETRY_SOON = timedelta(seconds=1)
_MAX_MESSAGE_BYTES = 1024
_MAX_DETAIL_BYTES = 512
"""Statuses travel as HTTP headers, which may hold 8 KiB in all: the message is there twice, once with three characters
for a byte that is no ASCII, and the rest in base64."""


class MalformedRequestError(SchedulerError):
    """The bytes of a request are no message of its kind, or a text in it is no UTF-8."""


class CapReachedError(SchedulerError):
    """As much of something goes on as may at once, in all or for one client's host."""

    def __init__(self, what: str) -> None:
        """Keep the name of the cap."""
        super().__init__(f"too many {what} at once on this server or from this client's host")
        self.what = what


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call ends that does not succeed."""

    code: grpc.StatusCode
    message: str
    details: Sequence[Message] = ()

    def to_status(self) -> grpc.Status:
        """Pack it for abort_with_status."""
        status = Status(code=self.code.value[0], message=_short(self.message, _MAX_MESSAGE_BYTES))
        for detail in self.details:
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        return rpc_status.to_status(status)


def _short(text: str, most: int) -> str:
    return text.encode(errors="replace")[:most].decode(errors="ignore")


Error = TypeVar("Error", bound=SchedulerError)
Row = tuple[type[SchedulerError], Callable[[SchedulerError], Refusal]]


def _row(
    kind: type[Error],
    code: grpc.StatusCode,
    details: Callable[[Error], Iterable[Message]],
    message: Callable[[Error], str] = str,
) -> Row:
    def refuse(error: SchedulerError) -> Refusal:
        ours = cast("Error", error)
        return Refusal(code, message(ours), tuple(details(ours)))

    return kind, refuse


def _bad_field(field: str, reason: str) -> Message:
    violation = BadRequest.FieldViolation(
        field=_short(field, _MAX_DETAIL_BYTES), description=_short(reason, _MAX_DETAIL_BYTES)
    )
    return BadRequest(field_violations=[violation])


def _cap(what: str) -> Message:
    return _reason("CAP_REACHED", cap=what)


def _reason(reason: str, **metadata: object) -> Message:
    return ErrorInfo(reason=reason, domain=DOMAIN, metadata={name: str(value) for name, value in metadata.items()})


def _retry(after: timedelta = RETRY_SOON) -> Message:
    return RetryInfo(retry_delay=from_timedelta(after))


def _broken(kind: str, subject: str, description: str) -> Message:
    violation = PreconditionFailure.Violation(type=kind, subject=subject, description=description)
    return PreconditionFailure(violations=[violation])


_TABLE: Mapping[type[SchedulerError], Callable[[SchedulerError], Refusal]] = dict(
    [
        _row(
            InvalidFieldError, grpc.StatusCode.INVALID_ARGUMENT, lambda error: [_bad_field(error.field, error.reason)]
        ),
        _row(
            MalformedRequestError,
            grpc.StatusCode.INVALID_ARGUMENT,
            lambda _: [_reason("MALFORMED_REQUEST")],
            lambda _: "these bytes are no request of this method",
        ),
        _row(
            UnknownVersionError,
            grpc.StatusCode.INVALID_ARGUMENT,
            lambda error: [_bad_field("after_version", f"is above the current version {error.current}")],
        ),
        _row(
            # What the rules of the contract let through and the store still refused: trying again cannot help.
            StoreRejectedError,
            grpc.StatusCode.INVALID_ARGUMENT,
            lambda _: [_reason("STORE_REJECTED")],
            lambda _: "the store cannot hold this request's data",
        ),
        _row(
            JobNotFoundError,
            grpc.StatusCode.NOT_FOUND,
            lambda error: [
                ResourceInfo(resource_type="scheduler.v1.Job", resource_name=str(error.job_id), description=str(error))
            ],
        ),
        _row(
            IdempotencyMismatchError,
            grpc.StatusCode.ALREADY_EXISTS,
            lambda error: [_reason("IDEMPOTENCY_MISMATCH", job_id=error.job_id, index=error.index)],
        ),
        _row(
            TransitionNotAllowedError,
            grpc.StatusCode.FAILED_PRECONDITION,
            lambda error: [_reason("STATE", state=error.current), _broken("STATE", "state", str(error))],
        ),
        _row(
            VersionConflictError,
            grpc.StatusCode.FAILED_PRECONDITION,
            lambda error: [
                _reason("VERSION", job_id=error.job_id, version=error.actual),
                _broken("VERSION", "expected_version", str(error)),
            ],
        ),
        _row(OverloadedError, grpc.StatusCode.RESOURCE_EXHAUSTED, lambda error: [_retry(error.retry_after)]),
        _row(CapReachedError, grpc.StatusCode.RESOURCE_EXHAUSTED, lambda error: [_cap(error.what), _retry()]),
        _row(TooManyWatchersError, grpc.StatusCode.RESOURCE_EXHAUSTED, lambda _: [_retry()]),
        _row(
            UnavailableError,
            grpc.StatusCode.UNAVAILABLE,
            lambda error: [_retry(error.retry_after)],
            lambda error: f"the {error.part} is out of reach for now",
        ),
        _row(
            SchemaNotMigratedError,
            grpc.StatusCode.UNAVAILABLE,
            lambda _: [_retry()],
            lambda _: "the store is not ready for this server yet",
        ),
        _row(
            ServerStoppingError,
            grpc.StatusCode.UNAVAILABLE,
            lambda _: [_retry()],
            lambda _: "this server stops; another one will answer",
        ),
    ]
)


def refusal_of(error: SchedulerError) -> Refusal | None:
    """Look the error up by its own kind or the nearest base; None: no client can be told anything about it."""
    rows = (_TABLE[kind] for kind in type(error).__mro__ if kind in _TABLE)
    row = next(rows, None)
    return None if row is None else row(error)


def internal(correlation_id: str) -> Refusal:
    """Tell a client no more than where operators find the rest."""
    return Refusal(
        grpc.StatusCode.INTERNAL,
        f"internal error, correlation id {correlation_id}",
        (_reason("INTERNAL", correlation_id=correlation_id),),
    )

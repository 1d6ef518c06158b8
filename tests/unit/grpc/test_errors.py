import asyncio
import importlib
import pkgutil
from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, ResourceInfo, RetryInfo
from google.rpc.status_pb2 import Status

import scheduler.application
import scheduler.domain
from scheduler.adapters.grpc.errors import Refusal, refusal_of
from scheduler.adapters.grpc.faults import CallFaults, UnexpectedRpcError
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.application.errors import (
    DuplicateJobsError,
    IdempotencyMismatchError,
    JobNotFoundError,
    OverloadedError,
    PortInUseError,
    QueueUnavailableError,
    SchemaNotMigratedError,
    ServerStoppingError,
    StoreRejectedError,
    StoreUnavailableError,
    TooManyWatchersError,
    UnknownVersionError,
    VersionConflictError,
)
from scheduler.application.ports.handlers import PermanentError, RetryLaterError
from scheduler.domain.errors import InvalidFieldError, SchedulerError, TransitionNotAllowedError
from scheduler.domain.state import JobState
from tests.support.builders import a_job_id

ID = a_job_id()
SECRET = "host=db-7 password=hunter2"
Code = grpc.StatusCode

# One of each leaf that a call can end with, the status it gets, and the kinds of its details.
REACHING: list[tuple[SchedulerError, grpc.StatusCode, set[type[Message]]]] = [
    (InvalidFieldError("job.type", "is required"), Code.INVALID_ARGUMENT, {BadRequest}),
    (UnknownVersionError(ID, 9, 3), Code.INVALID_ARGUMENT, {BadRequest}),
    (StoreRejectedError(SECRET), Code.INVALID_ARGUMENT, {ErrorInfo}),
    (JobNotFoundError(ID), Code.NOT_FOUND, {ResourceInfo}),
    (IdempotencyMismatchError(ID, 4), Code.ALREADY_EXISTS, {ErrorInfo}),
    (
        TransitionNotAllowedError(JobState.RUNNING, JobState.QUEUED),
        Code.FAILED_PRECONDITION,
        {ErrorInfo, PreconditionFailure},
    ),
    (VersionConflictError(ID, 3, 5), Code.FAILED_PRECONDITION, {ErrorInfo, PreconditionFailure}),
    (OverloadedError(), Code.RESOURCE_EXHAUSTED, {RetryInfo}),
    (TooManyWatchersError(10), Code.RESOURCE_EXHAUSTED, {RetryInfo}),
    (StoreUnavailableError(SECRET), Code.UNAVAILABLE, {RetryInfo}),
    (QueueUnavailableError(SECRET), Code.UNAVAILABLE, {RetryInfo}),
    (SchemaNotMigratedError(["0007_secret"]), Code.UNAVAILABLE, {RetryInfo}),
    (ServerStoppingError(), Code.UNAVAILABLE, {RetryInfo}),
]
# Leaves that no call ends with. Should one do so, that is a bug of ours: INTERNAL.
NOT_REACHING: dict[type[SchedulerError], str] = {
    DuplicateJobsError: "SubmitJobs plans again",
    PortInUseError: "ends the start of a server",
    PermanentError: "a handler's word to its worker",
    RetryLaterError: "the same",
}

INNER_LAYERS = ("scheduler.domain.", "scheduler.application.")


def status_of(refusal: Refusal) -> Status:
    metadata = dict(refusal.to_status().trailing_metadata)
    packed = metadata["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    return Status.FromString(packed)


def detail(error: SchedulerError, message: Message) -> None:
    refusal = refusal_of(error)
    assert refusal is not None
    assert any(packed.Unpack(message) for packed in status_of(refusal).details)


def inner_leaves() -> set[type[SchedulerError]]:
    """Every leaf of the inner layers; what adapters derive from one is told to clients as that one."""
    for package in (scheduler.domain, scheduler.application):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    inner = {kind for kind in kinds_of(SchedulerError) if kind.__module__.startswith(INNER_LAYERS)}
    return {kind for kind in inner if inner.isdisjoint(kind.__subclasses__())}


def kinds_of(kind: type[SchedulerError]) -> Iterator[type[SchedulerError]]:
    for child in kind.__subclasses__():
        yield child
        yield from kinds_of(child)


def test_every_leaf_has_a_row_or_a_reason_why_no_call_ends_with_it() -> None:
    # The one error that is raised as such and has a special case.
    raised = inner_leaves() | {StoreUnavailableError}
    assert raised == {type(error) for error, _, _ in REACHING} | set(NOT_REACHING)


@pytest.mark.parametrize(("error", "code", "kinds"), REACHING, ids=lambda value: type(value).__name__)
def test_a_leaf_becomes_a_status_with_details(
    error: SchedulerError, code: grpc.StatusCode, kinds: set[type[Message]]
) -> None:
    refusal = refusal_of(error)
    assert refusal is not None
    status = status_of(refusal)
    assert (refusal.code, status.code) == (code, code.value[0])
    assert {packed.type_url for packed in status.details} == {
        f"type.googleapis.com/{kind.DESCRIPTOR.full_name}" for kind in kinds
    }


@pytest.mark.parametrize(("error", "code", "kinds"), REACHING, ids=lambda value: type(value).__name__)
def test_no_status_shows_internals(error: SchedulerError, code: object, kinds: object) -> None:
    refusal = refusal_of(error)
    assert refusal is not None
    shown = str(refusal.to_status())
    assert "hunter2" not in shown
    assert "0007" not in shown


def test_a_bad_field_is_named() -> None:
    bad = BadRequest()
    detail(InvalidFieldError("jobs[3].type", "is required"), bad)
    assert [(item.field, item.description) for item in bad.field_violations] == [("jobs[3].type", "is required")]


def test_a_mismatch_names_the_job_and_its_position() -> None:
    info = ErrorInfo()
    detail(IdempotencyMismatchError(ID, 4), info)
    assert (info.reason, info.domain) == ("IDEMPOTENCY_MISMATCH", "scheduler.v1")
    assert dict(info.metadata) == {"job_id": str(ID), "index": "4"}


def test_a_missing_job_is_named() -> None:
    info = ResourceInfo()
    detail(JobNotFoundError(ID), info)
    assert (info.resource_type, info.resource_name) == ("scheduler.v1.Job", str(ID))


@pytest.mark.parametrize(
    "error", [StoreUnavailableError("x", timedelta(seconds=2.5)), OverloadedError(timedelta(seconds=2.5))]
)
def test_who_must_wait_is_told_how_long(error: SchedulerError) -> None:
    retry = RetryInfo()
    detail(error, retry)
    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=2.5)


def test_a_long_text_does_not_outgrow_the_headers_it_travels_in() -> None:
    refusal = Refusal(Code.INTERNAL, "x" * 100_000)
    assert sum(len(value) for _, value in refusal.to_status().trailing_metadata) < 2000
    assert len(refusal.to_status().details) < 2000


@pytest.mark.parametrize("error", [ValueError(SECRET), DuplicateJobsError(SECRET), PortInUseError(1)])
def test_what_nobody_foresaw_is_internal_and_found_in_the_log_by_its_correlation_id(error: Exception) -> None:
    telemetry = RecordingTelemetry()
    refusal = CallFaults(telemetry).refusal("SubmitJob", error)
    ((event, logged),) = telemetry.faults
    assert isinstance(logged, UnexpectedRpcError)
    info = ErrorInfo()
    assert refusal.code is Code.INTERNAL
    assert status_of(refusal).details[0].Unpack(info)
    assert info.metadata["correlation_id"] == logged.correlation_id
    assert refusal.message == f"internal error, correlation id {logged.correlation_id}"
    assert (event, logged.__cause__) == ("rpc_failed", error)
    assert logged.correlation_id in str(logged)
    assert "hunter2" not in str(refusal)


@pytest.mark.parametrize(
    "error", [StoreUnavailableError(SECRET), StoreRejectedError(SECRET), SchemaNotMigratedError(["0007"])]
)
def test_operators_learn_of_refusals_that_are_not_the_clients_doing(error: SchedulerError) -> None:
    telemetry = RecordingTelemetry()
    CallFaults(telemetry).refusal("SubmitJob", error)
    assert telemetry.faults == [("rpc_refused", error)]


@pytest.mark.parametrize("error", [InvalidFieldError("a", "b"), JobNotFoundError(ID), ServerStoppingError()])
def test_operators_are_not_bothered_with_refusals_that_are_nobodys_fault(error: SchedulerError) -> None:
    telemetry = RecordingTelemetry()
    CallFaults(telemetry).refusal("SubmitJob", error)
    assert telemetry.faults == []


def test_something_cancelled_under_a_call_is_worth_a_retry() -> None:
    telemetry = RecordingTelemetry()
    refusal = CallFaults(telemetry).refusal("SubmitJob", asyncio.CancelledError())
    assert refusal.code is Code.UNAVAILABLE
    assert [event for event, _ in telemetry.faults] == ["rpc_cancelled_inside"]

"""What goes wrong in a call: clients get the refusal, operators the rest."""

import asyncio
from uuid import uuid4

from scheduler.adapters.grpc.errors import Refusal, internal, refusal_of
from scheduler.application.errors import (
    ServerStoppingError,
    StoreRejectedError,
    UnavailableError,
)
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.errors import SchedulerError

_OPERATORS_BUSINESS = (StoreRejectedError, UnavailableError)
"""Refusals that are not the client's doing."""


class UnexpectedRpcError(Exception):
    """A call met an error that nobody foresaw; the cause is attached."""

    def __init__(self, method: str, correlation_id: str, cause: BaseException) -> None:
        """Keep what ties the log to the answer that the client got."""
        super().__init__(f"{method} failed, correlation id {correlation_id}: {cause!r}")
        self.method = method
        self.correlation_id = correlation_id
        self.__cause__ = cause


class CallFaults:
    """Decides what a client is told of an error, and tells operators what they must know."""

    def __init__(self, faults: FaultTelemetry) -> None:
        self._faults = faults

    def refusal(self, method: str, error: BaseException) -> Refusal:
        """Return how the call ends. Unforeseen errors are logged under a correlation id, the client's only lead."""
        if isinstance(error, asyncio.CancelledError):
            # Not the client's cancel: something in here was cancelled under the call, as happens at a stop.
            self._faults.fault("rpc_cancelled_inside", UnexpectedRpcError(method, "none", error))
            error = ServerStoppingError()
        foreseen = refusal_of(error) if isinstance(error, SchedulerError) else None
        if foreseen is None:
            return self._unexpected(method, error)
        if isinstance(error, _OPERATORS_BUSINESS):
            self._faults.fault("rpc_refused", error)
        return foreseen

    def abandoned(self, error: BaseException) -> None:
        """Log how a mutation failed whose client was gone already."""
        self._faults.fault("abandoned_mutation_failed", error)

    def _unexpected(self, method: str, error: BaseException) -> Refusal:
        correlation_id = str(uuid4())
        self._faults.fault("rpc_failed", UnexpectedRpcError(method, correlation_id, error))
        return internal(correlation_id)

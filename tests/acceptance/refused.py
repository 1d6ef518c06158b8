"""Why something was refused, in the same words wherever the scheduler runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from google.rpc.error_details_pb2 import BadRequest

from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.adapters.grpc.errors import refusal_of
from scheduler.domain.errors import SchedulerError


@dataclass(frozen=True, slots=True)
class Refused:
    """The status, and the fields at fault as far as there are any."""

    status: str
    fields: Sequence[str]

    @classmethod
    def because_of(cls, error: SchedulerError) -> Self:
        """Read an error of a client over the wire, or one of the scheduler's own."""
        if isinstance(error, ClientError):
            return cls(error.status, [violation.field for violation in error.details.violations])
        refusal = refusal_of(error)
        assert refusal is not None, error
        bad = [detail for detail in refusal.details if isinstance(detail, BadRequest)]
        return cls(refusal.code.name, [item.field for detail in bad for item in detail.field_violations])

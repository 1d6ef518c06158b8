"""Enum values, between the wire's numbers and the domain's members."""

from collections.abc import Mapping
from typing import TypeVar

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState

Member = TypeVar("Member")

PRIORITY_NUMBERS: Mapping[Priority, pb.Priority.ValueType] = {
    member: pb.Priority.Value(f"PRIORITY_{member}") for member in Priority
}
STATE_NUMBERS: Mapping[JobState, pb.JobState.ValueType] = {
    member: pb.JobState.Value(f"JOB_STATE_{member}") for member in JobState
}
OUTCOME_NUMBERS: Mapping[AttemptOutcome | None, pb.AttemptOutcome.ValueType] = {
    None: pb.ATTEMPT_OUTCOME_RUNNING,
    **{member: pb.AttemptOutcome.Value(f"ATTEMPT_OUTCOME_{member}") for member in AttemptOutcome},
}
PRIORITIES: Mapping[int, Priority] = {number: member for member, number in PRIORITY_NUMBERS.items()}
STATES: Mapping[int, JobState] = {number: member for member, number in STATE_NUMBERS.items()}
OUTCOMES: Mapping[int, AttemptOutcome | None] = {number: member for member, number in OUTCOME_NUMBERS.items()}


def required(members: Mapping[int, Member], field: str, number: int) -> Member:
    """Return the member; raise InvalidFieldError for UNSPECIFIED and for numbers without a name."""
    member = members.get(number)
    if member is None:
        raise InvalidFieldError(field, "is required" if number == 0 else f"has no value with the number {number}")
    return member


def optional(members: Mapping[int, Member], field: str, number: int) -> Member | None:
    """Return the member, None for UNSPECIFIED; raise InvalidFieldError for numbers without a name."""
    return None if number == 0 else required(members, field, number)

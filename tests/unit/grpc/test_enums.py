import pytest

from scheduler.adapters.grpc.enums import (
    OUTCOME_NUMBERS,
    PRIORITIES,
    PRIORITY_NUMBERS,
    STATE_NUMBERS,
    optional,
    required,
)
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState


def test_every_member_has_a_number_and_every_number_but_unspecified_a_member() -> None:
    assert set(PRIORITY_NUMBERS) == set(Priority)
    assert set(STATE_NUMBERS) == set(JobState)
    assert set(OUTCOME_NUMBERS) == {None, *AttemptOutcome}
    assert {0, *PRIORITY_NUMBERS.values()} == set(pb.Priority.values())
    assert {0, *STATE_NUMBERS.values()} == set(pb.JobState.values())
    assert {0, *OUTCOME_NUMBERS.values()} == set(pb.AttemptOutcome.values())


@pytest.mark.parametrize(("number", "reason"), [(0, "is required"), (9, "has no value with the number 9")])
def test_a_required_value_is_refused_when_unspecified_or_unknown(number: int, reason: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        required(PRIORITIES, "job.priority", number)
    assert (caught.value.field, caught.value.reason) == ("job.priority", reason)


def test_an_optional_value_may_be_unspecified_but_not_unknown() -> None:
    assert optional(PRIORITIES, "priority_filter", 0) is None
    with pytest.raises(InvalidFieldError):
        optional(PRIORITIES, "priority_filter", -1)

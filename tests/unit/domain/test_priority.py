from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.priority import WEIGHTED_CYCLE, ClaimOrder, ClaimPlan, Priority, StrictOrder, WeightedOrder

limits = st.integers(min_value=1, max_value=200)
turns = st.integers(min_value=0, max_value=10**9)
lengths = st.fixed_dictionaries({priority: st.integers(min_value=0, max_value=40) for priority in Priority})


def taken(plan: ClaimPlan, queues: Mapping[Priority, int]) -> Counter[Priority]:
    """Walk the plan as a queue does."""
    picked: Counter[Priority] = Counter()
    for priority, quota in plan.quotas:
        picked[priority] += min(quota, plan.limit - picked.total(), queues[priority] - picked[priority])
    return +picked


def test_priorities_are_listed_from_the_most_to_the_least_urgent() -> None:
    assert list(Priority) == [Priority.CRITICAL, Priority.HIGH, Priority.DEFAULT, Priority.LOW]


@given(limit=limits, turn=turns, queues=lengths)
def test_strict_takes_a_less_urgent_job_only_when_no_more_urgent_one_waits(
    limit: int, turn: int, queues: dict[Priority, int]
) -> None:
    picked = taken(StrictOrder().plan(limit, turn), queues)

    for place, priority in enumerate(Priority):
        urgent = sum(queues[more] for more in list(Priority)[:place])
        assert picked[priority] == max(0, min(queues[priority], limit - urgent))


@pytest.mark.parametrize("order", [StrictOrder(), WeightedOrder()])
@given(limit=limits, turn=turns, queues=lengths)
def test_a_plan_fills_its_limit_and_never_takes_more(
    order: ClaimOrder, limit: int, turn: int, queues: dict[Priority, int]
) -> None:
    plan = order.plan(limit, turn)

    assert plan.limit == limit
    assert taken(plan, queues).total() == min(limit, sum(queues.values()))


def test_the_weights_are_8_4_2_1() -> None:
    assert Counter(WEIGHTED_CYCLE) == {
        Priority.CRITICAL: 8,
        Priority.HIGH: 4,
        Priority.DEFAULT: 2,
        Priority.LOW: 1,
    }


@given(rounds=st.integers(min_value=1, max_value=20), turn=turns)
def test_full_queues_share_a_whole_number_of_rounds_exactly(rounds: int, turn: int) -> None:
    picked = taken(WeightedOrder().plan(15 * rounds, turn), dict.fromkeys(Priority, 10_000))

    assert picked == {
        Priority.CRITICAL: 8 * rounds,
        Priority.HIGH: 4 * rounds,
        Priority.DEFAULT: 2 * rounds,
        Priority.LOW: rounds,
    }


@given(first=turns, claims=st.lists(limits, min_size=1, max_size=40))
def test_low_waits_a_bounded_time_however_the_claims_are_cut(first: int, claims: list[int]) -> None:
    asked, low = 0, 0
    for limit in claims:
        plan = WeightedOrder().plan(limit, first + asked)
        low += taken(plan, dict.fromkeys(Priority, 10_000))[Priority.LOW]
        asked += limit
        assert low >= asked // 15


@given(limit=limits, turn=turns)
def test_low_gets_all_when_it_waits_alone(limit: int, turn: int) -> None:
    queues = {**dict.fromkeys(Priority, 0), Priority.LOW: 1000}

    assert taken(WeightedOrder().plan(limit, turn), queues) == {Priority.LOW: limit}

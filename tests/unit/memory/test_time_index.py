from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.adapters.memory.time_index import Place, TimeIndex
from scheduler.domain.ids import JobId

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def place(time: int, number: int) -> Place:
    return BEGIN + timedelta(microseconds=time), JobId(UUID(int=number))


places = st.builds(place, st.integers(0, 40), st.integers(0, 5))


@given(commands=st.lists(places, max_size=200), start=places)
@settings(max_examples=50)
def test_it_is_a_sorted_set(commands: list[Place], start: Place) -> None:
    index, model = TimeIndex(), set[Place]()
    for each in commands:
        if each in model:
            model.remove(each)
            index.remove(each)
        else:
            model.add(each)
            index.add(each)

    agree(index, sorted(model), start)


def test_it_stays_sorted_when_its_buckets_are_split_and_emptied() -> None:
    """A stride that is prime to the size visits every number once, in no order."""
    numbers = [n * 7919 % 10_000 for n in range(10_000)]
    index = TimeIndex()
    for number in numbers:
        index.add(place(number // 3, number))
    for number in numbers[:5000]:
        index.remove(place(number // 3, number))
    left = sorted(place(number // 3, number) for number in numbers[5000:])

    for start in (place(-1, 0), *left[::313], place(10_000, 0), place(1700, 0)):
        agree(index, left, start)

    for each in left:
        index.remove(each)
    agree(index, [], place(0, 0))


def agree(index: TimeIndex, model: list[Place], start: Place) -> None:
    assert len(index) == len(model)
    assert list(index.ascending()) == model
    assert list(index.descending()) == model[::-1]
    assert list(index.ascending(start)) == [each for each in model if each > start]
    assert list(index.descending(start)) == [each for each in reversed(model) if each < start]


def test_a_page_costs_no_walk_through_the_rest() -> None:
    index = TimeIndex()
    for number in range(5000):
        index.add(place(number, number))

    assert list(islice(index.ascending(place(4000, 4000)), 2)) == [place(4001, 4001), place(4002, 4002)]
    assert list(islice(index.descending(place(4000, 4000)), 2)) == [place(3999, 3999), place(3998, 3998)]

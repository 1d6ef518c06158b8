"""What the exceptions of code that is not ours come to."""

import asyncio
import gc
import weakref
from datetime import timedelta

import pytest

from scheduler.application.failures import failure_of
from scheduler.application.ports.handlers import RetryLaterError
from scheduler.domain.retry import MAX_DELAY, Failure, FailureKind


class Luggage:
    """What a handler had in its hands."""


def kept_by_the_traceback() -> tuple[BaseException, weakref.ref[Luggage]]:
    """Raise in a frame that holds luggage and, in a circle, the exception itself."""

    def carry() -> None:
        luggage = Luggage()
        held: list[object] = []
        refs.append(weakref.ref(luggage))
        try:
            int("first")
        except ValueError as error:
            held.append(error)
            raise ExceptionGroup("all", [error, ValueError("second")]) from error

    refs: list[weakref.ref[Luggage]] = []
    try:
        carry()
    except ExceptionGroup as error:
        return error, refs[0]
    raise AssertionError


def test_nothing_that_an_exception_held_outlives_it_even_without_the_collector() -> None:
    gc.disable()
    try:
        error, luggage = kept_by_the_traceback()
        assert luggage() is not None
        failure = failure_of(error)
        assert luggage() is None
    finally:
        gc.enable()
    assert failure.error.startswith("ExceptionGroup: all (2 sub-exceptions); ValueError: invalid literal")
    assert failure.error.endswith("; ValueError: second")


def test_exceptions_that_hang_together_in_a_circle_or_a_very_long_chain_are_read() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__cause__ = second, first
    assert failure_of(first).error == "ValueError: a"
    last: Exception = ValueError("end")
    for number in range(100_000):
        link = ValueError(number)
        link.__cause__, last = last, link
    assert failure_of(last).error == "ValueError: 99999"
    while last.__cause__ is not None:  # taken apart by hand: Python itself would run out of stack
        last = last.__cause__  # type: ignore[assignment] # all of one kind


def test_a_delay_that_is_none_is_ignored() -> None:
    class CarelessError(RetryLaterError):
        def __init__(self) -> None:
            Exception.__init__(self, "later")

    class WrongError(RetryLaterError):
        def __init__(self) -> None:
            super().__init__("later", timedelta(seconds=1))
            self.delay = "soon"  # type: ignore[assignment] # what a handler without type checks does

    for error in (CarelessError(), WrongError()):
        assert failure_of(error) == Failure(kind=FailureKind.ERROR, error="later")


def test_a_delay_is_no_longer_than_any_backoff_may_be() -> None:
    failure = failure_of(RetryLaterError("next year", timedelta.max))

    assert failure == Failure(kind=FailureKind.ERROR, error="next year", retry_after=MAX_DELAY)


def test_a_task_groups_failure_names_what_failed_in_it() -> None:
    async def fail(number: int) -> None:
        raise ValueError(number)

    async def handle() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(fail(number))

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(handle())
    assert failure_of(raised.value).error.endswith("(5 sub-exceptions); ValueError: 0; ValueError: 1; ValueError: 2")


def test_an_error_of_which_nothing_can_be_read_is_an_error_all_the_same() -> None:
    class Nameless(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override] # as no sane class does
            raise SystemExit

    class HostileError(ValueError, metaclass=Nameless):
        @property
        def __cause__(self) -> None:  # type: ignore[override] # the same
            raise SystemExit

    assert failure_of(HostileError()).error == "an error that cannot be shown"

import pytest

from scheduler.adapters.handlers.noop import NoopHandler
from scheduler.adapters.handlers.registry import DuplicateHandlerError, Registry


def test_a_registered_handler_is_found_by_its_type() -> None:
    registry = Registry()
    handler = NoopHandler()

    registry.register("noop", handler)

    assert registry.find("noop") is handler


def test_an_unknown_type_has_no_handler() -> None:
    assert Registry().find("noop") is None


def test_types_are_sorted() -> None:
    registry = Registry()

    for job_type in ("noop", "email.send", "http_call"):
        registry.register(job_type, NoopHandler())

    assert registry.types() == ["email.send", "http_call", "noop"]


def test_a_second_handler_for_a_type_is_refused_and_the_first_stays() -> None:
    registry = Registry()
    first = NoopHandler()
    registry.register("noop", first)

    expected = r"job type 'noop' has two handlers: the built-in one and shop\.idle"
    with pytest.raises(DuplicateHandlerError, match=expected):
        registry.register("noop", NoopHandler(), place="shop.idle")

    assert registry.find("noop") is first

"""What can be declared a handler, and how everything else is refused."""

import re
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from scheduler.handlers import Executor, HandlerDeclarationError, JobContext, handler
from tests.unit.handlers import string_annotations

if TYPE_CHECKING:
    from decimal import Decimal


class Resize(BaseModel):
    width: int


def sync_resize(payload: Resize, context: JobContext) -> int:
    return payload.width * context.attempt


async def async_resize(payload: Resize, context: JobContext) -> int:
    return payload.width


def test_an_async_function_runs_in_the_event_loop() -> None:
    definition = handler("image.resize")(async_resize)

    assert (definition.job_type, definition.executor) == ("image.resize", Executor.ASYNC)


def test_any_other_function_runs_in_a_thread() -> None:
    assert handler("image.resize")(sync_resize).executor is Executor.THREAD


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_the_executor_of_a_sync_function_can_be_chosen(executor: str) -> None:
    definition = handler("image.resize", executor=executor)(sync_resize)  # type: ignore[arg-type] # one of two literals

    assert definition.executor == executor


def test_an_async_function_may_run_in_a_process() -> None:
    assert handler("image.resize", executor="process")(async_resize).executor is Executor.PROCESS


def test_a_definition_is_callable_like_its_function() -> None:
    definition = handler("image.resize")(sync_resize)

    assert definition.__wrapped__ is sync_resize
    assert definition(Resize(width=3), string_annotations.context()) == 3


def test_annotations_may_be_strings() -> None:
    assert string_annotations.resize.payload.read('{"width": 3}') == string_annotations.Resize(width=3)


def test_only_the_annotation_of_the_payload_must_be_known_at_run_time() -> None:
    assert string_annotations.typed_for_checkers.payload.read("1") == 1


def no_parameters() -> None: ...
def no_context(payload: Resize) -> None: ...
def three(payload: Resize, context: JobContext, more: int = 0) -> None: ...
def keyword_only(*, payload: Resize, context: JobContext) -> None: ...
def variadic(payload: Resize, *context: JobContext) -> None: ...
def no_annotation(payload, context: JobContext) -> None: ...  # type: ignore[no-untyped-def] # noqa: ANN001 - the case
def no_json(payload: Event, context: JobContext) -> None: ...
def not_a_type(payload: int, context: JobContext) -> None: ...
def not_python(payload: int, context: JobContext) -> None: ...
def for_checkers(payload: "Decimal", context: JobContext) -> None: ...
def swapped(context: JobContext, payload: Resize) -> None: ...
def other_context(payload: Resize, context: Resize) -> None: ...
def broken_context(payload: int, context: JobContext) -> None: ...
def generator(payload: Resize, context: JobContext):  # type: ignore[no-untyped-def] # noqa: ANN201 - the case
    yield


async def async_generator(payload: Resize, context: JobContext):  # type: ignore[no-untyped-def] # noqa: ANN201 - the case
    yield


not_a_type.__annotations__["payload"] = "3 + 'x'"
not_python.__annotations__["payload"] = "int |"
broken_context.__annotations__["context"] = "3 + 'x'"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (no_parameters, "must take two parameters, (payload, context), takes ()"),
        (no_context, "must take two parameters, (payload, context), takes (payload: "),
        (three, "must take two parameters"),
        (keyword_only, "must take two parameters"),
        (variadic, "must take two parameters"),
        (no_annotation, "parameter 'payload' needs an annotation"),
        (no_json, "parameter 'payload' has a type that JSON cannot be read as: "),
        (not_a_type, "parameter 'payload' has a type that JSON cannot be read as: "),
        (not_python, "parameter 'payload' has a type that JSON cannot be read as: "),
        (for_checkers, "annotation of 'payload': name 'Decimal' is not defined; it must be a name of the module"),
        (swapped, "parameter 'payload' must be a JobContext, is annotated "),
        (other_context, "parameter 'context' must be a JobContext, is annotated "),
        (broken_context, "parameter 'context' must be a JobContext, is annotated "),
        (generator, "yields, but a handler must return"),
        (async_generator, "yields, but a handler must return"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_bad_signature_is_refused_by_name_and_place(function: Callable[..., object], reason: str) -> None:
    place = rf"handler {re.escape(__name__)}\.{function.__name__} \({re.escape(__file__)}:\d+\): "
    with pytest.raises(HandlerDeclarationError, match=place + re.escape(reason)):
        handler("image.resize")(function)


@pytest.mark.parametrize("job_type", ["", "with space", "x" * 129, "ä", "line\n"])
def test_a_bad_job_type_is_refused(job_type: str) -> None:
    with pytest.raises(HandlerDeclarationError, match=r"job type .* must be 1 to 128 of the characters"):
        handler(job_type)(sync_resize)


@pytest.mark.parametrize(
    ("function", "executor", "reason"),
    [
        (async_resize, "thread", "executor 'thread' runs functions without `async`"),
        (sync_resize, "async", "executor 'async' runs functions with `async def`"),
        (sync_resize, "gpu", "executor must be one of 'async', 'thread', 'process', is 'gpu'"),
    ],
)
def test_an_executor_that_cannot_run_the_function_is_refused(
    function: Callable[..., object], executor: str, reason: str
) -> None:
    with pytest.raises(HandlerDeclarationError, match=re.escape(reason)):
        handler("image.resize", executor=executor)(function)  # type: ignore[arg-type] # what users without checks do


def test_a_decorator_without_its_job_type_says_how_it_is_used() -> None:
    with pytest.raises(HandlerDeclarationError, match=r'as in @handler\("mail.send"\)'):
        handler(sync_resize)(sync_resize)  # type: ignore[arg-type] # the mistake itself


@pytest.mark.parametrize("thing", [partial(sync_resize, Resize(width=1)), Resize, print, handler("twice")(sync_resize)])
def test_only_functions_can_be_handlers(thing: Callable[..., object]) -> None:
    with pytest.raises(HandlerDeclarationError, match=r"handler of 'image.resize': must be a function, is "):
        handler("image.resize")(thing)

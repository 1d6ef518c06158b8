"""The handler process: one attempt after another, until the worker has no more."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from uuid import UUID

from scheduler.adapters.handlers.definition import AnyDefinition, HandlerDefinition
from scheduler.adapters.handlers.process.interruption import Interruption
from scheduler.adapters.handlers.process.leaks import has_leaks
from scheduler.adapters.handlers.process.lifeline import hold_lifeline
from scheduler.adapters.handlers.process.memory import peak_megabytes
from scheduler.adapters.handlers.process.protocol import (
    Failed,
    Outcome,
    ProgressLine,
    Request,
    Setup,
    Succeeded,
    decode_request,
    decode_setup,
)
from scheduler.adapters.handlers.process.relay import Channel, ProgressRelay, RelayedLog, RelayedRecords
from scheduler.adapters.handlers.result import write_result
from scheduler.application.current_trace import in_trace
from scheduler.application.failures import failure_of
from scheduler.application.ports.handlers import JobContext, PermanentError, RetryLaterError
from scheduler.application.use_cases.run_job import MAX_RESULT_BYTES
from scheduler.domain.errors import InvalidFieldError, SchedulerError
from scheduler.domain.ids import AttemptId, Fence, JobId, WorkerId
from scheduler.domain.json_document import check_json
from scheduler.domain.progress import Progress
from scheduler.domain.retry import FailureKind
from scheduler.domain.text import clean_text
from scheduler.domain.trace import TraceContext


class HandlerMissingError(SchedulerError):
    """The process cannot find the handler that its worker has; the message says why."""


class Attempts:
    """Runs what the worker requests. Functions run in the main thread, where signals reach them."""

    def __init__(self, channel: Channel, setup: Setup) -> None:
        self._channel = channel
        self._log = RelayedLog(channel, setup.log_level)
        self._records = RelayedRecords()
        self._progress = ProgressRelay(channel)
        self._interruption = Interruption()
        logging.basicConfig(handlers=[self._records], level=setup.log_level, force=True)

    def serve(self) -> None:
        """Run one attempt after another; return when the worker has no more, exit after one that was interrupted."""
        own = os.getpid()
        self._interruption.listen()
        while (body := self._channel.receive()) is not None:
            outcome = self._attempt(decode_request(body))
            if os.getpid() != own:
                # A fork of a handler's own, which came back from its function too.
                os._exit(0)
            _flush_output()
            if self._interruption.happened:
                # The worker repeats itself, and Python forgets our ear for it before its own end.
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                sys.exit(128 + signal.SIGTERM)
            self._progress.flush()
            self._channel.send(outcome)

    def _attempt(self, request: Request) -> Outcome:
        try:
            result = self._call(request)
        except BaseException as error:  # noqa: BLE001 - a handler may raise anything
            return _failure(request.number, error)
        return Succeeded(number=request.number, result=result, megabytes=peak_megabytes(), leaks=has_leaks())

    def _call(self, request: Request) -> str | None:
        context = self._context(request)
        self._records.log = context.logger
        definition = _find(request.module, request.job_type)
        self._interruption.listen()
        with in_trace(context.trace):
            value = definition.call(request.payload, context)
            if isinstance(value, Coroutine):
                value = self._interruption.run(value)
        return _checked(write_result(value))

    def _context(self, request: Request) -> JobContext:
        return JobContext(
            attempt_id=AttemptId(JobId(UUID(request.job_id)), Fence(request.fence)),
            job_type=request.job_type,
            attempt=request.attempt,
            max_attempts=request.max_attempts,
            worker_id=WorkerId(UUID(request.worker_id)),
            deadline=datetime.fromisoformat(request.deadline),
            monotonic_deadline=request.monotonic_deadline,
            trace=TraceContext.parse(request.traceparent, request.tracestate),
            log=self._log,
            cancellation=self._interruption.cancellation,
            report_progress=partial(self._note, request.number),
        )

    def _note(self, number: int, percent: float, message: str) -> None:
        said = Progress.said(percent, message, at=datetime.now(UTC))
        self._progress.note(ProgressLine(number=number, percent=said.percent, message=said.message))


def _find(module: str, job_type: str) -> AnyDefinition:
    try:
        imported = import_module(module)
    except Exception as error:
        raise HandlerMissingError(f"cannot import {module}: {type(error).__name__}: {error}") from error
    for value in vars(imported).values():
        if isinstance(value, HandlerDefinition) and value.job_type == job_type:
            return value
    raise HandlerMissingError(f"module {module} has no handler of job type {job_type!r}")


def _checked(result: str | None) -> str | None:
    try:
        if result is not None:
            check_json("result", result, MAX_RESULT_BYTES)
    except InvalidFieldError as error:
        raise PermanentError(str(error)) from error
    return result


def _failure(number: int, error: BaseException) -> Failed:
    name = type(error).__name__
    failure = failure_of(error)
    own_words = isinstance(error, PermanentError | RetryLaterError)
    return Failed(
        number=number,
        error=clean_text(name, 256),
        text=clean_text(failure.error if own_words else failure.error.removeprefix(name).removeprefix(": ")),
        permanent=failure.kind is FailureKind.PERMANENT,
        retry_after=None if failure.retry_after is None else failure.retry_after.total_seconds(),
        megabytes=peak_megabytes(),
        leaks=has_leaks(),
    )


def _flush_output() -> None:
    """Let what the handler printed be seen before its result, unless it closed its output."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()


def main(arguments: list[str]) -> None:
    """Run with the descriptors of the socket and the lifeline, and the worker's process id."""
    connection, lifeline, parent = map(int, arguments)
    for descriptor in (connection, lifeline):
        # Ours, not those of the processes that a handler starts.
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no keywords
    hold_lifeline(lifeline, parent)
    if isinstance(sys.stdout, TextIOWrapper):
        # What a handler printed last is of use when its process dies.
        sys.stdout.reconfigure(line_buffering=True)
    channel = Channel(socket.socket(fileno=connection))
    body = channel.receive()
    if body is not None:
        setup = decode_setup(body)
        sys.path[:] = setup.path
        Attempts(channel, setup).serve()


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a worker and its handler processes tell each other: a length, then one JSON object; bounded both ways."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from scheduler.domain.errors import SchedulerError

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Holds a payload of 1 MiB, whatever its characters: JSON within JSON is at most twice as long."""
MAX_REPLY_BYTES = 256 * 1024
"""The same for a result of 64 KiB."""
LENGTH = struct.Struct("!I")
"""Precedes each message."""

Level = Literal["debug", "info", "warning", "error"]


class ProtocolError(SchedulerError):
    """A process said what it must not: a handler used a descriptor that is not its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Told to a process once, at its start."""

    path: list[str]
    """Where the worker imports from."""
    log_level: int
    """Less is not worth sending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Told to a process for each attempt."""

    number: int = 0
    """Counts the attempts of this process, and names this one in its replies."""
    module: str
    job_type: str
    payload: str | None
    job_id: str
    fence: int
    attempt: int
    max_attempts: int
    worker_id: str
    deadline: str
    monotonic_deadline: float
    """All processes of a machine share this clock."""
    traceparent: str
    tracestate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """Told by a process at any time."""

    level: Level
    event: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """Told by a process while its attempt runs."""

    number: int
    percent: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """Told by a process at the end of an attempt."""

    number: int
    result: str | None
    megabytes: int
    """The most memory that the process has had so far."""
    leaks: bool
    """Whether its attempts have left too much behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Told by a process at the end of an attempt."""

    number: int
    error: str
    """The name of the error's type."""
    text: str
    permanent: bool
    retry_after: float | None
    """Seconds; set when the handler asked for them."""
    megabytes: int
    leaks: bool


Outcome: TypeAlias = Succeeded | Failed
Reply: TypeAlias = LogLine | ProgressLine | Succeeded | Failed


def encode(message: Setup | Request | Reply) -> bytes:
    """Return the message as it is sent."""
    # Not every field of a log line is JSON, or can be copied.
    tagged = {"kind": type(message).__name__} | {one.name: getattr(message, one.name) for one in fields(message)}
    text = json.dumps(tagged, default=str, ensure_ascii=False, separators=(",", ":"))
    # Log lines may hold lone surrogates, which `json.loads` reads as well.
    body = text.encode("utf-8", "surrogatepass")
    return LENGTH.pack(len(body)) + body


def decode_setup(body: bytes) -> Setup:
    """Read what the worker says first."""
    said = _read_object(body)
    del said["kind"]
    return Setup(**said)  # type: ignore[arg-type] # the worker is of the same program


def decode_request(body: bytes) -> Request:
    """Read what the worker says afterwards."""
    said = _read_object(body)
    del said["kind"]
    return Request(**said)  # type: ignore[arg-type] # the worker is of the same program


def decode_reply(body: bytes) -> Reply:
    """Read what a process says, which a handler may have written; raise ProtocolError."""
    match _read_object(body):
        case {
            "kind": "LogLine",
            "level": "debug" | "info" | "warning" | "error" as level,
            "event": str(event),
            "fields": dict(bound),
        }:
            return LogLine(level=level, event=event, fields=bound)
        case {
            "kind": "ProgressLine",
            "number": int(number),
            "percent": int() | float() as percent,
            "message": str(text),
        } if 0 <= percent <= 100:  # noqa: PLR2004 - in percent
            return ProgressLine(number=number, percent=percent, message=text)
        case {
            "kind": "Succeeded",
            "number": int(number),
            "result": str() | None as result,
            "megabytes": int(size),
            "leaks": bool(leaks),
        }:
            return Succeeded(number=number, result=result, megabytes=size, leaks=leaks)
        case {
            "kind": "Failed",
            "number": int(number),
            "error": str(error),
            "text": str(text),
            "permanent": bool(permanent),
            "retry_after": int() | float() | None as seconds,
            "megabytes": int(size),
            "leaks": bool(leaks),
        }:
            return Failed(
                number=number,
                error=error,
                text=text,
                permanent=permanent,
                retry_after=seconds,
                megabytes=size,
                leaks=leaks,
            )
        case _:
            raise ProtocolError("the handler's process sent an unknown message")


def check_length(prefix: bytes, limit: int) -> int:
    """Return how many bytes follow; raise ProtocolError when they are too many."""
    (length,) = LENGTH.unpack(prefix)
    if length > limit:
        raise ProtocolError(f"the handler's process announced a message of {length} bytes, the limit is {limit}")
    return int(length)


def _read_object(body: bytes) -> dict[str, object]:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the handler's process sent something that is not JSON") from error
    if not isinstance(message, dict):
        raise ProtocolError("the handler's process sent something that is not an object")
    return message

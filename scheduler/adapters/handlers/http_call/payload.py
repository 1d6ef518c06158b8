"""What a job of type http_call asks for, checked before anything is sent."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainValidator,
    field_validator,
)
from pydantic_core import PydanticCustomError

from scheduler.adapters.handlers.http_call.target import InvalidUrlError, Target

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
MAX_REDIRECTS = 5
MAX_HEADERS = 64
MAX_HEADER_BYTES = 16 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?|")
# Ours alone to set: they name the attempt, or they frame the message and describe the connection.
_RESERVED = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "idempotency-key",
        "keep-alive",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-job-attempt",
        "x-job-fence",
    }
)


def _wrong(reason: str) -> PydanticCustomError:
    return PydanticCustomError("http_call", "{reason}", {"reason": reason})


def _target(value: object) -> Target:
    if not isinstance(value, str):
        raise _wrong("must be a string")
    try:
        return Target.parse(value)
    except InvalidUrlError as error:
        raise _wrong(str(error)) from error


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise _wrong("must be the name of a header")
    if name.lower() in _RESERVED or name.lower().startswith("proxy-"):
        raise _wrong("is set by the scheduler")
    return name.lower()


def _header_value(value: str) -> str:
    if not _VALUE.fullmatch(value):
        raise _wrong("must be printable ASCII without spaces around it")
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, int) else value


def _sendable(body: JsonValue) -> JsonValue:
    try:
        _encoded(body)
    except ValueError as error:
        raise _wrong("must not hold lone surrogates or numbers beyond double precision") from error
    return body


def _encoded(body: JsonValue) -> bytes:
    text = body if isinstance(body, str) else json.dumps(body, allow_nan=False, ensure_ascii=False)
    return text.encode()


def _capitals(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Statuses = Annotated[list[Annotated[int, Field(ge=200, le=599)]], Field(min_length=1, max_length=100)]


class CallPayload(BaseModel):
    """One call. Errors name the field; none shows a value."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[Target, PlainValidator(_target)]
    method: Annotated[Method, BeforeValidator(_capitals)] = "GET"
    headers: dict[Annotated[str, AfterValidator(_header_name)], Annotated[str, AfterValidator(_header_value)]] = Field(
        default={}, max_length=MAX_HEADERS
    )
    """By lower-case name."""
    body: Annotated[JsonValue, AfterValidator(_sendable)] = None
    """A string is sent as it is, null is no body, and anything else is sent as JSON."""
    timeout_seconds: float | None = Field(default=None, gt=0, le=24 * 3600, allow_inf_nan=False)
    expected_status: Annotated[Statuses | None, BeforeValidator(_listed)] = None
    follow_redirects: int = Field(default=0, ge=0, le=MAX_REDIRECTS)

    @property
    def content(self) -> bytes | None:
        """Return the bytes to send."""
        return None if self.body is None else _encoded(self.body)

    @property
    def content_type(self) -> str:
        """Return what the content is when no header says so."""
        return "text/plain; charset=utf-8" if isinstance(self.body, str) else "application/json"

    @field_validator("headers", mode="before")
    @classmethod
    def _name_each_once(cls, headers: object) -> object:
        if isinstance(headers, dict) and len({str(name).lower() for name in headers}) < len(headers):
            raise _wrong("must not name a header twice")
        return headers

    @field_validator("headers", mode="after")
    @classmethod
    def _fit_into_a_request(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADER_BYTES:
            raise _wrong(f"must be at most {MAX_HEADER_BYTES} bytes altogether")
        return headers

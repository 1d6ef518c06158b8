"""The wire's names of fields: errors name what the client sent, with the path from its request."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from scheduler.domain.errors import InvalidFieldError

_WIRE_NAMES: Mapping[str, str] = {
    "payload": "payload_json",
    "retry_policy.max_backoff": "retry_policy.max",
}
"""Where the domain's name is another one."""


@contextmanager
def fields_of(path: str = "") -> Iterator[None]:
    """Name the fields in errors from inside as the wire does; `path` leads from the request to their message."""
    try:
        yield
    except InvalidFieldError as error:
        name = _WIRE_NAMES.get(error.field, error.field)
        raise InvalidFieldError(f"{path}.{name}" if path else name, error.reason) from error

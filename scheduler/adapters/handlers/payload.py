"""From a payload's JSON text to the type that a handler takes, or to words that name each bad field."""

from collections.abc import Iterator, Sequence

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from scheduler.application.ports.handlers import PermanentError

MAX_PROBLEMS = 10
MAX_PROBLEM_LENGTH = 200
_QUOTING = frozenset({"value_error", "assertion_error", "union_tag_invalid"})
"""Problems told in the words of a user's validator, or by the tag found; all others name rules alone."""
_SHORTEST_SECRET = 4
"""Shorter values are not looked for in messages: replacing each "1" would leave no sense in them."""


class PayloadReader:
    """Reads payloads of one type, and writes them, by pydantic's rules for JSON."""

    def __init__(self, payload_type: type[object]) -> None:
        """Take whatever can stand in an annotation; raise a pydantic error when JSON cannot be read as that."""
        self._adapter: TypeAdapter[object] = TypeAdapter(payload_type)

    def read(self, payload: str | None) -> object:
        """Return the payload, JSON's null where there is none; raise PermanentError that names each bad field."""
        try:
            return self._adapter.validate_json("null" if payload is None else payload)
        except ValidationError as error:
            # Not chained: the original shows the values, which may be secret.
            raise PermanentError(_explain(error)) from None

    def write(self, payload: object) -> str | None:
        """Return the payload as JSON, None for None; raise PydanticSerializationError when it is not of the type."""
        return None if payload is None else self._adapter.dump_json(payload, warnings="error").decode()


def _explain(error: ValidationError) -> str:
    issues = error.errors(include_url=False)
    told = [_problem(issue) for issue in issues[:MAX_PROBLEMS]]
    more = len(issues) - len(told)
    return "; ".join([*told, f"and {more} more"] if more else told)


def _problem(issue: ErrorDetails) -> str:
    text = f"{_path(issue['loc'])}: {_message(issue)}"
    return text if len(text) <= MAX_PROBLEM_LENGTH else f"{text[:MAX_PROBLEM_LENGTH]}…"


def _path(location: Sequence[int | str]) -> str:
    return "payload" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)


def _message(issue: ErrorDetails) -> str:
    """Return what is wrong, without the values that it may quote."""
    message = issue["msg"]
    if issue["type"] in _QUOTING:
        for text in sorted(set(_texts(issue["input"])), key=len, reverse=True):
            message = message.replace(text, "…")
    return message


def _texts(value: object) -> Iterator[str]:
    """Yield the texts and numbers within a JSON document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str | int | float) and len(text := str(value)) >= _SHORTEST_SECRET:
        yield text

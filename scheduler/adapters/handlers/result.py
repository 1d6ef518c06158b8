"""From what a handler returned to the JSON text of its result."""

import json
from collections import deque
from collections.abc import Iterator

from pydantic_core import SchemaSerializer, core_schema, to_jsonable_python

from scheduler.application.ports.handlers import PermanentError

_PLAIN = SchemaSerializer(core_schema.any_schema())
"""Makes dicts of models and dataclasses, and draws nothing from iterators."""


def write_result(value: object) -> str | None:
    """Return the result as JSON, None for None; raise PermanentError when JSON has no form for it.

    Models, dataclasses, times, sets and the like become what pydantic makes of them.
    """
    if value is None:
        return None
    try:
        _refuse_iterators(value)
        return json.dumps(to_jsonable_python(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        raise PermanentError(f"result: must be JSON: {error}") from error


def _refuse_iterators(value: object) -> None:
    """Raise PermanentError for one at any depth: pydantic would draw from it until its end, which it may not have."""
    plain = _PLAIN.to_python(value, warnings=False)
    pending, seen = [plain], set[int]()
    while pending:
        part = pending.pop()
        if isinstance(part, Iterator):
            raise PermanentError("result: must be JSON: return a list instead of a generator or another iterator")
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            pending += part.values()
        elif isinstance(part, list | tuple | set | frozenset | deque):
            pending += part

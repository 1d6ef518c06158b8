"""From what a handler returned to the JSON text of its result."""

import json

from pydantic_core import to_jsonable_python

from scheduler.application.ports.handlers import PermanentError


def write_result(value: object) -> str | None:
    """Return the result as JSON, None for None; raise PermanentError when JSON has no form for it.

    Models, dataclasses, times, sets and the like become what pydantic makes of them.
    """
    if value is None:
        return None
    try:
        return json.dumps(to_jsonable_python(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        raise PermanentError(f"result: must be JSON: {error}") from error

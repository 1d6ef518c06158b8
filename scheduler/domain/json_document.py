"""What counts as one JSON document: RFC 8259, bounded in size and nesting, never rewritten."""

import json
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import NoReturn

from scheduler.domain.errors import InvalidFieldError

MAX_JSON_BYTES = 1024 * 1024
MAX_JSON_NESTING = 200
_STEP_BRACKETS = 64 * 1024
_LEVELS = (0, 1, -1)
_BRACKETS = bytes.maketrans(b"[{]}", b"\1\1\2\2")
_OTHERS = bytes(set(range(256)) - set(b"[{]}"))


class CheckedJson(str):
    """A text that passed `check_json`: it is not checked a second time."""

    __slots__ = ()


def check_json(field: str, text: str, max_bytes: int = MAX_JSON_BYTES) -> None:
    """Raise InvalidFieldError unless `text` is one JSON document within the limits."""
    if not isinstance(text, CheckedJson) or max_bytes < MAX_JSON_BYTES:
        deque(json_check_steps(field, text, max_bytes), maxlen=0)


def json_check_steps(field: str, text: str, max_bytes: int = MAX_JSON_BYTES) -> Iterator[None]:
    """Check as `check_json` does, and pause between steps; the longest one decodes, about 30 ms a MiB."""
    _check_size(field, text, max_bytes)
    if text.count("[") + text.count("{") > MAX_JSON_NESTING:
        brackets = _brackets_outside_strings(text)
        depth = 0
        for start in range(0, len(brackets), _STEP_BRACKETS):
            yield
            levels = map(_LEVELS.__getitem__, brackets[start : start + _STEP_BRACKETS])
            depths = list(accumulate(levels, initial=depth))
            if max(depths) > MAX_JSON_NESTING:
                raise InvalidFieldError(field, f"must not nest deeper than {MAX_JSON_NESTING} levels")
            depth = depths[-1]
        yield
    try:
        _DECODER.decode(text)
    except ValueError as error:
        raise InvalidFieldError(field, f"must be one JSON document: {error}") from error


def _check_size(field: str, text: str, max_bytes: int) -> None:
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidFieldError(field, "must be valid UTF-8") from error
    if size > max_bytes:
        raise InvalidFieldError(field, f"must be at most {max_bytes} bytes, is {size}")


def _brackets_outside_strings(text: str) -> bytes:
    """Return an item a bracket: 1 opens, 2 closes. Right as far as the text is JSON, so as far as it is decoded."""
    without_escapes = text.replace("\\\\", "").replace('\\"', "")
    return "".join(without_escapes.split('"')[::2]).encode().translate(_BRACKETS, _OTHERS)


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _any_number(_: str) -> int:
    """Accept a number of any length: it is checked, never computed."""
    return 0


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_any_number, parse_float=_any_number)

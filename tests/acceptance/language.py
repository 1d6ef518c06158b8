"""How steps are worded: regular expressions in which {job}, {state} and their like stand for what varies."""

import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pytest_bdd import parsers, step

from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.state import JobState

Params = ParamSpec("Params")
Result = TypeVar("Result")


def _unquoted(text: str) -> str:
    return text.strip('"')


def _names(text: str) -> list[str]:
    return re.findall(r'"([^"]+)"', text)


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(", ")]


def _outcomes(text: str) -> list[AttemptOutcome]:
    return [AttemptOutcome(name) for name in text.split(", ")]


def _states(text: str) -> list[JobState]:
    return [JobState(name) for name in text.split(", ")]


_VOCABULARY: dict[str, tuple[str, Callable[[str], object]]] = {
    "job": (r'"[^"]+"', _unquoted),
    "other": (r'"[^"]+"', _unquoted),
    "worker": (r'"[^"]+"', _unquoted),
    "quoted": (r'"[^"]+"', _unquoted),
    "jobs": (r'"[^"]+"(?:, "[^"]+")*|empty', _names),
    "count": (r"-?\d+", int),
    "lost": (r"\d+", int),
    "changes": (r"\d+", int),
    "seconds": (r"\d+(?:\.\d+)?", float),
    "waits": (r"\d[\d., ]*", _numbers),
    "state": (r"[A-Z]+", JobState),
    "states": (r"[A-Z]+(?:, [A-Z]+)*", _states),
    "outcomes": (r"[A-Z_]+(?:, [A-Z_]+)*", _outcomes),
    "refusal": (r"[a-z]+", str),
    "text": (r".+", str),
}
_CONVERTERS = {word: convert for word, (_, convert) in _VOCABULARY.items()}


def says(wording: str) -> Callable[[Callable[Params, Result]], Callable[Params, Result]]:
    """Bind a function to a step of any kind; its parameters are the words in braces."""
    pattern = re.sub(r"\{(\w+)\}", lambda match: f"(?P<{match[1]}>{_VOCABULARY[match[1]][0]})", wording)
    return step(parsers.re(pattern), converters=_CONVERTERS)


def rows_of(datatable: list[list[str]]) -> list[dict[str, str]]:
    """Read a table with a head."""
    head, *body = datatable
    return [dict(zip(head, cells, strict=True)) for cells in body]

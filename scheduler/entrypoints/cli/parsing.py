"""What arguments mean: moments, spans of time, payloads and labels."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

_UNITS: Mapping[str, timedelta] = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def parse_duration(text: str) -> timedelta:
    """Read `250ms`, `1.5h`, `1m30s` or a number of seconds; raise BadParameter."""
    try:
        if _SECONDS.fullmatch(text):
            return timedelta(seconds=float(text))
        if _DURATION.fullmatch(text):
            return sum((float(number) * _UNITS[unit] for number, unit in _PART.findall(text)), timedelta())
    except OverflowError as error:
        raise typer.BadParameter(f"{text!r} is too long") from error
    raise typer.BadParameter(f"{text!r} is no span of time; write 30s, 250ms, 1.5h or 1m30s")


def parse_moment(text: str) -> datetime:
    """Read an ISO 8601 time, UTC unless it has an offset, or `+30s` and `-2h` from now; raise BadParameter."""
    if text[:1] in {"+", "-"}:
        return _from_now(text)
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no time; write 2026-03-04T05:06:07Z or +30s") from error


def _from_now(text: str) -> datetime:
    span = parse_duration(text[1:])
    try:
        return datetime.now(UTC) + (span if text.startswith("+") else -span)
    except OverflowError as error:
        raise typer.BadParameter(f"{text!r} is too far away") from error


def parse_labels(pairs: Sequence[str]) -> Mapping[str, str]:
    """Read `key=value` pairs; raise BadParameter where one has no `=` or a key comes twice."""
    labels: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{pair!r} is no label; write key=value", param_hint="--label")
        if key in labels:
            raise typer.BadParameter(f"{key!r} comes twice", param_hint="--label")
        labels[key] = value
    return labels


def absolute_one_line_path(path: Path) -> Path:
    """Make the path absolute; raise BadParameter for one that PostgreSQL cannot use: not UTF-8, or several lines."""
    absolute = path.absolute()
    try:
        text = os.fsencode(absolute).decode()
    except UnicodeDecodeError as error:
        raise typer.BadParameter("the path is not valid UTF-8") from error
    if "\n" in text or "\r" in text:
        raise typer.BadParameter("the path must not hold line breaks")
    return absolute


def read_payload(source: str | None) -> str | None:
    """Return the text itself, that of `@file`, or that of standard input for `-`; raise BadParameter."""
    if source is None or not (source == "-" or source.startswith("@")):
        return source
    if source == "-" and sys.stdin is None:
        raise typer.BadParameter("standard input is closed", param_hint="--payload")
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source[1:]).read_bytes()
        return content.decode()
    except OSError as error:
        raise typer.BadParameter(f"{source[1:]}: {error.strerror}", param_hint="--payload") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{source}: not UTF-8", param_hint="--payload") from error

"""The file that lists the statements which jobs may run, each under a name."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from scheduler.adapters.handlers.db_tx.outline import outline_of
from scheduler.domain.errors import SchedulerError

_HEADER: Final = re.compile(r"--\s*name\s*:(.*)")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


class StatementsFileError(SchedulerError):
    """The file cannot be used; the message names the line."""


def read_statements(path: Path) -> Mapping[str, str]:
    """Read the statements by name: each follows a line `-- name: transfer`. Raises StatementsFileError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StatementsFileError(f"{path}: cannot be read: {reason}") from error
    statements: dict[str, str] = {}
    for number, name, sql in _sections(lines):
        if fault := _fault(name, sql, statements):
            raise StatementsFileError(f"{path}, line {number}: {fault}")
        statements[name] = sql
    if not statements:
        raise StatementsFileError(f"{path}: holds no statement: each must follow a line like `-- name: transfer`")
    return statements


def _sections(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield the number of the header's line, the name, and the text up to the next; text before all has no name."""
    number, name, text = 1, "", list[str]()
    for at, line in enumerate(lines, start=1):
        if header := _HEADER.fullmatch(line.strip()):
            if name or outline_of("\n".join(text)).statements:
                yield number, name, "\n".join(text).strip()
            number, name, text = at, header.group(1).strip(), []
            if not name:
                yield at, name, ""
        else:
            text.append(line)
    if name or outline_of("\n".join(text)).statements:
        yield number, name, "\n".join(text).strip()


def _fault(name: str, sql: str, earlier: Mapping[str, str]) -> str | None:
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name: begin with a letter and go on with letters, digits, `_`, `-` and `.`"
    if name in earlier:
        return f"the name {name!r} is taken"
    if "\0" in sql:
        return f"{name!r} holds the character NUL"
    fault = outline_of(sql).fault()
    return f"{name!r} {fault}" if fault else None

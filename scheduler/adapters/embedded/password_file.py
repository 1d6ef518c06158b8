"""Passwords of embedded servers, each in a file that its owner alone reads."""

import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scheduler.adapters.embedded.errors import EmbeddedServerError

PLAIN: Final = re.compile("[A-Za-z0-9_-]+")


def kept_password(file: Path, before_drawing: Callable[[], None] = lambda: None) -> str:
    """Return the password in the file, or draw one and keep it there; it needs no quoting anywhere.

    `before_drawing` makes the server forget the password before, so that a start that is killed here can be repeated.
    """
    if not file.exists():
        before_drawing()
        _write(file, secrets.token_urlsafe(32))
    password = file.read_text(encoding="utf-8").strip()
    if not PLAIN.fullmatch(password):
        raise EmbeddedServerError(f"the password in {file} must be of letters, digits, - and _: remove it to draw one")
    return password


def _write(file: Path, password: str) -> None:
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as text:
        text.write(f"{password}\n")
        text.flush()
        os.fsync(descriptor)
    draft.rename(file)

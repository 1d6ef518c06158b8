"""The level of the logs, which may change while a process runs: SIGHUP has LOG_LEVEL_FILE read again."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TextIO, get_args

import structlog

from scheduler.adapters.logging.configuration import configure_logging
from scheduler.entrypoints.settings import LogLevel, Settings, SettingsError

LEVELS = get_args(LogLevel)
STDERR = 2


def set_up_logging(settings: Settings) -> None:
    """Log from now on as the settings and the file say; a file that makes no sense must not keep a process down."""
    try:
        level, fault = _level(settings), None
    except SettingsError as error:
        level, fault = settings.log_level, error
    _configure(settings, level)
    if fault is not None:
        _complain(fault)


@contextmanager
def holding_back_reloads() -> Iterator[None]:
    """Keep SIGHUP waiting, also for a child that is started inside: it would end one that does not listen yet."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        accept_reloads()


def accept_reloads() -> None:
    """Take SIGHUP from now on, one that has come meanwhile first."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def reload_log_level(settings: Settings) -> None:
    """Read the file again; one that makes no sense changes nothing."""
    try:
        level = _level(settings)
    except SettingsError as error:
        _complain(error)
        return
    _configure(settings, level)
    structlog.get_logger("scheduler").info("log_level_read", log_level=level)


def _configure(settings: Settings, level: str) -> None:
    to_journal = settings.journal_stream is not None and settings.journal_stream == _identity_of_errors()
    configure_logging(
        level=level,
        log_format=settings.log_format,
        stream=_own_errors(),
        to_journal=to_journal,
        secrets=settings.secret_values,
    )


@cache
def _own_errors() -> TextIO:
    """Open standard error once more, for a handler may close what all can reach."""
    return os.fdopen(os.dup(STDERR), "w", buffering=1, encoding="utf-8", errors="backslashreplace")


def _complain(error: SettingsError) -> None:
    structlog.get_logger("scheduler").warning("log_level_not_changed", error=str(error))


def _identity_of_errors() -> str:
    """Name what standard error leads to, as systemd names what it reads into the journal."""
    status = os.fstat(STDERR)
    return f"{status.st_dev}:{status.st_ino}"


def _level(settings: Settings) -> str:
    """Return the level in the file; LOG_LEVEL when there is no file, or nothing in it."""
    try:
        word = "" if settings.log_level_file is None else settings.log_level_file.read_text().strip().upper()
    except FileNotFoundError:
        word = ""
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"LOG_LEVEL_FILE: cannot be read: {error}") from error
    if word and word not in LEVELS:
        raise SettingsError(f"LOG_LEVEL_FILE: holds none of {', '.join(LEVELS)}")
    return word or settings.log_level

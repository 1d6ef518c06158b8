"""The level of the logs, which may change while a process runs: SIGHUP has LOG_LEVEL_FILE read again."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

import structlog

from scheduler.adapters.logging.configuration import configure_logging
from scheduler.entrypoints.settings import LogLevel, Settings, SettingsError

LEVELS = get_args(LogLevel)


def set_up_logging(settings: Settings) -> None:
    """Log from now on as the settings and the file say. Raises SettingsError."""
    configure_logging(
        level=_level(settings),
        log_format=settings.log_format,
        to_journal=settings.journal_stream == _identity_of_errors(),
    )


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
    log = structlog.get_logger("scheduler")
    try:
        set_up_logging(settings)
    except SettingsError as error:
        log.warning("log_level_not_changed", error=str(error))
    else:
        log.info("log_level_read", log_level=_level(settings))


def _identity_of_errors() -> str:
    """Name what standard error leads to, as systemd names what it reads into the journal."""
    status = os.fstat(sys.stderr.fileno())
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

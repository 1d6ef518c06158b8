"""A handler process's way to its worker: messages, log lines and progress, from any thread."""

import logging
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self

from scheduler.adapters.handlers.process.protocol import (
    LENGTH,
    MAX_REQUEST_BYTES,
    Level,
    LogLine,
    ProgressLine,
    Reply,
    check_length,
    encode,
)
from scheduler.application.ports.handlers import HandlerLog, SilentLog
from scheduler.domain.text import clean_text

MAX_LOG_BYTES = 64 * 1024
PROGRESS_SECONDS = 0.1
"""At most one note in this time; the newest is never left out."""


class Channel:
    """The socket to the worker."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Reply) -> None:
        """Send one message; waits while the worker is slow."""
        self.send_encoded(encode(message))

    def send_encoded(self, data: bytes) -> None:
        """Send what `encode` gave; in vain when the worker listens no longer."""
        with self._lock, suppress(OSError):
            self._connection.sendall(data)

    def receive(self) -> bytes | None:
        """Wait for the next message; None when there will be no other."""
        prefix = self._read(LENGTH.size)
        return self._read(check_length(prefix, MAX_REQUEST_BYTES)) if prefix else None

    def _read(self, size: int) -> bytes:
        """Return so many bytes, or none at the end."""
        data = bytearray()
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                return b""
            data += part
        return bytes(data)


class RelayedLog(HandlerLog):
    """Sends each line to the worker, which writes it as it writes its own."""

    def __init__(self, channel: Channel, level: int, fields: Mapping[str, object] | None = None) -> None:
        self._channel = channel
        self._level = level
        self._fields = fields or {}

    def bind(self, **fields: object) -> Self:
        """Return a log that adds these fields."""
        return type(self)(self._channel, self._level, {**self._fields, **fields})

    def debug(self, event: str, **fields: object) -> None:
        """Send it."""
        self._send(logging.DEBUG, "debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Send it."""
        self._send(logging.INFO, "info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Send it."""
        self._send(logging.WARNING, "warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Send it."""
        self._send(logging.ERROR, "error", event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """Send it with the traceback of the exception that is being handled."""
        if sys.exception() is not None:
            fields.setdefault("exception", traceback.format_exc())
        self.error(event, **fields)

    def _send(self, number: int, level: Level, event: str, fields: Mapping[str, object]) -> None:
        if number >= self._level:
            self._channel.send_encoded(_fitting(level, event, {**self._fields, **fields}))


class RelayedRecords(logging.Handler):
    """Sends what handlers log by the standard library, as lines of the attempt that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.log: HandlerLog = SilentLog()

    def emit(self, record: logging.LogRecord) -> None:
        """Send it under the name of its logger."""
        try:
            fields: dict[str, object] = {"source": record.name}
            if record.exc_info:
                fields["exception"] = "".join(traceback.format_exception(*record.exc_info))
            self._write(record.levelno)(record.getMessage(), **fields)
        except Exception:  # noqa: BLE001 - as handlers of the library do
            self.handleError(record)

    def _write(self, level: int) -> Callable[..., None]:
        if level >= logging.ERROR:
            return self.log.error
        if level >= logging.WARNING:
            return self.log.warning
        return self.log.info if level >= logging.INFO else self.log.debug


class ProgressRelay(threading.Thread):
    """Sends the newest progress, now and then."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(name="progress", daemon=True)
        self._channel = channel
        self._latest: ProgressLine | None = None
        self._noted = threading.Event()
        self._lock = threading.Lock()

    def note(self, progress: ProgressLine) -> None:
        """Replace what was not sent yet."""
        with self._lock:
            self._latest = progress
            if not self.is_alive():
                self.start()
        self._noted.set()

    def flush(self) -> None:
        """Send what was not sent yet."""
        with self._lock:
            latest, self._latest = self._latest, None
            if latest is not None:
                self._channel.send(latest)

    def run(self) -> None:
        """Send for as long as the process lives."""
        while True:
            self._noted.wait()
            self._noted.clear()
            self.flush()
            time.sleep(PROGRESS_SECONDS)


def _fitting(level: Level, event: str, fields: Mapping[str, object]) -> bytes:
    data = encode(LogLine(level=level, event=event, fields=fields))
    if len(data) <= MAX_LOG_BYTES:
        return data
    short = {name: clean_text(str(value), 1024) for name, value in list(fields.items())[:16]}
    return encode(LogLine(level=level, event=clean_text(event, 1024), fields={**short, "shortened": True}))

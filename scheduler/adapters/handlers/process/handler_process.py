"""One handler process, as its worker sees it."""

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Self

from scheduler.adapters.handlers.process.errors import ProcessDiedError, ProcessNotStartedError
from scheduler.adapters.handlers.process.protocol import (
    LENGTH,
    MAX_REPLY_BYTES,
    Failed,
    LogLine,
    Outcome,
    ProgressLine,
    ProtocolError,
    Reply,
    Request,
    Setup,
    Succeeded,
    check_length,
    decode_reply,
    encode,
)
from scheduler.adapters.handlers.process.spawned_process import SpawnedProcess
from scheduler.application.ports.handlers import JobContext

_CHILD = "scheduler.adapters.handlers.process.child"
LAST_WORDS_SECONDS = 1.0
"""How long what a process said before its end may take to arrive, when a process of its own keeps the socket open."""
ASK_AGAIN_SECONDS = 0.5
"""Between two requests to end."""
DEATH_SECONDS = 2.0
"""How long a process that closed its socket may take to end."""


class HandlerProcess:
    """Runs one attempt at a time. Made by `start`, ended by `end`; both must be seen through."""

    def __init__(
        self,
        process: SpawnedProcess,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        lifeline: int,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._lifeline = lifeline
        self._context: JobContext | None = None
        self._outcome: asyncio.Future[Outcome | ProtocolError | ProcessDiedError] | None = None
        self._exit = process.exit_code
        self._exit.add_done_callback(self._hang_up_soon)
        self.attempts = 0
        """How many have begun here."""
        self.silence = asyncio.ensure_future(self._listen())
        """Is done when the process will say nothing more."""

    @classmethod
    async def start(cls) -> Self:
        """Start a process, in a session of its own; raise ProcessNotStartedError."""
        try:
            return cls(*await _open())
        except OSError as error:
            raise ProcessNotStartedError(f"cannot start a process for the handler: {error}") from error

    @property
    def pid(self) -> int:
        """Return the process id, which is its process group's too."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Tell whether it can run another attempt."""
        return not self.silence.done() and not self._exit.done()

    async def perform(self, request: Request, context: JobContext) -> Outcome:
        """Run an attempt; raise ProcessDiedError or ProtocolError when it has no outcome."""
        self.attempts += 1
        self._context = context
        self._outcome = asyncio.get_running_loop().create_future()
        if not self.silence.done():
            self._writer.write(encode(replace(request, number=self.attempts)))
            outcome = await self._outcome
            if isinstance(outcome, Succeeded | Failed):
                return outcome
            if isinstance(outcome, ProtocolError):
                raise outcome
        raise ProcessDiedError(await self._exit_code(DEATH_SECONDS))

    async def end(self, *, grace: float, by_signal: bool) -> None:
        """Ask the process to end, by SIGTERM or by having nothing more for it; kill what is left after the grace."""
        try:
            if by_signal:
                await self._insist(grace)
            else:
                self._finish_writing()
                await self._exit_code(grace)
        finally:
            self._kill_group()
            await self._exit
            self._writer.close()
            os.close(self._lifeline)
            self.silence.cancel()

    async def _listen(self) -> None:
        """Hear the process until it ends; also after an attempt was given up, so that its clean-up is not held up."""
        try:
            while True:
                self._hear(await self._read())
        except (OSError, asyncio.IncompleteReadError):
            return
        except ProtocolError as error:
            self._settle(error)
        finally:
            # Whatever else it was, nobody listens any more.
            self._settle(ProcessDiedError(None))
            self._writer.close()

    def _settle(self, outcome: Outcome | ProtocolError | ProcessDiedError) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(outcome)

    async def _read(self) -> Reply:
        length = check_length(await self._reader.readexactly(LENGTH.size), MAX_REPLY_BYTES)
        return decode_reply(await self._reader.readexactly(length))

    def _hear(self, reply: Reply) -> None:
        if self._context is None:
            raise ProtocolError("the handler's process talked before it had an attempt")
        if isinstance(reply, LogLine):
            _log(reply, self._context)
        elif reply.number != self.attempts:
            # A thread that an earlier attempt left behind.
            return
        elif isinstance(reply, ProgressLine):
            self._context.progress(reply.percent, reply.message)
        else:
            self._settle(reply)

    def _hang_up_soon(self, _exit: asyncio.Future[int]) -> None:
        """Hear what was said before the end, but do not wait for processes that it left behind."""
        asyncio.get_running_loop().call_later(LAST_WORDS_SECONDS, self._writer.close)

    async def _exit_code(self, seconds: float) -> int | None:
        """Return the exit code when the process ends within the time."""
        await asyncio.wait([self._exit], timeout=seconds)
        return self._exit.result() if self._exit.done() else None

    async def _insist(self, seconds: float) -> None:
        """Send SIGTERM until the process ends: one that comes just before a system call does not end that call."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while not self._exit.done() and (left := deadline - clock()) > 0:
            self._process.terminate()
            await self._exit_code(min(left, ASK_AGAIN_SECONDS))

    def _finish_writing(self) -> None:
        if not self.silence.done():
            with suppress(OSError):
                self._writer.write_eof()

    def _kill_group(self) -> None:
        """Kill the process and all that it started."""
        # While one of the group lives, its number cannot be another's; and between its end and this no time passes.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


async def _open() -> tuple[SpawnedProcess, asyncio.StreamReader, asyncio.StreamWriter, int]:
    """Start a process; return it, the socket to it, and the end of its lifeline that only this process may have."""
    with ExitStack() as theirs, ExitStack() as ours:
        socket_here, socket_there = socket.socketpair()
        theirs.callback(socket_there.close)
        ours.callback(socket_here.close)
        lifeline_there, lifeline = os.pipe()
        theirs.callback(os.close, lifeline_there)
        ours.callback(os.close, lifeline)
        descriptors = (socket_there.fileno(), lifeline_there)
        process = await SpawnedProcess.start(_CHILD, [*map(str, descriptors), str(os.getpid())], descriptors)
        reader, writer = await asyncio.open_unix_connection(sock=socket_here)
        writer.write(encode(Setup(path=sys.path, log_level=logging.getLogger().getEffectiveLevel())))
        ours.pop_all()
    return process, reader, writer, lifeline


def _log(line: LogLine, context: JobContext) -> None:
    log = context.log
    write = {"debug": log.debug, "info": log.info, "warning": log.warning, "error": log.error}[line.level]
    # Bound under such a name, a field gives way to the event, as in the worker.
    write(line.event, **{name: value for name, value in line.fields.items() if name not in {"self", "event"}})

"""Answers that their clients have not read: gRPC keeps each in memory until its client has made room for it."""

import asyncio
from contextlib import suppress

from scheduler.adapters.grpc.limits import KIB, Cap, hang_up
from scheduler.application.ports.telemetry import RpcTelemetry

LARGE_BYTES = 16 * KIB
MAX_UNREAD_BYTES = 64 * 1024 * KIB
READ_SECONDS = 30.0


class UnreadAnswers:
    """Bounds the bytes of large answers under way, and hangs up on a client that does not read one in time."""

    def __init__(self, *, share: float, telemetry: RpcTelemetry) -> None:
        self._cap = Cap("unread answers", MAX_UNREAD_BYTES, share=share, telemetry=telemetry)
        self._telemetry = telemetry

    def note(self, size: int, peer: str) -> None:
        """Count an answer until the call whose task this is has ended. Raises CapReachedError."""
        task = asyncio.current_task()
        if size <= LARGE_BYTES or task is None:
            return
        host = self._cap.take(peer, size)
        overdue = asyncio.get_running_loop().call_later(READ_SECONDS, self._end, peer)

        def is_over(_: object) -> None:
            overdue.cancel()
            self._cap.give_back(host, size)

        task.add_done_callback(is_over)

    def _end(self, peer: str) -> None:
        self._telemetry.limited("unread answers in time")
        with suppress(OSError, ValueError):
            hang_up(peer)

"""An embedded server that is started again when it ends by itself."""

from collections.abc import Callable

from scheduler.adapters.embedded import EmbeddedServer, EmbeddedServerError
from scheduler.entrypoints.pauses import Pauses

MOST_FAILURES = 5
"""So many short runs, or starts that failed, one after another are tried: for some 15 s."""


class KeptServer:
    """Keeps a server running, on the same data and the same port."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server = server
        self._pauses = Pauses()
        self._exit_code = 0

    def start(self) -> None:
        """Start it; raise EmbeddedServerError."""
        self._pauses.note_start()
        self._server.start()

    def restart_if_dead(self, report: Callable[[EmbeddedServer, int], None]) -> None:
        """Start it again if it ended by itself; raise EmbeddedServerError when it does so again and again.

        `report` gets its exit code, once it serves.
        """
        if self._server.is_alive() or not self._pauses.are_over():
            return
        self._pauses.note_end()
        self._note_exit()
        try:
            self.start()
        except EmbeddedServerError:
            # What is in its way, such as a full disk, may pass.
            if self._pauses.failures >= MOST_FAILURES:
                raise
        else:
            report(self._server, self._exit_code)

    def _note_exit(self) -> None:
        code = self._server.exit_code()
        if code is None:
            # The last start failed.
            return
        self._exit_code = code
        if self._pauses.failures > MOST_FAILURES:
            raise EmbeddedServerError(
                f"{self._server.name} ended {self._pauses.failures} times soon after its start, "
                f"at last with exit code {code}; its log is {self._server.log}"
            )

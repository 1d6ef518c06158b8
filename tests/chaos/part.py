"""One process of the fleet, and what can be done to it."""

import os
import signal
import threading
from dataclasses import dataclass, field

from scheduler.entrypoints.children import Child
from tests.chaos.diary import Diary, Did
from tests.chaos.network import Link

CANNOT_START = "scheduler: store is unavailable"


@dataclass(kw_only=True)
class Part:
    """A process behind links of its own. Threads that change it take turns: they hold `lock`."""

    child: Child
    metrics_port: int
    sql: Link
    redis: Link
    diary: Diary
    wanted: bool = False
    """It should run: whoever watches may start it again when it ends."""
    paused: bool = field(default=False, init=False)
    lock: threading.RLock = field(default_factory=threading.RLock, init=False)

    @property
    def name(self) -> str:
        return self.child.name

    @property
    def is_running(self) -> bool:
        return self.child.pid is not None and self.child.exit_code() is None

    def start(self) -> None:
        with self.lock:
            if not self.is_running:
                self.child.start()
                self._note(Did.STARTED)
            self.wanted = True

    def kill(self) -> None:
        """End it at whatever instruction it is."""
        with self.lock:
            self.wanted = False
            if self.is_running:
                self._signal(signal.SIGKILL)
                self.child.await_end()
                self._note(Did.KILLED)
            self.paused = False

    def pause(self) -> None:
        if self.is_running and not self.paused:
            self._note(Did.PAUSED)
            self._signal(signal.SIGSTOP)
            self.paused = True

    def resume(self) -> None:
        if self.paused:
            self._signal(signal.SIGCONT)
            self.paused = False
            self._note(Did.RESUMED)

    def ask_to_stop(self) -> None:
        self.wanted = False
        self.resume()
        if self.is_running:
            self._note(Did.ASKED_TO_STOP)
            self.child.ask_to_stop()

    def stop(self) -> int | None:
        """Stop it in peace; return its exit code."""
        with self.lock:
            was_running = self.is_running
            self.ask_to_stop()
            self.child.await_end()
            if was_running:
                self._note(Did.STOPPED, f"exit code {self.child.exit_code()}")
            return self.child.exit_code()

    def restart_if_dead(self) -> None:
        """Start it again if it ended although it should run; leave it alone while another thread changes it."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            code = self.child.exit_code()
            if self.wanted and code is not None:
                self._note(Did.ENDED if self._was_ready() else Did.NOT_STARTED, f"exit code {code}")
                self.paused = False
                self.child.await_end()  # closes its pipe
                self.start()
        finally:
            self.lock.release()

    def _was_ready(self) -> bool:
        """Tell whether it ended after its start: one that cannot start says why in its last words."""
        assert self.child.log is not None
        last = self.child.log.read_bytes()[-4000:].decode(errors="replace").rstrip().rpartition("\n")[2]
        return not last.startswith(CANNOT_START)

    def heal(self) -> None:
        for link in (self.sql, self.redis):
            link.heal()

    def _signal(self, number: signal.Signals) -> None:
        if self.is_running and self.child.pid is not None:
            os.kill(self.child.pid, number)

    def _note(self, did: Did, detail: str = "") -> None:
        self.diary.note(did, self.name, pid=self.child.pid or 0, detail=detail)

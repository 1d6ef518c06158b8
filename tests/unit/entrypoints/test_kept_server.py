"""An embedded server that ends by itself is started again, unless that is hopeless."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from scheduler.adapters.embedded import EmbeddedServerError, EmbeddedValkey
from scheduler.entrypoints import pauses
from scheduler.entrypoints.kept_server import MOST_FAILURES, KeptServer

KILLED = 137


class Server(EmbeddedValkey):
    """Starts as often as it may, and is dead at once."""

    def __init__(self, starts: int) -> None:
        super().__init__(Path("data"))
        self.starts = starts
        self._ended: int | None = None

    def start(self) -> None:
        self._ended = None
        if self.starts == 0:
            raise EmbeddedServerError("no space left")
        self.starts -= 1
        self._ended = KILLED

    def is_alive(self) -> bool:
        return False

    def exit_code(self) -> int | None:
        return self._ended


class Keeper:
    """Looks after a server for as long as it takes."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        self.reported: list[int] = []
        monkeypatch.setattr(pauses, "time", SimpleNamespace(monotonic=lambda: self.seconds))
        self._kept = KeptServer(server)
        self._kept.start()

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.seconds += 0.1
            self._kept.restart_if_dead(lambda _, code: self.reported.append(code))


def test_it_is_given_up_when_it_ends_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(Server(starts=100), monkeypatch)

    with pytest.raises(EmbeddedServerError, match=r"Valkey ended 6 times soon after .* exit code 137; its log is "):
        keeper.pass_time(60)

    assert keeper.reported == [KILLED] * MOST_FAILURES
    assert keeper.seconds < 1020 + pauses.FIRST_PAUSE_SECONDS * 2**MOST_FAILURES


def test_it_is_given_up_with_the_reason_for_which_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(Server(starts=1), monkeypatch)

    with pytest.raises(EmbeddedServerError, match="no space left"):
        keeper.pass_time(60)

    assert keeper.reported == []


def test_what_is_in_its_way_may_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(starts=1)
    keeper = Keeper(server, monkeypatch)
    keeper.pass_time(4)

    server.starts = 1
    keeper.pass_time(4)

    assert keeper.reported == [KILLED]


def test_one_that_ends_now_and_then_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(Server(starts=100), monkeypatch)

    for _ in range(4 * MOST_FAILURES):
        keeper.seconds += pauses.STEADY_SECONDS
        keeper.pass_time(0.1)

    assert keeper.reported == [KILLED] * 4 * MOST_FAILURES

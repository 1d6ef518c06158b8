"""Processes of ours are started, watched, started again and stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from scheduler.entrypoints import children, pauses
from scheduler.entrypoints.children import Child, restart_dead, stop_all
from scheduler.entrypoints.pauses import Pauses
from tests.unit.entrypoints.processes import eventually

MODULE = "tests.unit.entrypoints.child"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pauses, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


@pytest.fixture(autouse=True)
def _children_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.fixture
def started() -> Iterator[list[Child]]:
    """Collect children that are not to outlive the test."""
    running: list[Child] = []
    yield running
    stop_all(running, 0)


def child(mode: str, mark: Path, *, failures: int = 0, log: Path | None = None) -> Child:
    return Child(name=mode, arguments=[mode, str(mark)], module=MODULE, log=log, _pauses=Pauses(failures))


def says(mark: Path, word: str) -> bool:
    return mark.exists() and mark.read_text() == word


def test_children_stop_when_they_are_asked(mark: Path, started: list[Child]) -> None:
    one = child("live", mark)
    assert (one.pid, one.exit_code()) == (None, None)
    one.start()
    started.append(one)
    eventually(lambda: says(mark, "up"))
    assert one.exit_code() is None
    stop_all([one])
    assert one.exit_code() == 5
    stop_all([one])


def test_a_child_that_was_never_started_needs_no_stop(mark: Path) -> None:
    stop_all([child("live", mark)])
    assert not mark.exists()


def test_children_that_do_not_stop_in_their_common_time_are_killed(tmp_path: Path, started: list[Child]) -> None:
    marks = [tmp_path / "one", tmp_path / "other"]
    for each in marks:
        started.append(child("deaf", each))
        started[-1].start()
    eventually(lambda: all(says(each, "up") for each in marks))
    begun = time.monotonic()
    stop_all(started, 0.4)
    took = time.monotonic() - begun
    assert [each.exit_code() for each in started] == [-signal.SIGKILL] * 2
    assert took >= 0.4


def test_the_second_child_waits_no_longer_than_what_the_first_left(monkeypatch: pytest.MonkeyPatch, mark: Path) -> None:
    clock, waited = Clock(), list[float]()

    def await_end(_: Child, seconds: float) -> None:
        waited.append(seconds)
        clock.seconds += 40

    monkeypatch.setattr(children, "time", SimpleNamespace(monotonic=clock.monotonic))
    monkeypatch.setattr(Child, "await_end", await_end)
    stop_all([child("live", mark) for _ in range(3)], 60)
    assert waited == [60, 20, 0]


def test_a_dead_child_is_started_again_after_longer_and_longer_pauses(
    mark: Path, clock: Clock, started: list[Child]
) -> None:
    one = child("crash", mark)
    one.start()
    started.append(one)
    reported: list[int] = []
    for pause in (0.5, 1.0, 2.0):
        eventually(lambda: one.exit_code() is not None)
        clock.seconds += pause - 0.01
        restart_dead([one], lambda _, code: reported.append(code))
        before = len(reported)
        clock.seconds += 0.02
        restart_dead([one], lambda _, code: reported.append(code))
        assert len(reported) == before + 1
    eventually(lambda: one.exit_code() is not None)
    assert reported == [3, 3, 3]
    assert mark.read_text() == "...."


def test_a_child_that_says_at_once_that_it_fails_could_not_start(
    mark: Path, clock: Clock, started: list[Child]
) -> None:
    one = child("fail", mark)
    one.start()
    started.append(one)
    eventually(lambda: one.exit_code() is not None)
    assert one.could_not_start()
    clock.seconds += 60
    assert not one.could_not_start()


def test_a_child_that_crashes_is_worth_another_start(mark: Path, started: list[Child]) -> None:
    one = child("crash", mark)
    one.start()
    started.append(one)
    eventually(lambda: one.exit_code() is not None)
    assert not one.could_not_start()


def test_a_child_that_fails_after_an_earlier_run_is_worth_another_start(mark: Path, started: list[Child]) -> None:
    one = child("fail", mark)
    one.start()
    started.append(one)
    eventually(lambda: one.exit_code() is not None)
    one.restart()
    eventually(lambda: one.exit_code() is not None)
    assert not one.could_not_start()


def test_a_child_that_lives_is_left_alone(mark: Path, clock: Clock, started: list[Child]) -> None:
    one = child("live", mark)
    one.start()
    started.append(one)
    clock.seconds += 1e6
    pid = one.pid
    restart_dead([one], lambda *_: None)
    assert one.pid == pid


@pytest.mark.parametrize(("failures", "pause"), [(0, 0.5), (5, 16), (6, 30), (5000, 30)])
def test_the_pause_has_a_limit_however_often_a_child_died(
    failures: int, pause: float, mark: Path, clock: Clock, started: list[Child]
) -> None:
    one = child("crash", mark, failures=failures)
    one.start()
    started.append(one)
    clock.seconds += pause - 0.01
    assert not one.is_due()
    clock.seconds += 0.01
    assert one.is_due()


def test_a_child_that_lived_for_long_is_started_at_once_and_its_pauses_begin_anew(
    mark: Path, clock: Clock, started: list[Child]
) -> None:
    one = child("crash", mark, failures=9)
    one.start()
    started.append(one)
    eventually(lambda: one.exit_code() is not None)
    clock.seconds += 60
    assert one.is_due()
    one.restart()
    clock.seconds += 0.5
    assert one.is_due()


def test_the_output_of_a_child_goes_to_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for _ in range(2):
        one = Child(name="x", arguments=["nonsense", "x"], module=MODULE, log=log)
        one.start()
        one.await_end()
    assert log.read_text().count("KeyError: 'nonsense'") == 2


def test_children_of_a_killed_parent_stop_by_themselves(mark: Path) -> None:
    with subprocess.Popen([sys.executable, "-m", MODULE, "parent", str(mark)]) as parent:
        eventually(lambda: says(mark, "up"))
        os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: says(mark, "stopped by itself"))

"""A thread of its own tells of loops that stand still."""

import threading
from collections.abc import Sequence

import pytest
import structlog
from structlog.testing import capture_logs

from scheduler.application.ports.health import Progress
from scheduler.entrypoints import stalls
from scheduler.entrypoints.stalls import StallReports, stalls_reported
from tests.unit.entrypoints.processes import eventually


class Loops(Progress):
    def __init__(self, *stuck: str) -> None:
        self.now: Sequence[str] = stuck

    def beat(self, loop: str) -> None:
        self.now = [stuck for stuck in self.now if stuck != loop]

    def stuck(self) -> Sequence[str]:
        return self.now


def test_it_tells_once_which_loops_are_stuck_where_they_stand_and_that_they_go_on() -> None:
    loops = Loops("claim")
    reports = StallReports(loops)
    with capture_logs() as lines:
        reports.look()
        reports.look()
        loops.beat("claim")
        reports.look()
        reports.look()

    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("process_stuck", "error"),
        ("process_recovered", "info"),
    ]
    assert lines[0]["loops"] == ["claim"]
    assert lines[0]["stacks"]["MainThread"][-1].endswith("_stacks")


def test_it_says_in_which_function_the_main_thread_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "CHECK_SECONDS", 0.01)
    told = threading.Event()
    lines: list[structlog.typing.EventDict] = []

    def note(_log: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        lines.append(line)
        told.set()
        raise structlog.DropEvent

    def a_handler_that_blocks() -> None:
        assert told.wait(10)

    before = structlog.get_config()
    structlog.configure(processors=[note], cache_logger_on_first_use=False)
    try:
        with stalls_reported(Loops("event_loop")):
            a_handler_that_blocks()
    finally:
        structlog.configure(**before)

    (line,) = lines
    assert any(entry.endswith(" a_handler_that_blocks") for entry in line["stacks"]["MainThread"])
    eventually(lambda: "stalls" not in {thread.name for thread in threading.enumerate()})

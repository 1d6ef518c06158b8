import weakref
from pathlib import Path

import pytest

from scheduler.adapters.system import memory
from scheduler.adapters.system.memory import SystemMemory


def test_what_is_taken_counts() -> None:
    before = SystemMemory().resident_megabytes()

    taken = b"x" * (64 * 1024 * 1024)

    assert before > 0
    assert SystemMemory().resident_megabytes() - before > len(taken) // (2 * 1024 * 1024)


def test_what_only_holds_itself_is_freed() -> None:
    class Circle:
        def __init__(self) -> None:
            self.self = self

    circle = Circle()
    trace = weakref.ref(circle)
    del circle

    SystemMemory().collect()

    assert trace() is None


def test_where_there_is_no_proc_the_most_that_was_taken_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SystemMemory().resident_megabytes()
    monkeypatch.setattr(memory, "_STATM", Path("/no/such/file"))

    assert SystemMemory().resident_megabytes() >= now

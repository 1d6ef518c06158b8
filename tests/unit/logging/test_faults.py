from datetime import timedelta

from scheduler.adapters.logging.faults import LoggedFaults
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.application.errors import StoreUnavailableError
from tests.support.builders import SECOND
from tests.unit.logging.captured import Lines

ERROR = StoreUnavailableError("connection refused")


class Faults:
    """The unit under test with all that surrounds it."""

    def __init__(self) -> None:
        self.lines = Lines()
        self.clock = FixedClock()
        self.following = RecordingTelemetry()
        self.faults = LoggedFaults(self.lines.log(), clock=self.clock, following=self.following)

    def repeat(self, event: str, times: int) -> None:
        for _ in range(times):
            self.faults.fault(event, ERROR)


def test_a_known_fault_is_one_warning_without_a_traceback() -> None:
    given = Faults()

    given.faults.fault("claim_failed", ERROR, retry_in=timedelta(seconds=1.5))

    assert given.lines.only() == {
        "log_level": "warning",
        "event": "claim_failed",
        "error_type": "StoreUnavailableError",
        "error": "store is unavailable: connection refused",
        "retry_in_seconds": 1.5,
    }


def test_a_surprise_is_an_error_with_its_traceback() -> None:
    given = Faults()
    error = KeyError("x")

    given.faults.fault("claim_failed", error)

    assert given.lines.only()["log_level"] == "error"
    assert given.lines.only()["exc_info"] is error


def test_a_long_error_is_cut() -> None:
    given = Faults()

    given.faults.fault("claim_failed", OSError("x" * 10_000))

    assert given.lines.only()["error"] == "x" * 500


def test_a_storm_of_the_same_fault_is_told_less_and_less_often_with_a_count_of_the_rest() -> None:
    given = Faults()
    told_at = []

    for second in range(100):
        before = len(given.lines.entries)
        given.repeat("claim_failed", 10)
        told_at += [second] * (len(given.lines.entries) - before)
        given.clock.advance(SECOND)

    assert told_at == [0, 1, 3, 7, 15, 31, 61, 91]
    assert [line.get("left_out", 0) for line in given.lines.entries] == [0, 9, 19, 39, 79, 159, 299, 299]


def test_a_fault_that_comes_back_is_news() -> None:
    given = Faults()

    for _ in range(3):
        given.repeat("claim_failed", 1)
        given.clock.advance(11 * SECOND)
        given.repeat("claim_failed", 2)
        given.clock.advance(SECOND)
        given.repeat("claim_failed", 1)
        given.clock.advance(11 * SECOND)

    assert len(given.lines.entries) == 9


def test_no_surprise_is_left_out_but_its_traceback_may_be() -> None:
    given = Faults()
    errors = [KeyError(n) for n in range(3)]

    for error in errors:
        given.faults.fault("rpc_failed", error)

    assert [line["error"] for line in given.lines.entries] == ["0", "1", "2"]
    assert [line["exc_info"] for line in given.lines.entries] == [errors[0], None, None]


def test_one_error_does_not_silence_another_under_the_same_event() -> None:
    given = Faults()

    given.faults.fault("claim_failed", ERROR)
    given.faults.fault("claim_failed", OSError("disk full"))

    assert len(given.lines.entries) == 2


def test_one_event_does_not_silence_another() -> None:
    given = Faults()

    given.repeat("claim_failed", 2)
    given.repeat("flush_failed", 2)

    assert given.lines.events() == [("warning", "claim_failed"), ("warning", "flush_failed")]


def test_what_is_left_out_of_the_log_is_counted_all_the_same() -> None:
    given = Faults()

    given.repeat("claim_failed", 3)

    assert given.following.faults == [("claim_failed", ERROR)] * 3


def test_degradation_is_logged_when_it_begins_and_when_it_ends() -> None:
    given = Faults()

    for is_degraded in (False, True, True, False, False, True):
        given.faults.degraded("queue", is_degraded=is_degraded)

    assert given.lines.events() == [("warning", "degraded"), ("info", "recovered"), ("warning", "degraded")]
    assert given.lines.entries[0]["part"] == "queue"
    assert given.following.degraded_parts == {"queue"}

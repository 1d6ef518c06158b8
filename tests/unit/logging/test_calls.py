import logging
from collections.abc import Iterable

from scheduler.adapters.logging.calls import LoggedCalls
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from tests.unit.logging.captured import Lines

PEER = "ipv4:192.0.2.7:50000"


def logged(calls: Iterable[tuple[str, str]], *, sample: int, level: int = logging.INFO) -> list[tuple[str, str]]:
    """Method and status of each line that these calls leave."""
    lines = Lines()
    log = LoggedCalls(lines.log(level), sample=sample, following=RecordingTelemetry())
    for method, status in calls:
        log.rpc_ended(method, status, 0.001, peer=PEER)
    return [(line["method"], line["status"]) for line in lines.entries]


def test_a_line_says_which_call_of_whom_ended_how_and_after_how_long() -> None:
    lines = Lines()

    LoggedCalls(lines.log(), sample=1, following=RecordingTelemetry()).rpc_ended("GetJob", "OK", 0.12345678, peer=PEER)

    assert lines.only() == {
        "log_level": "info",
        "event": "rpc_ended",
        "method": "GetJob",
        "status": "OK",
        "seconds": 0.123457,
        "peer": PEER,
    }


def test_without_a_sample_nothing_is_logged() -> None:
    assert logged([("GetJob", "OK"), ("GetJob", "INTERNAL")], sample=0) == []


def test_a_sample_of_one_logs_every_call() -> None:
    assert len(logged([("GetJob", "OK")] * 5, sample=1)) == 5


def test_of_the_calls_that_end_well_the_first_of_each_sample_is_logged() -> None:
    assert len(logged([("GetJob", "OK")] * 6, sample=3)) == 2
    assert len(logged([("GetJob", "OK")] * 7, sample=3)) == 3


def test_a_seldom_method_shows_beside_one_that_is_called_all_the_time() -> None:
    calls = [("GetJob", "OK")] * 10 + [("RequeueJobs", "OK")]

    assert logged(calls, sample=1000) == [("GetJob", "OK"), ("RequeueJobs", "OK")]


def test_every_call_that_ends_in_an_error_is_logged_and_none_counts_for_the_sample() -> None:
    calls = [("GetJob", "NOT_FOUND")] * 5 + [("GetJob", "OK"), ("GetJob", "UNAVAILABLE"), ("GetJob", "OK")]

    assert logged(calls, sample=1000) == [*calls[:6], calls[6]]


def test_a_louder_level_silences_it() -> None:
    assert logged([("GetJob", "OK")], sample=1, level=logging.WARNING) == []


def test_every_call_is_passed_on() -> None:
    following = RecordingTelemetry()

    for sample in (0, 1, 2):
        calls = LoggedCalls(Lines().log(), sample=sample, following=following)
        calls.rpc_ended("GetJob", "OK", 0.1, peer=PEER)
        calls.rpc_ended("GetJob", "OK", 0.1, peer=PEER)

    assert following.calls == [("GetJob", "OK")] * 6

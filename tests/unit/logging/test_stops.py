from datetime import timedelta

from scheduler.adapters.logging.stops import LoggedStops
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.domain.state import JobState
from tests.support.builders import a_job
from tests.unit.logging.captured import Lines


def test_handlers_that_do_not_end_are_logged_with_their_job_and_passed_on() -> None:
    lines, following = Lines(), RecordingTelemetry()
    stops = LoggedStops(lines.log(), following=following)
    job = a_job(JobState.RUNNING, type="email.send")
    named = {
        "job_id": str(job.id),
        "job_type": "email.send",
        "attempt": job.attempts,
        "fence": job.version,
        "worker_id": str(job.worker_id),
    }

    stops.handler_abandoned(job, alive=2)
    stops.abandoned_handler_ended(job, alive=1)
    stops.worn_out(alive=4)
    stops.grown(megabytes=900)

    assert lines.entries == [
        {"log_level": "warning", "event": "handler_abandoned", "alive": 2, **named},
        {"log_level": "info", "event": "abandoned_handler_ended", "alive": 1, **named},
        {"log_level": "critical", "event": "worker_worn_out", "abandoned_handlers": 4},
        {"log_level": "critical", "event": "worker_worn_out", "megabytes": 900},
    ]
    assert (following.abandoned, following.abandoned_alive, following.wear) == ([job], [2, 1], [4, 900])


def test_a_cancel_is_normal_and_only_passed_on() -> None:
    lines, following = Lines(), RecordingTelemetry()

    LoggedStops(lines.log(), following=following).cancelled(timedelta(seconds=1))

    assert (lines.entries, following.cancel_latencies) == ([], [timedelta(seconds=1)])

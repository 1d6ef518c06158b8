import logging
from collections.abc import Callable
from datetime import datetime

import pytest

from scheduler.adapters.logging.reaper import LoggedReaper
from scheduler.adapters.logging.worker import LoggedWorker
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.application.dto import QueueStats
from scheduler.domain.job import Job, ended_attempt
from scheduler.domain.retry import FailureKind
from scheduler.domain.state import JobState
from tests.support.builders import NOW, SECOND, a_failure, a_job, a_worker_id
from tests.unit.logging.captured import Lines

LATER = NOW + SECOND
WORKER_ID = a_worker_id()


def end(worker: LoggedWorker, before: Job, after: Job) -> None:
    attempt = ended_attempt(before, after)
    assert attempt is not None
    worker.attempt_ended(after, attempt)


@pytest.mark.parametrize("transition", [Job.succeed, Job.cancel, Job.release])
def test_a_normal_end_is_silent_unless_asked_for(transition: Callable[[Job, datetime], Job]) -> None:
    quiet, detailed = Lines(), Lines()
    running = a_job(JobState.RUNNING)

    for log in (quiet.log(logging.INFO), detailed.log(logging.DEBUG)):
        end(LoggedWorker(log, following=RecordingTelemetry()), running, transition(running, LATER))

    assert quiet.entries == []
    assert detailed.events() == [("debug", "attempt_ended")]


@pytest.mark.parametrize(
    ("kind", "max_attempts", "event"),
    [
        (FailureKind.ERROR, 3, "job_retrying"),
        (FailureKind.ERROR, 1, "job_deadlettered"),
        (FailureKind.PERMANENT, 3, "job_failed"),
    ],
)
def test_a_failure_is_one_line_that_names_job_and_attempt(kind: FailureKind, max_attempts: int, event: str) -> None:
    lines = Lines()
    running = a_job(JobState.RUNNING, max_attempts=max_attempts)
    failed = running.fail(a_failure(kind, "x" * 1000), LATER, 0.5)

    end(LoggedWorker(lines.log(), following=RecordingTelemetry()), running, failed)

    assert lines.only() == {
        "log_level": "info",
        "event": event,
        "job_id": str(running.id),
        "job_type": "email.send",
        "attempt": 1,
        "max_attempts": max_attempts,
        "outcome": failed.last_outcome,
        "worker_id": str(running.worker_id),
        "error": "x" * 500,
    }


def test_a_stale_result_names_its_attempt() -> None:
    lines = Lines()
    attempt_id = a_job(JobState.RUNNING).attempt_id

    LoggedWorker(lines.log(), following=RecordingTelemetry()).stale_result(attempt_id)

    assert lines.only() == {
        "log_level": "warning",
        "event": "stale_result_refused",
        "job_id": str(attempt_id.job_id),
        "fence": attempt_id.fence,
    }


@pytest.mark.parametrize(
    ("result", "logged"),
    [
        ("ok", []),
        ("closed", [("warning", "lease_lost")]),
        ("unavailable", [("debug", "lease_not_renewed")]),
    ],
)
def test_a_lease_is_worth_a_line_when_it_is_lost(result: str, logged: list[tuple[str, str]]) -> None:
    lines = Lines()

    LoggedWorker(lines.log(), following=RecordingTelemetry()).lease_renewed(a_worker_id(), result=result)

    assert lines.events() == logged


def test_the_worker_passes_everything_on() -> None:
    following = RecordingTelemetry()
    worker = LoggedWorker(Lines().log(), following=following)
    job = a_job(JobState.RUNNING)

    worker.jobs_started([job])
    end(worker, job, job.succeed(LATER))
    worker.stale_result(job.attempt_id)
    worker.inflight(3)
    worker.lease_renewed(a_worker_id(), result="ok")

    assert following.started == [job]
    assert len(following.ended) == 1
    assert following.stale == [job.attempt_id]
    assert following.inflight_counts == [3]
    assert len(following.renewals) == 1


def test_each_lost_worker_is_a_line() -> None:
    lines = Lines()
    workers = [a_worker_id(), a_worker_id()]

    LoggedReaper(lines.log(), following=RecordingTelemetry()).workers_closed(workers)

    assert [(line["event"], line["worker_id"]) for line in lines.entries] == [
        ("worker_lost", str(worker)) for worker in workers
    ]


def test_recovered_jobs_are_a_line_a_worker_and_dead_letters_a_line_each() -> None:
    lines = Lines()
    worker_id = a_worker_id()
    job = a_job(JobState.RUNNING, worker_id=worker_id)
    poison = a_job(JobState.RUNNING, worker_id=worker_id, max_attempts=1)

    reaper = LoggedReaper(lines.log(logging.INFO), following=RecordingTelemetry())
    reaper.jobs_recovered([job.lose(LATER), poison.lose(LATER)])

    assert lines.events() == [("warning", "jobs_recovered"), ("info", "job_deadlettered")]
    assert lines.entries[0]["count"] == 2
    named = {"job_id": str(poison.id), "job_type": poison.type, "attempt": 1, "worker_id": str(worker_id)}
    assert named.items() <= lines.entries[1].items()


def test_only_a_repair_that_changed_something_is_logged() -> None:
    lines = Lines()
    reaper = LoggedReaper(lines.log(), following=RecordingTelemetry())

    reaper.queue_repaired("missing", 0)
    reaper.queue_repaired("ghost", 2)

    assert lines.only() == {"log_level": "info", "event": "queue_repaired", "kind": "ghost", "count": 2}


def test_the_reaper_passes_everything_on() -> None:
    following = RecordingTelemetry()
    reaper = LoggedReaper(Lines().log(), following=following)
    job = a_job()
    stats = QueueStats(queues={}, running=0, scheduled=0, retrying=0, dead_letters=0)

    reaper.jobs_released_due([job])
    reaper.workers_closed([WORKER_ID])
    reaper.jobs_recovered([job])
    reaper.queue_repaired("missing", 2)
    reaper.depths(None, stats, 1)

    assert following.released_due == [job]
    assert following.closed_workers == [WORKER_ID]
    assert following.recovered == [job]
    assert following.repairs == {"missing": 2}
    assert following.samples == [(None, stats, 1)]

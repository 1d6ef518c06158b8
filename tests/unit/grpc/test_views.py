from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler.adapters.grpc import client_mapping, views
from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView, QueueStatsView, QueueView
from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.application.dto import JobDetails, QueueDepth, QueueStats
from scheduler.domain.attempt import Attempt, AttemptOutcome
from scheduler.domain.ids import AttemptId, Fence
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.support.builders import NOW, SECOND, a_job, a_job_id, a_worker_id, progress_at


@pytest.mark.parametrize("state", JobState)
def test_a_job_survives_the_wire_in_every_state(state: JobState) -> None:
    job = a_job(state, labels={"team": "a"}, priority=Priority.LOW, losses=0)
    view = client_mapping.job_view(views.job_details(JobDetails(job=job, payload="[1]", result='"r"')))
    assert view == JobView(
        job_id=str(job.id),
        state=state,
        type=job.type,
        priority=Priority.LOW,
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        losses=job.losses,
        version=job.version,
        last_error=job.last_error,
        worker_id=None if job.worker_id is None else str(job.worker_id),
        labels={"team": "a"},
        created_at=job.created_at,
        updated_at=job.updated_at,
        run_at=job.run_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        payload="[1]",
        result='"r"',
    )


def test_a_listed_job_comes_without_payload_and_result() -> None:
    view = client_mapping.job_view(views.job_status(a_job(JobState.SUCCEEDED)))
    assert (view.payload, view.result) == (None, None)


@pytest.mark.parametrize("state", JobState)
def test_an_event_survives_the_wire_in_every_state(state: JobState) -> None:
    job = a_job(state)
    assert client_mapping.event_view(views.job_event(job)) == EventView(
        job_id=str(job.id),
        state=state,
        message=views.in_words(job),
        at=job.updated_at,
        attempts=job.attempts,
        version=job.version,
        last_error=job.last_error,
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (JobState.SCHEDULED, "scheduled for 2026-03-04 06:06:07 UTC"),
        (JobState.QUEUED, "queued"),
        (JobState.RUNNING, "running, attempt 1 of 3"),
        (JobState.RETRYING, "retrying at 2026-03-04 05:06:08 UTC after attempt 1 of 3"),
        (JobState.SUCCEEDED, "succeeded, attempt 1 of 3"),
        (JobState.FAILED, "failed, attempt 1 of 3: no retry can help"),
        (JobState.DEADLETTER, "dead letter after attempt 1 of 3"),
        (JobState.CANCELLED, "cancelled"),
    ],
)
def test_each_state_is_said_in_words(state: JobState, words: str) -> None:
    assert views.in_words(a_job(state)) == words


def test_a_job_that_waits_again_says_after_which_attempt() -> None:
    assert views.in_words(a_job(JobState.RUNNING).lose(NOW)) == "queued again after attempt 1 of 3"


@pytest.mark.parametrize("show", [views.job_status, lambda job: views.job_details(JobDetails(job=job, payload=None))])
@pytest.mark.parametrize("move", [lambda job: job, lambda job: job.succeed(NOW), lambda job: job.lose(NOW)])
def test_a_job_shows_what_its_last_attempt_said_last(
    show: Callable[[Job], pb.JobStatus], move: Callable[[Job], Job]
) -> None:
    view = client_mapping.job_view(show(move(a_job(JobState.RUNNING, progress=progress_at(12.5)))))

    assert (view.progress, view.progress_message) == (12.5, "copying")


def test_an_event_of_progress_says_it_in_words_and_when_it_was_said() -> None:
    job = a_job(JobState.RUNNING, progress=progress_at(99.9, NOW + SECOND))

    event = client_mapping.event_view(views.job_event(job))

    assert (event.version, event.progress, event.progress_message) == (job.version, 99.9, "copying")
    assert (event.at, event.message) == (NOW + SECOND, "running, attempt 1 of 3, 99 %: copying")


def test_progress_without_a_message_is_said_in_words_all_the_same() -> None:
    job = a_job(JobState.RUNNING, progress=progress_at(0, message=""))

    assert views.in_words(job) == "running, attempt 1 of 3, 0 %"


def test_an_event_of_an_end_keeps_the_progress_and_speaks_of_the_end() -> None:
    job = a_job(JobState.RUNNING, progress=progress_at(99.9, NOW + SECOND)).succeed(NOW + 2 * SECOND)

    event = client_mapping.event_view(views.job_event(job))

    assert (event.progress, event.progress_message) == (99.9, "copying")
    assert (event.at, event.message) == (NOW + 2 * SECOND, "succeeded, attempt 1 of 3")


@pytest.mark.parametrize("outcome", [None, *AttemptOutcome])
def test_an_attempt_survives_the_wire(outcome: AttemptOutcome | None) -> None:
    attempt = Attempt(
        id=AttemptId(a_job_id(), Fence(4)),
        number=2,
        worker_id=a_worker_id(),
        started_at=NOW,
        finished_at=None if outcome is None else NOW + SECOND,
        outcome=outcome,
        error="broken",
    )
    (message,) = views.attempts_response([attempt]).attempts
    assert client_mapping.attempt_view(message) == AttemptView(
        fence=4,
        number=2,
        worker_id=str(attempt.worker_id),
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        outcome=outcome,
        error="broken",
    )


EMPTY = QueueDepth(depth=0, oldest_queued_at=None)
STATS = QueueStats(
    queues=dict.fromkeys(reversed(Priority), EMPTY), running=1, scheduled=2, retrying=3, dead_letters=100_000
)


def test_queue_stats_survive_the_wire_and_list_the_most_urgent_queue_first() -> None:
    queues = {**STATS.queues, Priority.HIGH: QueueDepth(depth=7, oldest_queued_at=NOW - timedelta(milliseconds=1500))}
    response = views.queue_stats_response(replace(STATS, queues=queues), NOW)
    assert client_mapping.queue_stats_view(response) == QueueStatsView(
        queues=[
            QueueView(priority=Priority.CRITICAL, depth=0, oldest_age=None),
            QueueView(priority=Priority.HIGH, depth=7, oldest_age=timedelta(milliseconds=1500)),
            QueueView(priority=Priority.DEFAULT, depth=0, oldest_age=None),
            QueueView(priority=Priority.LOW, depth=0, oldest_age=None),
        ],
        processing=1,
        scheduled=2,
        retrying=3,
        dead_letters=100_000,
    )


def test_an_age_is_never_negative_though_clocks_differ() -> None:
    queues = {**STATS.queues, Priority.LOW: QueueDepth(depth=1, oldest_queued_at=NOW + SECOND)}
    response = views.queue_stats_response(replace(STATS, queues=queues), NOW)
    assert client_mapping.queue_stats_view(response).queues[-1].oldest_age == timedelta(0)

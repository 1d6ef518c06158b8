"""What a handler says of its progress, and what becomes of it."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.job import Job
from scheduler.domain.progress import MAX_PROGRESS_MESSAGE_BYTES, Progress
from scheduler.domain.state import JobState
from tests.support.builders import NOW, SECOND, a_failure, a_job, a_worker_id, progress_at

LATER = NOW + SECOND
percents = st.floats(0, 100)
any_text = st.text() | st.lists(st.integers(0, 0x10FFFF).map(chr), max_size=300).map("".join)


@given(percent=percents, message=any_text)
def test_what_a_handler_says_becomes_a_note_that_can_be_stored(percent: float, message: str) -> None:
    said = Progress.said(percent, message, at=NOW)

    assert abs(said.percent - percent) <= 1e-6
    assert len(said.message.encode()) <= MAX_PROGRESS_MESSAGE_BYTES
    assert Progress(percent=said.percent, message=said.message, at=NOW) == said


@pytest.mark.parametrize(
    ("percent", "shown"),
    [
        (0, 0.0),
        (100, 100.0),
        (100 + 1e-9, 100.0),
        (-1e-9, 0.0),
        (Fraction(1, 3), 0.333333),
        (Decimal("12.5"), 12.5),
    ],
)
def test_any_number_will_do_and_rounding_errors_are_forgiven(percent: object, shown: float) -> None:
    said = Progress.said(percent, at=NOW)

    assert (said.percent, math.copysign(1, said.percent)) == (shown, 1)


@pytest.mark.parametrize("percent", [-0.1, 100.1, math.nan, math.inf, -math.inf, 10**400, True, "50", b"50", None, []])
def test_a_percent_that_is_none_is_refused_by_name(percent: object) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        Progress.said(percent, at=NOW)

    assert (refusal.value.field, refusal.value.reason) == ("percent", "must be a number between 0 and 100")


def test_a_message_that_is_no_text_is_shown_as_one() -> None:
    assert Progress.said(1, 17, at=NOW).message == "17"


@pytest.mark.parametrize(
    ("field", "note"),
    [
        ("percent", lambda: Progress(percent=101, at=NOW)),
        ("message", lambda: Progress(percent=1, message="x" * 257, at=NOW)),
        ("message", lambda: Progress(percent=1, message="\0", at=NOW)),
        ("at", lambda: Progress(percent=1, at=datetime(2026, 1, 1))),  # noqa: DTZ001 - the very thing that is refused
    ],
)
def test_a_note_that_nobody_can_have_made_is_refused(field: str, note: Callable[[], Progress]) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        note()

    assert refusal.value.field == field


@given(percent=percents, message=any_text)
def test_progress_changes_nothing_else_of_a_job(percent: float, message: str) -> None:
    job = a_job(JobState.RUNNING)

    noted = job.with_progress(said := Progress.said(percent, message, at=LATER))

    assert noted == a_job_like(job, said)
    assert (noted.version, noted.updated_at, noted.attempt_id) == (job.version, job.updated_at, job.attempt_id)


def a_job_like(job: Job, progress: Progress) -> Job:
    fields = {name: getattr(job, name) for name in Job.__dataclass_fields__}
    return Job(**{**fields, "progress": progress})


@pytest.mark.parametrize("state", sorted(set(JobState) - {JobState.RUNNING}))
def test_a_job_that_runs_no_attempt_has_no_progress_to_tell(state: JobState) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        a_job(state).with_progress(progress_at(50))

    assert refusal.value.field == "progress"


def test_progress_stays_as_it_was_said_last_until_the_next_attempt_starts() -> None:
    said = progress_at(50)
    running = a_job(JobState.RUNNING).with_progress(said)

    ended = [
        running.succeed(LATER),
        running.fail(a_failure(), LATER, 0.5),
        running.lose(LATER),
        running.release(LATER),
        running.cancel(LATER),
    ]
    again = [running.lose(LATER), running.cancel(LATER).requeue(LATER)]

    assert [job.progress for job in [*ended, *again]] == [said] * 7
    assert [job.start(a_worker_id(), LATER).progress for job in again] == [None, None]


def test_a_later_version_is_news_whatever_its_progress() -> None:
    running = a_job(JobState.RUNNING).with_progress(progress_at(50))
    lost = running.lose(LATER)
    again = lost.start(a_worker_id(), LATER)

    assert again.is_news_after(lost)
    assert lost.is_news_after(running)
    assert not running.is_news_after(lost)
    assert not lost.is_news_after(again)


def test_of_one_version_later_progress_is_news_and_earlier_is_not() -> None:
    silent = a_job(JobState.RUNNING)
    first, second = (silent.with_progress(progress_at(percent, NOW + after)) for percent, after in _TWO_NOTES)

    assert first.is_news_after(silent)
    assert second.is_news_after(first)
    assert not first.is_news_after(second)
    assert not silent.is_news_after(first)
    assert not first.is_news_after(first)
    assert not silent.is_news_after(silent)


_TWO_NOTES = ((50, timedelta(0)), (20, SECOND))

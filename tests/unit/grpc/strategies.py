"""Values of every kind that the wire carries."""

from datetime import UTC, timedelta

from hypothesis import strategies as st

from scheduler.application.dead_letters import BulkCursor, EndedCursor, EndedFilter
from scheduler.application.dto import JobFilter, ListCursor
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.domain.submission import Submission

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TIMES = st.datetimes(timezones=st.just(UTC))
JOB_IDS = st.uuids().map(JobId)
LABELS = st.dictionaries(TEXTS.filter(bool).filter(lambda key: len(key.encode()) <= 63), TEXTS, max_size=5)
FINGERPRINTS = st.none() | st.just("") | st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
SPANS = st.timedeltas(timedelta(milliseconds=1), timedelta(hours=24))


@st.composite
def retry_policies(draw: st.DrawFn) -> RetryPolicy:
    initial, longest = sorted([draw(SPANS), draw(SPANS)])
    return RetryPolicy(
        initial=initial, max_backoff=longest, multiplier=draw(st.floats(1, 100)), jitter=draw(st.floats(0, 1))
    )


def submissions() -> st.SearchStrategy[Submission]:
    return st.builds(
        Submission,
        type=st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True),
        priority=st.sampled_from(Priority),
        payload=st.none() | st.sampled_from(["null", "0", '"é"', '{"a": [1, 2]}', " [] "]),
        idempotency_key=st.none() | TEXTS.filter(bool),
        max_attempts=st.integers(1, 100),
        timeout=SPANS,
        retry_policy=retry_policies(),
        labels=LABELS,
        run_at=st.none() | TIMES,
    )


def job_filters() -> st.SearchStrategy[JobFilter]:
    return st.builds(
        JobFilter,
        state=st.none() | st.sampled_from(JobState),
        priority=st.none() | st.sampled_from(Priority),
        type=st.none() | TEXTS.filter(bool),
        labels=LABELS,
        created_after=st.none() | TIMES,
        created_before=st.none() | TIMES,
        error_fingerprint=FINGERPRINTS,
    )


def cursors() -> st.SearchStrategy[ListCursor]:
    return st.builds(ListCursor, created_at=TIMES, job_id=JOB_IDS)


def ended_filters() -> st.SearchStrategy[EndedFilter]:
    return st.builds(
        EndedFilter,
        states=st.frozensets(st.sampled_from(sorted(FINAL_STATES)), min_size=1),
        priority=st.none() | st.sampled_from(Priority),
        type=st.none() | TEXTS.filter(bool),
        labels=LABELS,
        created_after=st.none() | TIMES,
        created_before=st.none() | TIMES,
        finished_after=st.none() | TIMES,
        finished_before=st.none() | TIMES,
        error_text=st.none() | TEXTS.filter(bool),
        error_fingerprint=FINGERPRINTS,
    )


def bulk_cursors() -> st.SearchStrategy[BulkCursor]:
    return st.builds(BulkCursor, finished_before=TIMES, after=st.builds(EndedCursor, at=TIMES, job_id=JOB_IDS))

from uuid import UUID

import pytest

from scheduler.adapters.redis.keys import Keys
from scheduler.adapters.redis.messages import read_event, write_event
from scheduler.domain.events import AttemptRevoked, Event, JobChanged, JobProgressed, WorkArrived
from scheduler.domain.ids import AttemptId, Fence, JobId
from scheduler.domain.state import JobState
from tests.support.builders import a_job_id, a_worker_id, progress_at

KEYS = Keys()
JOB = JobId(UUID("0b1c6d8e-0000-4000-8000-0123456789ab"))


@pytest.mark.parametrize(
    "event",
    [
        WorkArrived(),
        AttemptRevoked(worker_id=a_worker_id(), attempt_id=AttemptId(a_job_id(), Fence(2**53))),
        JobProgressed(job_id=a_job_id(), version=2**53, progress=progress_at(99.999999, message="a b\n1 RUNNING 1")),
        *(JobChanged(job_id=a_job_id(), version=7, state=state, attempts=100) for state in JobState),
    ],
)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    channel, message = write_event(KEYS, event)
    assert channel.startswith(KEYS.prefix)
    assert read_event(KEYS, channel.encode(), message.encode()) == event


@pytest.mark.parametrize(
    ("channel", "message"),
    [
        (KEYS.job(JOB), b""),
        (KEYS.job(JOB), b"1 RUNNING"),
        (KEYS.job(JOB), b"1 DREAMING 1"),
        (KEYS.job(JOB), b"one RUNNING 1"),
        (KEYS.job(JOB), b"-1 RUNNING 1"),
        (KEYS.job(JOB), b"1 RUNNING 1\n"),
        (KEYS.job(JOB), "\N{ARABIC-INDIC DIGIT ONE} RUNNING 1".encode()),
        (KEYS.job(JOB), b"\xff\xfe"),
        (KEYS.job(JOB), b"9" * 5000 + b" RUNNING 1"),
        (KEYS.job(JOB), b"1 progress 50 1"),
        (KEYS.job(JOB), b"1 progress fifty 1 "),
        (KEYS.job(JOB), b"1 progress 1.2.3 1 "),
        (KEYS.job(JOB), b"1 progress 100.1 1 "),
        (KEYS.job(JOB), b"1 progress -1 1 "),
        (KEYS.job(JOB), b"1 progress nan 1 "),
        (KEYS.job(JOB), b"1 progress 50 -1 "),
        (KEYS.job(JOB), b"one progress 50 1 "),
        (KEYS.job(JOB), b"1 progress 50 1 a\0"),
        (KEYS.job(JOB), b"1 progress 50 1 " + b"x" * 257),
        (KEYS.prefix + "job:no-uuid", b"1 RUNNING 1"),
        (KEYS.prefix + "job:no-uuid", b"1 progress 50 1 "),
        (KEYS.prefix + "worker:no-uuid", f"{JOB} 1".encode()),
        (KEYS.prefix + f"worker:{JOB}", b"no-uuid 1"),
        ("elsewhere", b"1"),
    ],
)
def test_what_strangers_send_is_no_event(channel: str, message: bytes) -> None:
    assert read_event(KEYS, channel.encode(), message) is None

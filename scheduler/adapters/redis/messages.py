"""How events travel on channels: ids and versions, and what attempts say of their progress."""

import re
from typing import assert_never
from uuid import UUID

from scheduler.adapters.redis.codec import place_of, score_of
from scheduler.adapters.redis.keys import Keys
from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.events import AttemptRevoked, Event, JobChanged, JobProgressed, WorkArrived
from scheduler.domain.ids import AttemptId, Fence, JobId, WorkerId
from scheduler.domain.progress import Progress
from scheduler.domain.state import JobState

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_JOB = re.compile(rf"job:({_UUID}) ([0-9]{{1,18}}) ({'|'.join(JobState)}) ([0-9]{{1,9}})", re.ASCII)
# Version, percent, µs since 1970, message.
_PROGRESS = re.compile(rf"job:({_UUID}) ([0-9]{{1,18}}) progress ([0-9.e-]{{1,24}}) ([0-9]{{1,16}}) (.*)", re.DOTALL)
_WORKER = re.compile(rf"worker:({_UUID}) ({_UUID}) ([0-9]{{1,18}})", re.ASCII)


def write_event(keys: Keys, event: Event) -> tuple[str, str]:
    """Return the channel and the message."""
    match event:
        case WorkArrived():
            return keys.wake, "1"
        case JobChanged(job_id=job_id, version=version, state=state, attempts=attempts):
            return keys.job(job_id), f"{version} {state} {attempts}"
        case JobProgressed(job_id=job_id, version=version, progress=said):
            return keys.job(job_id), f"{version} progress {said.percent!r} {score_of(said.at)} {said.message}"
        case AttemptRevoked(worker_id=worker_id, attempt_id=attempt):
            return keys.worker(worker_id), f"{attempt.job_id} {attempt.fence}"
        case _:
            assert_never(event)


def read_event(keys: Keys, channel: bytes, message: bytes) -> Event | None:
    """Return the event, or None for what nobody of us can have sent."""
    name = channel.decode("utf-8", errors="replace")
    if name == keys.wake:
        return WorkArrived()
    line = f"{name.removeprefix(keys.prefix)} {message.decode('utf-8', errors='replace')}"
    if job := _JOB.fullmatch(line):
        state = JobState(job[3])
        return JobChanged(job_id=JobId(UUID(job[1])), version=int(job[2]), state=state, attempts=int(job[4]))
    if progress := _PROGRESS.fullmatch(line):
        return _progressed(*progress.groups())
    if worker := _WORKER.fullmatch(line):
        attempt_id = AttemptId(JobId(UUID(worker[2])), Fence(int(worker[3])))
        return AttemptRevoked(worker_id=WorkerId(UUID(worker[1])), attempt_id=attempt_id)
    return None


def _progressed(job_id: str, version: str, percent: str, at: str, message: str) -> JobProgressed | None:
    try:
        progress = Progress(percent=float(percent), message=message, at=place_of(at.encode()))
    except (InvalidFieldError, ValueError):
        return None
    return JobProgressed(job_id=JobId(UUID(job_id)), version=int(version), progress=progress)

"""The states of a job and the one table of allowed transitions."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobState(StrEnum):
    """Where a job stands. Final states are left only by a requeue."""

    SCHEDULED = "SCHEDULED"
    """Accepted, `run_at` in the future. In: submit. Out: the reaper (due), a client (cancel)."""
    QUEUED = "QUEUED"
    """Ready to run. In: submit, reaper, requeue, release. Out: a worker (start), a client (cancel)."""
    RUNNING = "RUNNING"
    """Held by one worker. In: start. Out: that worker (finish, release), the reaper (lost), a client (cancel)."""
    RETRYING = "RETRYING"
    """Waits for its backoff. In: a failed attempt. Out: the reaper (due), a client (cancel)."""
    SUCCEEDED = "SUCCEEDED"
    """Final. The handler's result was accepted."""
    FAILED = "FAILED"
    """Final. The handler said that no retry can help."""
    DEADLETTER = "DEADLETTER"
    """Final. Attempts exhausted by errors, time-outs or lost workers; `last_outcome` names which."""
    CANCELLED = "CANCELLED"
    """Final. A client cancelled it."""


TRANSITIONS: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.SCHEDULED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
        JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
        JobState.RUNNING: frozenset(
            {
                JobState.SUCCEEDED,
                JobState.RETRYING,
                JobState.FAILED,
                JobState.DEADLETTER,
                JobState.CANCELLED,
                JobState.QUEUED,
            }
        ),
        JobState.RETRYING: frozenset({JobState.QUEUED, JobState.CANCELLED}),
        JobState.SUCCEEDED: frozenset(),
        JobState.FAILED: frozenset({JobState.QUEUED}),
        JobState.DEADLETTER: frozenset({JobState.QUEUED}),
        JobState.CANCELLED: frozenset({JobState.QUEUED}),
    }
)

FINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.DEADLETTER, JobState.CANCELLED})
DEAD_STATES = frozenset({JobState.FAILED, JobState.DEADLETTER})
"""Final states that an error led to."""
WAITING_STATES = frozenset({JobState.SCHEDULED, JobState.RETRYING})
"""States that end by themselves when `run_at` comes."""

REQUEUEABLE_STATES = frozenset(state for state in FINAL_STATES if JobState.QUEUED in TRANSITIONS[state])
"""Final states that a requeue may leave."""


def may_become(current: JobState, target: JobState) -> bool:
    """Tell whether the table allows the transition."""
    return target in TRANSITIONS[current]

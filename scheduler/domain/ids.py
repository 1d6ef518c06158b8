"""The names of things: who is meant by an id, and which attempt is meant by a fence."""

from typing import NamedTuple, NewType
from uuid import UUID

JobId = NewType("JobId", UUID)
WorkerId = NewType("WorkerId", UUID)
OpId = NewType("OpId", UUID)
"""Names one write, drawn before it is sent, so that a repeated write recognises its own effect."""

Fence = NewType("Fence", int)
"""The job's version as it stands after a start: it names one attempt of one job."""


class AttemptId(NamedTuple):
    """One attempt of one job, everywhere: in process tables, stop messages, HTTP headers and the history."""

    job_id: JobId
    fence: Fence

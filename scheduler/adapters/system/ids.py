"""Ids that nobody else draws."""

from uuid import uuid4

from scheduler.application.ports.ids import Ids
from scheduler.domain.ids import JobId, OpId, WorkerId


class Uuid4Ids(Ids):
    """Draws random UUIDs, which spread evenly over shards and ranges."""

    def job_id(self) -> JobId:
        """Return a new job id."""
        return JobId(uuid4())

    def op_id(self) -> OpId:
        """Return a new op id."""
        return OpId(uuid4())

    def worker_id(self) -> WorkerId:
        """Return a new worker id."""
        return WorkerId(uuid4())

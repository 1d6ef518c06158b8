"""All names that the scheduler uses in Redis, behind one prefix."""

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.domain.ids import JobId, WorkerId
from scheduler.domain.priority import Priority

DEFAULT_PREFIX = "{scheduler}:"
"""The braces keep all keys in one slot of a Redis Cluster, as scripts need them."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of keys and channels."""

    prefix: str = DEFAULT_PREFIX

    def queue(self, priority: Priority) -> str:
        """Name the sorted set of ids that wait, scored by their place."""
        return f"{self.prefix}q:{priority.lower()}"

    @property
    def queues(self) -> Sequence[str]:
        """Name the queues, the most urgent first."""
        return [self.queue(priority) for priority in Priority]

    @property
    def processing(self) -> str:
        """Name the sorted set of ids that are handed out and not started, scored by their deadline in ms."""
        return f"{self.prefix}q:processing"

    @property
    def epoch(self) -> str:
        """Name the mark that is lost together with the data."""
        return f"{self.prefix}q:epoch"

    @property
    def health(self) -> str:
        """Name a key that never exists: the probe's."""
        return f"{self.prefix}q:health"

    @property
    def wake(self) -> str:
        """Name the channel that wakes idle workers."""
        return f"{self.prefix}q:wake"

    def worker(self, worker_id: WorkerId) -> str:
        """Name the channel that only this worker hears."""
        return f"{self.prefix}worker:{worker_id}"

    def job(self, job_id: JobId) -> str:
        """Name the channel of a job's changes."""
        return f"{self.prefix}job:{job_id}"

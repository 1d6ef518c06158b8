"""New names."""

from abc import abstractmethod
from typing import Protocol

from scheduler.domain.ids import JobId, OpId, WorkerId


class Ids(Protocol):
    """Draws ids that nobody else draws."""

    @abstractmethod
    def job_id(self) -> JobId:
        """Return a new job id."""

    @abstractmethod
    def op_id(self) -> OpId:
        """Return a new op id."""

    @abstractmethod
    def worker_id(self) -> WorkerId:
        """Return a new worker id."""

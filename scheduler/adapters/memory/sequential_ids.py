"""Ids that can be foretold."""

from collections.abc import Iterator
from itertools import count
from uuid import UUID

from scheduler.application.ports.ids import Ids
from scheduler.domain.ids import JobId, OpId, WorkerId

_VERSION_4 = 0x4000_8000_0000_0000_0000


class SequentialIds(Ids):
    """Counts up; each kind of id has a first byte of its own, so that a reader can tell them apart."""

    def __init__(self) -> None:
        self._jobs = _uuids(0x1A)
        self._ops = _uuids(0x0F)
        self._workers = _uuids(0x3B)

    def job_id(self) -> JobId:
        """Return the next job id."""
        return JobId(next(self._jobs))

    def op_id(self) -> OpId:
        """Return the next op id."""
        return OpId(next(self._ops))

    def worker_id(self) -> WorkerId:
        """Return the next worker id."""
        return WorkerId(next(self._workers))


def _uuids(first_byte: int) -> Iterator[UUID]:
    return (UUID(int=first_byte << 120 | _VERSION_4 | number) for number in count(1))

"""Where jobs live: the only truth."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from scheduler.application.dto import Change, JobDetails, NewJob, ProgressNote, TakenName
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job


class JobRepository(Protocol):
    """Stores jobs and their transitions. Each call is one atomic statement; a batch holds a job once.

    Every method raises StoreUnavailableError when the store does not answer within the caller's deadline, and
    StoreRejectedError when it refuses the data for good (then nothing of the batch was stored).
    """

    @abstractmethod
    async def find_taken(self, ids: Sequence[JobId], keys: Sequence[str]) -> Sequence[TakenName]:
        """Return the stored jobs that hold one of these ids or idempotency keys, in no order."""

    @abstractmethod
    async def add_all(self, jobs: Sequence[NewJob]) -> None:
        """Store all jobs with their labels, or none: raise DuplicateJobsError when an id or key is taken.

        A repeat of an add whose reply was lost also raises DuplicateJobsError: `find_taken` then shows the own op_id.
        """

    @abstractmethod
    async def load(self, ids: Sequence[JobId], *, strict: bool = False) -> Mapping[JobId, Job]:
        """Return the jobs that exist, without payloads and results.

        A row that breaks the invariants of Job is reported and left out; `strict` raises StoreRejectedError instead.
        """

    @abstractmethod
    async def load_details(self, ids: Sequence[JobId], *, strict: bool = False) -> Mapping[JobId, JobDetails]:
        """Return the jobs that exist, with payloads and results; corrupt rows are treated as by `load`."""

    @abstractmethod
    async def apply(self, changes: Sequence[Change]) -> frozenset[JobId]:
        """Store each transition whose job is still as the write left it that it was read from; return their ids.

        That write is named by id, version and op_id: a job of the same id that was submitted after a purge is another
        one. A change that an earlier call with the same op_id has stored counts as applied. The ended attempts of
        applied changes enter the history in the same statement, once. A lost compare-and-set changes nothing.
        """

    @abstractmethod
    async def note_progress(self, notes: Sequence[ProgressNote]) -> frozenset[JobId]:
        """Store each note whose attempt is RUNNING, by its fence and its start, and has no later one; return their ids.

        Nothing else of a job changes, its version and times included. A repeat is the same as one call.
        """

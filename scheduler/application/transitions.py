"""Move jobs: the domain decides, the store compares and sets, and whoever lost reads and decides again."""

from collections.abc import Callable

from scheduler.application.deadline import remaining_seconds
from scheduler.application.dto import Change
from scheduler.application.errors import JobNotFoundError, StoreUnavailableError
from scheduler.application.ports.ids import Ids
from scheduler.application.ports.job_repository import JobRepository
from scheduler.domain.ids import JobId, OpId
from scheduler.domain.job import Job, ended_attempt


class Transitions:
    """Builds changes, and stores those that a client insists on."""

    def __init__(self, *, repository: JobRepository, ids: Ids) -> None:
        self._repository = repository
        self._ids = ids

    def change(
        self,
        before: Job,
        after: Job,
        *,
        payload: str | None = None,
        result: str | None = None,
        op_id: OpId | None = None,
    ) -> Change:
        """Make the change from one version of a job to the next, under a new op id unless one is given."""
        return Change(
            job=after,
            before_op_id=before.op_id,
            op_id=op_id or self._ids.op_id(),
            ended=ended_attempt(before, after),
            payload=payload,
            result=result,
        )

    async def insist(
        self, job_id: JobId, decide: Callable[[Job], Job | None], *, payload: str | None = None
    ) -> tuple[Job, Job]:
        """Read, decide and store until no one else is faster; return the job before and after.

        `decide` returns None to leave the job as it is, and may raise. Raises JobNotFoundError, and
        StoreUnavailableError when the caller's deadline passes in between.
        """
        while remaining_seconds() > 0:
            before = (await self._repository.load([job_id], strict=True)).get(job_id)
            if before is None:
                raise JobNotFoundError(job_id)
            after = decide(before)
            if after is None:
                return before, before
            if job_id in await self._repository.apply([self.change(before, after, payload=payload)]):
                return before, after
        raise StoreUnavailableError("the job changes faster than the deadline allows")

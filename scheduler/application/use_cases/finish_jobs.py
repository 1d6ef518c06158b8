"""Record how attempts ended."""

from collections.abc import Sequence

from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.current_trace import in_trace
from scheduler.application.dto import Change
from scheduler.application.outcomes import AttemptResult
from scheduler.application.ports.job_repository import JobRepository
from scheduler.application.ports.telemetry import WorkerTelemetry
from scheduler.application.transitions import Transitions
from scheduler.domain.ids import JobId

_Batch = dict[JobId, AttemptResult]


class FinishJobs:
    """Of all attempts of a job one result is accepted: the one under the current fence. Others change nothing."""

    def __init__(
        self,
        *,
        repository: JobRepository,
        queue: BestEffortQueue,
        transitions: Transitions,
        telemetry: WorkerTelemetry,
    ) -> None:
        self._repository = repository
        self._queue = queue
        self._transitions = transitions
        self._telemetry = telemetry

    async def execute(self, results: Sequence[AttemptResult]) -> None:
        """Store all results; raises StoreUnavailableError and StoreRejectedError."""
        for batch in _each_job_once(results):
            await self._record(batch)

    async def _record(self, results: Sequence[AttemptResult]) -> None:
        changes = [self._change(result) for result in results]
        applied = await self._repository.apply(changes)
        self._telemetry.results_recorded(len(results))
        for result, change in zip(results, changes, strict=True):
            with in_trace(result.trace):
                self._tell(result, change, accepted=change.job.id in applied)
        jobs = [change.job for change in changes if change.job.id in applied]
        await self._queue.enqueue(jobs)
        await self._queue.announce(jobs)

    def _tell(self, result: AttemptResult, change: Change, *, accepted: bool) -> None:
        if not accepted:
            self._telemetry.stale_result(result.job.attempt_id)
        elif change.ended is not None:
            self._telemetry.attempt_ended(change.job, change.ended)

    def _change(self, result: AttemptResult) -> Change:
        return self._transitions.change(result.job, result.decide(), result=result.result, op_id=result.op_id)


def _each_job_once(results: Sequence[AttemptResult]) -> list[list[AttemptResult]]:
    """Split results so that two attempts of one job, the later of which may be current, are judged one by one."""
    batches: list[_Batch] = []
    for result in results:
        batch = next((batch for batch in batches if result.job.id not in batch), None)
        if batch is None:
            batches.append(batch := {})
        batch[result.job.id] = result
    return [list(batch.values()) for batch in batches]

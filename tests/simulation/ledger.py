"""What handlers did, written where no store, no fence and no crash can change it."""

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.domain.ids import AttemptId, WorkerId


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of a handler; `ended_at` is None while it runs."""

    attempt_id: AttemptId
    worker_id: WorkerId
    host: str
    obedient: bool
    """It ends when it is cancelled."""
    payload: str | None
    doubted: bool
    """Its worker had been told not to believe in its lease any more when it began."""
    started_at: float
    ended_at: float | None = None
    end: str = ""


class Ledger:
    """Append-only: one Run for each time that a handler was called."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.runs: list[Run] = []
        self.doubted: set[WorkerId] = set()
        """Workers that do not believe in their leases now."""

    def begin(
        self, attempt_id: AttemptId, worker_id: WorkerId, host: str, *, obedient: bool, payload: str | None
    ) -> Run:
        run = Run(
            attempt_id=attempt_id,
            worker_id=worker_id,
            host=host,
            obedient=obedient,
            payload=payload,
            doubted=worker_id in self.doubted,
            started_at=self._now(),
        )
        self.runs.append(run)
        return run

    def end(self, run: Run, how: str) -> None:
        if run.ended_at is None:
            run.ended_at, run.end = self._now(), how

    def host_died(self, host: str) -> None:
        """End every run of a process that is no more."""
        for run in self.runs:
            if run.host == host:
                self.end(run, "died")

"""What a row of a table in a scenario asks for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID, uuid5

from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.submission import DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT, Submission
from tests.acceptance import unwilling_jobs

Row = Mapping[str, str]
COLUMNS = frozenset(
    {
        "job",
        "id",
        "type",
        "priority",
        "payload",
        "key",
        "most attempts",
        "time limit",
        "runs for",
        "steps",
        "fails",
        "due in",
        "first wait",
        "longest wait",
        "labels",
    }
)
MARK_LABEL = "scenario"
_A_MOMENT = 0.001
"""What a job takes of which nothing else is said, so that no two on one place start at the same time."""


@dataclass(frozen=True, slots=True)
class Orders:
    """Makes submissions; `mark` tells this scenario's jobs, keys and ids from all others."""

    mark: UUID
    now: Callable[[], datetime]
    own_type: Callable[[], str] = field(default_factory=lambda: cache(unwilling_jobs.unused))

    @property
    def labels(self) -> Mapping[str, str]:
        """Return the label that all jobs of the scenario carry."""
        return {MARK_LABEL: str(self.mark)}

    def type_of(self, cell: str) -> str:
        """Read a job type; `own waltz` is one that no other scenario uses, and whose jobs fail."""
        return self.own_type() if cell == "own waltz" else cell

    def command(self, row: Row) -> SubmitCommand:
        """Read a row; cells that are empty ask for nothing. Raises InvalidFieldError as the submission does."""
        given = {column: cell for column, cell in row.items() if cell}
        assert given.keys() <= COLUMNS, given.keys() - COLUMNS
        job_id = JobId(uuid5(self.mark, given["id"])) if "id" in given else None
        return SubmitCommand(submission=self._submission(given), job_id=job_id)

    def _submission(self, given: Row) -> Submission:
        return Submission(
            type=self.type_of(given.get("type", "noop")),
            priority=Priority(given.get("priority", "DEFAULT")),
            payload=given.get("payload") or _behaviour(given),
            idempotency_key=f"{self.mark}-{given['key']}" if "key" in given else None,
            max_attempts=int(given.get("most attempts", DEFAULT_MAX_ATTEMPTS)),
            timeout=_seconds(given, "time limit", DEFAULT_TIMEOUT),
            retry_policy=_retry_policy(given),
            labels={**_labels(given.get("labels", "")), **self.labels},
            run_at=self.now() + _seconds(given, "due in", timedelta(0)) if "due in" in given else None,
        )


def _seconds(given: Row, column: str, otherwise: timedelta) -> timedelta:
    return timedelta(seconds=float(given[column])) if column in given else otherwise


def _retry_policy(given: Row) -> RetryPolicy:
    default = RetryPolicy()
    return RetryPolicy(
        initial=_seconds(given, "first wait", default.initial),
        max_backoff=max(
            _seconds(given, "longest wait", default.max_backoff), _seconds(given, "first wait", default.initial)
        ),
        jitter=0.0,
    )


def _labels(cell: str) -> Mapping[str, str]:
    pairs = (pair.split("=", 1) for pair in cell.split(", ") if pair)
    return {key: value for key, value in pairs}  # noqa: C416 - dict() of lists is no mapping of str to str


def _behaviour(given: Row) -> str:
    """Tell the noop handler how to behave."""
    behaviour: dict[str, object] = {"sleep_seconds": float(given.get("runs for", _A_MOMENT))}
    if "steps" in given:
        behaviour["progress_steps"] = int(given["steps"])
    match given.get("fails"):
        case None:
            pass
        case "always":
            behaviour["fail_attempts"] = 100
        case "for good":
            behaviour["fail_permanently"] = True
        case times:
            behaviour["fail_attempts"] = int(times)
    return json.dumps(behaviour)

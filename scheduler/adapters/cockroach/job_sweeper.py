"""What the maintenance loops read, in SQL."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from psycopg.rows import TupleRow

from scheduler.adapters.cockroach.arrays import texts, times, uuids, words
from scheduler.adapters.cockroach.columns import doomed_columns
from scheduler.adapters.cockroach.job_reader import FIRST_MOMENT, LEAST_ID
from scheduler.adapters.cockroach.rows import JobRows
from scheduler.adapters.cockroach.transaction import Transactions
from scheduler.application.dto import PurgeRule, QueueEntry, SweepCursor
from scheduler.application.ports.job_sweeper import JobSweeper
from scheduler.application.ports.telemetry import FaultTelemetry
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.priority import ClaimPlan, Priority

ROUND_BEGIN: Final = SweepCursor(queued_at=FIRST_MOMENT, job_id=LEAST_ID)


class SqlJobSweeper(JobSweeper):
    """Reads bounded pages over all shards. Corrupt rows are reported and left out: they must not stop a sweep."""

    def __init__(self, transactions: Transactions, telemetry: FaultTelemetry) -> None:
        self._transactions = transactions
        self._rows = JobRows(telemetry)

    async def due(self, now: datetime, limit: int) -> Sequence[Job]:
        """Return up to `limit` waiting jobs with run_at <= now, the longest due first."""
        return await self._jobs("due", now=now, limit=limit)

    async def held_by_closed_workers(self, closed_within: timedelta, limit: int) -> Sequence[Job]:
        """Return RUNNING jobs of workers that were closed in the last `closed_within`."""
        return await self._jobs("held_by_closed_workers", within=closed_within.total_seconds(), limit=limit)

    async def held_by_absent_workers(self, limit: int) -> Sequence[Job]:
        """Return RUNNING jobs whose worker is not registered, or was closed at any time."""
        return await self._jobs("held_by_absent_workers", limit=limit)

    async def claimable(
        self, plan: ClaimPlan, *, types: Sequence[str], excluding: Collection[JobId] = ()
    ) -> Sequence[QueueEntry]:
        """Return the queued jobs of these types that the plan would claim, in (priority, queued_at) order."""
        wanted = dict.fromkeys(priority for priority, _ in plan.quotas)
        queues = _by_priority(
            await self._transactions.run(
                "claimable",
                priorities=words(wanted),
                types=texts(types),
                excluding=uuids(excluding),
                limit=plan.limit,
            )
        )
        shares = _claim_shares(plan, queues)
        return [entry for priority in Priority for entry in queues[priority][: shares[priority]]]

    async def queued_page(
        self, after: Mapping[Priority, SweepCursor], *, queued_before: datetime, limit: int
    ) -> Sequence[QueueEntry]:
        """Return, per priority, up to `limit` QUEUED jobs behind its cursor, in (queued_at, id) order."""
        queues = await self._queues(list(Priority), after, queued_before, limit)
        return [entry for priority in Priority for entry in queues[priority]]

    async def purge(self, rule: PurgeRule, *, now: datetime, limit: int) -> int:
        """Delete up to `limit` jobs that the rule allows to go, each only if it is still as it was found."""
        before = now - rule.keep_for
        doomed = await self._transactions.run("purgeable", states=words(rule.states), before=before, limit=limit)
        return await self._delete(doomed) if doomed else 0

    async def _delete(self, doomed: Sequence[TupleRow]) -> int:
        columns = doomed_columns([(*found, json.loads(labels)) for *found, labels in doomed])
        [[count]] = await self._transactions.run("purge", **columns)
        return int(count)

    async def _jobs(self, statement: str, **parameters: object) -> Sequence[Job]:
        return list(self._rows.jobs(await self._transactions.run(statement, **parameters)))

    async def _queues(
        self, wanted: Sequence[Priority], after: Mapping[Priority, SweepCursor], before: datetime, limit: int
    ) -> Mapping[Priority, Sequence[QueueEntry]]:
        cursors = [after.get(priority, ROUND_BEGIN) for priority in wanted]
        rows = await self._transactions.run(
            "queued_page",
            priorities=words(wanted),
            after_times=times(cursor.queued_at for cursor in cursors),
            after_ids=uuids(cursor.job_id for cursor in cursors),
            before=before,
            limit=limit,
        )
        return _by_priority(rows)


def _by_priority(rows: Sequence[TupleRow]) -> Mapping[Priority, Sequence[QueueEntry]]:
    queues: defaultdict[Priority, list[QueueEntry]] = defaultdict(list)
    for job_id, priority, queued_at in sorted(rows, key=lambda row: (row[2], row[0])):
        entry = QueueEntry(job_id=job_id, priority=Priority(priority), queued_at=queued_at)
        queues[entry.priority].append(entry)
    return queues


def _claim_shares(plan: ClaimPlan, queues: Mapping[Priority, Sequence[QueueEntry]]) -> Mapping[Priority, int]:
    """Walk the plan's quotas in order until its limit is reached or nothing is left."""
    shares: Counter[Priority] = Counter()
    for priority, quota in plan.quotas:
        left_in_queue = len(queues[priority]) - shares[priority]
        shares[priority] += min(quota, plan.limit - shares.total(), left_in_queue)
    return shares

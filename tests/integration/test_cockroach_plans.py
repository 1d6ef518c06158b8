"""Statements that sweep or list walk an index: one that reads a whole table is found here, not in production."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from scheduler.adapters.cockroach import (
    SqlEndedJobs,
    SqlJobReader,
    SqlJobRepository,
    SqlJobSweeper,
    SqlWorkerRegistry,
    Transactions,
)
from scheduler.application.dead_letters import EndedCursor, EndedFilter
from scheduler.application.dto import JobFilter, ListCursor, ProgressNote, PurgeRule
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority, StrictOrder
from scheduler.domain.state import DEAD_STATES, FINAL_STATES, JobState
from tests.support.builders import (
    MICROSECOND,
    NOW,
    SECOND,
    a_change,
    a_job,
    a_job_id,
    a_new_job,
    a_worker,
    a_worker_id,
    progress_at,
)
from tests.support.sql import SqlBackend, create_database, execute

pytestmark = pytest.mark.servers

ROWS = 6000
BATCH = 500
FEW = 50
A_PAGE = 5
CURSOR = ListCursor(created_at=NOW + ROWS // 2 * MICROSECOND, job_id=a_job_id())
CLOSED_LONG_AGO = f"""
    INSERT INTO workers (id, host, pid, version, slots, handlers, registered_at, lease_expires_at, closed_at)
    SELECT gen_random_uuid(), 'host', 1, '1', 10, '[]', now(), now(), now() - n * INTERVAL '1 day'
    FROM generate_series(1, {ROWS}) AS n
"""
Node = Mapping[str, Any]

# Statement: the indexes that it walks.
INDEXES = {
    "due": {"jobs_due"},
    "queued_page": {"jobs_queued"},
    "claimable": {"jobs_queued"},
    "held_by_closed_workers": {"jobs_running", "workers_closed"},
    "held_by_absent_workers": {"jobs_by_state"},
    "held_attempts": {"jobs_running"},
    "count_expired_workers": {"jobs_running", "workers_open"},
    "count_open_workers": {"workers_open"},
    "close_expired_workers": {"workers_open"},
    "forget_closed_workers": {"workers_closed"},
    "renew_worker": {"workers_open"},
    "close_worker": {"workers_open"},
    "purgeable": {"jobs_by_state"},
    "purge": {"jobs_pkey", "job_labels_pkey", "job_attempts_pkey"},
    "find_taken": {"jobs_pkey", "jobs_idempotency_key"},
    "load": {"jobs_pkey"},
    "load_details": {"jobs_pkey"},
    "apply_changes": {"jobs_pkey"},
    "note_progress": {"jobs_pkey"},
    "attempts": {"jobs_pkey", "job_attempts_pkey"},
    "list_jobs": {"jobs_by_age"},
    "list_jobs_by_error": {"jobs_of_an_error"},
    "list_jobs_by_state": {"jobs_by_state"},
    "list_jobs_by_type": {"jobs_by_type"},
    "list_jobs_by_label": {"job_labels_pkey", "jobs_pkey"},
    "scan_ended": {"jobs_requeueable"},
    "scan_ended_by_age": {"jobs_by_state"},
    "scan_ended_by_error": {"jobs_by_error"},
    "error_groups": {"jobs_by_error", "jobs_requeueable"},
    "queue_stats": {"jobs_queued", "jobs_by_state"},
}
# For any age, it begins with the RUNNING jobs: either way it reads no more than those.
PREPARED = INDEXES | {"held_by_closed_workers": {"jobs_by_state", "workers_pkey"}}


class Spy(Transactions):
    """Runs statements as ever, and keeps what they were given."""

    def __init__(self, backend: SqlBackend) -> None:
        super().__init__(backend.pool, backend.statements)
        self.seen: dict[str, dict[str, object]] = {}

    async def run(self, name: str, /, **parameters: object) -> list[tuple[Any, ...]]:
        self.seen[name] = parameters
        return await super().run(name, **parameters)


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    return create_database(postgres_url)


@pytest.fixture(scope="module")
def seen(url: str) -> Mapping[str, Mapping[str, object]]:
    """Fill the tables, run every operation once, and return the parameters of each statement."""

    async def scenario() -> Mapping[str, Mapping[str, object]]:
        async with SqlBackend(url) as backend:
            await fill(backend)
            execute(url, CLOSED_LONG_AGO)
            execute(url, "VACUUM ANALYZE")
            spy = Spy(backend)
            await use(spy, backend)
            return spy.seen

    return asyncio.run(scenario())


def many_jobs() -> Iterator[Job]:
    """Most have ended, as in a store that has run for long."""
    workers = [a_worker_id() for _ in range(40)]
    for number in range(ROWS):
        state = JobState.SUCCEEDED if number % 4 else list(JobState)[number // 4 % len(JobState)]
        at = NOW + number * MICROSECOND
        job = a_job(
            state,
            created_at=at,
            type=f"type-{number % 30}",
            priority=list(Priority)[number % 7 % 4],
            labels={"team": f"team-{number % 50}", "region": f"region-{number % 20}"},
            error_fingerprint=f"{number % 9:016x}" if state in DEAD_STATES else "",
            idempotency_key=f"key-{number}" if number % 3 == 0 else None,
        )
        yield a_job(state, **{**fields_of(job), "worker_id": workers[number % 40]}) if job.worker_id else job


def fields_of(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in Job.__dataclass_fields__ if name != "state"}


async def fill(backend: SqlBackend) -> None:
    jobs = list(many_jobs())
    for start in range(0, ROWS, BATCH):
        await backend.repository.add_all([a_new_job(job, "{}") for job in jobs[start : start + BATCH]])
    running = [job for job in jobs if job.state is JobState.RUNNING]
    for _ in range(0, ROWS, BATCH):
        extra = [a_job() for _ in range(BATCH)]
        await backend.repository.add_all([a_new_job(job) for job in extra])
        starts = [a_change(job, job.start(a_worker_id(), NOW)) for job in extra]
        await backend.repository.apply(starts)
        begun = [start.stored_job for start in starts]
        ended = [job.succeed(NOW + SECOND) for job in begun]
        await backend.repository.apply([a_change(*pair) for pair in zip(begun, ended, strict=True)])
    for holder in list({job.worker_id for job in running if job.worker_id})[:3]:
        await backend.registry.register(a_worker(holder), SECOND)
        await backend.registry.close(holder)


async def use(spy: Spy, backend: SqlBackend) -> None:
    repository = SqlJobRepository(spy, backend.telemetry)
    reader = SqlJobReader(spy, backend.telemetry)
    sweeper = SqlJobSweeper(spy, backend.telemetry)
    queued = (await reader.list_jobs(JobFilter(state=JobState.QUEUED), limit=FEW, after=None)).jobs
    ids = [job.id for job in queued]
    await repository.find_taken(ids, [f"key-{number}" for number in range(FEW)])
    await repository.load(ids)
    await repository.load_details(ids)
    starts = [a_change(job, job.start(a_worker_id(), NOW)) for job in queued]
    await repository.apply(starts)
    started = [start.stored_job for start in starts]
    notes = [ProgressNote(attempt_id=job.attempt_id, op_id=job.op_id, progress=progress_at(50)) for job in started]
    assert len(await repository.note_progress(notes)) == FEW
    for job_filter in (
        JobFilter(),
        JobFilter(state=JobState.DEADLETTER),
        JobFilter(error_fingerprint=f"{4:016x}"),
        JobFilter(type="type-7"),
        JobFilter(labels={"team": "team-10"}),
    ):
        await reader.list_jobs(job_filter, limit=FEW, after=CURSOR)
    await reader.attempts(ids[0])
    await reader.queue_stats()
    await sweeper.due(NOW + timedelta(days=1), A_PAGE)
    await sweeper.held_by_closed_workers(timedelta(hours=1), FEW)
    await sweeper.held_by_absent_workers(FEW)
    await use_registry(SqlWorkerRegistry(spy))
    await sweeper.claimable(StrictOrder().plan(A_PAGE, 0), types=["type-1", "type-2"])
    await sweeper.queued_page({}, queued_before=NOW + timedelta(days=1), limit=A_PAGE)
    await use_desk(SqlEndedJobs(spy, scan=FEW))
    rule = PurgeRule(states=[JobState.CANCELLED, JobState.FAILED], keep_for=timedelta(0))
    assert await sweeper.purge(rule, now=NOW + timedelta(days=1), limit=A_PAGE) == A_PAGE


async def use_registry(registry: SqlWorkerRegistry) -> None:
    await registry.held_attempts(a_worker_id())
    await registry.renew(a_worker_id(), SECOND)
    await registry.close(a_worker_id())
    await registry.count_open()
    await registry.count_expired()
    await registry.close_expired(NOW)
    await registry.forget_closed(timedelta(days=ROWS))


async def use_desk(desk: SqlEndedJobs) -> None:
    after = EndedCursor(at=CURSOR.created_at, job_id=CURSOR.job_id)
    for job_filter in (
        EndedFilter(states=DEAD_STATES, type="type-7", error_text="broken"),
        EndedFilter(states=FINAL_STATES, type="type-7"),
        EndedFilter(states=DEAD_STATES, error_fingerprint=f"{4:016x}"),
    ):
        await desk.scan(job_filter, after=after)
    await desk.error_groups(fingerprint=None, job_type=None, limit=A_PAGE)


def plan(url: str, statement: bytes, parameters: Mapping[str, object]) -> Node:
    """Explain the statement for these very parameters."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(b"EXPLAIN (FORMAT JSON) " + statement, parameters).fetchone()
    assert row is not None
    node: Node = row[0][0]["Plan"]
    return node


def generic_plan(url: str, statement: bytes) -> Node:
    """Explain the statement as it runs once it is prepared: for any parameters."""
    numbers: dict[str, int] = {}
    text = re.sub(
        r"%\((\w+)\)s", lambda match: f"${numbers.setdefault(match[1], len(numbers) + 1)}", statement.decode()
    )
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {text}".encode()).fetchone()
    assert row is not None
    node: Node = row[0][0]["Plan"]
    return node


def nodes(node: Node) -> Iterator[Node]:
    yield node
    children: Sequence[Node] = node.get("Plans", ())
    for child in children:
        yield from nodes(child)


def indexes(node: Node) -> set[str]:
    return {str(part["Index Name"]) for part in nodes(node) if "Index Name" in part}


def tables_read_whole(node: Node) -> set[str]:
    return {str(part["Relation Name"]) for part in nodes(node) if part["Node Type"] == "Seq Scan"}


def test_every_statement_that_reads_jobs_or_workers_is_looked_at_here(
    url: str, seen: Mapping[str, Mapping[str, object]]
) -> None:
    assert seen.keys() == INDEXES.keys()


@pytest.mark.parametrize("name", sorted(INDEXES))
def test_the_statement_walks_its_index(url: str, seen: Mapping[str, Mapping[str, object]], name: str) -> None:
    found = plan(url, SqlBackend(url).statements[name], seen[name])
    assert tables_read_whole(found) == set()
    assert indexes(found) >= INDEXES[name]


@pytest.mark.parametrize("name", sorted(INDEXES))
def test_the_statement_walks_its_index_once_it_is_prepared(
    url: str, seen: Mapping[str, Mapping[str, object]], name: str
) -> None:
    found = generic_plan(url, SqlBackend(url).statements[name])
    assert tables_read_whole(found) == set()
    assert indexes(found) >= PREPARED[name]


@pytest.mark.parametrize("name", ["due", "queued_page", "scan_ended", "scan_ended_by_age", "scan_ended_by_error"])
def test_a_sweep_sorts_no_more_than_the_pages_of_its_shards(
    url: str, seen: Mapping[str, Mapping[str, object]], name: str
) -> None:
    """Within a shard or a state the index gives the order: a Limit stands right above the walk, no Sort in between."""
    found = list(nodes(plan(url, SqlBackend(url).statements[name], seen[name])))
    limited = [part for part in found if part["Node Type"] == "Limit"]
    walked = [child["Node Type"] for part in limited for child in part["Plans"]]
    assert any(kind.startswith("Index") for kind in walked), walked

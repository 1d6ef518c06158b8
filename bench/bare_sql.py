"""The same rows written by a plain loop of batches: what the database alone would do on this machine, now."""

import time
from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

import psycopg

SUBMIT_BATCH = 1000
RUN_BATCH = 100

# The copy has all columns, checks and indexes of the original.
_CREATE = "CREATE TABLE bare_jobs (LIKE jobs INCLUDING ALL)"
_DROP = "DROP TABLE IF EXISTS bare_jobs"
_INSERT = """
INSERT INTO bare_jobs (
    id, shard, type, priority, request_hash, created_op_id, max_attempts, timeout_us, retry_initial_us,
    retry_max_backoff_us, retry_multiplier, retry_jitter, labels, created_at, state, version, op_id, attempts, losses,
    run_at, queued_at, updated_at, last_error
)
SELECT id, 0, 'noop', 'DEFAULT', '', id, 3, 300000000, 1000000, 300000000, 2, 0.2, '{}', now(), 'QUEUED', 1, id, 0, 0,
    now(), now(), now(), ''
FROM unnest(%s::UUID[]) AS n (id)
"""
_START = """
UPDATE bare_jobs
SET state = 'RUNNING', version = 2, attempts = 1, started_at = now(), updated_at = now(), worker_id = id
WHERE id = ANY(%s::UUID[]) AND version = 1
"""
_FINISH = """
WITH ended AS (
    UPDATE bare_jobs SET state = 'SUCCEEDED', version = 3, finished_at = now(), updated_at = now()
    WHERE id = ANY(%s::UUID[]) AND version = 2 RETURNING id
)
INSERT INTO job_attempts (job_id, fence, number, worker_id, started_at, finished_at, outcome, error)
SELECT id, 2, 1, id, now(), now(), 'SUCCEEDED', '' FROM ended
"""


class BareSql:
    """One connection that commits each batch."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ids: list[UUID] = []

    def insert(self, count: int, batch_size: int = SUBMIT_BATCH) -> float:
        """Insert so many rows into a new table; return rows a second."""
        self._ids = [uuid4() for _ in range(count)]
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(_DROP)
            connection.execute(_CREATE)
            started = time.perf_counter()
            for batch in _batches(self._ids, batch_size):
                connection.execute(_INSERT, (batch,))
            return count / (time.perf_counter() - started)

    def start_and_finish(self, count: int) -> float:
        """Move so many of the rows through RUNNING to SUCCEEDED, with their attempts; return rows a second."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            started = time.perf_counter()
            for batch in _batches(self._ids[:count], RUN_BATCH):
                connection.execute(_START, (batch,))
                connection.execute(_FINISH, (batch,))
            return count / (time.perf_counter() - started)


def _batches(ids: Sequence[UUID], size: int) -> Iterator[list[UUID]]:
    for first in range(0, len(ids), size):
        yield list(ids[first : first + size])

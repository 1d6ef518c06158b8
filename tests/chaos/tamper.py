"""Wrong, stale and missing entries, put into Redis by hand."""

import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg
from redis import Redis

from scheduler.adapters.redis.keys import Keys
from scheduler.domain.priority import Priority
from tests.chaos.fleet import Fleet

SOME = 20
_KEYS = Keys()


class Tamper:
    """Works on the servers past all proxies."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def flush(self) -> None:
        with closing(self._redis()) as redis:
            redis.flushall()

    def put_junk(self) -> None:
        """Make one key a text, and put members that are no ids everywhere else."""
        wrong, *queues = _KEYS.queues
        with closing(self._redis()) as redis:
            redis.delete(wrong)
            redis.set(wrong, "a text")
            for key in (*queues, _KEYS.processing):
                redis.zadd(key, {"no id": 1, "DEADBEEF": 2})

    def put_ghosts(self) -> None:
        """Queue jobs that have ended, and some that never were, each with every priority."""
        unknown = [str(uuid4()) for _ in range(SOME)]
        self._put([*self._ids("state IN ('SUCCEEDED', 'CANCELLED', 'FAILED', 'DEADLETTER')"), *unknown])

    def put_started_again(self) -> None:
        """Queue jobs that run, wait for their backoff, or are queued already."""
        self._put(self._ids("state IN ('RUNNING', 'RETRYING', 'QUEUED')"))

    def hide(self) -> None:
        """Remove a part of each queue and all that is handed out."""
        with closing(self._redis()) as redis:
            for key in _KEYS.queues:
                redis.zremrangebyrank(key, 0, SOME)
            redis.delete(_KEYS.processing)

    def vanish(self) -> None:
        """Hand out jobs to nobody."""
        with closing(self._redis()) as redis:
            deadline_ms = (time.time() + 10) * 1000
            for key in _KEYS.queues:
                popped: Any = redis.zpopmin(key, 3)
                for member, _ in popped:
                    redis.zadd(_KEYS.processing, {member: deadline_ms}, nx=True)

    def members(self) -> Sequence[str]:
        """Return all that is queued or handed out."""
        with closing(self._redis()) as redis:
            found: list[str] = []
            for key in (*_KEYS.queues, _KEYS.processing):
                members: Any = redis.zrange(key, 0, -1)
                found += members
            return found

    def kill_and_empty(self) -> None:
        self._fleet.valkey.kill()
        self._forget()

    def remember(self) -> None:
        """Keep a copy of the data as they are on the disk now."""
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self._data, self._copy)

    def rewind(self) -> None:
        """Kill the server and bring it back with the copy."""
        self.kill_and_empty()
        shutil.copytree(self._copy, self._data)
        self._fleet.valkey.start()

    def _forget(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(self._fleet.valkey.data_dir / "appendonlydir")

    @property
    def _copy(self) -> str:
        return str(self._fleet.directory / "valkey-copy")

    def _redis(self) -> Redis:
        return Redis.from_url(self._fleet.valkey.url, socket_timeout=5, decode_responses=True)

    def _put(self, ids: Sequence[str]) -> None:
        with closing(self._redis()) as redis:
            for priority in Priority:
                if ids:
                    redis.zadd(_KEYS.queue(priority), dict.fromkeys(ids, 1.0), nx=True)

    def _ids(self, condition: str) -> Sequence[str]:
        """Read some ids, or none while SQL is away."""
        try:
            with psycopg.connect(self._fleet.postgres.url, connect_timeout=2) as connection:
                connection.execute("SET statement_timeout = '2s'")
                rows = connection.execute(
                    f"SELECT id FROM jobs WHERE {condition} ORDER BY updated_at DESC LIMIT {SOME}".encode()
                )
                return [str(row[0]) for row in rows]
        except psycopg.OperationalError:
            return []

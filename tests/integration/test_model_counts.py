"""Counts stop at their cap in SQL as in memory."""

import asyncio

import pytest

from scheduler.adapters.cockroach import SqlJobReader
from scheduler.application.dto import COUNT_CAP, QueueStats
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from tests.support.builders import a_job, a_new_job
from tests.support.sql import SqlBackend, create_database

pytestmark = pytest.mark.servers


def test_counts_are_capped(postgres_url: str) -> None:
    async def counted() -> QueueStats:
        async with SqlBackend(create_database(postgres_url)) as backend:
            jobs = [a_job(state, priority=Priority.LOW) for state in JobState for _ in range(4)]
            await backend.repository.add_all([a_new_job(job) for job in jobs])
            return await SqlJobReader(backend.transactions, backend.telemetry, count_cap=3).queue_stats()

    stats = asyncio.run(counted())

    assert stats.queues[Priority.LOW].depth == 3
    assert (stats.running, stats.scheduled, stats.retrying, stats.dead_letters) == (3, 3, 3, 3)


def test_the_cap_is_a_hundred_thousand() -> None:
    assert COUNT_CAP == 100_000

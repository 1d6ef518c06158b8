"""Nothing is deleted before its retention ends: 7 days after success or cancellation, 30 days after failure."""

import asyncio
from datetime import timedelta

import pytest

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.entrypoints.container.application import Container
from scheduler.entrypoints.container.common import Common
from scheduler.entrypoints.container.memory_adapters import MemoryAdapters
from scheduler.entrypoints.process import ProcessOptions
from scheduler.entrypoints.settings import Settings
from tests.support.builders import MICROSECOND, a_job, a_new_job

DAY = timedelta(days=1)
RETENTION = {
    JobState.SUCCEEDED: 7 * DAY,
    JobState.CANCELLED: 7 * DAY,
    JobState.FAILED: 30 * DAY,
    JobState.DEADLETTER: 30 * DAY,
}


def kept(state: JobState, after: timedelta, settings: Settings) -> bool:
    """Tell whether a job in that state is still there so long after its end, with the reaper's purge at work."""

    async def scenario() -> bool:
        clock = FixedClock()
        common = Common(settings=settings, options=ProcessOptions())
        common.clock.override(clock)
        adapters = MemoryAdapters(common=common)
        job = a_job(
            state, created_at=clock.now() - 99 * DAY, finished_at=clock.now() if state in FINAL_STATES else None
        )
        await adapters.repository().add_all([a_new_job(job)])
        clock.advance(after)
        assert not await Container(common=common, adapters=adapters).purge_jobs().execute()
        return job.id in await adapters.repository().load([job.id])

    return asyncio.run(scenario())


@pytest.mark.parametrize("state", RETENTION)
def test_an_ended_job_stays_until_its_retention_ends(state: JobState) -> None:
    assert kept(state, RETENTION[state], Settings())
    assert not kept(state, RETENTION[state] + MICROSECOND, Settings())


@pytest.mark.parametrize("state", sorted(set(JobState) - FINAL_STATES))
def test_a_job_that_has_not_ended_stays_for_ever(state: JobState) -> None:
    assert kept(state, 9999 * DAY, Settings())


def test_a_longer_retention_can_be_asked_for() -> None:
    settings = Settings(keep_succeeded_days=8, keep_failed_days=31)
    assert kept(JobState.SUCCEEDED, 8 * DAY, settings)
    assert kept(JobState.FAILED, 31 * DAY, settings)
    assert not kept(JobState.FAILED, 31 * DAY + MICROSECOND, settings)

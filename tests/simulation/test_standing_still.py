"""A process that was stopped for longer than its lease; simulated seeds 23015 and 30088 found what it did then."""

import asyncio
from datetime import timedelta

from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.fixed_randomness import FixedRandomness
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.adapters.memory.store import MemoryStore
from scheduler.adapters.memory.worker_registry import MemoryWorkerRegistry
from scheduler.application.worker.lease import LeaseHolder, LeaseKeeper
from scheduler.domain.ids import AttemptId, WorkerId
from scheduler.domain.lease import LeaseTerms
from tests.acceptance.virtual_time import VirtualTimeLoop
from tests.support.builders import a_worker


class Holder(LeaseHolder):
    """Remembers what its lease told it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def lease_opened(self, worker_id: WorkerId) -> None:
        self.told.append("opened")

    def lease_suspended(self) -> None:
        self.told.append("suspended")

    def running_attempts(self) -> frozenset[AttemptId]:
        return frozenset()

    def attempts_checked(self, *, lost: frozenset[AttemptId], strangers: frozenset[AttemptId]) -> None:
        self.told.append("checked")

    def has_stuck_handler(self) -> bool:
        return False

    def handler_stuck(self) -> None:
        raise AssertionError("no handler runs")


def test_handlers_are_stopped_before_the_store_is_asked() -> None:
    clock, holder = FixedClock(), Holder()
    registry = MemoryWorkerRegistry(MemoryStore(clock))
    keeper = LeaseKeeper(
        registry=registry,
        describe=a_worker,
        terms=LeaseTerms(),
        clock=clock,
        randomness=FixedRandomness(),
        telemetry=RecordingTelemetry(),
        progress=LoopProgress(clock),
    )

    async def stand_still() -> None:
        stopping = asyncio.Event()
        keeping = asyncio.create_task(keeper.run(holder, stopping))
        await asyncio.sleep(1)
        clock.advance(timedelta(seconds=20))
        await asyncio.sleep(1)
        stopping.set()
        await keeping

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(clock)) as runner:
        runner.run(stand_still())

    assert holder.told == ["opened", "checked", "suspended", "opened", "checked"]

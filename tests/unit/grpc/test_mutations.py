import asyncio

import pytest

from scheduler.adapters.grpc.mutations import Mutations
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry


async def _give_up_on(
    mutations: Mutations, release: asyncio.Event, outcome: list[str], error: Exception | None
) -> None:
    async def mutation() -> str:
        await release.wait()
        if error is not None:
            raise error
        outcome.append("done")
        return "done"

    caller = asyncio.create_task(mutations.run(mutation()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


def test_a_mutation_returns_and_raises_to_its_caller() -> None:
    async def scenario() -> None:
        mutations = Mutations(lambda _: pytest.fail("nobody gave up"), RecordingTelemetry())

        async def seven() -> int:
            return 7

        async def fails() -> int:
            raise ValueError("broken")

        assert await mutations.run(seven()) == 7
        with pytest.raises(ValueError, match="broken"):
            await mutations.run(fails())

    asyncio.run(scenario())


def test_a_mutation_goes_on_when_its_caller_gives_up_and_can_be_waited_for() -> None:
    async def scenario() -> None:
        outcome: list[str] = []
        mutations = Mutations(lambda _: pytest.fail("it succeeds"), RecordingTelemetry())
        release = asyncio.Event()
        await _give_up_on(mutations, release, outcome, None)
        assert outcome == []
        release.set()
        await mutations.drained()
        assert outcome == ["done"]

    asyncio.run(scenario())


def test_the_failure_of_a_mutation_without_a_caller_is_reported() -> None:
    async def scenario() -> None:
        reported: list[BaseException] = []
        mutations = Mutations(reported.append, RecordingTelemetry())
        release = asyncio.Event()
        error = ValueError("broken")
        await _give_up_on(mutations, release, [], error)
        release.set()
        await mutations.drained()
        await asyncio.sleep(0)
        assert reported == [error]

    asyncio.run(scenario())


def test_work_in_steps_is_told_when_its_caller_gives_up() -> None:
    async def scenario() -> None:
        steps: list[str] = []
        mutations = Mutations(lambda _: pytest.fail("it succeeds"), RecordingTelemetry())

        async def work(gone: asyncio.Event) -> None:
            steps.append("first")
            await gone.wait()
            steps.append("last")

        caller = asyncio.create_task(mutations.run_until_gone(work))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await mutations.drained()
        assert steps == ["first", "last"]

    asyncio.run(scenario())

"""Attempts in processes that are stopped: let go at once, asked to end, and killed when they do not."""

import asyncio
import json
import os
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.handlers.process.pool import PoolLimits
from scheduler.application.ports.telemetry import ProcessEnd
from scheduler.domain.retry import Failure, FailureKind
from tests.integration import process_jobs
from tests.integration.process_tools import Bench, is_gone, read, run, until

IMPATIENT = PoolLimits(grace=timedelta(seconds=0.3))
UNHURRIED = PoolLimits(grace=timedelta(minutes=5))


def in_folder(folder: Path) -> str:
    return json.dumps({"folder": str(folder)})


async def begun(folder: Path) -> int:
    return int(await until(lambda: read(folder / "began")))


@pytest.mark.parametrize(
    "definition",
    [process_jobs.wait, process_jobs.wait_async, process_jobs.wait_patiently, process_jobs.wait_deafly],
)
def test_a_handler_that_is_cancelled_cleans_up_and_its_process_ends(definition: AnyDefinition, tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        async with bench.running(bench.attempt(definition, in_folder(tmp_path))) as task:
            pid = await begun(tmp_path)
        assert task.cancelled()
        # Let go before the process has ended.
        assert (bench.left, bench.telemetry.process_ends) == (["left"], [])
        await until(lambda: is_gone(pid))
        assert read(tmp_path / "cancelled") == "True"
        await until(lambda: bench.left == ["left", "gone"])
        assert (bench.telemetry.process_ends, bench.telemetry.processes) == ([ProcessEnd.KILLED], 0)

    # Nothing here is killed.
    run(scenario, UNHURRIED)


def test_what_a_cancelled_handler_logs_while_it_cleans_up_is_heard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def scenario(bench: Bench) -> None:
        async with bench.running(bench.attempt(process_jobs.wait, in_folder(tmp_path))):
            await begun(tmp_path)
        await until(lambda: bench.log.events() == ["cleaned_up"])

    run(scenario)


@pytest.mark.parametrize("definition", [process_jobs.wait_stubbornly, process_jobs.hog, process_jobs.wait_frozen])
def test_a_handler_that_does_not_end_is_killed(definition: AnyDefinition, tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        async with bench.running(bench.attempt(definition, in_folder(tmp_path))):
            pid = await begun(tmp_path)
        await until(lambda: is_gone(pid))
        await until(lambda: bench.left == ["left", "gone"])

    run(scenario, IMPATIENT)


def test_a_handler_that_swallows_its_end_gets_no_other_attempt(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        async with bench.running(bench.attempt(process_jobs.wait_and_swallow, in_folder(tmp_path))):
            pid = await begun(tmp_path)
        greeting = json.loads(await bench.result(process_jobs.greet, '{"item": "tea"}') or "")
        assert greeting["pid"] != pid
        await until(lambda: is_gone(pid))

    run(scenario, UNHURRIED)


def test_a_handler_that_runs_out_of_time_is_ended(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        pid = json.loads(await bench.result(process_jobs.greet, '{"item": "tea"}') or "")["pid"]
        outcome = await bench.attempt(process_jobs.wait, in_folder(tmp_path), limit=timedelta(seconds=0.5))
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.error) == (FailureKind.TIMEOUT, "ran longer than its timeout of 0.5 s")
        await until(lambda: is_gone(pid))

    run(scenario, UNHURRIED)


def test_what_a_handler_started_ends_with_it(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        async with bench.running(bench.attempt(process_jobs.wait_for_grandchild, in_folder(tmp_path))):
            await begun(tmp_path)
        grandchild = int(read(tmp_path / "grandchild"))
        await until(lambda: is_gone(grandchild))

    run(scenario, IMPATIENT)


def test_what_a_handler_left_behind_ends_when_its_process_dies(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        assert "exit code 3" in await bench.error(process_jobs.leave_grandchild, in_folder(tmp_path))
        grandchild = int(read(tmp_path / "grandchild"))
        await until(lambda: is_gone(grandchild))

    run(scenario, UNHURRIED)


def test_an_attempt_that_is_cancelled_before_its_process_has_started_leaves_it_to_the_next() -> None:
    async def scenario(bench: Bench) -> None:
        task = asyncio.create_task(bench.attempt(process_jobs.greet, '{"item": "tea"}'))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert bench.left == []
        await until(lambda: bench.telemetry.processes == 1)
        assert json.loads(await bench.result(process_jobs.greet, '{"item": "tea"}') or "")["item"] == "tea"
        assert (bench.telemetry.processes, bench.telemetry.process_ends) == (1, [])

    run(scenario)


def test_a_pool_that_closes_ends_all_processes_and_waits_for_them(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        working = asyncio.create_task(bench.attempt(process_jobs.wait, in_folder(tmp_path)))
        pids = [await begun(tmp_path)]
        pids.append(json.loads(await bench.result(process_jobs.greet, '{"item": "tea"}') or "")["pid"])
        await bench.pool.close()
        assert [pid for pid in pids if not is_gone(pid)] == []
        assert isinstance(await working, Failure)
        assert bench.telemetry.processes == 0
        assert sorted(bench.telemetry.process_ends) == [ProcessEnd.IDLE, ProcessEnd.KILLED]

    run(scenario, UNHURRIED)


def test_a_pool_that_closes_waits_for_none_longer_than_its_grace(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        working = asyncio.create_task(bench.attempt(process_jobs.wait_stubbornly, in_folder(tmp_path)))
        pid = await begun(tmp_path)
        await bench.pool.close()
        assert is_gone(pid)
        assert isinstance(await working, Failure)

    run(scenario, IMPATIENT)


def test_a_process_that_is_told_to_end_by_somebody_else_fails_its_attempt(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        working = asyncio.create_task(bench.attempt(process_jobs.wait, in_folder(tmp_path)))
        pid = await begun(tmp_path)

        def has_ended() -> bool:
            # Once might come just before the sleep, and not wake from it.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            return is_gone(pid)

        await until(has_ended)
        outcome = await working
        assert isinstance(outcome, Failure)
        assert outcome.error == "ProcessDiedError: the handler's process ended with exit code 143"
        await until(lambda: bench.telemetry.process_ends == [ProcessEnd.CRASHED])

    run(scenario)

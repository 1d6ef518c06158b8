"""The processes of a pool: as many as are needed, used again, ended in time."""

import asyncio
import json
import os
import signal
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.handlers.process.leaks import MOST_OPEN_FILES, MOST_THREADS
from scheduler.adapters.handlers.process.pool import PoolLimits
from scheduler.application.ports.telemetry import ProcessEnd
from tests.integration import process_jobs
from tests.integration.process_tools import Bench, is_gone, run, until

ORDER = '{"item": "tea"}'


async def greet(bench: Bench) -> int:
    """Return the id of the process that greeted."""
    return int(json.loads(await bench.result(process_jobs.greet, ORDER) or "")["pid"])


def test_one_process_runs_attempts_of_all_handlers_one_after_another() -> None:
    async def scenario(bench: Bench) -> None:
        first = await greet(bench)
        asynchronous = json.loads(await bench.result(process_jobs.greet_async, ORDER) or "")
        assert {first, asynchronous["pid"], await greet(bench)} == {first}
        assert first != os.getpid()

    run(scenario)


def test_attempts_that_run_at_the_same_time_have_a_process_each(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        payload = json.dumps({"folder": str(tmp_path), "count": 3})
        pids = await asyncio.gather(*(bench.result(process_jobs.meet, payload) for _ in range(3)))
        assert len(set(pids)) == 3
        assert {str(await greet(bench)) for _ in range(3)} < set(pids)
        assert bench.telemetry.processes == 3

    run(scenario)


def test_a_process_is_replaced_after_its_attempts() -> None:
    async def scenario(bench: Bench) -> None:
        pids = [await greet(bench) for _ in range(5)]
        assert len(set(pids)) == 3
        assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
        await until(lambda: bench.telemetry.process_ends == [ProcessEnd.RECYCLED] * 2)
        assert (is_gone(pids[0]), is_gone(pids[2])) == (True, True)

    run(scenario, PoolLimits(attempts=2))


def test_a_process_that_had_much_memory_is_replaced() -> None:
    async def scenario(bench: Bench) -> None:
        small = {await bench.result(process_jobs.allocate, "1") for _ in range(3)}
        assert len(small) == 1
        assert {await bench.result(process_jobs.allocate, "256")} == small
        await until(lambda: bench.telemetry.process_ends == [ProcessEnd.RECYCLED])
        assert {await bench.result(process_jobs.allocate, "1")} != small

    run(scenario, PoolLimits(megabytes=200))


@pytest.mark.parametrize(
    ("definition", "count"),
    [(process_jobs.leave_files, MOST_OPEN_FILES // 2), (process_jobs.leave_threads, MOST_THREADS // 2)],
)
def test_a_process_in_which_much_was_left_behind_is_replaced(definition: AnyDefinition, count: int) -> None:
    async def scenario(bench: Bench) -> None:
        pids = [await bench.result(definition, str(count)) for _ in range(3)]
        assert pids[0] == pids[1] != pids[2]
        await until(lambda: bench.telemetry.process_ends == [ProcessEnd.RECYCLED])

    run(scenario)


def test_the_memory_of_the_worker_does_not_count_as_that_of_a_process() -> None:
    async def scenario(bench: Bench) -> None:
        block = b"x" * (256 * 1024 * 1024)
        pids = {await greet(bench) for _ in range(3)}
        assert len(block) > 0
        assert len(pids) == 1

    run(scenario, PoolLimits(megabytes=200))


def test_a_process_without_work_ends_after_a_while() -> None:
    async def scenario(bench: Bench) -> None:
        pid = await greet(bench)
        await until(lambda: bench.telemetry.process_ends == [ProcessEnd.IDLE])
        assert is_gone(pid)
        assert bench.telemetry.processes == 0

    run(scenario, PoolLimits(idle=timedelta(seconds=0.1), grace=timedelta(minutes=5)))


def test_a_process_that_dies_without_work_costs_no_attempt() -> None:
    async def scenario(bench: Bench) -> None:
        pid = await greet(bench)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: bench.telemetry.process_ends == [ProcessEnd.CRASHED])
        assert await greet(bench) != pid

    run(scenario)


def test_a_system_that_refuses_a_process_fails_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(bench: Bench) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/no/such/python")
            error = await bench.error(process_jobs.greet, ORDER)
            assert error.startswith("ProcessNotStartedError: cannot start a process for the handler: [Errno 2]")
        assert await greet(bench)

    run(scenario)


def test_a_system_that_refuses_a_thread_fails_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def scenario(bench: Bench) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            error = await bench.error(process_jobs.greet, ORDER)
            assert error == "ProcessNotStartedError: cannot start a process for the handler: can't start new thread"
        assert await greet(bench)

    run(scenario)


def test_no_hook_of_the_worker_runs_in_a_process_that_starts(tmp_path: Path) -> None:
    # Such a hook may wait for what another thread of the worker held at the fork. It cannot be taken back.
    traces = [tmp_path / "trace"]

    def leave_trace() -> None:
        for trace in traces:
            trace.touch()

    async def scenario(bench: Bench) -> None:
        await greet(bench)
        assert not traces.pop().exists()

    os.register_at_fork(after_in_child=leave_trace)
    run(scenario)


def test_two_hundred_attempts_leave_no_open_file_behind(tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    async def scenario(bench: Bench) -> None:
        await greet(bench)
        before = open_files()
        for number in range(200):
            if number % 50 == 0:
                await bench.error(process_jobs.die, '"exit"')
            await greet(bench)
        await until(lambda: bench.telemetry.processes == 1)
        assert set(bench.telemetry.process_ends) == {ProcessEnd.CRASHED, ProcessEnd.RECYCLED}
        assert open_files() <= before

    run(scenario, PoolLimits(attempts=30))

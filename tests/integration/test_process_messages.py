"""What handlers in processes say meanwhile: logs, progress, and what they print."""

import json
import logging
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.application.ports.telemetry import ProcessEnd
from tests.integration import process_jobs
from tests.integration.process_tools import Bench, run, until


@pytest.fixture(autouse=True)
def level(caplog: pytest.LogCaptureFixture) -> None:
    """Log as a worker does unless told otherwise."""
    caplog.set_level(logging.INFO)


def test_log_lines_reach_the_log_of_the_worker_with_the_fields_of_the_attempt() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.result(process_jobs.talk)
        began, skipped, bound, library, odd = bench.log.lines
        assert began[:2] == ("info", "work_began")
        assert {"of": "talk", "place": "/somewhere", "job_type": "talk", "attempt": 1}.items() <= began[2].items()
        assert "job_id" in began[2]
        assert skipped[1:] == ("file_skipped", {**skipped[2], "name": "\udcff.csv"})
        assert bound[:2] == ("info", "bound")
        assert "lock" in str(bound[2]["lock"])
        assert library[:2] == ("warning", "used wrongly")
        assert {"source": "library", "job_type": "talk"}.items() <= library[2].items()
        assert odd[:2] == ("error", "work_is_odd")
        assert "ValueError: invalid literal" in str(odd[2]["exception"])

    run(scenario)


def test_a_flood_of_log_lines_arrives_in_order_and_a_line_too_long_is_shortened() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.result(process_jobs.talk_much)
        (_, event, fields), *short = bench.log.lines
        assert (event, fields["shortened"], len(str(fields["text"]))) == ("long", True, 1024)
        assert [line[2]["number"] for line in short] == list(range(2000))

    run(scenario)


def test_of_much_progress_some_is_told_and_always_the_last() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.result(process_jobs.progress, "5000")
        assert bench.progress == sorted(bench.progress)
        assert bench.progress[-1] == (100.0, "5000 of 5000")
        assert len(bench.progress) < 1000

    run(scenario)


def test_progress_is_told_while_the_work_goes_on(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        working = bench.attempt(process_jobs.pause, json.dumps({"folder": str(tmp_path)}))
        async with bench.running(working):
            await until(lambda: bench.progress[-1:] == [(2.0, "two")])

    run(scenario)


def test_progress_that_is_none_is_refused_where_it_is_told() -> None:
    async def scenario(bench: Bench) -> None:
        error = await bench.error(process_jobs.bad_progress)
        assert error == "InvalidFieldError: percent: must be a number between 0 and 100"
        assert bench.telemetry.process_ends == []

    run(scenario)


def test_megabytes_of_prints_go_where_the_worker_prints_and_neither_block_nor_stay_in_memory(tmp_path: Path) -> None:
    program = "import sys; from tests.integration.test_process_messages import print_megabytes; print_megabytes()"
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        subprocess.run([sys.executable, "-c", program], stdout=out, stderr=err, check=True, timeout=60)

    assert (tmp_path / "out").stat().st_size == (tmp_path / "err").stat().st_size == 32 * 1024 * 1024


def print_megabytes() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.result(process_jobs.print_much, "1")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await bench.result(process_jobs.print_much, "63")
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 16 * 1024
        assert bench.telemetry.process_ends == []

    run(scenario)


def test_a_process_has_no_open_files_of_its_worker(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        secret = (tmp_path / "secret").open("wb")
        os.set_inheritable(secret.fileno(), True)  # noqa: FBT003 - takes no keywords
        with secret:
            targets = json.loads(await bench.result(process_jobs.list_open_files) or "")
        assert not [target for target in targets if "secret" in target]
        ours = [target for target in targets if "socket:" in target or "pipe:" in target]
        # The protocol, the lifeline, and at most what the tests' own output goes to.
        assert len(ours) <= 4

    run(scenario)


def test_a_handler_reads_nothing_from_the_input_of_the_worker() -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.result(process_jobs.read_input) == '""'
        assert ProcessEnd.CRASHED not in bench.telemetry.process_ends

    run(scenario)

"""Handler processes whose worker ends or is interrupted: none is left behind, none ends before its time."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.process_tools import is_gone, read, until


@contextmanager
def worker(job_type: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker with one attempt, in a session of its own as a terminal's would be."""
    command = [sys.executable, "-m", "tests.integration.process_worker", job_type, json.dumps({"folder": str(folder)})]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(folder: Path, name: str) -> int:
    return int(asyncio.run(until(lambda: read(folder / name))))


def test_a_worker_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    with worker("wait.parent", tmp_path) as process:
        child, grandchild = wait_for(tmp_path, "began"), wait_for(tmp_path, "grandchild")
        assert not is_gone(child)
        assert not is_gone(grandchild)
        process.kill()
        asyncio.run(until(lambda: is_gone(child) and is_gone(grandchild)))


def test_a_worker_that_is_killed_leaves_no_process_even_one_whose_threads_are_held_up(tmp_path: Path) -> None:
    with worker("wait.hog", tmp_path) as process:
        child = wait_for(tmp_path, "began")
        process.kill()
        asyncio.run(until(lambda: is_gone(child)))


def test_an_interrupt_at_the_terminal_is_for_the_worker_alone(tmp_path: Path) -> None:
    with worker("wait.for", tmp_path) as process:
        wait_for(tmp_path, "began")
        os.killpg(process.pid, signal.SIGINT)
        (tmp_path / "go").touch()
        output, _ = process.communicate(timeout=60)
        assert output.decode().strip() == "Success(result='\"went\"')"

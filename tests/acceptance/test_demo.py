"""`scheduler demo`, from its start to its end."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.operations import eventually
from tests.unit.cli.tool import INTERRUPTIBLE

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
PATIENCE_SECONDS = 120.0


@contextmanager
def demo(directory: Path, *options: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the demo with its temporary data below `directory`; make sure that it ends."""
    process = subprocess.Popen(
        [*INTERRUPTIBLE, "demo", *options],
        env={**os.environ, **environment, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=PATIENCE_SECONDS)


def processes_below(directory: Path) -> list[str]:
    """List the processes that were told of a place below the directory, by their arguments or environment."""
    needle = os.fsencode(directory)
    return [entry.name for entry in Path("/proc").glob("[0-9]*") if needle in _told(entry)]


def _told(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    except OSError:  # it has ended, or belongs to somebody else
        return b""


def test_the_demo_passes_its_own_checks_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        stdout, stderr = running.communicate(timeout=PATIENCE_SECONDS)

    assert (running.returncode, stderr) == (0, "")
    assert "all 16 checks passed" in stdout
    assert "FAILED " not in stdout.split("RATE", 1)[1]
    for job_type in ("noop", "http_call", "db_tx", "example.async", "example.thread", "example.process"):
        assert re.search(rf"^{job_type} +([1-9]\d*) +\1 ", stdout, re.MULTILINE), job_type
    assert re.search(r"^DEADLETTER +1 +1 *$", stdout, re.MULTILINE)
    assert re.search(r"\d+ of 400 ended: ", stdout)
    assert "\x1b" not in stdout
    assert not list(tmp_path.iterdir())
    eventually(lambda: not processes_below(tmp_path))


def test_data_and_logs_are_kept_when_asked_for(tmp_path: Path) -> None:
    with demo(tmp_path, "--keep", "--jobs", "100") as running:
        stdout, stderr = running.communicate(timeout=PATIENCE_SECONDS)

    (directory,) = tmp_path.iterdir()
    assert running.returncode == 0, stdout
    assert str(directory) in stderr
    assert (directory / "logs" / "api.log").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_the_middle_stops_everything(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with demo(tmp_path) as running:
        assert running.stdout is not None
        seen = ""
        while "submitted 400 jobs" not in seen:
            line = running.stdout.readline()
            assert line, "it ended too early"
            seen += line
        running.send_signal(number)
        _, stderr = running.communicate(timeout=PATIENCE_SECONDS)

    assert (running.returncode, stderr) == (code, "")
    assert not list(tmp_path.iterdir())
    eventually(lambda: not processes_below(tmp_path))


def test_a_part_that_does_not_start_is_named_together_with_the_logs(tmp_path: Path) -> None:
    with demo(tmp_path, CLAIM_ORDER="whatever") as running:
        _, stderr = running.communicate(timeout=PATIENCE_SECONDS)

    (directory,) = tmp_path.iterdir()
    assert running.returncode == 1
    assert "did not start" in stderr
    assert str(directory / "logs") in stderr
    assert "Traceback" not in stderr
    named = re.search(r"see (\S+\.log)\)", stderr)
    assert named is not None
    assert "CLAIM_ORDER" in Path(named[1]).read_text()

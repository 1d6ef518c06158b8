"""Where systemd reads standard error into the journal, each line says how much it matters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def said_to_a_journal(path: Path, kind: str, log_format: str, *, reads_it: bool = True) -> list[str]:
    """Run a program whose standard error journald reads, or another file; return the lines."""
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        inode = status.st_ino if reads_it else status.st_ino + 1
        subprocess.run(
            [sys.executable, "-m", "tests.unit.entrypoints.whole_program", kind],
            stderr=stream,
            env={**os.environ, "LOG_FORMAT": log_format, "JOURNAL_STREAM": f"{status.st_dev}:{inode}"},
            check=False,
            timeout=60,
        )
    return path.read_text().splitlines()


@pytest.mark.parametrize(("reads_it", "beginning"), [(True, "<2>{"), (False, "{")])
def test_lines_begin_with_their_priority_where_journald_reads_them(
    tmp_path: Path, *, reads_it: bool, beginning: str
) -> None:
    lines = said_to_a_journal(tmp_path / "stderr", "stuck", "json", reads_it=reads_it)
    (line,) = [line for line in lines if "handler_stuck" in line]
    assert line.startswith(beginning)


def test_each_line_of_a_traceback_has_the_priority_of_its_event(tmp_path: Path) -> None:
    lines = said_to_a_journal(tmp_path / "stderr", "broken-keeper", "console")
    (first,) = [number for number, line in enumerate(lines) if "lease_thread_failed" in line]
    (last,) = [number for number, line in enumerate(lines) if "ZeroDivisionError: the keeper's own fault" in line]

    assert lines[first].startswith("<2>")
    assert last > first + 1
    assert all(line.startswith("<2>    ") for line in lines[first + 1 : last + 1])

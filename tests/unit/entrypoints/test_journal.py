"""Where systemd reads standard error into the journal, each line says how much it matters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("reads_it", "beginning"), [(True, "<2>{"), (False, "{")])
def test_lines_begin_with_their_priority_where_journald_reads_them(
    tmp_path: Path, *, reads_it: bool, beginning: str
) -> None:
    said = tmp_path / "stderr"
    with said.open("w") as stream:
        status = os.fstat(stream.fileno())
        inode = status.st_ino if reads_it else status.st_ino + 1
        subprocess.run(
            [sys.executable, "-m", "tests.unit.entrypoints.whole_program", "stuck"],
            stderr=stream,
            env={**os.environ, "LOG_FORMAT": "json", "JOURNAL_STREAM": f"{status.st_dev}:{inode}"},
            check=False,
            timeout=60,
        )
    (line,) = [line for line in said.read_text().splitlines() if "handler_stuck" in line]
    assert line.startswith(beginning)

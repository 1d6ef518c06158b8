"""What `scheduler up` prints can be pasted into another terminal."""

import os
import sys
from pathlib import Path

import pytest

from scheduler.entrypoints.cli.up_reporter import TerminalReporter
from scheduler.entrypoints.process import Backend
from scheduler.entrypoints.up import UpOptions

OPTIONS = UpOptions(backend=Backend.MEMORY, data_dir=Path())


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program in a directory of its own, which is not in PATH."""
    program = tmp_path / "scheduler"
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "up"])
    monkeypatch.setenv("PATH", os.defpath)
    return program


def tried(capsys: pytest.CaptureFixture[str], address: str = "127.0.0.1:8081") -> str:
    TerminalReporter(OPTIONS).ready(address)
    return capsys.readouterr().out.splitlines()[1]


def test_a_program_that_is_not_in_path_is_named_as_it_was_started(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tried(capsys).startswith(f"try: {installed} submit noop ")


def test_a_program_in_path_is_named_alone(
    installed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))

    assert tried(capsys).startswith("try: scheduler submit noop ")


@pytest.mark.usefixtures("installed")
def test_another_address_than_the_usual_goes_along(capsys: pytest.CaptureFixture[str]) -> None:
    assert tried(capsys, "127.0.0.1:9").startswith("try: SCHEDULER_ADDRESS=127.0.0.1:9 ")

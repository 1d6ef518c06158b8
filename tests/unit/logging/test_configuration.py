import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

ROOT = Path(__file__).resolve().parents[3]


def spoken(level: str, log_format: str, *options: str) -> str:
    """What a real process writes to its standard error."""
    command = [sys.executable, "-m", "tests.unit.logging.speaker", level, log_format, *options]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout == ""
    return said.stderr


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str]]:
    return [json.loads(line) for line in spoken("info", "json").splitlines()]


def test_each_event_is_one_line_of_json(lines: list[dict[str, str]]) -> None:
    assert [line["event"] for line in lines] == [
        "job_failed",
        "connected with password=***",
        "request failed",
        "order_refused",
        "worn_out",
        "loop_failed",
    ]


def test_a_line_says_who_spoke_how_loud_and_in_which_context(lines: list[dict[str, str]]) -> None:
    expected = {"logger": "scheduler.test", "level": "info", "job_id": "2", "worker_id": "w-1"}
    assert expected.items() <= lines[0].items()


def test_a_line_names_the_trace_on_whose_behalf_it_is_written(lines: list[dict[str, str]]) -> None:
    assert (lines[0]["trace_id"], "trace_id" in lines[1]) == ("a" * 32, False)


def test_what_a_library_says_inside_an_attempt_names_the_attempt(lines: list[dict[str, object]]) -> None:
    named = {
        "job_id": str(UUID(int=7)),
        "job_type": "order.pack",
        "attempt": 2,
        "fence": 3,
        "worker_id": str(UUID(int=8)),
        "trace_id": UUID(int=7).hex,
    }

    assert named.items() <= lines[2].items()
    assert "job_type" not in lines[-1], "the attempt is over"


def test_what_a_line_says_itself_wins_over_the_attempt(lines: list[dict[str, object]]) -> None:
    assert (lines[3]["attempt"], lines[3]["job_id"]) == ("of its own", str(UUID(int=7)))


def test_times_are_utc(lines: list[dict[str, str]]) -> None:
    at = datetime.fromisoformat(lines[0]["timestamp"])

    assert at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - at) < timedelta(hours=1)


def test_libraries_speak_through_the_same_format(lines: list[dict[str, str]]) -> None:
    assert {"logger": "some.library", "level": "warning"}.items() <= lines[1].items()


def test_a_level_that_falls_while_a_process_runs_shows_what_libraries_warn_of() -> None:
    program = """
import logging
from scheduler.adapters.logging.configuration import configure_logging
for level in ("INFO", "DEBUG", "INFO"):
    configure_logging(level=level, log_format="json")
    logging.getLogger("opentelemetry.sdk").warning("at %s", level)
"""
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [json.loads(line)["event"] for line in said.stderr.splitlines()] == ["at DEBUG"]


def test_neither_payloads_nor_secrets_are_written(lines: list[dict[str, str]]) -> None:
    assert lines[0]["payload"] == "***"
    assert lines[0]["error"] == "redis://***@host:6379/0"
    assert "hunter2" not in json.dumps(lines)


def test_an_exception_keeps_its_traceback_in_its_line(lines: list[dict[str, str]]) -> None:
    assert "Traceback" in lines[-1]["exception"]
    assert "ValueError: invalid literal" in lines[-1]["exception"]


def test_debug_shows_ours_and_the_libraries_details() -> None:
    events = [json.loads(line)["event"] for line in spoken("DEBUG", "json").splitlines()]

    assert events[0] == "detail"
    assert "library detail" in events
    assert "error connecting" in events


def test_the_console_format_is_for_people() -> None:
    text = spoken("WARNING", "console")

    assert "job_failed" not in text
    assert "loop_failed" in text
    assert "\x1b" not in text
    assert not text.startswith("{")


def test_for_the_journal_each_line_begins_with_its_priority() -> None:
    lines = spoken("DEBUG", "json", "journal").splitlines()

    assert {(line[:3], json.loads(line[3:])["level"]) for line in lines} == {
        ("<2>", "critical"),
        ("<3>", "error"),
        ("<4>", "warning"),
        ("<6>", "info"),
        ("<7>", "debug"),
    }


def test_a_line_for_people_can_neither_forge_another_nor_its_priority() -> None:
    lines = spoken("WARNING", "console", "journal", "hostile").splitlines()

    heads = [line for line in lines if "] " in line and not line.startswith("<3>    ")]
    assert [head[:3] for head in heads] == ["<4>", "<4>", "<4>", "<2>", "<3>", "<4>", "<4>", "<3>"]
    assert all(line.isprintable() for line in lines)
    assert not any(line[3:].startswith(("<", "2020")) for line in lines)
    assert [line for line in lines if line.startswith("<3>    ") and "<1>in a message" in line]

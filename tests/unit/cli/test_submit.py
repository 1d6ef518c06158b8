"""`scheduler submit`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.unit.cli.tool import Tool

ODD_JSON = '{ "a": 1e400, "a": "\\u0000\\ud800", "\u00e9": [ ] }'


def test_the_id_of_the_stored_job_is_printed(tool: Tool) -> None:
    ran = tool("submit", "noop")

    (job_id,) = ran.lines
    assert (ran.code, ran.stderr) == (0, "")
    assert tool("get", job_id, "--json").document["job_id"] == job_id


def test_every_option_reaches_the_job(tool: Tool) -> None:
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)

    job_id = tool.submit(
        "reports.daily",
        "-d",
        "[1]",
        "-p",
        "high",
        "--at",
        at.isoformat(),
        "--max-attempts",
        "7",
        "-l",
        "team=a=b",
        "-l",
        "x=",
    )

    job = tool("get", job_id, "--json").document
    assert (job["type"], job["payload_json"], job["priority"]) == ("reports.daily", "[1]", "HIGH")
    assert (job["state"], job["max_attempts"]) == ("SCHEDULED", 7)
    assert job["labels"] == {"team": "a=b", "x": ""}
    assert job["run_at"] == at.isoformat().replace("+00:00", "Z")


def test_a_payload_is_kept_byte_for_byte_from_text_file_and_standard_input(tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "payload.json"
    path.write_text(f"{ODD_JSON}\n", encoding="utf-8")

    text = tool.submit("noop", "--payload", ODD_JSON)
    file = tool.submit("noop", "--payload", f"@{path}")
    stdin = tool.submit("noop", "--payload", "-", stdin=f" {ODD_JSON}".encode())

    kept = [tool("get", job_id, "--json").document["payload_json"] for job_id in (text, file, stdin)]
    assert kept == [ODD_JSON, f"{ODD_JSON}\n", f" {ODD_JSON}"]


def test_an_empty_payload_is_none(tool: Tool) -> None:
    assert tool("get", tool.submit("noop", "--payload", ""), "--json").document["payload_json"] is None


def test_a_repeat_under_the_same_id_says_that_the_job_existed(tool: Tool) -> None:
    job_id = str(uuid4())

    first, second = [tool("submit", "noop", "--id", job_id) for _ in range(2)]

    assert first.stdout == f"{job_id}\n"
    assert second.stdout == f"{job_id} (existed)\n"


def test_a_repeat_under_the_same_key_returns_the_first_job(tool: Tool) -> None:
    key = str(uuid4())

    first, second = [tool("submit", "noop", "-k", key, "--json").document for _ in range(2)]

    assert (first["created"], second["created"]) == (True, False)
    assert first["job_id"] == second["job_id"]


def test_other_content_under_the_same_key_is_refused_with_its_reason(tool: Tool) -> None:
    key = str(uuid4())
    tool.submit("noop", "-k", key)

    ran = tool("submit", "noop", "-k", key, "--payload", "1", "--json")

    assert (ran.code, ran.stdout) == (1, "")
    assert (ran.error["status"], ran.error["reason"]) == ("ALREADY_EXISTS", "IDEMPOTENCY_MISMATCH")


def test_many_jobs_are_submitted_in_as_many_requests_as_it_takes(tool: Tool) -> None:
    ran = tool("submit", "noop", "--count", "1203")

    assert ran.code == 0
    assert len(set(ran.lines)) == 1203


def test_large_payloads_are_split_into_requests_that_the_service_accepts(tool: Tool) -> None:
    payload = json.dumps("x" * 900_000).encode()

    ran = tool("submit", "unheard.of", "--payload", "-", "--count", "7", stdin=payload)

    assert (ran.code, len(set(ran.lines))) == (0, 7)


@pytest.mark.parametrize("option", [["--id", str(uuid4())], ["-k", "key"], ["--watch"]])
def test_what_makes_sense_for_one_job_only_is_refused_for_many(tool: Tool, option: list[str]) -> None:
    ran = tool("submit", "noop", "--count", "2", *option)

    assert (ran.code, ran.stdout) == (2, "")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["noop", "--priority", "urgent"], "--priority"),
        (["noop", "--at", "tomorrow"], "--at"),
        (["noop", "--timeout", "soon"], "--timeout"),
        (["noop", "--label", "nothing"], "--label"),
        (["noop", "--id", "7"], "--id"),
        (["noop", "--count", "0"], "--count"),
        (["noop", "--payload", "@/nowhere/at/all"], "--payload"),
        (["noop", "--payload", "{"], "job.payload_json"),
        (["noop", "--payload", "NaN"], "job.payload_json"),
        (["noop", "--max-attempts", "101"], "max_attempts"),
        (["noop", "--max-attempts", "0"], "max_attempts"),
        (["noop", "--timeout", "25h"], "timeout"),
        (["noop", "--retry-initial", "0s"], "job.retry_policy.initial:"),
        (["noop", "--retry-max", "0s"], "job.retry_policy.max:"),
        (["noop", "--retry-initial", "10s", "--retry-max", "1s"], "job.retry_policy.max:"),
        (["no op"], "type"),
        ([], "TYPE"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_submitted(tool: Tool, arguments: list[str], named: str) -> None:
    ran = tool("submit", *arguments)

    assert (ran.code, ran.stdout) == (2, "")
    assert named in ran.stderr
    assert "Traceback" not in ran.stderr


def test_with_json_a_refused_field_is_an_error_object(tool: Tool) -> None:
    ran = tool("submit", "noop", "--payload", "{", "--json")

    assert ran.code == 2
    assert ran.error["status"] == "INVALID_ARGUMENT"
    assert '"field": "job.payload_json"' in json.dumps(ran.error["field_violations"])


def test_a_payload_that_is_not_utf_8_is_refused(tool: Tool) -> None:
    ran = tool("submit", "noop", "--payload", "-", stdin=b'"\xff"')

    assert ran.code == 2
    assert "UTF-8" in ran.stderr

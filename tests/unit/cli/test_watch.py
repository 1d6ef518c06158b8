"""`scheduler watch`, and `submit --watch`."""

from uuid import uuid4

import pytest

from tests.unit.cli.tool import Tool

FAILS_ONCE = '{"fail_attempts": 1}'
FAILS_FOR_GOOD = '{"fail_permanently": true}'


@pytest.mark.parametrize(
    ("arguments", "state", "code"),
    [
        ([], "SUCCEEDED", 0),
        (["--payload", FAILS_FOR_GOOD], "FAILED", 1),
        (["--payload", FAILS_ONCE, "--max-attempts", "1"], "DEADLETTER", 1),
    ],
)
def test_the_exit_code_tells_how_the_job_ended(tool: Tool, arguments: list[str], state: str, code: int) -> None:
    ran = tool("submit", "noop", *arguments, "--watch", "--json")

    submitted, *events = ran.documents
    assert ran.code == code
    assert events[-1]["state"] == state
    assert events[-1]["job_id"] == submitted["job_id"]


def test_a_cancelled_job_did_not_succeed(tool: Tool) -> None:
    job_id = tool.submit("noop", "--at", "+1h")
    tool("cancel", job_id)

    ran = tool("watch", job_id, "--json")

    assert (ran.code, ran.document["state"]) == (1, "CANCELLED")


def test_every_event_is_newer_than_the_one_before(tool: Tool) -> None:
    ran = tool("submit", "noop", "--payload", FAILS_ONCE, "--retry-initial", "100ms", "--watch", "--json")

    versions = [int(str(event["version"])) for event in ran.documents[1:]]
    assert versions == sorted(set(versions))
    assert (ran.code, ran.documents[-1]["state"]) == (0, "SUCCEEDED")


def test_without_a_terminal_each_event_is_a_line_with_the_error_that_led_to_it(tool: Tool) -> None:
    ran = tool("submit", "noop", "--payload", FAILS_FOR_GOOD, "--watch")

    job_id, *lines = ran.lines
    assert all(job_id in line for line in lines)
    assert lines[-1].endswith("failed, attempt 1 of 3: no retry can help: failed for good, as the payload asks")


def test_an_error_that_was_overcome_is_not_shown_at_the_end(tool: Tool) -> None:
    ran = tool("submit", "noop", "--payload", FAILS_ONCE, "--retry-initial", "50ms", "--watch")

    assert ran.lines[-1].endswith("succeeded, attempt 2 of 3")


def test_progress_is_shown_while_the_job_runs_and_kept_after_its_end(tool: Tool) -> None:
    job_id = tool.submit("noop", "--payload", '{"sleep_seconds": 1, "progress_steps": 2}', "--priority", "critical")

    lines = tool("watch", job_id).lines

    assert any(line.endswith(" running, attempt 1 of 3, 50 %: step 1 of 2") for line in lines), lines
    assert (tool("get", job_id, "--json").document["progress"]) == 100
    assert "progress 100 % step 2 of 2" in [" ".join(line.split()) for line in tool("get", job_id).lines]


def test_a_watch_can_go_on_after_a_version(tool: Tool) -> None:
    job_id = tool.submit("noop")
    final = tool("watch", job_id, "--json").documents[-1]

    ran = tool("watch", job_id, "--after-version", str(final["version"]), "--json")

    assert (ran.code, ran.stdout) == (0, "")


def test_an_unknown_job_is_an_error(tool: Tool) -> None:
    ran = tool("watch", str(uuid4()))

    assert ran.code == 1
    assert ran.error_line.startswith("scheduler: NOT_FOUND: ")

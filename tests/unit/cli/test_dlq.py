"""`scheduler dlq`: dead letters as a desk."""

import json
import time
from datetime import datetime

import pytest

from scheduler.domain.job import first_version
from tests.acceptance import unwilling_jobs
from tests.unit.cli.terminal import Terminal
from tests.unit.cli.tool import INTERRUPTIBLE, PATIENCE_SECONDS, Tool

SOME_ID = "3f0c5d9e-6f1b-4a54-9a2e-0d6c1b7f8e21"
"""Of no job. Not drawn: all test runners must collect the same tests."""


class Corner:
    """Jobs of a type whose handler always fails: each is a dead letter after its first attempt."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool
        self.type = unwilling_jobs.unused()
        self.ids: list[str] = []

    def dead(self, count: int, *arguments: str) -> None:
        for _ in range(count):
            self.ids.append(self.tool.submit(self.type, "--max-attempts", "1", "-d", "[1]", *arguments))
        self.wait()

    def wait(self) -> None:
        for job_id in self.ids:
            self.tool("watch", job_id)

    @property
    def fingerprint(self) -> str:
        (group,) = self.tool("dlq", "list", "-t", self.type, "--json").documents
        return str(group["error_fingerprint"])

    def changes(self) -> list[int]:
        """Return how often each job has changed since it was submitted."""
        jobs = [self.tool("get", job_id, "--json").document for job_id in self.ids]
        return [
            int(str(job["version"])) - first_version(datetime.fromisoformat(str(job["created_at"]))) for job in jobs
        ]


@pytest.fixture
def corner(tool: Tool) -> Corner:
    return Corner(tool)


def test_kinds_of_errors_are_listed_with_their_counts(tool: Tool, corner: Corner) -> None:
    corner.dead(3)

    (group,) = tool("dlq", "list", "--type", corner.type, "--json").documents
    header, row = tool("dlq", "list", "--type", corner.type).lines

    assert (group["count"], group["dead_letters"], group["failed"], group["count_capped"]) == (3, 3, 0, False)
    assert (group["type"], group["sample_job_id"]) == (corner.type, corner.ids[-1])
    assert str(group["sample_error"]).endswith(unwilling_jobs.REFUSAL)
    assert str(group["first_seen"]) < str(group["last_seen"])
    assert header.split() == ["FINGERPRINT", "TYPE", "JOBS", "FAILED", "DEAD", "FIRST", "LAST", "ERROR"]
    assert row.split()[:5] == [group["error_fingerprint"], corner.type, "3", "0", "3"]


def test_more_kinds_are_announced_beside_the_list(tool: Tool, corner: Corner) -> None:
    corner.dead(1)
    other = Corner(tool)
    other.dead(1)

    ran = tool("dlq", "list", "--limit", "1", "--json")

    assert [document["type"] for document in ran.documents] == [other.type]
    assert '{"warning": "there are more kinds' in ran.stderr
    assert tool("dlq", "list", "-n", "1").error_line.startswith("there are more kinds")


def test_a_kind_is_shown_with_its_newest_jobs(tool: Tool, corner: Corner) -> None:
    corner.dead(3)

    document = tool("dlq", "show", corner.fingerprint, "--limit", "2", "--json").document
    shown = tool("dlq", "show", corner.fingerprint)

    jobs = document["jobs"]
    assert isinstance(jobs, list)
    assert [job["job_id"] for job in jobs] == corner.ids[:0:-1]
    assert document["count"] == 3
    assert f"fingerprint {corner.fingerprint}" in " ".join(shown.stdout.split())
    assert all(job_id in shown.stdout for job_id in corner.ids)


def test_a_job_is_shown_with_its_payload_error_and_history(tool: Tool, corner: Corner) -> None:
    corner.dead(1)
    tool("dlq", "requeue", corner.ids[0])
    corner.wait()

    document = tool("dlq", "show", corner.ids[0], "--json").document
    shown = tool("dlq", "show", corner.ids[0]).stdout

    attempts = document["attempts"]
    assert isinstance(attempts, list)
    assert (document["payload_json"], [attempt["outcome"] for attempt in attempts]) == ("[1]", ["FAILED", "FAILED"])
    assert unwilling_jobs.REFUSAL in str(document["last_error"])
    assert shown.count("FAILED") == 2


@pytest.mark.parametrize("target", ["0" * 16, SOME_ID])
def test_what_is_not_there_is_one_line(tool: Tool, target: str) -> None:
    ran = tool("dlq", "show", target)

    assert (ran.code, ran.stdout) == (1, "")
    assert "NOT_FOUND" in ran.error_line


def test_jobs_are_counted_and_queued_again_by_filter(tool: Tool, corner: Corner) -> None:
    corner.dead(3, "-l", "shop=a")
    corner.dead(1, "-l", "shop=b")

    dry = tool("dlq", "requeue", "-f", corner.fingerprint, "--dry-run", "--json").document
    assert dry == {"count": 4, "more": False, "dry_run": True}
    assert tool("dlq", "requeue", "-f", corner.fingerprint, "--dry-run").lines == ["would requeue 4 jobs"]
    assert corner.changes() == [2] * 4

    assert tool("dlq", "requeue", "-t", corner.type, "-l", "shop=b").lines == ["requeued 1 job"]
    corner.wait()
    assert corner.changes() == [2, 2, 2, 5]
    assert tool("dlq", "requeue", "--error", corner.type, "-l", "shop=a", "--limit", "2").lines == ["requeued 2 jobs"]
    corner.wait()
    assert corner.changes() == [5, 5, 2, 5]


@pytest.mark.parametrize(
    "narrow",
    [["-p", "low"], ["--error", "nothing of that kind"], ["--until", "-1h"], ["--since", "+1h"], ["-s", "failed"]],
)
def test_each_filter_narrows(tool: Tool, corner: Corner, narrow: list[str]) -> None:
    corner.dead(1)

    assert tool("dlq", "requeue", "-t", corner.type, "--dry-run").lines == ["would requeue 1 job"]
    assert tool("dlq", "requeue", "-t", corner.type, *narrow, "--dry-run").lines == ["would requeue 0 jobs"]


def test_cancelled_jobs_are_queued_again_when_they_are_named(tool: Tool, corner: Corner) -> None:
    job_id = tool.submit(corner.type, "--at", "+1h")
    tool("cancel", job_id)

    assert tool("dlq", "requeue", "-t", corner.type, "--dry-run").lines == ["would requeue 0 jobs"]
    assert tool("dlq", "requeue", "-t", corner.type, "-s", "cancelled").lines == ["requeued 1 job"]


def test_a_rate_is_kept_over_the_whole_command(tool: Tool, corner: Corner) -> None:
    corner.dead(3)

    began = time.monotonic()
    assert tool("dlq", "requeue", "-t", corner.type, "--rate", "2").lines == ["requeued 3 jobs"]
    assert time.monotonic() - began >= 1.5


def test_one_job_is_repaired_by_another_payload(tool: Tool) -> None:
    job_id = tool.submit("noop", "-d", '{"fail_permanently": true}')
    dead = tool("watch", job_id, "--json").documents[-1]

    ran = tool("dlq", "requeue", job_id, "--payload", "{}")
    tool("watch", job_id)

    assert (ran.code, ran.lines) == (0, [f"{job_id} QUEUED at version {int(str(dead['version'])) + 1}"])
    document = tool("get", job_id, "--json").document
    assert (document["state"], document["payload_json"]) == ("SUCCEEDED", "{}")


def test_jobs_are_purged_for_good(tool: Tool, corner: Corner) -> None:
    corner.dead(3)

    assert tool("dlq", "purge", "-t", corner.type, "--dry-run").lines == ["would purge 3 jobs"]
    asked = tool("dlq", "purge", "-t", corner.type)
    assert (asked.code, asked.stdout) == (2, "")
    assert "--yes" in asked.stderr
    done = tool("dlq", "purge", "-t", corner.type, "--yes", "-n", "2", "--json").document
    assert done == {"count": 2, "more": True, "dry_run": False}
    assert tool("dlq", "purge", "-t", corner.type, "--yes").lines == ["purged 1 job"]
    assert tool("dlq", "list", "-t", corner.type, "--json").documents == []
    assert "NOT_FOUND" in tool("get", corner.ids[0]).stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["requeue"], "--all"),
        (["purge", "--yes"], "--all"),
        (["requeue", "--payload", "{}", "--all"], "--payload"),
        (["requeue", SOME_ID, "--all"], "JOB_ID"),
        (["requeue", SOME_ID, "-t", "x"], "JOB_ID"),
        (["requeue", SOME_ID, "--dry-run"], "JOB_ID"),
        (["requeue", "--all", "-s", "running"], "--state"),
        (["purge", "--yes", "-s", "queued"], "--state"),
        (["requeue", "--all", "--limit", "-1"], "--limit"),
        (["requeue", "--all", "--rate", "-1"], "--rate"),
        (["requeue", "--since", "yesterday"], "--since"),
        (["requeue", "--label", "x"], "--label"),
        (["list", "--limit", "0"], "--limit"),
    ],
    ids=" ".join,
)
def test_a_wrong_use_is_named_and_changes_nothing(tool: Tool, arguments: list[str], named: str) -> None:
    ran = tool("dlq", *arguments)

    assert (ran.code, ran.stdout) == (2, "")
    assert named in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["requeue", "-f", "xyz"], "filter.error_fingerprint"),
        (["purge", "--yes", "-f", "xyz"], "filter.error_fingerprint"),
        (["requeue", "-t", "x", "-s", "succeeded"], "filter.state_filter"),
    ],
    ids=str,
)
def test_what_the_service_refuses_is_one_line_with_the_field(tool: Tool, arguments: list[str], field: str) -> None:
    ran = tool("dlq", *arguments)

    assert ran.code == 1
    assert field in ran.error_line
    assert json.loads(tool("dlq", *arguments, "--json").stderr)["error"]["field_violations"][0]["field"] == field


def on_a_terminal(tool: Tool, *arguments: str) -> Terminal:
    return Terminal([*INTERRUPTIBLE, "dlq", *arguments, "--address", tool.address])


def answered(screen: Terminal, answer: bytes) -> int:
    screen.read_until(lambda output: b"[y/N]" in output)
    screen.type(answer)
    return screen.end()


def test_a_person_is_asked_before_anything_is_purged(tool: Tool, corner: Corner) -> None:
    corner.dead(2)

    no = on_a_terminal(tool, "purge", "-t", corner.type)
    assert answered(no, b"n\n") == 1
    assert b"purge 2 jobs?" in no.output
    assert tool("dlq", "purge", "-t", corner.type, "--dry-run").lines == ["would purge 2 jobs"]

    yes = on_a_terminal(tool, "purge", "-t", corner.type)
    assert answered(yes, b"y\n") == 0
    assert b"purged 2 jobs" in yes.output


def test_a_person_is_asked_before_many_jobs_are_queued_again(tool: Tool, corner: Corner) -> None:
    corner.dead(1)
    few = on_a_terminal(tool, "requeue", "-t", corner.type)
    assert few.end() == 0
    corner.wait()
    tool("submit", corner.type, "--max-attempts", "1", "--count", "20", "-l", "of=many")
    give_up = time.monotonic() + PATIENCE_SECONDS
    while tool("dlq", "requeue", "-t", corner.type, "--dry-run").lines != ["would requeue 21 jobs"]:
        assert time.monotonic() < give_up

    many = on_a_terminal(tool, "requeue", "-t", corner.type)
    assert answered(many, b"n\n") == 1
    assert b"requeue 21 jobs?" in many.output
    unasked = on_a_terminal(tool, "requeue", "-t", corner.type, "--yes")
    assert unasked.end() == 0
    assert b"requeued 21 jobs" in unasked.output


def test_ctrl_c_ends_the_work_and_tells_how_much_was_done_at_least(tool: Tool, corner: Corner) -> None:
    corner.dead(9)

    screen = on_a_terminal(tool, "requeue", "-t", corner.type, "--rate", "1")
    give_up = time.monotonic() + PATIENCE_SECONDS
    while corner.changes()[3] == 2:
        assert time.monotonic() < give_up
    screen.interrupt()

    assert screen.end() == 130
    assert b"requeued at least " in screen.output
    assert b"Traceback" not in screen.output
    assert corner.changes()[-1] == 2


def test_a_list_takes_a_kind_of_error(tool: Tool, corner: Corner) -> None:
    corner.dead(2)

    listed = tool("list", "--fingerprint", corner.fingerprint, "--json").documents

    assert [job["job_id"] for job in listed] == corner.ids[::-1]

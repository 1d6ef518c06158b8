"""`scheduler list`."""

from collections.abc import Sequence
from uuid import uuid4

import pytest

from tests.acceptance import unwilling_jobs
from tests.unit.cli.tool import Ran, Tool


@pytest.fixture
def label() -> str:
    """Mark of this test's own jobs."""
    return f"test={uuid4()}"


def ids(ran: Ran) -> Sequence[object]:
    assert ran.code == 0
    return [document["job_id"] for document in ran.documents]


def test_the_newest_come_first(tool: Tool, label: str) -> None:
    first, second = tool.submit("noop", "-l", label), tool.submit("noop", "-l", label)

    assert ids(tool("list", "-l", label, "--json")) == [second, first]


def test_every_filter_is_applied(tool: Tool, label: str) -> None:
    wanted = tool.submit("list.a", "--at", "+1h", "-p", "low", "-l", label, "-l", "x=1")
    tool.submit("list.b", "--at", "+1h", "-p", "low", "-l", label, "-l", "x=2")
    tool.submit("list.b", "-p", "high", "-l", label)

    for option in (["-t", "list.a"], ["-l", "x=1"], ["-t", "list.a", "-s", "scheduled"], ["-l", "x=1", "-p", "LOW"]):
        assert ids(tool("list", "-l", label, *option, "--json")) == [wanted]
    assert len(ids(tool("list", "-l", label, "-s", "SCHEDULED", "--json"))) == 2
    assert len(ids(tool("list", "-l", label, "-p", "high", "--json"))) == 1


def test_times_of_creation_bound_the_list(tool: Tool, label: str) -> None:
    job_id = tool.submit("noop", "-l", label)

    recent = tool("list", "-l", label, "--created-after", "-1h", "--created-before", "+1h", "--json")
    older = tool("list", "-l", label, "--created-before", "-1h", "--json")

    assert (ids(recent), ids(older)) == ([job_id], [])


def test_a_limit_is_kept_and_more_is_announced_beside_the_list(tool: Tool, label: str) -> None:
    tool("submit", "noop", "-l", label, "--count", "450")

    few, table = tool("list", "-l", label, "-n", "3", "--json"), tool("list", "-l", label, "-n", "3")
    exact, everything = tool("list", "-l", label, "-n", "450"), tool("list", "-l", label, "-n", "0")

    assert (len(few.documents), len(table.lines)) == (3, 4)
    assert '{"warning": "there are more' in few.stderr
    assert table.error_line.startswith("there are more")
    assert (len(exact.lines), exact.stderr) == (451, "")
    assert (len(everything.lines), everything.stderr) == (451, "")


def test_a_table_that_is_piped_is_neither_coloured_nor_cut(tool: Tool, label: str) -> None:
    job_type = unwilling_jobs.LONG_NAME
    job_id = tool.submit(job_type, "-l", label, "--max-attempts", "1")
    tool("watch", job_id)
    error = str(tool("get", job_id, "--json").document["last_error"])

    header, row = tool("list", "-l", label).lines

    assert header.split()[:3] == ["JOB", "STATE", "PRIORITY"]
    assert "\x1b" not in row
    assert job_type in row
    assert len(error) > len(job_type)
    assert row.rstrip().endswith(error)


def test_an_empty_list_has_only_a_header(tool: Tool, label: str) -> None:
    ran = tool("list", "-l", label)

    assert (ran.code, len(ran.lines)) == (0, 1)


def test_labels_cannot_steer_the_terminal(tool: Tool, label: str) -> None:
    job_id = tool.submit("noop", "-l", label, "-l", "evil=\x1b[2J")

    shown = tool("get", job_id).stdout

    assert "\x1b" not in shown
    assert "evil=\\x1b[2J" in shown


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--state", "lost"], "--state"),
        (["--limit", "-1"], "--limit"),
        (["--created-after", "later"], "--created-after"),
        (["--label", "x"], "--label"),
    ],
)
def test_a_wrong_filter_is_named(tool: Tool, arguments: list[str], named: str) -> None:
    ran = tool("list", *arguments)

    assert (ran.code, ran.stdout) == (2, "")
    assert named in ran.stderr

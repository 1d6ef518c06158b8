"""What a person at a terminal sees."""

import re
from uuid import uuid4

from tests.acceptance import unwilling_jobs
from tests.unit.cli.terminal import Terminal
from tests.unit.cli.tool import INTERRUPTIBLE, PROGRAM, Tool

COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
FINAL_LINE = b"succeeded, attempt 2 of 3"


def on_a_terminal(tool: Tool, *arguments: str) -> Terminal:
    return Terminal([*INTERRUPTIBLE, *arguments, "--address", tool.address])


def test_a_watched_job_is_drawn_to_its_end(tool: Tool) -> None:
    payload = '{"fail_attempts": 1, "sleep_seconds": 0.1}'

    screen = on_a_terminal(tool, "submit", "noop", "-d", payload, "--retry-initial", "100ms", "--watch")

    assert screen.end() == 0
    shown = COLOUR.sub(b"", screen.output)
    for part in (b"WHAT HAPPENED", b"RETRYING", b"DeliberateError", FINAL_LINE):
        assert part in shown
    assert COLOUR.search(screen.output)


def test_queues_are_drawn_until_ctrl_c(tool: Tool) -> None:
    screen = on_a_terminal(tool, "queues", "--live", "--interval", "0.1")
    screen.read_until(lambda output: output.count(b"dead letters") >= 3)

    screen.interrupt()

    assert screen.end() == 130
    assert b"Traceback" not in screen.output


def test_a_watch_ends_at_ctrl_c_without_a_traceback(tool: Tool) -> None:
    job_id = tool.submit("noop", "--at", "+1h")
    screen = on_a_terminal(tool, "watch", job_id)
    screen.read_until(lambda output: b"scheduled for" in output)

    screen.interrupt()

    assert screen.end() == 130
    assert b"Traceback" not in screen.output


def test_ids_and_states_are_never_cut_on_a_narrow_terminal(tool: Tool) -> None:
    label = f"test={uuid4()}"
    job_id = tool.submit(unwilling_jobs.LONG_NAME, "-l", label, "--max-attempts", "1")
    tool("watch", job_id)

    screen = on_a_terminal(tool, "list", "-l", label)

    assert screen.end() == 0
    row = COLOUR.sub(b"", screen.output).splitlines()[-1].decode()
    assert row.startswith(job_id)
    assert str(tool("get", job_id, "--json").document["state"]) in row
    assert len(row) <= 80


def test_colours_can_be_switched_off(tool: Tool) -> None:
    screen = Terminal([*PROGRAM, "list", "--address", tool.address], {"NO_COLOR": "1"})

    assert screen.end() == 0
    assert not re.search(rb"\x1b\[(?:3|9)[0-7]", screen.output)

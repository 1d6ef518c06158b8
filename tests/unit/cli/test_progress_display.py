"""How progress looks to whoever watches or asks."""

import json
from collections.abc import Sequence
from io import StringIO

import pytest
from rich.console import Console

from scheduler.adapters.grpc import client_mapping, views
from scheduler.adapters.grpc.client_views import EventView
from scheduler.application.dto import JobDetails
from scheduler.domain.job import Job
from scheduler.domain.state import JobState
from scheduler.entrypoints.cli import watch_display as display
from scheduler.entrypoints.cli.documents import job_document
from scheduler.entrypoints.cli.tables import job_details
from scheduler.entrypoints.cli.watch_display import watch_display
from tests.support.builders import NOW, SECOND, a_job, progress_at

RUNNING = a_job(JobState.RUNNING)
DIRTY = "copying\n\x1b[31mred"
HISTORY: Sequence[Job] = (
    RUNNING,
    RUNNING.with_progress(progress_at(0, message="")),
    RUNNING.with_progress(progress_at(40.5, NOW + SECOND, DIRTY)),
    RUNNING.with_progress(progress_at(40.5, NOW + SECOND, DIRTY)).succeed(NOW + 2 * SECOND),
)
EVENTS: Sequence[EventView] = [client_mapping.event_view(views.job_event(job)) for job in HISTORY]


def shown(events: Sequence[EventView], *, as_json: bool = False) -> None:
    with watch_display(str(RUNNING.id), as_json=as_json) as show:
        for event in events:
            show(event)


def test_without_a_terminal_each_note_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    shown(EVENTS)

    job = RUNNING.id
    assert capsys.readouterr().out.splitlines() == [
        f"2026-03-04 05:06:07Z {job} v2 running, attempt 1 of 3",
        f"2026-03-04 05:06:07Z {job} v2 running, attempt 1 of 3, 0 %",
        f"2026-03-04 05:06:08Z {job} v2 running, attempt 1 of 3, 40 %: copying\\n\\x1b[31mred",
        f"2026-03-04 05:06:09Z {job} v3 succeeded, attempt 1 of 3",
    ]


def test_as_json_each_note_is_an_event_with_its_percent_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    shown(EVENTS, as_json=True)

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["version"], event["progress"], event["progress_message"]) for event in events] == [
        (2, 0.0, ""),
        (2, 0.0, ""),
        (2, 40.5, DIRTY),
        (3, 40.5, DIRTY),
    ]
    assert events[2]["timestamp"] == "2026-03-04T05:06:08.890123Z"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Console:
    console = Console(file=StringIO(), width=100, force_terminal=True, color_system=None)
    monkeypatch.setattr(display, "console", lambda: console)
    return console


def on(screen: Console) -> list[str]:
    """Return the lines of the last picture drawn."""
    file = screen.file
    assert isinstance(file, StringIO)
    return [line.strip() for line in file.getvalue().split("TIME")[-1].splitlines() if line.strip()]


def test_on_a_terminal_progress_is_a_bar_and_replaces_the_note_before(screen: Console) -> None:
    shown(EVENTS[:3])

    drawn = on(screen)
    assert sum("v" not in line and "RUNNING" in line and "attempt 1 of 3" in line for line in drawn) == 1
    assert any("40 %: copying\\n\\x1b[31mred" in line for line in drawn)
    assert any("━" in line and line.endswith("40 %") for line in drawn)


def test_on_a_terminal_a_job_that_says_nothing_has_no_bar(screen: Console) -> None:
    shown(EVENTS[:1])

    assert not any("%" in line for line in on(screen))


@pytest.mark.parametrize(
    ("job", "line"),
    [
        (HISTORY[2], "progress  40 % copying\\n\\x1b[31mred"),
        (HISTORY[3], "progress  40 % copying\\n\\x1b[31mred"),
        (RUNNING.with_progress(progress_at(0, message="warming up")), "progress  0 % warming up"),
        (RUNNING.with_progress(progress_at(7, message="")), "progress  7 %"),
    ],
)
def test_a_job_is_shown_to_people_with_what_was_said_last(job: Job, line: str) -> None:
    assert line in details_of(job)


def test_a_job_of_which_nothing_was_said_shows_no_progress() -> None:
    assert not any(line.startswith("progress") for line in details_of(RUNNING))


def details_of(job: Job) -> list[str]:
    view = client_mapping.job_view(views.job_details(JobDetails(job=job, payload=None)))
    assert job_document(view)["progress"] == (job.progress.percent if job.progress else 0.0)
    console = Console(file=StringIO(), width=200)
    console.print(job_details(view))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]

"""Tables for people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from scheduler.adapters.grpc.client_views import AttemptView, ErrorGroupView, JobView, QueueStatsView
from scheduler.domain.state import JobState
from scheduler.domain.text import printable
from scheduler.entrypoints.cli.text import age, moment

STATE_STYLES: Mapping[JobState, str] = {
    JobState.SCHEDULED: "blue",
    JobState.QUEUED: "cyan",
    JobState.RUNNING: "yellow",
    JobState.RETRYING: "magenta",
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.DEADLETTER: "bold red",
    JobState.CANCELLED: "bright_black",
}
_ID_WIDTH = 36
_SHORT_ID_WIDTH = 8


def plain_table() -> Table:
    """Make a table without lines, whose columns a script can split too."""
    return Table(box=None, pad_edge=False, header_style="bold")


def state_text(state: JobState) -> Text:
    """Show a state in its colour."""
    return Text(state, STATE_STYLES[state])


def cut_to_fit(text: str) -> Text:
    """Show a text on one line, as far as the other columns leave room for it."""
    return Text(printable(text), no_wrap=True, overflow="ellipsis")


def job_table(jobs: Sequence[JobView], *, with_header: bool = True) -> Table:
    """Show jobs, one a row."""
    table = plain_table()
    table.show_header = with_header
    table.add_column("JOB", no_wrap=True, min_width=_ID_WIDTH)
    table.add_column("STATE", no_wrap=True, min_width=10)
    table.add_column("PRIORITY", no_wrap=True, min_width=8)
    table.add_column("TYPE", overflow="ellipsis", no_wrap=True)
    table.add_column("TRIES", no_wrap=True, min_width=5)
    table.add_column("AGE", no_wrap=True, min_width=3)
    table.add_column("ERROR")
    now = datetime.now(UTC)
    for job in jobs:
        table.add_row(
            job.job_id,
            state_text(job.state),
            job.priority,
            printable(job.type),
            f"{job.attempts}/{job.max_attempts}",
            age(now - job.created_at),
            cut_to_fit(job.last_error),
        )
    return table


def job_details(job: JobView) -> Table:
    """Show one job, a field a row."""
    return _fields_table(_fields(job))


def _fields_table(fields: Mapping[str, str | Text]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value:
            table.add_row(name, value)
    return table


def _fields(job: JobView) -> Mapping[str, str | Text]:
    return {
        "job": job.job_id,
        "state": state_text(job.state),
        "type": printable(job.type),
        "priority": job.priority,
        "attempts": f"{job.attempts} of {job.max_attempts}" + (f", {job.losses} lost" if job.losses else ""),
        "last error": printable(job.last_error),
        "progress": _progress(job),
        "labels": printable(" ".join(f"{key}={value}" for key, value in sorted(job.labels.items()))),
        "created": moment(job.created_at),
        "run at": moment(job.run_at),
        "started": moment(job.started_at),
        "updated": moment(job.updated_at),
        "finished": moment(job.finished_at),
        "worker": job.worker_id or "",
        "version": str(job.version),
        "payload": printable(job.payload or ""),
        "result": printable(job.result or ""),
    }


def _progress(job: JobView) -> str:
    if not (job.progress or job.progress_message):
        return ""
    return printable(f"{int(job.progress)} % {job.progress_message}").rstrip()


def attempt_table(attempts: Sequence[AttemptView]) -> Table:
    """Show a job's history."""
    table = plain_table()
    for name in ("TRY", "OUTCOME", "STARTED", "TOOK", "WORKER"):
        table.add_column(name, no_wrap=True)
    table.add_column("ERROR")
    for attempt in attempts:
        table.add_row(
            str(attempt.number),
            attempt.outcome or "RUNNING",
            moment(attempt.started_at),
            _took(attempt),
            attempt.worker_id[:_SHORT_ID_WIDTH],
            cut_to_fit(attempt.error),
        )
    return table


def _took(attempt: AttemptView) -> str:
    if attempt.finished_at is None:
        return ""
    return f"{max(0.0, (attempt.finished_at - attempt.started_at).total_seconds()):.3f}s"


def error_group_table(groups: Sequence[ErrorGroupView]) -> Table:
    """Show kinds of errors, one a row."""
    table = plain_table()
    table.add_column("FINGERPRINT", no_wrap=True, min_width=16)
    table.add_column("TYPE", overflow="ellipsis", no_wrap=True)
    for name in ("JOBS", "FAILED", "DEAD", "FIRST", "LAST"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ERROR")
    now = datetime.now(UTC)
    for group in groups:
        table.add_row(
            group.fingerprint,
            printable(group.type),
            _group_count(group),
            str(group.failed),
            str(group.dead_letters),
            age(now - group.first_seen),
            age(now - group.last_seen),
            cut_to_fit(group.sample_error),
        )
    return table


def error_group_details(group: ErrorGroupView) -> Table:
    """Show one kind of error, a field a row."""
    counts = f"{_group_count(group)}, {group.failed} FAILED, {group.dead_letters} DEADLETTER"
    return _fields_table(
        {
            "error": printable(group.sample_error),
            "fingerprint": group.fingerprint,
            "type": printable(group.type),
            "jobs": counts,
            "first seen": moment(group.first_seen),
            "last seen": moment(group.last_seen),
        }
    )


def _group_count(group: ErrorGroupView) -> str:
    return f"{group.count}+" if group.count_capped else str(group.count)


def queue_table(stats: QueueStatsView) -> Table:
    """Show how full the queues are."""
    table = plain_table()
    table.add_column("QUEUE", min_width=12, no_wrap=True)
    table.add_column("JOBS", justify="right", min_width=7, no_wrap=True)
    table.add_column("OLDEST", justify="right", no_wrap=True)
    for queue in stats.queues:
        table.add_row(queue.priority, str(queue.depth), age(queue.oldest_age))
    table.add_section()
    for name in ("processing", "scheduled", "retrying", "dead_letters"):
        table.add_row(name.replace("_", " "), str(getattr(stats, name)), "")
    return table

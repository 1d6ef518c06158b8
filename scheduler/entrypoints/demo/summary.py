"""The figures at the end."""

from collections import Counter
from collections.abc import Sequence
from statistics import median, quantiles

from rich.table import Table
from rich.text import Text

from scheduler.adapters.grpc.client_views import JobView
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.entrypoints.cli.tables import plain_table, state_text
from scheduler.entrypoints.demo.checks import Check
from scheduler.entrypoints.demo.evidence import Evidence
from scheduler.entrypoints.demo.load import Rate
from scheduler.entrypoints.demo.plan import Kind, PlannedJob

MAX_PROBLEMS = 5
NAME_WIDTH = 28


def state_table(evidence: Evidence) -> Table:
    """Show jobs per final state, beside the plan."""
    counts = Counter(job.state for job in evidence.jobs)
    table = plain_table()
    table.add_column("FINAL STATE", min_width=NAME_WIDTH)
    table.add_column("JOBS", justify="right")
    table.add_column("PLANNED", justify="right")
    for state in JobState:
        if state in FINAL_STATES or counts[state]:
            table.add_row(state_text(state), str(counts[state]), str(evidence.plan.ending(state)))
    table.add_row("all", str(len(evidence.jobs)), str(len(evidence.plan.jobs)))
    return table


def type_table(evidence: Evidence) -> Table:
    """Show jobs and attempts per handler type, beside the plan."""
    table = plain_table()
    table.add_column("HANDLER TYPE", min_width=NAME_WIDTH)
    for name in ("JOBS", "PLANNED", "SUCCEEDED", "FAILED", "ATTEMPTS"):
        table.add_column(name, justify="right")
    for job_type in evidence.plan.types:
        jobs = [job for job in evidence.jobs if job.type == job_type]
        planned = sum(job.submission.type == job_type for job in evidence.plan.jobs)
        succeeded = sum(job.state is JobState.SUCCEEDED for job in jobs)
        failed = sum(job.state in {JobState.FAILED, JobState.DEADLETTER} for job in jobs)
        attempts = sum(job.attempts for job in jobs)
        table.add_row(job_type, *map(str, (len(jobs), planned, succeeded, failed, attempts)))
    return table


def kind_table(evidence: Evidence) -> Table:
    """Show attempts and latencies per kind of job: from submit, or the due time where that is later, to its end."""
    table = plain_table()
    table.add_column("KIND", min_width=NAME_WIDTH)
    for name in ("JOBS", "ATTEMPTS", "MEDIAN TO END", "P95 TO END"):
        table.add_column(name, justify="right")
    for kind in Kind:
        jobs = [(job, planned) for job, planned in evidence.pairs if planned.kind is kind]
        latencies = [_latency(job, planned) for job, planned in jobs if job.finished_at]
        attempts = sum(job.attempts for job, _ in jobs)
        table.add_row(kind, str(len(jobs)), str(attempts), *_percentiles(latencies))
    return table


def _latency(job: JobView, planned: PlannedJob) -> float:
    since = max(job.created_at, planned.submission.run_at or job.created_at)
    return ((job.finished_at or since) - since).total_seconds()


def _percentiles(latencies: Sequence[float]) -> tuple[str, str]:
    if not latencies:
        return "", ""
    high = quantiles(latencies, n=20, method="inclusive")[-1] if len(latencies) > 1 else latencies[0]
    return f"{1000 * median(latencies):.0f} ms", f"{1000 * high:.0f} ms"


def rate_table(evidence: Evidence) -> Table:
    """Show how fast it went."""
    submitted = evidence.submitted
    table = plain_table()
    table.add_column("RATE", min_width=NAME_WIDTH)
    table.add_column("JOBS", justify="right")
    table.add_column("SECONDS", justify="right")
    table.add_column("PER SECOND", justify="right")
    plain = [job for job, planned in evidence.pairs if planned.kind is Kind.PLAIN]
    for name, rate in (
        ("submitted one by one", submitted.single),
        ("submitted in batches", submitted.batched),
        ("plain, submit to end", _throughput(plain)),
        ("all, submit to end", _throughput(evidence.jobs)),
    ):
        table.add_row(name, str(rate.jobs), f"{rate.seconds:.2f}", f"{rate.per_second:.0f}")
    return table


def _throughput(jobs: Sequence[JobView]) -> Rate:
    ends = [job.finished_at for job in jobs if job.finished_at]
    seconds = (max(ends) - min(job.created_at for job in jobs)).total_seconds() if ends else 0.0
    return Rate(jobs=len(jobs), seconds=seconds)


def check_lines(checks: Sequence[Check]) -> Text:
    """Show each check, and what broke the broken ones."""
    text = Text()
    for check in checks:
        text.append("FAILED " if check.problems else "ok     ", "bold red" if check.problems else "green")
        text.append(f"{check.promise}\n")
        for problem in check.problems[:MAX_PROBLEMS]:
            text.append(f"         {problem}\n")
        if len(check.problems) > MAX_PROBLEMS:
            text.append(f"         … and {len(check.problems) - MAX_PROBLEMS} more\n")
    text.rstrip()
    return text

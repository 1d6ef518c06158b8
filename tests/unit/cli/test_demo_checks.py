"""The demo's own checks: they accept what was planned, and notice each thing that was not."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.priority import Priority
from scheduler.domain.state import JobState
from scheduler.entrypoints.demo.checks import check_all
from scheduler.entrypoints.demo.evidence import Evidence, Metrics
from scheduler.entrypoints.demo.plan import Kind, make_plan
from scheduler.entrypoints.demo.summary import check_lines, kind_table, rate_table, state_table, type_table
from tests.unit.cli.ideal_demo import NOW, ideal_evidence

Spoil = Callable[[Evidence], Evidence]


def broken_promises(evidence: Evidence) -> set[str]:
    return {check.promise for check in check_all(evidence) if check.problems}


def test_what_was_planned_passes_every_check() -> None:
    assert broken_promises(ideal_evidence()) == set()


def with_job(kind: Kind, **changes: object) -> Spoil:
    """Change the first job of a kind."""

    def spoil(evidence: Evidence) -> Evidence:
        job_id = str(evidence.plan.of(kind)[0].job_id)
        jobs = [replace(job, **changes) if job.job_id == job_id else job for job in evidence.jobs]  # type: ignore[arg-type]  # any field
        return replace(evidence, jobs=jobs)

    return spoil


def with_jobs(change: Callable[[Sequence[JobView]], Sequence[JobView]]) -> Spoil:
    return lambda evidence: replace(evidence, jobs=change(evidence.jobs))


def with_attempts(kind: Kind, change: Callable[[Sequence[AttemptView]], Sequence[AttemptView]]) -> Spoil:
    def spoil(evidence: Evidence) -> Evidence:
        job_id = str(evidence.plan.of(kind)[0].job_id)
        return replace(evidence, attempts={**evidence.attempts, job_id: change(evidence.attempts[job_id])})

    return spoil


def with_watched(change: Callable[[Sequence[EventView]], Sequence[EventView]]) -> Spoil:
    return lambda evidence: replace(evidence, watched=change(evidence.watched))


def with_result(kind: Kind, **changes: object) -> Spoil:
    """Change the result of the first job of a kind."""

    def spoil(evidence: Evidence) -> Evidence:
        job_id = str(evidence.plan.of(kind)[0].job_id)
        results = [replace(job, **changes) if job.job_id == job_id else job for job in evidence.results]  # type: ignore[arg-type]  # any field
        return replace(evidence, results=results)

    return spoil


def with_calls(change: Callable[[dict[str, int], str], object]) -> Spoil:
    """Change the calls; the second argument is the id of a job that called twice."""

    def spoil(evidence: Evidence) -> Evidence:
        calls = dict(evidence.calls)
        change(calls, str(evidence.plan.of(Kind.BUSY)[0].job_id))
        return replace(evidence, calls=calls)

    return spoil


def with_bookings(change: Callable[[Sequence[str]], Sequence[str]]) -> Spoil:
    return lambda evidence: replace(evidence, bookings=change(evidence.bookings))


def with_answer_repeated(evidence: Evidence) -> Evidence:
    first, *rest = evidence.submitted.answers
    return replace(evidence, submitted=replace(evidence.submitted, answers=[replace(first, created=False), *rest]))


def with_second_job(evidence: Evidence) -> Evidence:
    repeated = replace(evidence.submitted.repeated, created=True)
    return replace(evidence, submitted=replace(evidence.submitted, repeated=repeated))


def with_stats(**changes: object) -> Spoil:
    return lambda evidence: replace(evidence, stats=replace(evidence.stats, **changes))  # type: ignore[arg-type]  # any field


def with_depth(evidence: Evidence) -> Evidence:
    queues = [replace(queue, depth=int(queue.priority is Priority.LOW)) for queue in evidence.stats.queues]
    return replace(evidence, stats=replace(evidence.stats, queues=queues))


def with_worker_metrics(old: str, new: str) -> Spoil:
    return lambda evidence: replace(
        evidence, worker_metrics=Metrics(text=evidence.worker_metrics.text.replace(old, new))
    )


STORED = "every submitted job is there, once"
STATES = "as many jobs in each final state as planned"
EACH = "each job ended as planned, after as many attempts"
HISTORIES = "the histories hold every attempt and its outcome"
WATCHED = "the watch saw the watched job to its end"
TYPES = "each handler type ran as often as planned"
RESULTS = "results and progress of the handlers are kept"
CALLS = "the web service was called once for each attempt"
BOOKINGS = "each change of the database took effect once"
EMPTY = "the queues are empty"
METRICS = "the metrics agree"


@pytest.mark.parametrize(
    ("spoil", "promises"),
    [
        (with_jobs(lambda jobs: jobs[:-1]), {STORED, STATES}),
        (with_jobs(lambda jobs: [*jobs, jobs[-1]]), {STORED, STATES}),
        (with_jobs(lambda jobs: [*jobs[:-1], replace(jobs[-1], job_id="strange")]), {STORED}),
        (with_answer_repeated, {STORED}),
        (with_second_job, {"a repeated submission makes no second job"}),
        (with_job(Kind.PLAIN, state=JobState.FAILED), {STATES, EACH}),
        (with_job(Kind.RETRIED, attempts=1), {EACH}),
        (with_job(Kind.PLAIN, losses=1), {EACH}),
        (with_job(Kind.SCHEDULED, started_at=NOW), {"no scheduled job started early"}),
        (with_job(Kind.SCHEDULED, started_at=None), {"no scheduled job started early"}),
        (with_job(Kind.DEAD, last_error="odd"), {"the dead letter names its reason"}),
        (with_attempts(Kind.RETRIED, lambda attempts: attempts[1:]), {HISTORIES}),
        (with_attempts(Kind.WATCHED, lambda attempts: [replace(one, fence=2) for one in attempts]), {HISTORIES}),
        (
            with_attempts(Kind.DEAD, lambda attempts: [replace(one, outcome=AttemptOutcome.LOST) for one in attempts]),
            {HISTORIES},
        ),
        (
            with_attempts(
                Kind.RETRIED, lambda attempts: [replace(one, finished_at=NOW + timedelta(9)) for one in attempts]
            ),
            {"failed attempts were tried again after their backoff"},
        ),
        (
            lambda evidence: replace(evidence, cancelled=evidence.cancelled[:-1]),
            {"the cancelled job was stopped while it ran"},
        ),
        (with_result(Kind.CALLED, result='{"status": 200, "body": "", "truncated": false}'), {RESULTS}),
        (with_result(Kind.BOOKED, result=None), {RESULTS}),
        (with_result(Kind.THREAD, progress=80.0), {RESULTS}),
        (with_result(Kind.PROCESS, progress_message=""), {RESULTS}),
        (with_calls(lambda calls, busy: calls.update({busy: 1})), {CALLS}),
        (with_calls(lambda calls, busy: calls.pop(busy)), {CALLS}),
        (with_calls(lambda calls, _: calls.update(strange=1)), {CALLS}),
        (with_bookings(lambda bookings: bookings[1:]), {BOOKINGS}),
        (with_bookings(lambda bookings: [*bookings, bookings[0]]), {BOOKINGS}),
        (with_bookings(lambda bookings: [*bookings, "strange"]), {BOOKINGS}),
        (with_worker_metrics('type="example.process"', 'type="other"'), {TYPES}),
        (with_watched(lambda events: events[:-1]), {WATCHED}),
        (with_watched(lambda _: []), {WATCHED}),
        (with_watched(lambda events: [events[0], *events]), {WATCHED}),
        (with_watched(lambda events: [one for one in events if one.state is not JobState.RETRYING]), {WATCHED}),
        (with_depth, {EMPTY}),
        (with_stats(processing=1), {EMPTY}),
        (with_stats(scheduled=1), {EMPTY}),
        (with_stats(retrying=1), {EMPTY}),
        (with_stats(dead_letters=0), {EMPTY}),
        (with_worker_metrics('status="success"', 'status="other"'), {METRICS}),
        (with_worker_metrics('status="retry"', 'status="other"'), {METRICS}),
        (with_worker_metrics("jobs_deadlettered_total", "other"), {METRICS}),
        (lambda evidence: replace(evidence, api_metrics=Metrics(text="")), {METRICS}),
    ],
)
def test_each_deviation_breaks_its_promise_and_no_other(spoil: Spoil, promises: set[str]) -> None:
    assert broken_promises(spoil(ideal_evidence())) == promises


def test_the_plan_holds_what_the_demo_is_to_show() -> None:
    plan = make_plan(400, NOW, web_address="http://127.0.0.1:9")

    assert len(plan.jobs) == 400
    assert {job.kind for job in plan.jobs} == set(Kind)
    assert {job.submission.priority for job in plan.of(Kind.PLAIN)} == set(Priority)
    assert plan.ending(JobState.DEADLETTER) == plan.ending(JobState.CANCELLED) == 1
    assert len(plan.of(Kind.SCHEDULED)) == len(plan.of(Kind.RETRIED)) == 50
    assert plan.types == ["noop", "http_call", "db_tx", "example.async", "example.thread", "example.process"]
    ahead = [job.submission.run_at - NOW for job in plan.of(Kind.SCHEDULED) if job.submission.run_at]
    assert timedelta(seconds=1) <= min(ahead) <= max(ahead) <= timedelta(seconds=4)


def test_the_summary_shows_figures_and_what_broke() -> None:
    evidence = with_job(Kind.PLAIN, state=JobState.FAILED)(ideal_evidence())
    screen = Console(file=StringIO(), width=100)

    for part in (
        state_table(evidence),
        type_table(evidence),
        kind_table(evidence),
        rate_table(evidence),
        check_lines(check_all(evidence)),
    ):
        screen.print(part)

    assert isinstance(screen.file, StringIO)
    shown = screen.file.getvalue()
    assert "2000 ms" in shown
    assert "160" in shown
    assert re.search(r"^http_call +5 +5 +4 +1 +6 *$", shown, re.MULTILINE)
    assert f"FAILED {STATES}" in shown
    assert f"ok     {STORED}" in shown


def test_a_strange_job_does_not_keep_the_summary_from_being_shown() -> None:
    evidence = with_jobs(lambda jobs: [*jobs[:-1], replace(jobs[-1], job_id="strange")])(ideal_evidence())
    screen = Console(file=StringIO(), width=100)

    screen.print(kind_table(evidence), rate_table(evidence))

    assert isinstance(screen.file, StringIO)
    assert "plain" in screen.file.getvalue()

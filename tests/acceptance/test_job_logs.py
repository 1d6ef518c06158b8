"""What a real worker logs of jobs, and what handlers and their libraries log in it."""

from collections import defaultdict
from collections.abc import Sequence

import pytest

from scheduler.adapters.grpc.client_views import JobView
from scheduler.entrypoints.stack import Stack
from tests.acceptance import talking_jobs
from tests.acceptance.load import Load, run_load
from tests.acceptance.log_lines import Line, lines_of
from tests.acceptance.processes import running, sibling, stop

pytestmark = pytest.mark.servers
TYPES = ["talk.loop", "talk.thread", "talk.process"]
ENDS = {"success": [], "failure": ["job_failed"], "retry": ["job_retrying", "job_retrying", "job_deadlettered"]}


class Told:
    """Jobs that have ended, and all that was logged meanwhile."""

    def __init__(self, jobs: Sequence[JobView], lines: Sequence[Line], ends: dict[str, str]) -> None:
        self.jobs = jobs
        self.lines = lines
        self.ends = ends

    def of_job(self, job: JobView, **fields: str) -> list[Line]:
        return [line for line in self.lines if {"job_id": job.job_id, **fields}.items() <= line.items()]


@pytest.fixture(scope="module")
def told(stack: Stack) -> Told:
    stop(stack.worker)
    worker = sibling(stack.worker, "talking", METRICS_PORT=0, WORKER_HANDLERS=talking_jobs.__name__, LOG_LEVEL="INFO")
    ends: dict[str, str] = {}

    async def scenario(load: Load) -> Sequence[JobView]:
        for job_type in TYPES:
            for end in ENDS:
                (job_id,) = await load.add(1, job_type=job_type, end=end)
                ends[job_id] = end
        return await load.until_ended()

    with running(worker):
        jobs = run_load(stack, scenario)
    return Told(jobs, lines_of(worker), ends)


def test_every_line_that_a_handler_or_a_library_logs_names_job_attempt_worker_and_trace(told: Told) -> None:
    for job in told.jobs:
        for event in ("talked", "a library talked"):
            lines = told.of_job(job, event=event)
            assert [line["attempt"] for line in lines] == list(range(1, job.attempts + 1)), (job.type, event)
            for line in lines:
                assert (line["job_type"], line["worker_id"]) == (job.type, job.worker_id)
                assert line["trace_id"]
                assert line["fence"] > 0


def test_an_outcome_is_one_line_at_most_and_success_is_none(told: Told) -> None:
    for job in told.jobs:
        lines = told.of_job(job, logger="scheduler")
        assert [line["event"] for line in lines] == ENDS[told.ends[job.job_id]], job.type
        for line in lines:
            assert (line["level"], line["job_type"], line["worker_id"]) == ("info", job.type, job.worker_id)


def test_a_quiet_worker_logs_nothing_beside_what_its_jobs_cause(told: Told) -> None:
    events: defaultdict[str, int] = defaultdict(int)
    for line in told.lines:
        if "job_id" not in line:
            events[line["event"]] += 1
    assert events == {}

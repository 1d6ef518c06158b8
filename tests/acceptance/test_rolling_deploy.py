"""During a deploy old and new workers run beside each other, and only the new ones know a new type."""

from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from scheduler.adapters.grpc.client_views import JobView
from scheduler.domain.state import JobState
from scheduler.entrypoints.stack import Stack
from tests.acceptance import talking_jobs
from tests.acceptance.load import Load, run_load
from tests.acceptance.log_lines import lines_of
from tests.acceptance.processes import keep_running, running, sibling

pytestmark = pytest.mark.servers


def test_two_old_workers_and_a_new_one_run_all_jobs_of_a_new_type_at_their_first_attempt(stack: Stack) -> None:
    keep_running(stack.worker)
    old = sibling(stack.worker, "old-worker", METRICS_PORT=0, LOG_LEVEL="INFO")
    new = sibling(stack.worker, "new-worker", METRICS_PORT=0, WORKER_HANDLERS=talking_jobs.__name__)

    async def scenario(load: Load) -> Sequence[JobView]:
        await load.add(300, job_type="talk.loop", end="success")
        await load.add(100)
        return await load.until_ended()

    with ExitStack() as workers:
        for worker in (old, new):
            workers.enter_context(running(worker))
        jobs = run_load(stack, scenario)

    assert {(job.state, job.attempts) for job in jobs} == {(JobState.SUCCEEDED, 1)}
    assert len(jobs) == 400
    met = [line for line in lines_of(old) if line["event"] == "job_without_handler"]
    assert {line["job_type"] for line in met} <= {"talk.loop"}

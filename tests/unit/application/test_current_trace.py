"""What is done for a job belongs to the trace in which it was submitted."""

from collections.abc import Sequence
from dataclasses import replace

from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.application.current_trace import current_trace
from scheduler.application.outcomes import Released, Success
from scheduler.application.ports.handlers import Handler, JobContext
from scheduler.application.use_cases.finish_jobs import FinishJobs
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.attempt import Attempt
from scheduler.domain.ids import AttemptId
from scheduler.domain.job import Job
from scheduler.domain.trace import TraceContext
from tests.support.builders import a_submission, a_trace
from tests.unit.application.shop import Shop, in_virtual_time, settled

Traces = list[TraceContext | None]


class TracedHandler(Handler):
    def __init__(self) -> None:
        self.ran_in: Traces = []
        self.was_given: Traces = []

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        self.ran_in.append(current_trace())
        self.was_given.append(context.trace)
        return None


class TracedTelemetry(RecordingTelemetry):
    def __init__(self) -> None:
        super().__init__()
        self.told_in: Traces = []

    def attempt_ended(self, job: Job, attempt: Attempt) -> None:
        self.told_in.append(current_trace())

    def stale_result(self, attempt_id: AttemptId) -> None:
        self.told_in.append(current_trace())


async def submit(shop: Shop, job_type: str, traces: Sequence[TraceContext | None]) -> None:
    submission = a_submission(type=job_type)
    await shop.submit_jobs.execute([SubmitCommand(submission=submission, trace=trace) for trace in traces])


def test_a_handler_runs_in_the_trace_of_its_job() -> None:
    async def scenario(shop: Shop) -> None:
        handler, traces = TracedHandler(), [a_trace("vendor=1"), None]
        shop.handlers.register("traced", handler)
        await submit(shop, "traced", traces)
        for started in (await shop.start_jobs.execute(shop.worker_id, 2)).jobs:
            shop.runner.launch(started, shop.worker_id)
        await settled()
        assert handler.ran_in == handler.was_given == traces
        assert current_trace() is None

    in_virtual_time(scenario)


def test_each_result_of_a_batch_is_told_in_its_own_trace() -> None:
    async def scenario(shop: Shop) -> None:
        telemetry, traces = TracedTelemetry(), [a_trace(), a_trace()]
        finish_jobs = FinishJobs(
            repository=shop.repository, queue=shop.best_effort, transitions=shop.transitions, telemetry=telemetry
        )
        await submit(shop, "email.send", traces)
        batch = await shop.start_jobs.execute(shop.worker_id, 2)
        results = [replace(shop.result(one.job, Success()), trace=one.trace) for one in batch.jobs]
        await finish_jobs.execute(results)
        await finish_jobs.execute([replace(results[1], outcome=Released())])
        assert telemetry.told_in == [*traces, traces[1]]

    in_virtual_time(scenario)

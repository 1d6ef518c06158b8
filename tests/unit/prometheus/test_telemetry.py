from asyncio import CancelledError
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import pytest

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.prometheus.calls import QueueMetrics, StoreMetrics
from scheduler.adapters.prometheus.faults import FaultMetrics
from scheduler.adapters.prometheus.handler_processes import HandlerProcessMetrics
from scheduler.adapters.prometheus.job_types import MAX_TYPES, OTHER_TYPES, JobTypes
from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.adapters.prometheus.reaper import ReaperMetrics
from scheduler.adapters.prometheus.rpc import RpcMetrics
from scheduler.adapters.prometheus.submit import SubmitMetrics
from scheduler.adapters.prometheus.worker import WorkerMetrics
from scheduler.application.dto import QueueDepth, QueueStats
from scheduler.application.errors import StoreUnavailableError
from scheduler.application.ports.queue_maintenance import QueueDepths
from scheduler.application.ports.telemetry import ProcessEnd
from scheduler.domain.attempt import Attempt
from scheduler.domain.job import Job, ended_attempt
from scheduler.domain.priority import Priority
from scheduler.domain.retry import FailureKind
from scheduler.domain.state import JobState
from tests.support.builders import NOW, SECOND, a_failure, a_job, a_worker_id
from tests.unit.prometheus.scrape import value

LATER = NOW + 3 * SECOND
PEER = "ipv4:127.0.0.1:50000"


def ended(before: Job, after: Job) -> tuple[Job, Attempt]:
    attempt = ended_attempt(before, after)
    assert attempt is not None
    return after, attempt


def test_submitted_jobs_are_counted_by_priority() -> None:
    metrics = Metrics()

    SubmitMetrics(metrics).jobs_submitted([a_job(), a_job(priority=Priority.HIGH), a_job()])

    assert value(metrics, "jobs_submitted_total", priority="default") == 2
    assert value(metrics, "jobs_submitted_total", priority="high") == 1


def test_requeued_jobs_are_counted_by_priority() -> None:
    metrics = Metrics()

    SubmitMetrics(metrics).jobs_requeued([a_job(priority=Priority.LOW)] * 3)

    assert value(metrics, "jobs_requeued_total", priority="low") == 3
    assert value(metrics, "jobs_submitted_total", priority="low") == 0


def test_failed_submissions_are_counted_by_error() -> None:
    metrics = Metrics()

    SubmitMetrics(metrics).submit_failed("InvalidFieldError")

    assert value(metrics, "jobs_submitted_errors_total", error_type="InvalidFieldError") == 1


@pytest.mark.parametrize("priority", ["critical", "high", "default", "low"])
def test_every_priority_is_there_before_anything_happened(priority: str) -> None:
    metrics = Metrics()
    SubmitMetrics(metrics)
    WorkerMetrics(metrics, types=[], slots=10)
    ReaperMetrics(metrics, clock=FixedClock())

    of_priority = partial(value, metrics, priority=priority)
    assert of_priority("jobs_submitted_total") == 0
    assert of_priority("jobs_retried_total") == 0
    assert of_priority("jobs_deadlettered_total") == 0
    assert of_priority("queue_latency_seconds_count") == 0
    assert of_priority("retry_pump_jobs_requeued_total") == 0
    assert of_priority("reaper_jobs_recovered_total") == 0
    assert of_priority("queue_depth") == 0
    assert of_priority("queue_oldest_age_seconds") == 0


def test_a_success_is_counted_and_timed_under_its_type() -> None:
    metrics = Metrics()
    running = a_job(JobState.RUNNING, type="noop")

    WorkerMetrics(metrics, types=["noop"], slots=10).attempt_ended(*ended(running, running.succeed(LATER)))

    assert value(metrics, "jobs_processed_total", status="success") == 1
    assert value(metrics, "job_processing_duration_seconds_sum", type="noop") == 3
    assert value(metrics, "job_processing_duration_seconds_count", type="other") == 0


def test_a_type_without_a_handler_is_timed_as_other() -> None:
    metrics = Metrics()
    running = a_job(JobState.RUNNING, type="made-up")

    WorkerMetrics(metrics, types=["noop"], slots=10).attempt_ended(*ended(running, running.succeed(LATER)))

    assert value(metrics, "job_processing_duration_seconds_count", type="other") == 1
    assert value(metrics, "job_processing_duration_seconds_count", type="made-up") is None


@pytest.mark.parametrize(
    ("kind", "max_attempts", "status", "retried", "dead"),
    [
        (FailureKind.ERROR, 3, "retry", 1, 0),
        (FailureKind.TIMEOUT, 3, "retry", 1, 0),
        (FailureKind.ERROR, 1, "failed", 0, 1),
        (FailureKind.PERMANENT, 3, "failed", 0, 0),
    ],
)
def test_a_failure_is_counted_by_what_follows(
    kind: FailureKind, max_attempts: int, status: str, retried: int, dead: int
) -> None:
    metrics = Metrics()
    running = a_job(JobState.RUNNING, max_attempts=max_attempts, priority=Priority.LOW)

    WorkerMetrics(metrics, types=[], slots=10).attempt_ended(*ended(running, running.fail(a_failure(kind), LATER, 0.5)))

    assert value(metrics, "jobs_processed_total", status=status) == 1
    assert value(metrics, "jobs_retried_total", priority="low") == retried
    assert value(metrics, "jobs_deadlettered_total", priority="low") == dead


@pytest.mark.parametrize("end", [Job.release, Job.cancel])
def test_an_attempt_without_a_result_is_not_processed(end: Callable[[Job, datetime], Job]) -> None:
    metrics = Metrics()
    running = a_job(JobState.RUNNING, type="noop")

    WorkerMetrics(metrics, types=["noop"], slots=10).attempt_ended(*ended(running, end(running, LATER)))

    counts = [value(metrics, "jobs_processed_total", status=status) for status in ("success", "failed", "retry")]
    assert counts == [0, 0, 0]
    assert value(metrics, "job_processing_duration_seconds_count", type="noop") == 0


def test_the_wait_in_the_queue_is_observed_by_priority() -> None:
    metrics = Metrics()
    started = a_job(priority=Priority.CRITICAL).start(a_worker_id(), LATER)

    WorkerMetrics(metrics, types=[], slots=10).jobs_started([started, started])

    assert value(metrics, "queue_latency_seconds_sum", priority="critical") == 6
    assert value(metrics, "queue_latency_seconds_bucket", priority="critical", le="2.5") == 0
    assert value(metrics, "queue_latency_seconds_bucket", priority="critical", le="5.0") == 2


def test_a_clock_that_runs_behind_makes_no_negative_wait() -> None:
    metrics = Metrics()
    started = a_job().start(a_worker_id(), NOW - SECOND)

    WorkerMetrics(metrics, types=[], slots=10).jobs_started([started])

    assert value(metrics, "queue_latency_seconds_sum", priority="default") == 0


def test_buckets_reach_from_a_millisecond_to_ten_minutes() -> None:
    metrics = Metrics()
    WorkerMetrics(metrics, types=["noop"], slots=10)

    assert value(metrics, "job_processing_duration_seconds_bucket", type="noop", le="0.001") == 0
    assert value(metrics, "job_processing_duration_seconds_bucket", type="noop", le="600.0") == 0


def test_the_worker_shows_its_load_its_lease_and_refused_results() -> None:
    metrics = Metrics()
    worker = WorkerMetrics(metrics, types=[], slots=10)

    worker.inflight(7)
    worker.inflight(4)
    worker.lease_renewed(a_worker_id(), result="ok")
    worker.stale_result(a_job(JobState.RUNNING).attempt_id)

    assert value(metrics, "worker_inflight_jobs") == 4
    assert value(metrics, "worker_slots") == 10
    assert value(metrics, "lease_renewals_total", result="ok") == 1
    assert value(metrics, "lease_renewals_total", result="closed") == 0
    assert value(metrics, "stale_results_total") == 1


def test_lost_workers_are_counted() -> None:
    metrics = Metrics()
    reaper = ReaperMetrics(metrics, clock=FixedClock())

    reaper.workers_closed([])
    reaper.workers_closed([a_worker_id(), a_worker_id()])

    assert value(metrics, "workers_lost_total") == 2


def test_due_and_recovered_jobs_are_counted_by_priority() -> None:
    metrics = Metrics()
    reaper = ReaperMetrics(metrics, clock=FixedClock())
    poison = a_job(JobState.RUNNING, max_attempts=1)

    reaper.jobs_released_due([a_job(priority=Priority.HIGH)])
    reaper.jobs_recovered([a_job(JobState.RUNNING).lose(LATER), poison.lose(LATER)])

    assert value(metrics, "retry_pump_jobs_requeued_total", priority="high") == 1
    assert value(metrics, "reaper_jobs_recovered_total", priority="default") == 2
    assert value(metrics, "jobs_deadlettered_total", priority="default") == 1


@pytest.mark.parametrize("kind", ["missing", "ghost", "junk", "overdue", "rebuild"])
def test_repairs_are_counted_by_kind(kind: str) -> None:
    metrics = Metrics()

    ReaperMetrics(metrics, clock=FixedClock()).queue_repaired(kind, 3)

    assert value(metrics, "queue_repairs_total", kind=kind) == 3


STORE = QueueStats(
    queues={
        Priority.CRITICAL: QueueDepth(depth=1, oldest_queued_at=NOW - 9 * SECOND),
        Priority.HIGH: QueueDepth(depth=2, oldest_queued_at=NOW + SECOND),
        Priority.DEFAULT: QueueDepth(depth=3, oldest_queued_at=NOW),
        Priority.LOW: QueueDepth(depth=0, oldest_queued_at=None),
    },
    running=10,
    scheduled=11,
    retrying=12,
    dead_letters=13,
)


def test_depths_come_from_the_queue_and_ages_from_the_store() -> None:
    metrics = Metrics()
    queue = QueueDepths(queues={Priority.CRITICAL: 100, Priority.LOW: 5}, processing=4)

    ReaperMetrics(metrics, clock=FixedClock(NOW)).depths(queue, STORE, workers=2)

    assert value(metrics, "queue_depth", priority="critical") == 100
    assert value(metrics, "queue_depth", priority="high") == 0
    assert value(metrics, "queue_oldest_age_seconds", priority="critical") == 9
    assert value(metrics, "queue_oldest_age_seconds", priority="high") == 0
    assert value(metrics, "queue_oldest_age_seconds", priority="low") == 0
    assert value(metrics, "processing_queue_depth") == 14
    assert value(metrics, "running_jobs") == 10
    assert value(metrics, "scheduled_jobs") == 11
    assert value(metrics, "retrying_jobs") == 12
    assert value(metrics, "deadletter_jobs") == 13
    assert value(metrics, "workers_alive") == 2


def test_without_the_queue_depths_come_from_the_store() -> None:
    metrics = Metrics()

    ReaperMetrics(metrics, clock=FixedClock(NOW)).depths(None, STORE, workers=2)

    assert value(metrics, "queue_depth", priority="default") == 3
    assert value(metrics, "processing_queue_depth") == 10


def test_faults_are_counted_by_event_and_missing_parts_shown() -> None:
    metrics = Metrics()
    faults = FaultMetrics(metrics)

    faults.fault("claim_failed", OSError("gone"), retry_in=timedelta(seconds=1))
    faults.degraded("queue", is_degraded=True)

    assert value(metrics, "faults_total", event="claim_failed") == 1
    assert value(metrics, "degraded", part="queue") == 1
    assert value(metrics, "degraded", part="store") == 0


def test_a_part_that_is_back_is_not_degraded() -> None:
    metrics = Metrics()
    faults = FaultMetrics(metrics)

    faults.degraded("queue", is_degraded=True)
    faults.degraded("queue", is_degraded=False)

    assert value(metrics, "degraded", part="queue") == 0


def test_handler_processes_are_counted_and_their_ends_by_reason() -> None:
    metrics = Metrics()
    processes = HandlerProcessMetrics(metrics)

    processes.handler_processes(3)
    processes.handler_process_ended(ProcessEnd.CRASHED)
    processes.handler_processes(2)

    assert value(metrics, "handler_processes") == 2
    ends = {how.value: value(metrics, "handler_processes_ended_total", reason=how.value) for how in ProcessEnd}
    assert ends == {"recycled": 0, "idle": 0, "killed": 0, "crashed": 1}


def test_calls_are_counted_by_method_and_status() -> None:
    metrics = Metrics()
    calls = RpcMetrics(metrics, methods=["GetJob"])

    calls.rpc_ended("GetJob", "OK", 0.25, peer=PEER)
    calls.rpc_ended("GetJob", "NOT_FOUND", 0.5, peer=PEER)

    assert value(metrics, "grpc_requests_total", method="GetJob", status="OK") == 1
    assert value(metrics, "grpc_requests_total", method="GetJob", status="NOT_FOUND") == 1
    assert value(metrics, "grpc_request_duration_seconds_sum", method="GetJob") == 0.75


def test_calls_that_a_cap_refused_are_counted_by_the_cap() -> None:
    metrics = Metrics()
    calls = RpcMetrics(metrics, methods=["GetJob"])

    calls.limited("watches")
    calls.mutation_abandoned()

    assert value(metrics, "grpc_limited_total", cap="watches") == 1
    assert value(metrics, "grpc_limited_total", cap="unread answers") == 0
    assert value(metrics, "grpc_abandoned_mutations_total") == 1


def test_made_up_methods_share_one_series() -> None:
    metrics = Metrics()
    calls = RpcMetrics(metrics, methods=["GetJob"])

    for name in ("A", "B"):
        calls.rpc_ended(name, "UNIMPLEMENTED", 0.0, peer=PEER)

    assert value(metrics, "grpc_requests_total", method="other", status="UNIMPLEMENTED") == 2
    assert value(metrics, "grpc_request_duration_seconds_count", method="other") == 2


def test_batches_are_measured() -> None:
    metrics = Metrics()
    SubmitMetrics(metrics).jobs_submitted([a_job()] * 3)
    worker = WorkerMetrics(metrics, types=[], slots=10)
    worker.jobs_started([a_job()] * 4)
    worker.results_recorded(5)

    names = ("submit_batch_size", "claim_batch_size", "finish_batch_size")
    assert [value(metrics, f"{name}_sum") for name in names] == [3, 4, 5]


def test_failures_are_counted_by_type_and_outcome() -> None:
    metrics = Metrics()
    worker = WorkerMetrics(metrics, types=["noop"], slots=10)
    running = a_job(type="noop", max_attempts=1).start(a_worker_id(), NOW)
    worker.attempt_ended(*ended(running, running.fail(a_failure(kind=FailureKind.TIMEOUT), LATER, 0.5)))

    assert value(metrics, "job_failures_total", type="noop", reason="timed_out") == 1
    assert value(metrics, "jobs_deadlettered_by_type_total", type="noop", reason="timed_out") == 1


@pytest.mark.parametrize("reason", ["failed", "timed_out", "lost"])
def test_failures_of_known_types_begin_at_zero_so_that_a_rate_sees_the_first(reason: str) -> None:
    metrics = Metrics()
    WorkerMetrics(metrics, types=["noop"], slots=10)

    assert value(metrics, "job_failures_total", type="noop", reason=reason) == 0
    assert value(metrics, "jobs_deadlettered_by_type_total", type="other", reason=reason) == 0


def test_types_that_clients_make_up_share_a_series_in_the_end() -> None:
    types = JobTypes()

    labels = [types.label(f"type-{number}") for number in range(MAX_TYPES + 1)]

    assert labels == [*(f"type-{number}" for number in range(MAX_TYPES)), OTHER_TYPES]
    assert JobTypes(["noop"]).label("type-1") == OTHER_TYPES


def test_calls_to_the_store_are_timed_and_their_errors_counted_by_kind() -> None:
    metrics = Metrics()
    store = StoreMetrics(metrics)
    with store.call("load"):
        pass
    with pytest.raises(StoreUnavailableError), store.call("load"):
        raise StoreUnavailableError("gone")
    store.connections(in_use=2, idle=1, waiting=4, limit=10)

    assert value(metrics, "store_operation_seconds_count", operation="load") == 2
    assert value(metrics, "store_errors_total", operation="load", kind="StoreUnavailableError") == 1
    assert value(metrics, "store_pool_connections", state="in_use") == 2
    assert value(metrics, "store_pool_waiting") == 4


def test_a_call_that_is_cancelled_is_no_error() -> None:
    metrics = Metrics()
    with pytest.raises(CancelledError), QueueMetrics(metrics).call("claim"):
        raise CancelledError

    assert value(metrics, "redis_operation_seconds_count", operation="claim") == 1
    assert value(metrics, "redis_errors_total", operation="claim") is None

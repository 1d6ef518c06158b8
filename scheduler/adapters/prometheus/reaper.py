"""Metrics of the reaper."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from prometheus_client import Counter as CounterMetric
from prometheus_client import Gauge

from scheduler.adapters.prometheus.failures import FailureMetrics
from scheduler.adapters.prometheus.metrics import Metrics, by_priority
from scheduler.application.dto import QueueDepth, QueueStats
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.queue_maintenance import QueueDepths
from scheduler.application.ports.telemetry import ReaperTelemetry
from scheduler.domain.attempt import AttemptOutcome
from scheduler.domain.ids import WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority

REPAIR_KINDS = ("missing", "ghost", "junk", "overdue", "rebuild")


class ReaperMetrics(ReaperTelemetry):
    """Counts what the reaper moves and repairs, and shows what waits."""

    def __init__(self, metrics: Metrics, *, clock: Clock) -> None:
        self._due = by_priority(
            metrics.counter("retry_pump_jobs_requeued_total", "Scheduled and retrying jobs that came due.", "priority")
        )
        self._lost = metrics.counter("workers_lost_total", "Worker processes whose lease expired.")
        self._recovered = by_priority(
            metrics.counter("reaper_jobs_recovered_total", "Jobs taken back from lost workers.", "priority")
        )
        self._failures = FailureMetrics(metrics)
        repairs = metrics.counter("queue_repairs_total", "Differences between queue and store put right.", "kind")
        self._repairs = {kind: repairs.labels(kind) for kind in REPAIR_KINDS}
        self._depths = DepthGauges(metrics, clock)
        self._expired = _gauge(metrics, "expired_leases", "Workers with an ended lease that are open or hold jobs.")

    def jobs_released_due(self, jobs: Sequence[Job]) -> None:
        """Count by priority."""
        _count(self._due, jobs)

    def workers_closed(self, workers: Sequence[WorkerId]) -> None:
        """Count them."""
        self._lost.inc(len(workers))

    def jobs_recovered(self, jobs: Sequence[Job]) -> None:
        """Count by priority, those that ended in the dead letters there too."""
        _count(self._recovered, jobs)
        for job in jobs:
            self._failures.failed(job, AttemptOutcome.LOST)

    def queue_repaired(self, kind: str, count: int) -> None:
        """Count by kind."""
        self._repairs[kind].inc(count)

    def depths(self, queue: QueueDepths | None, store: QueueStats, workers: int) -> None:
        """Set all gauges."""
        self._depths.set(queue, store, workers)

    def expired_leases(self, workers: int) -> None:
        """Set the gauge."""
        self._expired.set(workers)


class DepthGauges:
    """What waits where. The queue's counts are exact; without it, the store's, which are capped."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._clock = clock
        self._queued = by_priority(
            metrics.gauge("queue_depth", "Jobs that wait for a worker.", "priority", mode="livemostrecent")
        )
        self._oldest = by_priority(
            metrics.gauge(
                "queue_oldest_age_seconds", "How long the first job has waited.", "priority", mode="livemostrecent"
            )
        )
        self._processing = _gauge(metrics, "processing_queue_depth", "Jobs handed out or running.")
        self._running = _gauge(metrics, "running_jobs", "Jobs that a worker holds (capped).")
        self._scheduled = _gauge(metrics, "scheduled_jobs", "Jobs that wait for their time (capped).")
        self._retrying = _gauge(metrics, "retrying_jobs", "Jobs that wait for their backoff (capped).")
        self._dead = _gauge(metrics, "deadletter_jobs", "Jobs in the dead letters (capped).")
        self._workers = _gauge(metrics, "workers_alive", "Worker processes with a lease.")

    def set(self, queue: QueueDepths | None, store: QueueStats, workers: int) -> None:
        """Show one sample of queue and store."""
        now = self._clock.now()
        for priority in Priority:
            found = store.queues[priority]
            self._queued[priority].set(found.depth if queue is None else queue.queues.get(priority, 0))
            self._oldest[priority].set(_age(found, now))
        self._processing.set(store.running + (0 if queue is None else queue.processing))
        self._running.set(store.running)
        self._scheduled.set(store.scheduled)
        self._retrying.set(store.retrying)
        self._dead.set(store.dead_letters)
        self._workers.set(workers)


def _gauge(metrics: Metrics, name: str, text: str) -> Gauge:
    return metrics.gauge(name, text, mode="livemostrecent")


def _age(found: QueueDepth, now: datetime) -> float:
    return 0.0 if found.oldest_queued_at is None else max(0.0, (now - found.oldest_queued_at).total_seconds())


def _count(counters: Mapping[Priority, CounterMetric], jobs: Sequence[Job]) -> None:
    for priority, count in Counter(job.priority for job in jobs).items():
        counters[priority].inc(count)

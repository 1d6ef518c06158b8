"""The metrics of this process, and how they are rendered for a scrape."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from scheduler.adapters.prometheus.shared_files import SharedFiles
from scheduler.domain.priority import Priority

# 1 ms to 10 min: an idle pick-up and a long job both fall between bounds.
SECONDS_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0
)  # fmt: skip

SIZE_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

# How a gauge of several processes becomes one; all "live": a process that has ended counts no more.
GaugeMode = Literal["livesum", "livemax", "livemostrecent"]
Metric = TypeVar("Metric", Counter, Gauge, Histogram)


class Metrics:
    """A registry of its own. A metric that is asked for twice is the same one.

    The library keeps one choice per process of where values live: all Metrics of a process are of the same kind, either
    private or with SharedFiles (`--processes N`).
    """

    def __init__(self, shared: SharedFiles | None = None) -> None:
        self._shared = shared
        self._registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        values.ValueClass = values.MutexValue if shared is None else shared.value
        # One more series for each counter and histogram, of no use to anybody.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types here
        if shared is None:
            # Processor, memory and descriptors of one process: they cannot be added up.
            ProcessCollector(registry=self._registry)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Return the counter; its name ends in _total."""
        return _once(self._counters, name, lambda: Counter(name, text, labels, registry=self._registry))

    def gauge(self, name: str, text: str, *labels: str, mode: GaugeMode) -> Gauge:
        """Return the gauge; `mode` says what several processes' values amount to."""
        return _once(
            self._gauges, name, lambda: Gauge(name, text, labels, registry=self._registry, multiprocess_mode=mode)
        )

    def histogram(self, name: str, text: str, *labels: str) -> Histogram:
        """Return the histogram of durations; its name ends in _seconds."""
        return _once(
            self._histograms,
            name,
            lambda: Histogram(name, text, labels, registry=self._registry, buckets=SECONDS_BUCKETS),
        )

    def sizes(self, name: str, text: str, *labels: str) -> Histogram:
        """Return the histogram of numbers of things; its name ends in _size."""
        return _once(
            self._histograms, name, lambda: Histogram(name, text, labels, registry=self._registry, buckets=SIZE_BUCKETS)
        )

    def render(self) -> tuple[bytes, str]:
        """Return the metrics of all processes in the text format, and its content type. Reads files: may block."""
        registry = self._registry if self._shared is None else self._shared.all_slots()
        return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def by_priority(metric: Metric) -> Mapping[Priority, Metric]:
    """Resolve the metric's only label for each priority, so that all are there from the start."""
    return {priority: metric.labels(priority.lower()) for priority in Priority}


def _once(known: dict[str, Metric], name: str, build: Callable[[], Metric]) -> Metric:
    if name not in known:
        known[name] = build()
    return known[name]

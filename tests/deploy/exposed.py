"""Which metrics the processes expose, with their labels: learnt from the code, by building all of its telemetry."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dependency_injector import containers, providers
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from scheduler.adapters.prometheus.build_info import publish_build_info
from scheduler.adapters.prometheus.metrics import GaugeMode, Metrics
from scheduler.entrypoints.container.common import Common
from scheduler.entrypoints.container.server_adapters import ServerAdapters
from scheduler.entrypoints.process import ProcessOptions
from scheduler.entrypoints.settings import Settings


@dataclass(slots=True)
class Exposed:
    """One metric: its labels, and the values that each has from the start."""

    labels: frozenset[str]
    values: dict[str, set[str]] = field(default_factory=dict)


class NotedMetrics(Metrics):
    """Remembers which metrics it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.labels: dict[str, frozenset[str]] = {}

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        self.labels[name] = frozenset(labels)
        return super().counter(name, text, *labels)

    def gauge(self, name: str, text: str, *labels: str, mode: GaugeMode) -> Gauge:
        self.labels[name] = frozenset(labels)
        return super().gauge(name, text, *labels, mode=mode)

    def histogram(self, name: str, text: str, *labels: str) -> Histogram:
        self.labels |= {f"{name}_bucket": frozenset({*labels, "le"})}
        self.labels |= {f"{name}_{part}": frozenset(labels) for part in ("sum", "count")}
        return super().histogram(name, text, *labels)


def exposed_metrics() -> Mapping[str, Exposed]:
    """Return all metrics of api, worker and reaper by the names of their series."""
    metrics = NotedMetrics()
    publish_build_info(metrics, version="1")
    common = Common(settings=Settings(), options=ProcessOptions())
    common.metrics.override(providers.Object(metrics))
    for part in (common, ServerAdapters(common=common)):
        _build_all(part)
    found = {name: Exposed(labels) for name, labels in metrics.labels.items()}
    for family in text_string_to_metric_families(metrics.render()[0].decode()):
        for sample in family.samples:
            known = found.setdefault(sample.name, Exposed(frozenset(sample.labels)))
            for label, value in sample.labels.items():
                known.values.setdefault(label, set()).add(value)
    return found


def _build_all(part: containers.Container) -> None:
    for provider in part.providers.values():
        if isinstance(provider, providers.Singleton):
            provider()

"""Reads metrics as a Prometheus server would."""

from prometheus_client.parser import text_string_to_metric_families

from scheduler.adapters.prometheus.metrics import Metrics


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return the sample's value, or None when there is no such series."""
    return samples(metrics.render()[0].decode()).get((name, frozenset(labels.items())))

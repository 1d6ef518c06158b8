"""Which program this is."""

import platform

from scheduler.adapters.prometheus.metrics import Metrics


def publish_build_info(metrics: Metrics, *, version: str) -> None:
    """Set a gauge that is always 1 and carries the versions as labels."""
    info = metrics.gauge(
        "scheduler_build_info", "The version of this program and its Python.", "version", "python", mode="livemax"
    )
    info.labels(version, platform.python_version()).set(1)

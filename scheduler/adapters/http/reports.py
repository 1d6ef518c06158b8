"""The JSON answers of /health and /ready."""

from collections.abc import Mapping, Sequence

from scheduler.application.ports.health import DependencyStatus
from scheduler.application.readiness import Readiness


def health_report(stuck: Sequence[str]) -> Mapping[str, object]:
    """Name the loops that are stuck, if any."""
    return {"status": "stuck", "loops": list(stuck)} if stuck else {"status": "ok"}


def readiness_report(found: Readiness) -> Mapping[str, object]:
    """Say whether the process can serve, and what was found of each dependency."""
    return {
        "ready": found.ready,
        "degraded": found.degraded,
        "stopping": found.stopping,
        "dependencies": [_dependency(status) for status in found.dependencies],
    }


def _dependency(status: DependencyStatus) -> Mapping[str, object]:
    return {
        "name": status.name,
        "ok": status.ok,
        "required": status.required,
        "latency_ms": round(status.latency.total_seconds() * 1000, 3),
        "detail": status.detail,
    }

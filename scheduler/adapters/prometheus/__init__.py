"""Telemetry as Prometheus metrics."""

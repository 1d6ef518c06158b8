"""Metrics, liveness and readiness over HTTP."""

"""Telemetry that nobody reads: for tools and tests."""

from contextlib import AbstractContextManager, nullcontext

from scheduler.application.ports.telemetry import DependencyTelemetry, QueueTelemetry, StoreTelemetry


class Unobserved(StoreTelemetry, QueueTelemetry, DependencyTelemetry):
    """Notes nothing."""

    def call(self, operation: str) -> AbstractContextManager[None]:  # noqa: ARG002 - told, not noted
        """Do nothing around it."""
        return nullcontext()

    def repeated(self, operation: str, reason: str) -> None:
        """Do nothing."""

    def connections(self, *, in_use: int, idle: int, waiting: int, limit: int) -> None:
        """Do nothing."""

    def breaker(self, *, is_open: bool) -> None:
        """Do nothing."""

    def dependency(self, name: str, *, ok: bool) -> None:
        """Do nothing."""


UNOBSERVED = Unobserved()

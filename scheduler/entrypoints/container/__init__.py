"""Which adapter stands behind which port. Every provider is synchronous; what must be opened is in Resources."""

from scheduler.entrypoints.container.application import Container, build_container

__all__ = ["Container", "build_container"]

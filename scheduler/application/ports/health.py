"""Whether the process lives, and whether it can serve."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyStatus:
    """One dependency as it was just found; `required` ones decide readiness."""

    name: str
    ok: bool
    required: bool
    latency: timedelta
    detail: str = ""


class Dependency(Protocol):
    """A part that the process leans on."""

    @abstractmethod
    async def check(self) -> DependencyStatus:
        """Probe it now, in at most 2 s; never raises."""


class Progress(Protocol):
    """Collects signs of life of the loops that a process cannot live without."""

    @abstractmethod
    def beat(self, loop: str) -> None:
        """Note that the loop turned."""

    @abstractmethod
    def stuck(self) -> Sequence[str]:
        """Return the loops that have not turned for longer than they may."""

"""When something could not do what it should: what bounds in time are judged by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Trouble:
    """A time in which a process or a server could not do what it should; open while `until` is None."""

    kind: str
    since: float
    until: float | None = None

    def touches(self, since: float, until: float) -> bool:
        return self.since <= until and (self.until is None or self.until >= since)


@dataclass(slots=True)
class Troubles:
    """All of one process or server."""

    now: Callable[[], float]
    ever: list[Trouble] = field(default_factory=list)

    def begin(self, kind: str) -> Trouble:
        trouble = Trouble(kind, self.now())
        self.ever.append(trouble)
        return trouble

    def end(self, kind: str) -> bool:
        """End all of a kind; return whether there was one."""
        found = [trouble for trouble in self.ever if trouble.kind == kind and trouble.until is None]
        for trouble in found:
            trouble.until = self.now()
        return bool(found)

    @contextmanager
    def during(self, kind: str) -> Iterator[None]:
        trouble = self.begin(kind)
        try:
            yield
        finally:
            trouble.until = self.now()

    def any(self, since: float, until: float, kinds: frozenset[str] | None = None) -> bool:
        """Return whether there was one, of these kinds, at any time in between."""
        return any(trouble.touches(since, until) for trouble in self.ever if kinds is None or trouble.kind in kinds)

"""The walk over all queues, a page at a time."""

import re
from dataclasses import dataclass
from typing import Self

from scheduler.adapters.redis.codec import job_id_of
from scheduler.adapters.redis.scripts import Script
from scheduler.adapters.redis.server import RedisServer
from scheduler.application.ports.queue_maintenance import ScannedPage
from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority

_CURSOR = re.compile(r"([0-4]):([0-9]{1,20})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ScanPosition:
    """A key, by its number, and a place in it, as ZSCAN names it."""

    key: int = 0
    place: str = "0"

    @classmethod
    def parse(cls, cursor: str | None) -> Self:
        """Read a cursor; None, and what no scan has given out, mean the beginning."""
        match = _CURSOR.fullmatch(cursor or "")
        return cls(int(match[1]), match[2]) if match else cls()

    def __str__(self) -> str:
        """Return the cursor."""
        return f"{self.key}:{self.place}"

    def after(self, place: str) -> "ScanPosition":
        """Return where to go on: ZSCAN says "0" at the end of a key."""
        return ScanPosition(self.key + 1) if place == "0" else ScanPosition(self.key, place)


class PageScan:
    """Reads pages; removes what cannot be a job on its way, from what is handed out too."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._script = Script.load("scan")
        self._walk: list[tuple[str, Priority | None]] = [
            *((server.keys.queue(priority), priority) for priority in Priority),
            (server.keys.processing, None),
        ]

    async def page(self, position: ScanPosition, count: int) -> ScannedPage:
        """Read on until about `count` members are found or the walk is over."""
        entries = list[tuple[Priority, JobId]]()
        junk = seen = 0
        while seen < count and position.key < len(self._walk):
            key, priority = self._walk[position.key]
            place, removed, *members = await self._server.run(self._script, [key], [position.place, count - seen])
            position = position.after(place.decode("ascii"))
            junk += removed
            seen += len(members) + removed
            if priority is not None:
                entries += ((priority, job_id_of(member)) for member in members)
        is_over = position.key == len(self._walk)
        return ScannedPage(entries=entries, junk=junk, next=None if is_over else str(position))

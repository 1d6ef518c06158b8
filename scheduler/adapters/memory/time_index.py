"""Ids in order of a time, cheap to change and to page through at any size."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from datetime import datetime

from scheduler.domain.ids import JobId

Place = tuple[datetime, JobId]
_BUCKET_SIZE = 512


class TimeIndex:
    """A sorted set of (time, id), kept in buckets of bounded size. Do not change it while iterating over it."""

    def __init__(self) -> None:
        self._buckets: list[list[Place]] = []
        self._lasts: list[Place] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, place: Place) -> None:
        """Add a place that is not there."""
        self._length += 1
        if not self._buckets:
            self._buckets.append([place])
            self._lasts.append(place)
            return
        at = min(bisect_left(self._lasts, place), len(self._lasts) - 1)
        bucket = self._buckets[at]
        insort(bucket, place)
        self._lasts[at] = bucket[-1]
        if len(bucket) > 2 * _BUCKET_SIZE:
            self._split(at)

    def _split(self, at: int) -> None:
        bucket = self._buckets[at]
        self._buckets.insert(at + 1, bucket[_BUCKET_SIZE:])
        del bucket[_BUCKET_SIZE:]
        self._lasts.insert(at, bucket[-1])

    def remove(self, place: Place) -> None:
        """Remove a place that is there."""
        at = bisect_left(self._lasts, place)
        bucket = self._buckets[at]
        bucket.pop(bisect_left(bucket, place))
        self._length -= 1
        if bucket:
            self._lasts[at] = bucket[-1]
        else:
            del self._buckets[at], self._lasts[at]

    def ascending(self, after: Place | None = None) -> Iterator[Place]:
        """Iterate from the earliest place, or from the first one later than `after`."""
        first = 0 if after is None else bisect_right(self._lasts, after)
        for at in range(first, len(self._buckets)):
            bucket = self._buckets[at]
            start = bisect_right(bucket, after) if after is not None and at == first else 0
            for index in range(start, len(bucket)):
                yield bucket[index]

    def descending(self, before: Place | None = None) -> Iterator[Place]:
        """Iterate from the latest place, or from the last one earlier than `before`."""
        last = len(self._buckets) - 1
        first = last if before is None else min(bisect_left(self._lasts, before), last)
        for at in range(first, -1, -1):
            bucket = self._buckets[at]
            end = bisect_left(bucket, before) if before is not None and at == first else len(bucket)
            for index in range(end - 1, -1, -1):
                yield bucket[index]

"""Metrics of several processes that are one service, added up through files that all of them map.

The library's own multiprocess mode names the files by process id, so a child that crashes again and again leaves a
trail of files that every scrape must read, and removing one makes counters fall. Here a process owns a slot: a child
that is restarted goes on in the files of its predecessor. It also needs no environment variable before an import.
Each process builds its own SharedFiles, after the fork.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead


def clear(directory: Path) -> None:
    """Remove what an earlier run left; for the parent, before its children start."""
    for file in directory.glob("*.db"):
        file.unlink(missing_ok=True)


def forget_gauges(directory: Path, slot: int) -> None:
    """Remove the gauges of a process that has ended; its counters stay, for they must not fall."""
    mark_process_dead(slot, str(directory))  # type: ignore[no-untyped-call] # the library has no types here


class SharedFiles:
    """The files of one slot, and the view over all slots. Slots are small numbers, one for each process that runs."""

    def __init__(self, directory: Path, slot: int) -> None:
        self._directory = directory
        self._slot = slot
        self._lock = Lock()
        self._files: dict[str, MmapedDict] = {}
        forget_gauges(directory, slot)

    def all_slots(self) -> CollectorRegistry:
        """Return a registry that reads all processes' metrics as they stand; good for one scrape."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._directory))  # type: ignore[no-untyped-call] # as above
        return registry

    def value(
        self,
        kind: str,
        metric: str,
        sample: str,
        label_names: Sequence[str],
        label_values: Sequence[str],
        text: str,
        multiprocess_mode: str = "",
    ) -> "SharedValue":
        """Open the place of one sample: what the library calls to build each value, with these positions and names."""
        key = mmap_key(metric, sample, list(label_names), list(label_values), text)
        with self._lock:
            return SharedValue(self._file(f"{kind}_{multiprocess_mode}" if kind == "gauge" else kind), key, self._lock)

    def _file(self, prefix: str) -> MmapedDict:
        if prefix not in self._files:
            self._files[prefix] = _open(self._directory / f"{prefix}_{self._slot}.db")
        return self._files[prefix]


class SharedValue:
    """A number in a mapped file, with the methods that the library calls."""

    def __init__(self, file: MmapedDict, key: str, lock: Lock) -> None:
        self._file = file
        self._key = key
        self._lock = lock
        self._value, self._timestamp = file.read_value(key)  # type: ignore[no-untyped-call] # as above

    def inc(self, amount: float) -> None:
        """Add to the number."""
        with self._lock:
            self._value += amount
            self._write()

    def set(self, value: float, timestamp: float | None = None) -> None:
        """Replace the number."""
        with self._lock:
            self._value, self._timestamp = value, timestamp or 0.0
            self._write()

    def get(self) -> float:
        """Return this process's part of the number."""
        return float(self._value)

    def get_exemplar(self) -> None:
        """Return nothing: exemplars cannot be shared."""

    def _write(self) -> None:
        self._file.write_value(self._key, self._value, self._timestamp)  # type: ignore[no-untyped-call] # as above


def _open(path: Path) -> MmapedDict:
    """Open a mapped file; a new one gets its name once it has its size, since an empty file breaks a scrape."""
    if path.exists():
        return MmapedDict(str(path))  # type: ignore[no-untyped-call] # as above
    unnamed = path.with_suffix(".new")
    unnamed.unlink(missing_ok=True)
    file = MmapedDict(str(unnamed))  # type: ignore[no-untyped-call] # as above
    unnamed.rename(path)
    return file

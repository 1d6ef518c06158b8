"""By what the store finds jobs without looking at all of them."""

from collections.abc import Collection, Hashable, Iterator
from enum import Enum, auto

from scheduler.adapters.memory.time_index import Place, TimeIndex
from scheduler.domain.job import Job
from scheduler.domain.state import FINAL_STATES, WAITING_STATES, JobState


class By(Enum):
    """What an index groups jobs by, and in order of which of their times."""

    ALL = auto()
    """Every job under one key, by created_at; so are the next four."""
    STATE = auto()
    TYPE = auto()
    PRIORITY = auto()
    LABEL = auto()
    DUE = auto()
    """SCHEDULED and RETRYING jobs, by run_at."""
    QUEUED = auto()
    """QUEUED jobs of a priority, by queued_at."""
    WORKER = auto()
    """RUNNING jobs of a worker, by started_at."""
    ENDED = auto()
    """Jobs in a final state, by finished_at."""


Entry = tuple[By, Hashable, Place]


class JobIndex:
    """Keeps one TimeIndex per group that has members."""

    def __init__(self) -> None:
        self._groups: dict[By, dict[Hashable, TimeIndex]] = {by: {} for by in By}

    def replace(self, before: Job | None, after: Job | None) -> None:
        """Follow a job from one version to the next; None stands for a job that is not there."""
        old = set() if before is None else set(_entries(before))
        new = set() if after is None else set(_entries(after))
        for by, key, place in old - new:
            self._remove(by, key, place)
        for by, key, place in new - old:
            self._groups[by].setdefault(key, TimeIndex()).add(place)

    def _remove(self, by: By, key: Hashable, place: Place) -> None:
        group = self._groups[by][key]
        group.remove(place)
        if not group:
            del self._groups[by][key]

    def group(self, by: By, key: Hashable = None) -> TimeIndex:
        """Return the places of one group, not to be changed."""
        return self._groups[by].get(key) or TimeIndex()

    def keys(self, by: By) -> Collection[Hashable]:
        """Return the keys of the groups of a kind."""
        return self._groups[by].keys()


def _entries(job: Job) -> Iterator[Entry]:
    created = (job.created_at, job.id)
    yield By.ALL, None, created
    yield By.STATE, job.state, created
    yield By.TYPE, job.type, created
    yield By.PRIORITY, job.priority, created
    for label in job.labels.items():
        yield By.LABEL, label, created
    yield from _entries_of_state(job)


def _entries_of_state(job: Job) -> Iterator[Entry]:
    if job.state in WAITING_STATES:
        yield By.DUE, None, (job.run_at, job.id)
    elif job.state is JobState.QUEUED and job.queued_at is not None:
        yield By.QUEUED, job.priority, (job.queued_at, job.id)
    elif job.state is JobState.RUNNING and job.started_at is not None:
        yield By.WORKER, job.worker_id, (job.started_at, job.id)
    elif job.state in FINAL_STATES and job.finished_at is not None:
        yield By.ENDED, job.state, (job.finished_at, job.id)

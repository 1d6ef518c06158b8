"""All that a run leaves behind for its checker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView
from tests.chaos.diary import Happening
from tests.chaos.ledger import Entry
from tests.chaos.specs import JobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """A submit that was acknowledged."""

    number: int
    job_id: str
    created: bool


@dataclass(slots=True, kw_only=True)
class Call:
    """A cancel or a requeue, from its first sending to its answer; `done_at` is None while nobody knows its fate."""

    job_id: str
    sent_at: float
    done_at: float | None = None
    granted: bool = False


@dataclass(slots=True, eq=False)
class WatchRecord:
    """What one watcher saw of a job, over all its resumptions."""

    job_id: str
    events: list[EventView] = field(default_factory=list)
    ended: bool = False


@dataclass(slots=True)
class Records:
    """What the clients saw."""

    acks: list[Ack] = field(default_factory=list)
    cancels: list[Call] = field(default_factory=list)
    requeues: list[Call] = field(default_factory=list)
    watches: list[WatchRecord] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    """Answers that no fault explains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    specs: Sequence[JobSpec]
    records: Records
    jobs: Mapping[str, JobView]
    attempts: Mapping[str, Sequence[AttemptView]]
    ledger: Sequence[Entry]
    happenings: Sequence[Happening]
    left_in_redis: Sequence[str] = ()
    """Ids that are still queued or handed out."""

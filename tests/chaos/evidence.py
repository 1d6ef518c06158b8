"""All that a run leaves behind for its checker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from scheduler.adapters.grpc.client_views import AttemptView, EventView, JobView
from tests.chaos.diary import Happening
from tests.chaos.failover import FailOver
from tests.chaos.ledger import Entry
from tests.chaos.specs import JobSpec

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How long one statement took, sent past all proxies; None where none was answered."""

    at: float
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """A submit that was acknowledged."""

    number: int
    job_id: str
    created: bool
    at: float = 0.0
    mark: str = ""
    """Of the payload, where the id was submitted before with another one."""


@dataclass(slots=True, kw_only=True)
class Call:
    """A cancel, requeue or purge, from its first sending to its answer; without `done_at` its fate is unknown."""

    job_id: str
    sent_at: float
    done_at: float | None = None
    granted: bool = False
    expected_version: int = 0
    """Of a requeue: the version that it names."""
    version: int = 0
    """Of a granted requeue: the version that it was told."""
    is_stale: bool = False
    """Of a requeue: it names a version that had passed, and must be refused."""
    mark: str | None = None
    """Of a requeue with a payload: its mark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """An answer that no fault explains, to a call about jobs by number."""

    numbers: Sequence[int]
    text: str


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
    purges: list[Call] = field(default_factory=list)
    requeued_groups: set[int] = field(default_factory=set)
    """Groups of jobs that were requeued by one call, however often it was sent."""
    watches: list[WatchRecord] = field(default_factory=list)
    surprises: list[Surprise] = field(default_factory=list)


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
    fail_overs: Sequence[FailOver] = ()
    began: float = 0.0
    """When the clients began, on the clock of the ledger."""
    epoch: datetime = EPOCH
    """The same moment by the time of day."""
    probes: Sequence[Probe] = ()
    quiet_after: float = 0.0
    """Seconds from healing until all was final and every call answered."""

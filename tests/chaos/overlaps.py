"""No two attempts of a job may run under leases that are both valid, and none past the end of its own lease."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from scheduler.domain.attempt import AttemptOutcome
from tests.chaos.diary import Did, Happening
from tests.chaos.effects import purged
from tests.chaos.evidence import Evidence
from tests.chaos.ledger import Entry, Mark

_DEATHS = frozenset({Did.KILLED, Did.STOPPED, Did.ENDED, Did.NOT_STARTED})
_STOPPED = frozenset({AttemptOutcome.RELEASED, AttemptOutcome.TIMED_OUT})
LATE_SECONDS = 3.0
"""What a process that stood still may need until its handlers have stopped."""
RENEWALS_A_LEASE = 3
SLACK_SECONDS = 0.5
"""What a handler that is told to stop may need until it notes that it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A handler at work, from its first line in the ledger to its last, or to the end of its process."""

    start: Entry
    end: float
    is_cooperative: bool


def overlaps(evidence: Evidence) -> Iterator[str]:
    """Find attempts that ran while a later one of the same job had begun."""
    leases, standstills, gone = _Leases(evidence), _Standstills(evidence), purged(evidence)
    outcomes = {(job_id, one.fence): one.outcome for job_id, many in evidence.attempts.items() for one in many}
    for earlier, later in _overlapping(_runs(evidence)):
        begin = later.start.at
        outcome = outcomes.get(earlier.start.key)
        if outcome in _STOPPED and not earlier.is_cooperative:
            continue  # told to stop, and the job's later life does not wait for that
        if outcome is AttemptOutcome.CANCELLED or earlier.start.job_id in gone:
            if earlier.is_cooperative and not standstills.any_before(earlier.end, earlier.start.pid):
                yield from _after_cancel(earlier, later, evidence)
            continue
        if leases.valid_until(earlier.start, begin) > begin:
            yield f"{later.start.key} began while {earlier.start.key} ran under a valid lease"
        elif earlier.is_cooperative and not standstills.any_before(begin, earlier.start.pid):
            yield f"{later.start.key} began while {earlier.start.key} ran on past its lease"


def _after_cancel(earlier: Run, later: Run, evidence: Evidence) -> Iterator[str]:
    """The first renewal that is sent after a cancel tells the worker of it, or its lease ends."""
    calls = (call for call in evidence.records.cancels if call.job_id == earlier.start.job_id and call.granted)
    known = max((call.done_at or inf for call in calls if call.sent_at <= later.start.at), default=inf)
    if known > later.start.at:
        return
    renewals = [
        (entry.at, float(entry.detail))
        for entry in evidence.ledger
        if entry.mark is Mark.RENEWED and entry.worker_id == earlier.start.worker_id
    ]
    told = min((at for at, _ in renewals if at >= known), default=inf)
    lease_end = max((at + lease for at, lease in renewals if at < known), default=-inf)
    interval = max((lease for _, lease in renewals), default=0.0) / RENEWALS_A_LEASE
    bound = max(known, min(told + interval, lease_end)) + SLACK_SECONDS
    if earlier.end > bound:
        late = earlier.end - bound
        yield f"{earlier.start.key} ran beside {later.start.key}, {late:.1f} s longer than a cancel takes"


def _runs(evidence: Evidence) -> Sequence[Run]:
    ends = {entry.key: entry.at for entry in evidence.ledger if entry.mark in {Mark.ENDED, Mark.CANCELLED}}
    deaths = {event.pid: event.at for event in evidence.happenings if event.pid and event.did in _DEATHS}
    cooperative = {str(job_id): spec.is_cooperative for spec in evidence.specs for job_id in spec.ids}
    return [
        Run(
            start=entry,
            end=ends.get(entry.key, deaths.get(entry.pid, inf)),
            is_cooperative=cooperative.get(entry.job_id, True),
        )
        for entry in evidence.ledger
        if entry.mark is Mark.STARTED
    ]


def _overlapping(runs: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    by_job: dict[str, list[Run]] = {}
    for run in runs:
        by_job.setdefault(run.start.job_id, []).append(run)
    for of_one_job in by_job.values():
        for earlier, later in pairwise(sorted(of_one_job, key=lambda run: run.start.fence)):
            if earlier.end > later.start.at + SLACK_SECONDS:
                yield earlier, later


class _Leases:
    def __init__(self, evidence: Evidence) -> None:
        self._renewed: Mapping[str, list[tuple[float, float]]] = {}
        renewals: dict[str, list[tuple[float, float]]] = {}
        for entry in evidence.ledger:
            if entry.mark is Mark.RENEWED:
                renewals.setdefault(entry.worker_id, []).append((entry.at, entry.at + float(entry.detail)))
        self._renewed = renewals

    def valid_until(self, start: Entry, moment: float) -> float:
        """Return until when the worker of an attempt held its lease, as far as it had been renewed at a moment."""
        renewals = self._renewed.get(start.worker_id, [])
        return max((until for sent, until in renewals if sent <= moment), default=-inf)


class _Standstills:
    """When processes could not stop anything: SIGSTOP held them, or a handler blocked their event loop."""

    def __init__(self, evidence: Evidence) -> None:
        self._spans = [*_spans_of_pauses(evidence.happenings), *_spans_of_blocks(evidence)]

    def any_before(self, moment: float, pid: int) -> bool:
        """Tell whether the process stood still shortly before, and so may be late in stopping its handlers."""
        return any(
            still == pid and begin <= moment and end >= moment - LATE_SECONDS for still, begin, end in self._spans
        )


Span = tuple[int, float, float]
"""Process, begin, end."""


def _spans_of_pauses(happenings: Sequence[Happening]) -> Iterator[Span]:
    ends = [event for event in happenings if event.did in {Did.RESUMED, *_DEATHS}]
    for pause in happenings:
        if pause.did is Did.PAUSED:
            end = min((event.at for event in ends if event.pid == pause.pid and event.at > pause.at), default=inf)
            yield pause.pid, pause.at, end


def _spans_of_blocks(evidence: Evidence) -> Iterator[Span]:
    blocking = {str(job_id) for spec in evidence.specs if spec.behaviour.block for job_id in spec.ids}
    for run in _runs(evidence):
        if run.start.job_id in blocking:
            yield run.start.pid, run.start.at, run.end

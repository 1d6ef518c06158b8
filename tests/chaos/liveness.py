"""How soon things must happen: recovery of a dead worker's jobs while SQL is up, and rest after healing."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf

from scheduler.domain.attempt import AttemptOutcome
from tests.chaos.diary import Did, Happening
from tests.chaos.evidence import Evidence
from tests.chaos.ledger import Mark

TICK_SECONDS = 1.0
QUIET_SECONDS = 60.0
"""A lost hand-out (10 s), the sweep behind it (7 s), a lease and a tick, the longest job (8 s), its last tries."""
STATEMENTS = 8
"""So many statements, one after the other, find a dead worker and take its jobs."""
SLACK_SECONDS = 1.0
"""How late a process may be that shares two cores with ten others, beside what the statements show."""


def comes_to_rest(evidence: Evidence) -> Iterator[str]:
    slack = STATEMENTS * max((probe.seconds or 0.0 for probe in evidence.probes), default=0.0)
    if evidence.quiet_after > QUIET_SECONDS + slack:
        yield f"it took {evidence.quiet_after:.0f} s from healing to rest, the bound is {QUIET_SECONDS + slack:.0f} s"


def recovers_in_time(evidence: Evidence) -> Iterator[str]:
    """A lost attempt is taken back within a lease and a tick of its worker's last renewal, where nothing hinders."""
    renewals: dict[str, tuple[float, float]] = {}
    for entry in evidence.ledger:
        if entry.mark is Mark.RENEWED:
            renewals[entry.worker_id] = (entry.at, float(entry.detail))
    hindered = _Hindrances(evidence)
    for job_id, attempts in evidence.attempts.items():
        for one in attempts:
            if one.outcome is not AttemptOutcome.LOST or one.finished_at is None or one.worker_id not in renewals:
                continue
            renewed, lease = renewals[one.worker_id]
            taken = _on_ledger(one.finished_at, evidence)
            started = _on_ledger(one.started_at, evidence)
            begin = max(renewed, started)
            late = taken - begin - lease - TICK_SECONDS - hindered.slack(begin, taken)
            if late > 0 and not hindered.any_between(begin - lease - TICK_SECONDS, taken):
                yield f"{job_id}, attempt {one.fence}, was taken back {late:.1f} s later than a lease and a tick"


def _on_ledger(moment: datetime, evidence: Evidence) -> float:
    return evidence.began + (moment - evidence.epoch).total_seconds()


class _Hindrances:
    """When SQL or the reapers were disturbed: a reaper that heard nothing for long gives everyone a whole lease."""

    def __init__(self, evidence: Evidence) -> None:
        self._probes = evidence.probes
        self._spans = list(_spans(evidence.happenings))
        self._spans += [(probe.at, probe.at) for probe in evidence.probes if probe.seconds is None]

    def any_between(self, begin: float, end: float) -> bool:
        return any(start <= end and stop >= begin for start, stop in self._spans)

    def slack(self, begin: float, end: float) -> float:
        """Return what statements took in the same time, and how late a process may be."""
        took = (probe.seconds or 0.0 for probe in self._probes if begin <= probe.at <= end)
        return SLACK_SECONDS + STATEMENTS * max(took, default=0.0)


def _spans(happenings: Sequence[Happening]) -> Iterator[tuple[float, float]]:
    """Yield each fault that may hinder a recovery, from its beginning to its healing."""
    for fault in happenings:
        if fault.did is Did.FAULT and _hinders(fault):
            kind = fault.detail.rpartition(" for ")[0].rstrip()
            healed = (
                event.at
                for event in happenings
                if event.did is Did.HEALED and event.at >= fault.at and _is_healing(event, fault, kind)
            )
            yield fault.at, min(healed, default=inf)


def _hinders(fault: Happening) -> bool:
    if fault.whom in {"postgres", "machine"}:
        return True
    return fault.whom.startswith("reaper") and not fault.whom.endswith("/redis")


def _is_healing(event: Happening, fault: Happening, kind: str) -> bool:
    return event.whom == "everything" or (event.whom == fault.whom and kind.startswith(event.detail))

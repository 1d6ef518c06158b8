"""Recovery is bounded however slow statements and reaper are, and no worker pays for an outage or a jump."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.domain.lease import LeaseTerms, ReaperPatience, StoreReading
from tests.support.builders import NOW

TICK = 0.8
JITTER = 1.2
GIVE_UP = 5.0
RETRY = 0.6
NEVER = 1e9


@dataclass(kw_only=True)
class Database:
    """Its clock may jump; while it is away, statements wait for it or are given up."""

    statement: float = 0.0
    """Seconds a statement takes, half of them on the way to the database."""
    outages: list[tuple[float, float]] = field(default_factory=list)
    jumps: list[tuple[float, float]] = field(default_factory=list)

    def clock(self, at: float) -> datetime:
        return NOW + timedelta(seconds=at + sum(by for moment, by in self.jumps if moment <= at))

    def carries_out(self, sent: float, limit: float) -> float | None:
        """Return when a statement is carried out, or None when it is given up before."""
        at = sent + self.statement / 2
        for begin, end in self.outages:
            if begin <= at < end:
                at = end
        return at if at + self.statement / 2 <= sent + limit else None


class Worker:
    """Renews as LeaseKeeper does until it dies."""

    def __init__(self, database: Database, terms: LeaseTerms, *, dies_at: float = NEVER) -> None:
        self._database, self._terms, self._dies_at = database, terms, dies_at
        self._next = 0.0
        self._renewals: list[tuple[float, datetime]] = []
        self.expires_at = 0.0

    def lease_at(self, moment: float) -> datetime:
        """Return when the lease ends as the database knows it at a moment."""
        while self._next <= min(moment, self._dies_at):
            self._renew()
        return next(lease for at, lease in reversed(self._renewals) if at <= moment)

    def _renew(self) -> None:
        sent, limit = self._next, self._terms.renewal_time_limit.total_seconds()
        at = self._database.carries_out(sent, limit)
        if at is None:
            self._next = sent + limit + RETRY
        else:
            self._renewals.append((at, self._database.clock(at) + self._terms.duration))
            self.expires_at = at + self._terms.duration.total_seconds()
            self._next = sent + self._terms.renewal_interval.total_seconds()


class Reaper:
    """Closes as CloseDeadWorkers does; `lag` says by how much each of its steps comes late."""

    def __init__(self, database: Database, terms: LeaseTerms, lag: Callable[[], float]) -> None:
        self._database, self._terms, self._lag = database, terms, lag
        self._patience: ReaperPatience | None = None
        self._at = 0.0

    def closes(self, worker: Worker, *, until: float) -> float | None:
        """Return when it closes the worker, if it does."""
        while self._at < until:
            closed = self._turn(worker)
            if closed is not None:
                return closed
            self._at += TICK * JITTER + self._lag()
        return None

    def _turn(self, worker: Worker) -> float | None:
        sent, read_at = self._at, self._statement()
        if read_at is None:
            self._patience = self._patience and self._patience.unanswered(sent)
            return None
        reading = StoreReading(now=self._database.clock(read_at), sent=sent, received=self._at)
        begun = self._patience
        self._patience = ReaperPatience.begin(self._terms, reading) if begun is None else begun.observe(reading)
        expired_by = self._patience.expired_by()
        return None if expired_by is None else self._close(worker, expired_by)

    def _close(self, worker: Worker, expired_by: datetime) -> float | None:
        assert self._patience is not None
        sent, closed_at = self._at, self._statement()
        if closed_at is None:
            self._patience = self._patience.unanswered(sent)
            return None
        self._patience = self._patience.answered(sent=sent, received=self._at)
        lease = worker.lease_at(closed_at)
        return closed_at if lease <= expired_by and lease <= self._database.clock(closed_at) else None

    def _statement(self) -> float | None:
        sent, done = self._at, self._database.carries_out(self._at, GIVE_UP)
        answered = sent + GIVE_UP if done is None else done + self._database.statement / 2
        self._at = answered + self._lag()
        return done


def lags(longest: float, share: float, seed: int, *, even: bool = False) -> Callable[[], float]:
    """Return what makes this share of the steps late, by `longest` or less."""
    rng = random.Random(seed)

    def lag() -> float:
        late = rng.random() < share
        return longest * (1.0 if even else rng.random()) * late

    return lag


def recovery(lease: float, statement: float, lag: Callable[[], float], *, dies_at: float) -> float:
    """Return how long after its lease's end a dead worker is closed, by a reaper that began at the same time."""
    terms, database = LeaseTerms(timedelta(seconds=lease)), Database(statement=statement)
    worker = Worker(database, terms, dies_at=dies_at)
    closed = Reaper(database, terms, lag).closes(worker, until=dies_at + 1000)
    assert closed is not None
    return closed - max(worker.expires_at, lease)


AUDITED = [
    *[(4, each) for each in (0.002, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.9)],
    *[(6, each) for each in (0.1, 0.3, 0.6, 1.0)],
    (12, 2.0),
]


@pytest.mark.parametrize(("lease", "statement"), AUDITED)
def test_slow_statements_delay_recovery_by_what_they_take_and_no_more(lease: float, statement: float) -> None:
    for tenth in range(40):
        late = recovery(lease, statement, lambda: 0.0, dies_at=30 + tenth / 4)
        # The turn that just began (two statements and a pause), and the next one to where it closes.
        assert late <= 1.0 + 3.5 * statement


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(("lease", "statement"), [(4, 0.002), (4, 0.3), (4, 0.6), (12, 0.02), (60, 0.6)])
def test_a_lagging_reaper_delays_recovery_by_its_lag_and_no_more(lease: float, statement: float, share: float) -> None:
    for seed in range(30):
        late = recovery(lease, statement, lags(1.2, share, seed, even=True), dies_at=30 + seed / 3)
        assert late <= 1.0 + 3.5 * statement + 4 * 1.2


@settings(deadline=None, max_examples=150)
@given(
    lease=st.floats(4, 60), statement=st.floats(0, 0.6), longest=st.floats(0, 30), share=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)  # fmt: skip
def test_recovery_is_bounded_whatever_lags(
    lease: float, statement: float, longest: float, share: float, seed: int
) -> None:
    late = recovery(lease, statement, lags(longest, share, seed), dies_at=10 + seed % 90)
    # At worst it is seen a turn late, and looked at again half a lease and a turn later.
    turn = 1.0 + 2 * statement + 3 * longest
    assert late <= 2 * turn + lease / 2 + 2 * (statement + longest)


@st.composite
def outages(draw: st.DrawFn, lease: float) -> list[tuple[float, float]]:
    """Draw outages of any length, each followed by at least a lease without one."""
    found, at = [], lease
    for _ in range(draw(st.integers(1, 4))):
        begin = at + draw(st.floats(lease, 2 * lease))
        at = begin + draw(st.floats(0, 3 * lease))
        found.append((begin, at))
    return found


@settings(deadline=None, max_examples=200)
@given(data=st.data(), lease=st.floats(12, 60), statement=st.floats(0, 0.4), seed=st.integers(0, 2**32))
def test_no_worker_is_closed_that_could_not_renew_because_the_database_was_away(
    data: st.DataObject, lease: float, statement: float, seed: int
) -> None:
    terms = LeaseTerms(timedelta(seconds=lease))
    database = Database(statement=statement, outages=data.draw(outages(lease)))
    longest = data.draw(st.sampled_from([0.0, 0.5, 1.2, 5.0, lease]))
    reaper = Reaper(database, terms, lags(longest, 0.3, seed))
    closed = reaper.closes(Worker(database, terms), until=database.outages[-1][1] + 3 * lease)
    assert closed is None


@settings(deadline=None, max_examples=200)
@given(
    lease=st.floats(4, 60), statement=st.floats(0, 0.6), longest=st.sampled_from([0.0, 1.2, 5.0]),
    jump=st.floats(-100, 100), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_no_worker_is_closed_because_the_clock_jumped(
    lease: float, statement: float, longest: float, jump: float, seed: int
) -> None:
    terms = LeaseTerms(timedelta(seconds=lease))
    database = Database(statement=statement, jumps=[(2 * lease + seed % 1000 / 100, jump)])
    assert (
        Reaper(database, terms, lags(longest, 0.3, seed)).closes(Worker(database, terms), until=6 * lease + 10) is None
    )

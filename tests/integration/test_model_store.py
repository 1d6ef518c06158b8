"""Whatever is done to them, SQL answers as the memory store does."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from scheduler.application.dead_letters import EndedFilter
from scheduler.application.dto import Change, JobFilter, NewJob, ProgressNote, PurgeRule, TakenName
from scheduler.domain.errors import TransitionNotAllowedError
from scheduler.domain.fingerprint import fingerprint
from scheduler.domain.ids import AttemptId, Fence, JobId, OpId, WorkerId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority, StrictOrder, WeightedOrder
from scheduler.domain.progress import Progress
from scheduler.domain.retry import FailureKind
from scheduler.domain.state import FINAL_STATES, JobState
from scheduler.domain.submission import Submission
from tests.support.backends import Run, StoreBackend
from tests.support.builders import HOUR, SECOND, a_change, a_failure, a_worker
from tests.support.sql import SqlBackend, create_database
from tests.support.twins import EVERYTHING, Twins, by_id, with_other_op

# Without shrinking, which takes minutes: the failing steps are printed as they were.
BOUNDS = settings(
    max_examples=130,
    stateful_step_count=50,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)

T = TypeVar("T")

pytestmark = pytest.mark.servers

WORKERS = tuple(WorkerId(UUID(int=n)) for n in (1, 2, 3))
MOVES: dict[str, Callable[[Job, datetime], Job]] = {
    "start": lambda job, now: job.start(WORKERS[job.id.int % 3], now),
    "succeed": lambda job, now: job.succeed(now),
    "fail": lambda job, now: job.fail(a_failure(error="é\n'%s"), now, 0.25),
    "fail for good": lambda job, now: job.fail(a_failure(FailureKind.PERMANENT), now, 0.0),
    "time out": lambda job, now: job.fail(a_failure(FailureKind.TIMEOUT, retry_after=SECOND), now, 0.0),
    "lose": lambda job, now: job.lose(now),
    "release": lambda job, now: job.release(now),
    "make_due": lambda job, now: job.make_due(now),
    "cancel": lambda job, now: job.cancel(now),
    "requeue": lambda job, now: job.requeue(now),
}
moves = st.sampled_from(["start", "start", "start", *MOVES])
payloads = st.sampled_from([None, "1e400", '"\\u0000"'])
labels = st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]))
numbers = st.integers(min_value=0, max_value=10_000)
some_numbers = st.lists(numbers, min_size=1, max_size=5)
limits = st.integers(min_value=1, max_value=7)
workers = st.sampled_from(WORKERS)
submissions = st.builds(
    Submission,
    type=st.sampled_from(["x", "y"]),
    priority=st.sampled_from(Priority),
    payload=payloads,
    idempotency_key=st.sampled_from([None] * 6 + ["k1", "k2", "k3"]),
    max_attempts=st.integers(min_value=1, max_value=3),
    labels=labels,
)
requests = st.tuples(st.uuids(version=4), submissions, st.none() | st.timedeltas(-SECOND, 10 * SECOND))
percents = st.floats(0, 100)
messages = st.sampled_from(["", "é\n'%s", '{"a", NULL}\\'])
ages = st.timedeltas(timedelta(0), SECOND)
filters = st.builds(
    JobFilter,
    state=st.none() | st.sampled_from(JobState),
    priority=st.none() | st.sampled_from(Priority),
    type=st.sampled_from([None, "x", "y", "z"]),
    labels=labels,
)

ended_filters = st.builds(
    EndedFilter,
    states=st.frozensets(st.sampled_from(sorted(FINAL_STATES)), min_size=1),
    priority=st.none() | st.sampled_from(Priority),
    type=st.sampled_from([None, None, "x", "z"]),
    labels=labels,
    error_text=st.sampled_from([None, None, "é\n'%", "worker lost"]),
    error_fingerprint=st.sampled_from([None, None, None, fingerprint("x", "broken"), ""]),
)


class StoreModel(RuleBasedStateMachine):
    """Commands as the processes would send them, in orders in which none would."""

    def __init__(self, twins: Twins) -> None:
        super().__init__()
        self.twins = twins
        self.ids: list[JobId] = []
        self.sent: list[Change] = []
        self.ops = 0

    @property
    def now(self) -> datetime:
        return self.twins.clock.now()

    def next_op(self) -> OpId:
        self.ops += 2
        return OpId(UUID(int=self.ops))

    def picked(self, which: Sequence[int]) -> list[JobId]:
        return list(dict.fromkeys(self.ids[number % len(self.ids)] for number in which))

    def apply(self, changes: list[Change]) -> None:
        self.sent += changes
        applied = self.twins.apply(changes)
        assert applied == {change.job.id for change in changes}

    @rule(batch=st.lists(requests, min_size=1, max_size=6))
    def add(self, batch: list[tuple[UUID, Submission, timedelta | None]]) -> None:
        new = []
        for index, (uuid, submission, delay) in enumerate(batch):
            asked = replace(submission, run_at=None if delay is None else self.now + delay)
            job = asked.accept(JobId(uuid), self.next_op(), self.now, index)
            new.append(NewJob(job=job, payload=submission.payload))
        if self.twins.add(new):
            self.ids += [each.job.id for each in new]

    @precondition(lambda self: self.ids)
    @rule(which=numbers, submission=submissions)
    def add_again(self, which: int, submission: Submission) -> None:
        job = submission.accept(self.picked([which])[0], self.next_op(), self.now, 0)

        self.twins.add([NewJob(job=job, payload=None)])
        self.twins.ask(lambda store: _taken(store, [job.id]))

    @precondition(lambda self: self.ids)
    @rule(which=some_numbers, move=moves, payload=payloads, result=payloads)
    def move(self, which: list[int], move: str, payload: str | None, result: str | None) -> None:
        movable = list(self._moved(MOVES[move]))
        chosen = {number % len(movable) for number in which} if movable else set()
        self.apply(
            [a_change(*movable[at], op_id=self.next_op(), payload=payload, result=result) for at in sorted(chosen)]
        )

    def _moved(self, move: Callable[[Job, datetime], Job]) -> Iterator[tuple[Job, Job]]:
        for job in self.twins.load(self.ids).values():
            try:
                yield job, move(job, self.now)
            except TransitionNotAllowedError:
                continue

    @precondition(lambda self: self.sent)
    @rule(which=some_numbers, by_another=st.booleans())
    def send_again(self, which: list[int], by_another: bool) -> None:  # noqa: FBT001 - drawn by name
        changes = {change.job.id: change for change in (self.sent[number % len(self.sent)] for number in which)}

        self.twins.apply([with_other_op(each) if by_another else each for each in changes.values()])

    @precondition(lambda self: self.ids)
    @rule(which=some_numbers, percent=percents, message=messages, age=ages, stale=st.booleans())
    def note_progress(self, which: list[int], percent: float, message: str, age: timedelta, stale: bool) -> None:  # noqa: FBT001 - drawn by name
        jobs = self.twins.load(self.picked(which)).values()
        said = Progress.said(percent, message, at=self.now - age)
        noted = self.twins.note_progress(
            [
                ProgressNote(attempt_id=AttemptId(job.id, Fence(job.version - stale)), op_id=job.op_id, progress=said)
                for job in jobs
            ]
        )
        assert noted <= {job.id for job in jobs if job.state is JobState.RUNNING and not stale}

    @rule(by=st.timedeltas(timedelta(0), 3 * SECOND))
    def let_time_pass(self, by: timedelta) -> None:
        self.twins.clock.advance(by)

    @rule(limit=limits)
    def release_due(self, limit: int) -> None:
        due = self.twins.ask(lambda store: _listed(store.sweeper.due(self.now, limit)))
        self.apply([a_change(job, job.make_due(self.now), op_id=self.next_op()) for job in due])

    @rule(limit=limits, turn=numbers, strict=st.booleans(), worker=workers)
    def claim_and_start(self, limit: int, turn: int, strict: bool, worker: WorkerId) -> None:  # noqa: FBT001 - drawn by name
        plan = (StrictOrder() if strict else WeightedOrder()).plan(limit, turn)
        entries = self.twins.ask(lambda store: _listed(store.sweeper.claimable(plan, types=["x"])))
        jobs = self.twins.load([entry.job_id for entry in entries]).values()
        self.apply([a_change(job, job.start(worker, self.now), op_id=self.next_op()) for job in jobs])

    @rule(job_filter=filters, page_size=limits)
    def list_jobs(self, job_filter: JobFilter, page_size: int) -> None:
        self.twins.listed(job_filter, page_size)

    @rule(job_filter=ended_filters)
    def scan_ended(self, job_filter: EndedFilter) -> None:
        found = self.twins.scanned(job_filter)
        stored = self.twins.load(self.ids).values()
        assert {job.id for job in found} == {job.id for job in stored if job_filter.matches(job)}

    @rule(limit=limits, job_type=st.sampled_from([None, "x", "y"]))
    def group_errors(self, limit: int, job_type: str | None) -> None:
        self.twins.ask(lambda store: store.ended_jobs.error_groups(fingerprint=None, job_type=job_type, limit=limit))

    @rule(job_filter=ended_filters)
    def delete_ended(self, job_filter: EndedFilter) -> None:
        doomed = self.twins.scanned(job_filter)[:2]
        self.twins.ask(lambda store: store.ended_jobs.delete(doomed))

    @rule(limit=limits)
    def sweep(self, limit: int) -> None:
        seen = self.twins.swept(limit)
        assert len(seen) == len(set(seen))

    @rule(states=st.sets(st.sampled_from(sorted(FINAL_STATES))), keep_for=st.timedeltas(timedelta(0), SECOND))
    def purge(self, states: set[JobState], keep_for: timedelta) -> None:
        rule_ = PurgeRule(states=sorted(states), keep_for=keep_for)
        self.twins.ask(lambda store: store.sweeper.purge(rule_, now=self.now, limit=EVERYTHING))

    @rule(worker=workers)
    def register(self, worker: WorkerId) -> None:
        self.twins.ask(lambda store: store.registry.register(a_worker(worker), HOUR))

    @rule(worker=workers)
    def renew(self, worker: WorkerId) -> None:
        self.twins.ask(lambda store: store.registry.renew(worker, HOUR))

    @rule(worker=workers)
    def close(self, worker: WorkerId) -> None:
        self.twins.ask(lambda store: store.registry.close(worker))

    @rule()
    def forget_workers(self) -> None:
        self.twins.ask(lambda store: store.registry.forget_closed(timedelta(0)))

    @rule(only_some=st.booleans())
    def recover(self, only_some: bool) -> None:  # noqa: FBT001 - drawn by name
        closed = self.twins.ask(lambda store: _unordered(store.sweeper.held_by_closed_workers(HOUR, EVERYTHING)))
        absent = self.twins.ask(lambda store: _unordered(store.sweeper.held_by_absent_workers(EVERYTHING)))
        assert all(job in absent for job in closed)
        lost = closed if only_some else absent
        self.apply([a_change(job, job.lose(self.now), op_id=self.next_op()) for job in lost])

    @rule(worker=workers)
    def look_around(self, worker: WorkerId) -> None:
        self.twins.ask(lambda store: store.reader.queue_stats())
        self.twins.ask(lambda store: store.registry.count_open())
        self.twins.ask(lambda store: store.registry.held_attempts(worker))

    def teardown(self) -> None:
        """Compare all that is stored."""
        self.twins.ask(lambda store: store.repository.load_details(self.ids))
        self.twins.ask(lambda store: _taken(store, self.ids))
        self.twins.listed(JobFilter(), EVERYTHING)
        for job_id in self.ids[:10]:
            self.twins.attempts(job_id)


async def _taken(store: StoreBackend, ids: Sequence[JobId]) -> list[TakenName]:
    found = await store.repository.find_taken(ids, ["k1", "k3"])
    return sorted(found, key=lambda each: each.job_id)


async def _listed(answer: Awaitable[Sequence[T]]) -> list[T]:
    return list(await answer)


async def _unordered(answer: Awaitable[Sequence[Job]]) -> list[Job]:
    return by_id(await answer)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_sql_answers_as_memory_does(run: Run, postgres_url: str, isolation: str) -> None:
    sql = SqlBackend(create_database(postgres_url), isolation=isolation)
    run(sql.open())

    class Here(StoreModel):
        def __init__(self) -> None:
            super().__init__(Twins(run, sql))

    try:
        run_state_machine_as_test(Here, settings=BOUNDS)
    finally:
        run(sql.close())

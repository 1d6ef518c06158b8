"""What a chaos run is asked to do, drawn from its seed: the jobs and the calls about them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from uuid import UUID

from scheduler.domain.ids import JobId
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.submission import Submission
from tests.chaos.handler import CHAOS_WORK, Behaviour

LABEL = "chaos"
GROUP_LABEL, NUMBER_LABEL = "group", "number"
GROUP = 20
"""So many jobs, one after the other, are requeued by one call."""
QUICK_RETRIES = RetryPolicy(initial=timedelta(milliseconds=200), max_backoff=timedelta(seconds=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A job to submit. One with a key is submitted under another id each time."""

    number: int
    submission: Submission
    ids: Sequence[JobId]
    behaviour: Behaviour
    run_after: float = 0.0
    """Seconds from the beginning before which it must not start."""

    @property
    def key(self) -> str | None:
        return self.submission.idempotency_key

    @property
    def is_cooperative(self) -> bool:
        """Tell whether its handler stops when it is told to."""
        return not (self.behaviour.block or self.behaviour.swallow)

    def submission_at(self, began: datetime) -> Submission:
        """Return what to submit in a run that began then: the same each time."""
        if not self.run_after:
            return self.submission
        return replace(self.submission, run_at=began + timedelta(seconds=self.run_after))

    def marked(self, mark: str) -> Submission:
        """Return another submission under the same id."""
        return replace(self.submission, payload=_payload(replace(self.behaviour, mark=mark)))


class OrderKind(StrEnum):
    SUBMIT = "submit"
    SUBMIT_BATCH = "submit batch"
    CANCEL = "cancel"
    REQUEUE = "requeue"
    REQUEUE_MARKED = "requeue with a payload"
    REQUEUE_STALE = "requeue a version that has passed"
    REQUEUE_MANY = "requeue many"
    PURGE = "purge"
    RESUBMIT = "submit after a purge"
    WATCH = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call at a time (seconds from the beginning), about jobs by number."""

    at: float
    kind: OrderKind
    jobs: Sequence[int]
    turn: int = 0
    """Of a submit: how often the job was submitted before."""
    leave_after: float = 0.0
    """Of a watch: leave it after so many seconds and resume it later; 0 to stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    specs: Sequence[JobSpec]
    orders: Sequence[Order]


def draw_load(random: Random, *, seconds: float, jobs_per_second: float, run: str) -> Load:
    """Draw jobs that arrive evenly, singly and in batches, and what else is asked about them."""
    count, step = int(seconds * jobs_per_second), 1 / jobs_per_second
    specs = [_draw_spec(random, number, run, step) for number in range(count)]
    orders = [order for first in _firsts(random, count) for order in _about(random, first, step)]
    orders += _about_groups(random, count, step)
    return Load(specs=specs, orders=sorted(orders, key=lambda order: (order.at, order.kind, tuple(order.jobs))))


def _firsts(random: Random, count: int) -> Iterator[Sequence[int]]:
    """Cut the numbers into single jobs and batches."""
    number = 0
    while number < count:
        size = random.choice((1, 1, 1, 1, 5, 15))
        yield range(number, min(count, number + size))
        number += size


def _about_groups(random: Random, count: int, step: float) -> Iterator[Order]:
    for first in range(0, count, GROUP):
        if random.random() < 0.15:
            at = (first + GROUP) * step + random.uniform(0, 5)
            yield Order(at=at, kind=OrderKind.REQUEUE_MANY, jobs=range(first, min(count, first + GROUP)))


def _about(random: Random, numbers: Sequence[int], step: float) -> Iterator[Order]:
    """Draw a submit and what follows it."""
    at = numbers[0] * step
    kind = OrderKind.SUBMIT if len(numbers) == 1 else OrderKind.SUBMIT_BATCH
    yield Order(at=at, kind=kind, jobs=numbers)
    if random.random() < 0.25:
        yield Order(at=at + random.choice((0.0, 0.5, 5.0)), kind=kind, jobs=numbers, turn=1)
    for number in numbers:
        yield from _later(random, number, at)


def _later(random: Random, number: int, at: float) -> Iterator[Order]:
    """Draw a watch, a cancel, and a requeue: of a job that was cancelled, or may have ended badly by itself."""
    if random.random() < 0.2:
        leave_after = random.choice((0.0, 0.0, 0.3, 2.0))
        yield Order(at=at + random.uniform(0, 1), kind=OrderKind.WATCH, jobs=[number], leave_after=leave_after)
    cancelled_at = at + random.uniform(0, 3)
    if cancelled := random.random() < 0.12:
        yield Order(at=cancelled_at, kind=OrderKind.CANCEL, jobs=[number])
    if random.random() < (0.4 if cancelled else 0.1):
        kinds = (OrderKind.REQUEUE, OrderKind.REQUEUE, OrderKind.REQUEUE_MARKED, OrderKind.REQUEUE_STALE)
        yield Order(at=cancelled_at + random.uniform(0, 3), kind=random.choice(kinds), jobs=[number])


def _payload(behaviour: Behaviour) -> str:
    return json.dumps({name: value for name, value in asdict(behaviour).items() if value})


def _draw_spec(random: Random, number: int, run: str, step: float) -> JobSpec:
    behaviour = _draw_behaviour(random)
    submission = Submission(
        type=CHAOS_WORK,
        priority=random.choice(tuple(Priority)),
        payload=_payload(behaviour),
        idempotency_key=f"{run}-{number}" if random.random() < 0.3 else None,
        max_attempts=random.choice((1, 2, 3, 3, 5)),
        timeout=timedelta(seconds=random.choice((1.5, 20, 20, 20))),
        retry_policy=QUICK_RETRIES,
        labels={LABEL: run, GROUP_LABEL: str(number // GROUP), NUMBER_LABEL: str(number)},
    )
    ids = [JobId(UUID(int=random.getrandbits(128), version=4)) for _ in range(2)]
    return JobSpec(
        number=number,
        submission=submission,
        ids=ids if submission.idempotency_key else ids[:1] * 2,
        behaviour=behaviour,
        run_after=number * step + random.uniform(0.5, 4) if random.random() < 0.1 else 0.0,
    )


def _draw_behaviour(random: Random) -> Behaviour:
    seconds = random.choice((0.0, 0.0, 0.05, 0.3, 1.0, 2.5))
    weighted = {
        Behaviour(seconds=seconds): 30,
        Behaviour(seconds=8.0): 4,
        Behaviour(seconds=seconds, fail_attempts=random.choice((1, 2, 9))): 4,
        Behaviour(seconds=seconds, fail_attempts=1, retry_after=0.3): 1,
        Behaviour(seconds=seconds, permanently=True): 1,
        Behaviour(seconds=seconds, swallow=1.5): 1,
        Behaviour(block=random.choice((0.5, 2.0))): 1,
    }
    return random.choices(list(weighted), list(weighted.values()))[0]

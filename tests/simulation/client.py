"""Clients: they submit, repeat, cancel, requeue and watch, and write down what they are told."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from scheduler.application.dead_letters import BulkOrder, EndedFilter
from scheduler.application.dto import SubmitOutcome
from scheduler.application.errors import JobNotFoundError, UnknownVersionError
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job
from scheduler.domain.priority import Priority
from scheduler.domain.retry import RetryPolicy
from scheduler.domain.state import DEAD_STATES, FINAL_STATES, JobState
from scheduler.domain.submission import Submission
from tests.simulation.book import Asked, Book, BulkCall, JobCall, NoAnswerError, Stream, Watched, Wish
from tests.simulation.fleet import Fleet
from tests.simulation.handlers import KINDS, LONG_KINDS
from tests.simulation.host import World
from tests.simulation.loop import Lane
from tests.simulation.parts import ApiParts
from tests.simulation.processes import CALL_SECONDS, ApiProcess

if TYPE_CHECKING:
    from random import Random

T = TypeVar("T")
DEAD = EndedFilter(states=DEAD_STATES)
REPLY_LOST = 0.04
CALLS = {
    "submit": 0.45,
    "cancel": 0.13,
    "requeue": 0.1,
    "watch": 0.12,
    "bulk": 0.05,
}
"""What clients ask for, and how often; each client has its own bent."""


class Client:
    """One client, with a thread of its own that nothing stops."""

    def __init__(self, world: World, name: str, fleet: Fleet, book: Book) -> None:
        self._world = world
        self._name = name
        self._fleet = fleet
        self._book = book
        self._rng: Random = world.random(name)
        self._lane = Lane(name)
        self._tasks: list[asyncio.Task[None]] = []
        self._calls = {kind: weight * self._rng.choice([0.3, 1, 1, 3]) for kind, weight in CALLS.items()}

    def start(self, calls: int, seconds: float) -> None:
        """Make so many calls within that time."""
        for _ in range(calls):
            self._spawn(self._call_at(self._rng.uniform(0, seconds)))

    def interfere(self, kind: str, job_id: JobId) -> None:
        """Do something about a job now."""
        self._spawn(self._about_one(kind, job_id))

    @property
    def done(self) -> bool:
        return all(task.done() for task in self._tasks)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(self._world.loop.spawn(self._lane, work))

    async def _call_at(self, when: float) -> None:
        await asyncio.sleep(when)
        known = self._book.acknowledged()
        kind = self._rng.choices(list(self._calls), list(self._calls.values()))[0]
        if not known or kind == "submit":
            await self._submit(self._new_wish())
        elif kind == "submit again":
            await self._submit_again()
        elif kind == "bulk":
            await self._rng.choice([self._requeue_all, self._delete_all])()
        else:
            await self._about_one(kind, self._rng.choice(self._of_interest(kind, known)))

    def _of_interest(self, kind: str, known: list[JobId]) -> list[JobId]:
        """Prefer, half the time, jobs for which a call of the kind changes something."""
        jobs = self._world.servers.jobs()
        wanted = [job_id for job_id in known if job_id in jobs and jobs[job_id].is_final is (kind == "requeue")]
        return wanted if wanted and self._rng.random() < 0.5 else known

    async def _about_one(self, kind: str, job_id: JobId) -> None:
        match kind:
            case "cancel":
                await self._cancel(job_id)
                if self._rng.random() < 0.3:
                    await self._requeue(job_id)
            case "requeue":
                await self._requeue(job_id)
            case "start over":
                await self._start_over(job_id)
            case "name again":
                await self._name_again(job_id)
            case _:
                await self._watch(job_id)

    # --- submits

    def _new_wish(self) -> Wish:
        rng = self._rng
        job_id = JobId(UUID(int=rng.getrandbits(128), version=4)) if rng.random() < 0.5 else None
        wish = Wish(submission=self._submission(), job_id=job_id)
        self._book.wishes.append(wish)
        return wish

    def _submission(self) -> Submission:
        rng = self._rng
        delay = timedelta(seconds=rng.uniform(0.5, 8)) if rng.random() < 0.25 else None
        kind = rng.choice(LONG_KINDS if self._world.long_jobs else KINDS)
        return Submission(
            type=kind,
            payload=self._payload() if rng.random() < 0.5 else None,
            priority=rng.choice(list(Priority)),
            idempotency_key=f"key-{rng.getrandbits(64)}" if rng.random() < 0.4 else None,
            max_attempts=rng.choice([1, 2, 3, 3]),
            timeout=timedelta(seconds=rng.choice([20, 40] if kind == "long" else [1, 4, 20])),
            retry_policy=RetryPolicy(initial=timedelta(seconds=rng.uniform(0.2, 2)), max_backoff=timedelta(seconds=4)),
            run_at=None if delay is None else self._world.servers.clock.now() + delay,
        )

    async def _submit(self, wish: Wish) -> None:
        """Ask, and where the name makes it safe ask again until there is an answer."""
        for _ in range(4):
            if (await self._submit_once(wish)).succeeded or not wish.can_be_repeated:
                break
            await asyncio.sleep(self._rng.uniform(0.1, 2))
            if wish.job_id in self._world.servers.journal.deletions:
                return
        if wish.acknowledged is not None and self._rng.random() < 0.5:
            self._spawn(self._watch(wish.acknowledged))

    async def _submit_again(self) -> None:
        named = [wish for wish in self._book.wishes if wish.can_be_repeated]
        if named:
            await self._submit_once(self._rng.choice(named))

    async def _submit_once(self, wish: Wish) -> Asked:
        asked = Asked(at=self._world.loop.time())
        wish.calls.append(asked)
        command = SubmitCommand(submission=wish.submission, job_id=wish.job_id)

        async def submit(api: ApiParts) -> SubmitOutcome:
            return (await api.submit_jobs.execute([command]))[0]

        await self._ask(asked, submit, "submit", wish.submission.type)
        return asked

    async def _start_over(self, job_id: JobId) -> None:
        """Cancel a job, delete it, and submit another one under its id, or the same again."""
        wish = next((wish for wish in self._book.wishes if wish.acknowledged == job_id), None)
        if wish is None:
            return
        await self._cancel(job_id)
        await self._delete_all()
        submission = wish.submission if self._rng.random() < 0.4 else self._submission()
        again = Wish(submission=submission, job_id=job_id)
        self._book.wishes.append(again)
        await self._submit(again)

    async def _name_again(self, job_id: JobId) -> None:
        """Submit a job once more under its id and a key, then under the key alone."""
        named = (wish for wish in self._book.wishes if wish.job_id == wish.acknowledged == job_id)
        wish = next((wish for wish in named if wish.submission.idempotency_key is None), None)
        if wish is None:
            return
        submission = replace(wish.submission, idempotency_key=f"key-{self._rng.getrandbits(64)}")
        for name in (job_id, None):
            again = Wish(submission=submission, job_id=name)
            self._book.wishes.append(again)
            await self._submit(again)
            if again.acknowledged is None:
                return

    # --- other calls

    async def _cancel(self, job_id: JobId) -> None:
        asked = JobCall(at=self._world.loop.time(), job_id=job_id)
        self._book.cancels.append(asked)
        await self._ask(asked, lambda api: api.cancel_job.execute(job_id), "cancel", job_id)

    async def _requeue(self, job_id: JobId) -> None:
        payload = self._payload() if self._rng.random() < 0.3 else None
        job = self._world.servers.jobs().get(job_id)
        expected = job.version if job is not None and self._rng.random() < 0.25 else 0
        asked = JobCall(at=self._world.loop.time(), job_id=job_id, payload=payload)
        self._book.requeues.append(asked)
        work = lambda api: api.requeue_job.execute(job_id, payload=payload, expected_version=expected)  # noqa: E731 - a call
        await self._ask(asked, work, "requeue", job_id)

    async def _requeue_all(self) -> None:
        asked = BulkCall(at=self._world.loop.time())
        self._book.bulk_requeues.append(asked)
        order = BulkOrder(limit=self._rng.choice([0, 1, 2]))
        await self._ask(asked, lambda api: api.requeue_jobs.execute(DEAD, order, asyncio.Event()), "requeue all")

    async def _delete_all(self) -> None:
        asked = BulkCall(at=self._world.loop.time())
        self._book.deletions.append(asked)
        which = EndedFilter(states=self._rng.choice([FINAL_STATES, frozenset({JobState.CANCELLED})]))
        await self._ask(asked, lambda api: api.delete_jobs.execute(which, BulkOrder(), asyncio.Event()), "delete all")

    def _payload(self) -> str:
        return f'{{"n": {self._rng.getrandbits(32)}}}'

    async def _ask(
        self, asked: Asked, work: Callable[[ApiParts], Coroutine[Any, Any, object]], what: str, *details: object
    ) -> None:
        reply: asyncio.Future[object] = self._world.loop.create_future()
        api = self._choose()
        self._world.trace.note(self._name, f"asks: {what}", *details, "of", api.name if api else "nobody")
        if api is not None:
            self._send(api, work, reply, asked)
        try:
            async with asyncio.timeout(CALL_SECONDS + 1 if api else 0.1):
                asked.answer = await reply
        except TimeoutError:
            asked.answer = NoAnswerError()
        asked.answered_at = self._world.loop.time()
        self._world.trace.note(self._name, f"is told: {what}", *details, "->", asked.answer)

    def _send(
        self,
        api: ApiProcess,
        work: Callable[[ApiParts], Coroutine[Any, Any, object]],
        reply: "asyncio.Future[object]",
        asked: Asked,
    ) -> None:
        def settle(outcome: object) -> None:
            if not reply.done():
                reply.set_result(outcome)

        def answer(outcome: object) -> None:
            if self._rng.random() >= REPLY_LOST:
                self._later(settle, outcome)

        api.on_exit.append(lambda: self._later(settle, NoAnswerError()))
        self._later(lambda: api.call(work, answer, asked))

    def _choose(self) -> ApiProcess | None:
        apis = self._fleet.apis()
        return self._rng.choice(apis) if apis else None

    def _later(self, callback: Callable[..., None], *args: object) -> None:
        self._world.loop.call_later(0.001, callback, *args, context=self._lane.context)

    # --- watches

    async def _watch(self, job_id: JobId) -> None:
        """Follow a job to its end, over as many streams as that takes."""
        watched = Watched(job_id=job_id, by=self._name)
        self._book.watches.append(watched)
        while not watched.ended and not watched.error:
            api = self._choose()
            if api is not None:
                await self._follow(api, watched)
            await asyncio.sleep(self._rng.uniform(0.1, 0.5))

    async def _follow(self, api: ApiProcess, watched: Watched) -> None:
        after = watched.seen[-1].version if watched.seen else 0
        stream = Stream(api=api.name, opened_at=self._world.loop.time())
        watched.streams.append(stream)
        events: asyncio.Queue[Job | Exception | None] = asyncio.Queue()
        api.on_exit.append(lambda: events.put_nowait(NoAnswerError()))
        api.watch(watched.job_id, after, lambda event: self._later(events.put_nowait, event))
        while True:
            event = await events.get()
            self._world.trace.note(self._name, "sees", watched.job_id, event)
            if isinstance(event, Job):
                watched.seen.append(event)
                stream.heard.append((self._world.loop.time(), event))
                continue
            stream.ended_at = self._world.loop.time()
            watched.ended = event is None
            if isinstance(event, JobNotFoundError | UnknownVersionError):
                watched.error = str(event)
            return

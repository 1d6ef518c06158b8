"""The clients of a chaos run: they call, call again, and note what they were told."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TypeVar

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.adapters.grpc.client_views import SubmittedJob
from scheduler.application.dead_letters import EndedFilter
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.state import FINAL_STATES, REQUEUEABLE_STATES, JobState
from tests.chaos.evidence import Ack, Call, Records, Surprise, WatchRecord
from tests.chaos.specs import GROUP, GROUP_LABEL, LABEL, NUMBER_LABEL, JobSpec, Load, Order, OrderKind

T = TypeVar("T")
OUTAGES = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
REFUSALS = frozenset({"ALREADY_EXISTS", "NOT_FOUND", "FAILED_PRECONDITION", "ABORTED"})
RESUBMITTED = "submitted after a purge"
"""What a cancel or requeue of a job that is not there yet, or has moved on, may be told."""
PAUSE_SECONDS = 0.3


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """The service refused the call for what the job is."""


class Clients:
    """Follows the orders of a load; an order that meets an outage is repeated until it has an answer."""

    def __init__(self, client: SchedulerClient, load: Load) -> None:
        self._client = client
        self._load = load
        self.records = Records()
        self.answered = 0
        """How many orders are done."""
        self.epoch = datetime.now(UTC)

    async def follow(self, began: float) -> None:
        """Carry out all orders at their times; returns when each has its answer and each watch has ended."""
        self.epoch = datetime.now(UTC)
        async with asyncio.TaskGroup() as group:
            for order in self._load.orders:
                await asyncio.sleep(max(0.0, began + order.at - time.monotonic()))
                group.create_task(self._obey(order))

    async def _obey(self, order: Order) -> None:
        specs = [self._load.specs[number] for number in order.jobs]
        try:
            await self._call(order, specs)
        except Refused:
            pass
        except ClientError as error:
            self.records.surprises.append(Surprise(numbers=order.jobs, text=f"{order.kind} of {order.jobs}: {error}"))
        self.answered += 1

    async def _call(self, order: Order, specs: Sequence[JobSpec]) -> None:
        first, job_id = specs[0], self._id_of(specs[0])
        acts: Mapping[OrderKind, Callable[[], Awaitable[None]]] = {
            OrderKind.SUBMIT: lambda: self._submit(first, order.turn),
            OrderKind.SUBMIT_BATCH: lambda: self._submit_batch(specs, order.turn),
            OrderKind.CANCEL: lambda: self._cancel(job_id),
            OrderKind.REQUEUE: lambda: self._requeue(first, job_id, order.kind),
            OrderKind.REQUEUE_MARKED: lambda: self._requeue(first, job_id, order.kind),
            OrderKind.REQUEUE_STALE: lambda: self._requeue(first, job_id, order.kind),
            OrderKind.REQUEUE_MANY: lambda: self._requeue_many(specs),
            OrderKind.PURGE: lambda: self._purge(first),
            OrderKind.RESUBMIT: lambda: self._resubmit(first),
            OrderKind.WATCH: lambda: self._watch(job_id, order.leave_after),
        }
        await acts[order.kind]()

    async def _submit(self, spec: JobSpec, turn: int) -> None:
        submission = spec.submission_at(self.epoch)
        self._acknowledged([spec], [await _until_told(lambda: self._client.submit(submission, job_id=spec.ids[turn]))])

    async def _submit_batch(self, specs: Sequence[JobSpec], turn: int) -> None:
        commands = [SubmitCommand(submission=spec.submission_at(self.epoch), job_id=spec.ids[turn]) for spec in specs]
        self._acknowledged(specs, await _until_told(lambda: self._client.submit_many(commands)))

    def _acknowledged(self, specs: Sequence[JobSpec], jobs: Sequence[SubmittedJob]) -> None:
        for spec, job in zip(specs, jobs, strict=True):
            ack = Ack(number=spec.number, job_id=job.job_id, created=job.created, at=time.monotonic())
            self.records.acks.append(ack)

    def _id_of(self, spec: JobSpec) -> str:
        """Return the id that was acknowledged, or the one that was asked for."""
        acked = (ack.job_id for ack in self.records.acks if ack.number == spec.number)
        return next(acked, str(spec.ids[0]))

    async def _cancel(self, job_id: str) -> None:
        call = Call(job_id=job_id, sent_at=time.monotonic())
        self.records.cancels.append(call)
        call.granted = await _until_told(lambda: self._client.cancel(job_id))
        call.done_at = time.monotonic()

    async def _requeue(self, spec: JobSpec, job_id: str, kind: OrderKind) -> None:
        job = await _until_told(lambda: self._client.get(job_id))
        if job.state not in REQUEUEABLE_STATES:
            return
        call = Call(job_id=job_id, sent_at=time.monotonic(), expected_version=job.version)
        payload = ""
        if kind is OrderKind.REQUEUE_MARKED:
            call.mark = f"requeued at {job.version}"
            payload = spec.marked(call.mark).payload or ""
        if kind is OrderKind.REQUEUE_STALE:
            call.expected_version, call.is_stale = job.version - 1, True
        self.records.requeues.append(call)
        version = call.expected_version
        told = await _until_told(lambda: self._client.requeue(job_id, payload=payload, expected_version=version))
        call.done_at, call.granted, call.version = time.monotonic(), True, told.version

    async def _requeue_many(self, specs: Sequence[JobSpec]) -> None:
        group = specs[0].number // GROUP
        labels = {LABEL: specs[0].submission.labels[LABEL], GROUP_LABEL: str(group)}
        self.records.requeued_groups.add(group)
        chosen = EndedFilter(states=frozenset({JobState.FAILED, JobState.DEADLETTER}), labels=labels)
        await _until_told(lambda: self._client.requeue_jobs(chosen))

    async def _purge(self, spec: JobSpec) -> None:
        call = Call(job_id=str(spec.ids[0]), sent_at=time.monotonic())
        self.records.purges.append(call)
        labels = {LABEL: spec.submission.labels[LABEL], NUMBER_LABEL: str(spec.number)}
        chosen = EndedFilter(states=FINAL_STATES, labels=labels)
        await _until_told(lambda: self._client.purge_jobs(chosen))
        call.done_at, call.granted = time.monotonic(), True

    async def _resubmit(self, spec: JobSpec) -> None:
        """Submit another job under the id: refused where the first was not purged."""
        submission = spec.marked(RESUBMITTED)
        job = await _until_told(lambda: self._client.submit(submission, job_id=spec.ids[0]))
        at = time.monotonic()
        ack = Ack(number=spec.number, job_id=job.job_id, created=job.created, at=at, mark=RESUBMITTED)
        self.records.acks.append(ack)

    async def _watch(self, job_id: str, leave_after: float) -> None:
        record = WatchRecord(job_id)
        self.records.watches.append(record)
        try:
            await self._watch_in_parts(record, leave_after)
        except Refused:
            if not record.events:  # there was no such job yet
                self.records.watches.remove(record)

    async def _watch_in_parts(self, record: WatchRecord, leave_after: float) -> None:
        if leave_after:
            try:
                async with asyncio.timeout(leave_after):
                    await _until_told(lambda: self._watch_on(record))
            except TimeoutError:
                await asyncio.sleep(leave_after)
        if not record.ended:
            await _until_told(lambda: self._watch_on(record))

    async def _watch_on(self, record: WatchRecord) -> None:
        seen = record.events[-1].version if record.events else 0
        async with aclosing(self._client.watch(record.job_id, after_version=seen)) as events:
            async for event in events:
                record.events.append(event)
        record.ended = True


async def _until_told(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call through outages; raise Refused, or ClientError where neither explains the answer."""
    while True:
        try:
            return await call()
        except ClientError as error:
            if error.status in REFUSALS:
                raise Refused from error
            if error.status not in OUTAGES:
                raise
        await asyncio.sleep(PAUSE_SECONDS)

"""The clients of a chaos run: they call, call again, and note what they were told."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.adapters.grpc.client_views import SubmittedJob
from scheduler.application.use_cases.submit_jobs import SubmitCommand
from scheduler.domain.state import FINAL_STATES, JobState
from tests.chaos.evidence import Ack, Call, Records, WatchRecord
from tests.chaos.specs import JobSpec, Load, Order, OrderKind

T = TypeVar("T")
OUTAGES = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"})
REFUSALS = frozenset({"NOT_FOUND", "FAILED_PRECONDITION", "ABORTED"})
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

    async def follow(self, began: float) -> None:
        """Carry out all orders at their times; returns when each has its answer and each watch has ended."""
        async with asyncio.TaskGroup() as group:
            for order in self._load.orders:
                await asyncio.sleep(max(0.0, began + order.at - time.monotonic()))
                group.create_task(self._obey(order))

    async def _obey(self, order: Order) -> None:
        specs = [self._load.specs[number] for number in order.jobs]
        try:
            match order.kind:
                case OrderKind.SUBMIT:
                    await self._submit(specs[0], order.turn)
                case OrderKind.SUBMIT_BATCH:
                    await self._submit_batch(specs, order.turn)
                case OrderKind.CANCEL:
                    await self._cancel(self._id_of(specs[0]))
                case OrderKind.REQUEUE:
                    await self._requeue(self._id_of(specs[0]))
                case OrderKind.WATCH:
                    await self._watch(self._id_of(specs[0]), order.leave_after)
        except Refused:
            pass
        except ClientError as error:
            self.records.surprises.append(f"{order.kind} of {order.jobs}: {error}")
        self.answered += 1

    async def _submit(self, spec: JobSpec, turn: int) -> None:
        self._acknowledged(
            [spec], [await _until_told(lambda: self._client.submit(spec.submission, job_id=spec.ids[turn]))]
        )

    async def _submit_batch(self, specs: Sequence[JobSpec], turn: int) -> None:
        commands = [SubmitCommand(submission=spec.submission, job_id=spec.ids[turn]) for spec in specs]
        self._acknowledged(specs, await _until_told(lambda: self._client.submit_many(commands)))

    def _acknowledged(self, specs: Sequence[JobSpec], jobs: Sequence[SubmittedJob]) -> None:
        for spec, job in zip(specs, jobs, strict=True):
            self.records.acks.append(Ack(number=spec.number, job_id=job.job_id, created=job.created))

    def _id_of(self, spec: JobSpec) -> str:
        """Return the id that was acknowledged, or the one that was asked for."""
        acked = (ack.job_id for ack in self.records.acks if ack.number == spec.number)
        return next(acked, str(spec.ids[0]))

    async def _cancel(self, job_id: str) -> None:
        call = Call(job_id=job_id, sent_at=time.monotonic())
        self.records.cancels.append(call)
        call.granted = await _until_told(lambda: self._client.cancel(job_id))
        call.done_at = time.monotonic()

    async def _requeue(self, job_id: str) -> None:
        job = await _until_told(lambda: self._client.get(job_id))
        if job.state in FINAL_STATES - {JobState.SUCCEEDED}:
            call = Call(job_id=job_id, sent_at=time.monotonic())
            self.records.requeues.append(call)
            await _until_told(lambda: self._client.requeue(job_id, expected_version=job.version))
            call.done_at, call.granted = time.monotonic(), True

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

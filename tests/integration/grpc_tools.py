"""The API over loopback, on memory adapters, with levers for what a real store and real workers would do."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

import grpc.aio
from google.protobuf.message import Message

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from scheduler.adapters.grpc.pb.scheduler_pb2_grpc import SchedulerServiceStub
from scheduler.adapters.grpc.server import ApiServer, ServerOptions
from scheduler.adapters.grpc.servicer import UseCases
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.memory.fixed_randomness import FixedRandomness
from scheduler.adapters.memory.recording_telemetry import RecordingTelemetry
from scheduler.adapters.memory.switch import Switch
from scheduler.adapters.system.ids import Uuid4Ids
from scheduler.application.best_effort import BestEffortQueue
from scheduler.application.bulk import BulkChanges
from scheduler.application.errors import QueueUnavailableError, StoreUnavailableError
from scheduler.application.ports.telemetry import RpcTelemetry
from scheduler.application.transitions import Transitions
from scheduler.application.use_cases.cancel_job import CancelJob
from scheduler.application.use_cases.delete_jobs import DeleteJobs
from scheduler.application.use_cases.get_job import GetJob
from scheduler.application.use_cases.get_queue_stats import GetQueueStats
from scheduler.application.use_cases.list_attempts import ListAttempts
from scheduler.application.use_cases.list_error_groups import ListErrorGroups
from scheduler.application.use_cases.list_jobs import ListJobs
from scheduler.application.use_cases.requeue_job import RequeueJob
from scheduler.application.use_cases.requeue_jobs import RequeueJobs
from scheduler.application.use_cases.submit_jobs import SubmitJobs
from scheduler.application.use_cases.watch_job import WatchJob
from scheduler.application.watch_hub import WatchHub
from scheduler.domain.errors import SchedulerError
from scheduler.domain.events import JobChanged, JobProgressed
from scheduler.domain.ids import JobId
from scheduler.domain.job import Job, first_version
from scheduler.domain.progress import Progress
from scheduler.domain.trace import TraceContext
from tests.support.backends import eventually
from tests.support.builders import a_change, a_failure, a_worker_id
from tests.support.memory import fixed_clock_backends

DEADLINE_SECONDS = 30.0
Params = ParamSpec("Params")
Detail = TypeVar("Detail", bound=Message)


@dataclass(slots=True)
class RecordingRpcTelemetry(RpcTelemetry):
    ended: list[tuple[str, str]] = field(default_factory=list)
    caps: list[str] = field(default_factory=list)
    abandoned: int = 0

    def rpc_ended(self, method: str, status: str, seconds: float, *, peer: str) -> None:
        assert seconds >= 0
        assert peer.startswith(("ipv4:", "ipv6:")), peer
        self.ended.append((method, status))

    def limited(self, cap: str) -> None:
        self.caps.append(cap)

    def mutation_abandoned(self) -> None:
        self.abandoned += 1

    def gave_up(self, method: str) -> bool:
        """Tell whether a call ended by the client's deadline: its reset may come before the server's own clock."""
        return any((method, status) in self.ended for status in ("DEADLINE_EXCEEDED", "CANCELLED"))


class Gate:
    """Holds calls of the store up, until it is opened; counts those that wait."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.waiting = 0

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def guard(self, port: object, method: str) -> None:
        """Put one method of a port behind the gate."""
        inner: Callable[..., Awaitable[object]] = getattr(port, method)

        async def held(*args: object, **kwargs: object) -> object:
            self.waiting += 1
            await self._open.wait()
            self.waiting -= 1
            return await inner(*args, **kwargs)

        setattr(port, method, held)


FIRST = first_version(FixedClock().now())
"""The version of a job that was submitted before the clock of its Api moved."""


class Api:
    """A server, and what lies behind it: all new, or what lay behind an earlier one."""

    def __init__(self, earlier: "Api | None" = None) -> None:
        self.clock, self.store, self.queue = fixed_clock_backends()
        if earlier is not None:
            self.clock, self.store, self.queue = earlier.clock, earlier.store, earlier.queue
        self.telemetry = RecordingTelemetry()
        self.rpcs = RecordingRpcTelemetry()
        self.store_switch = Switch(StoreUnavailableError)
        self.queue_switch = Switch(QueueUnavailableError)
        self.gate = Gate()
        self.gate.guard(self.store.repository, "apply")
        self.hub = WatchHub(
            repository=self.store_switch.guard(self.store.repository),
            bus=self.queue.bus,
            faults=self.telemetry,
            randomness=FixedRandomness(),
        )
        self.port = 0
        self._channel: grpc.aio.Channel | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def channel(self) -> grpc.aio.Channel:
        assert self._channel is not None
        return self._channel

    @property
    def stub(self) -> SchedulerServiceStub:
        return SchedulerServiceStub(self.channel)

    @asynccontextmanager
    async def served(self, port: int = 0) -> AsyncIterator[ApiServer]:
        """Serve on the port, 0 for a free one, with a channel to it."""
        server = self.server(ServerOptions(port=port))
        self.port = await server.start()
        try:
            async with grpc.aio.insecure_channel(self.address) as self._channel, self.watching():
                yield server
        finally:
            await server.stop(0.0)

    def server(self, options: ServerOptions) -> ApiServer:
        """Make a server over the same store; several may run."""
        return ApiServer(
            use_cases=self._use_cases(),
            end_watches=self.hub.stop,
            telemetry=self.rpcs,
            faults=self.telemetry,
            options=options,
        )

    def _use_cases(self) -> UseCases:
        repository = self.store_switch.guard(self.store.repository)
        reader = self.store_switch.guard(self.store.reader)
        ids, clock = Uuid4Ids(), self.clock
        queue = BestEffortQueue(
            queue=self.queue_switch.guard(self.queue.queue), bus=self.queue.bus, faults=self.telemetry
        )
        transitions = Transitions(repository=repository, ids=ids)
        ended_jobs = self.store_switch.guard(self.store.ended_jobs)
        bulk = BulkChanges(ended_jobs=ended_jobs, clock=clock)
        return UseCases(
            submit_jobs=SubmitJobs(repository=repository, queue=queue, clock=clock, ids=ids, telemetry=self.telemetry),
            get_job=GetJob(repository=repository),
            watch_job=WatchJob(hub=self.hub),
            cancel_job=CancelJob(transitions=transitions, queue=queue, clock=clock),
            list_jobs=ListJobs(reader=reader),
            requeue_job=RequeueJob(transitions=transitions, queue=queue, clock=clock, telemetry=self.telemetry),
            list_attempts=ListAttempts(reader=reader),
            get_queue_stats=GetQueueStats(reader=reader, clock=clock),
            requeue_jobs=RequeueJobs(
                repository=repository,
                bulk=bulk,
                transitions=transitions,
                queue=queue,
                clock=clock,
                telemetry=self.telemetry,
            ),
            delete_jobs=DeleteJobs(repository=repository, ended_jobs=ended_jobs, bulk=bulk),
            list_error_groups=ListErrorGroups(ended_jobs=ended_jobs),
        )

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Run the loops that watches live on."""
        stopping = asyncio.Event()
        tasks = [asyncio.create_task(self.hub.listen(stopping)), asyncio.create_task(self._refresh(stopping))]
        try:
            yield
        finally:
            stopping.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _refresh(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self.hub.refresh_once()
            except SchedulerError as error:
                self.telemetry.fault("watch_refresh_failed", error)

    # What workers do.

    async def start(self, job_id: str) -> Job:
        return await self._move(job_id, lambda job: job.start(a_worker_id(), self.clock.now()))

    async def succeed(self, job_id: str, result: str = "null") -> Job:
        return await self._move(job_id, lambda job: job.succeed(self.clock.now()), result=result)

    async def fail(self, job_id: str) -> Job:
        return await self._move(job_id, lambda job: job.fail(a_failure(), self.clock.now(), 0.5))

    async def _move(self, job_id: str, step: Callable[[Job], Job], result: str | None = None) -> Job:
        before = await self.job(job_id)
        after = step(before)
        change = a_change(before, after, result=result)
        assert await self.store.repository.apply([change])
        changed = JobChanged(job_id=after.id, version=after.version, state=after.state, attempts=after.attempts)
        await self.queue.bus.publish([changed])
        return after

    async def progress(self, job_id: str, percent: float, message: str) -> None:
        """Say how far a job is, as its worker does; the store learns of it later."""
        job = await self.job(job_id)
        self.clock.advance(timedelta(milliseconds=1))
        said = Progress.said(percent, message, at=self.clock.now())
        await self.queue.bus.publish([JobProgressed(job_id=job.id, version=job.version, progress=said)])

    async def job(self, job_id: str) -> Job:
        """Read a job behind the server's back."""
        (job,) = (await self.store.repository.load([JobId(UUID(job_id))])).values()
        return job

    async def trace(self, job_id: str) -> TraceContext | None:
        """Read a job's trace behind the server's back."""
        (details,) = (await self.store.repository.load_details([JobId(UUID(job_id))])).values()
        return details.trace


def over_loopback(
    test: Callable[Concatenate[Api, Params], Awaitable[None]],
) -> Callable[Params, None]:
    """Run an async test with an API of its own; its other parameters stay pytest's."""

    @wraps(test)
    def run(*args: Params.args, **kwargs: Params.kwargs) -> None:
        async def scenario() -> None:
            api = Api()
            try:
                async with asyncio.timeout(DEADLINE_SECONDS), api.served():
                    await test(api, *args, **kwargs)
            except BaseException as error:
                error.add_note(f"faults: {api.telemetry.faults}")
                raise

        asyncio.run(scenario())

    signature = inspect.signature(test)
    parameters = list(signature.parameters.values())[1:]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # read by pytest
    return run


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that other tasks bring about."""

    async def holds() -> bool:
        return condition()

    await eventually(holds, inspect.getsource(condition))


def a_job_message(**fields: object) -> pb.Job:
    """Build a valid job to submit, with some fields set otherwise."""
    message = pb.Job(type="email.send", priority=pb.PRIORITY_HIGH)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


async def submitted(api: Api, **fields: object) -> str:
    """Submit a job; return its id."""
    return (await api.stub.SubmitJob(pb.SubmitJobRequest(job=a_job_message(**fields)))).job_id


@asynccontextmanager
async def another(api: Api, **options: object) -> AsyncIterator[ApiServer]:
    """Serve the same store on one more port."""
    server = api.server(ServerOptions(**{"port": 0, **options}))  # type: ignore[arg-type] # a test's own options
    try:
        yield server
    finally:
        await server.stop(0)

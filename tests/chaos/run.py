"""One chaos run: load and faults by plan, then healing, quiet, and the check of everything that was left behind."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError
from scheduler.adapters.grpc.client_views import AttemptView, JobView
from scheduler.application.dto import JobFilter
from scheduler.domain.state import FINAL_STATES, JobState
from tests.chaos.checks import violations
from tests.chaos.clients import Clients
from tests.chaos.diary import Did
from tests.chaos.evidence import Evidence, Probe
from tests.chaos.faults import Nemesis
from tests.chaos.fleet import Fleet, await_all_ready
from tests.chaos.ledger import read_ledgers
from tests.chaos.plan import APIS, REAPERS, WORKERS, Fault, Plan, draw_plan
from tests.chaos.specs import LABEL
from tests.chaos.tamper import Tamper

SLOTS = 20
PROBE_SECONDS = 0.5
STILL_SECONDS = 60.0
"""A healed fleet in which so long no job ends and no call is answered will not come to rest by itself."""
THREADS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a run ended, for people and for asserts."""

    violations: Sequence[str]
    summary: str


def chaos(
    seed: int, seconds: float, directory: Path, *, isolation: str = "auto", pooled: Collection[str] = ()
) -> Verdict:
    """Run the plan of a seed; everything that helps to understand a violation stays in `directory`.

    The processes named in `pooled` reach PostgreSQL through PgBouncer.
    """
    plan = draw_plan(seed, seconds)
    (directory / "plan.log").write_text("\n".join(map(str, plan.faults)) + "\n")
    with Fleet(directory, pooled=pooled, small_disk=True, DB_ISOLATION=isolation, WORKER_POOL_SIZE=SLOTS) as fleet:
        evidence = asyncio.run(_run(fleet, plan))
    found = violations(evidence)
    summary = _summary(plan, evidence)
    (directory / "verdict.log").write_text("\n".join([summary, *found]) + "\n")
    return Verdict(violations=found, summary=summary)


async def _run(fleet: Fleet, plan: Plan) -> Evidence:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    _populate(fleet)
    await asyncio.to_thread(await_all_ready, list(fleet.parts.values()))
    async with SchedulerClient(fleet.address) as client, asyncio.TaskGroup() as group:
        supervisor = group.create_task(_supervise(fleet))
        probes: list[Probe] = []
        probing = group.create_task(_probe(fleet, probes))
        clients = Clients(client, plan.load)
        began = time.monotonic()
        fleet.diary.began = began
        load = asyncio.create_task(clients.follow(began))
        nemesis = Nemesis(fleet, Tamper(fleet))
        await asyncio.gather(*(_walk(lane, nemesis, began) for lane in plan.lanes))
        await asyncio.sleep(max(0.0, began + plan.seconds - time.monotonic()))
        quiet_after = await _until_quiet(fleet, client, clients, load, f"seed-{plan.seed}")
        jobs, attempts = await _collect(client, f"seed-{plan.seed}")
        left = await _within(lambda: asyncio.to_thread(Tamper(fleet).members), lambda members: not members)
        supervisor.cancel()
        probing.cancel()
    return Evidence(
        specs=plan.load.specs,
        records=clients.records,
        jobs=jobs,
        attempts=attempts,
        ledger=read_ledgers(fleet.ledger),
        happenings=fleet.diary.happenings,
        left_in_redis=left,
        fail_overs=fleet.fail_overs,
        began=began,
        epoch=clients.epoch,
        probes=probes,
        quiet_after=quiet_after,
    )


def _populate(fleet: Fleet) -> None:
    for kind, names in (("api", APIS), ("reaper", REAPERS)):
        for name in names:
            fleet.add(kind, name).start()
    # One host knows the time; the others are ten minutes ahead and behind.
    for name, offset in zip(WORKERS, (0, 600, -600), strict=True):
        fleet.add("worker", name, CHAOS_CLOCK_OFFSET=offset).start()


async def _supervise(fleet: Fleet) -> None:
    """Start processes again that ended by themselves, as a service manager does."""
    with suppress(asyncio.CancelledError):
        while True:
            for part in fleet.parts.values():
                await asyncio.to_thread(part.restart_if_dead)
            await asyncio.to_thread(fleet.keep_pooler)
            await asyncio.sleep(0.5)


async def _probe(fleet: Fleet, probes: list[Probe]) -> None:
    """Measure what a statement takes, past all proxies."""
    with suppress(asyncio.CancelledError):
        while True:
            sent = time.monotonic()
            answered = await asyncio.to_thread(_answers, fleet.postgres.url)
            took = time.monotonic() - sent
            probes.append(Probe(at=sent, seconds=took if answered else None))
            await asyncio.sleep(PROBE_SECONDS)


def _answers(url: str) -> bool:
    """Update no row, and so meet every lock that a recovery would."""
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            connection.execute("SET statement_timeout = '2s'")
            connection.execute("UPDATE jobs SET version = version WHERE id IS NULL")
    except psycopg.Error:
        return False
    return True


async def _walk(lane: Sequence[Fault], nemesis: Nemesis, began: float) -> None:
    for fault in lane:
        await asyncio.sleep(max(0.0, began + fault.at - time.monotonic()))
        await asyncio.to_thread(nemesis.cause, fault)
        await asyncio.sleep(fault.lasts)
        await asyncio.to_thread(nemesis.heal, fault)


async def _until_quiet(
    fleet: Fleet, client: SchedulerClient, clients: Clients, load: asyncio.Task[None], run: str
) -> float:
    """Return the seconds until all calls are answered and all jobs final, or until nothing moves any more."""
    healed = moved = time.monotonic()
    fleet.diary.note(Did.HEALED, "everything")
    last: object = None
    while (left := await _unfinished(client, run)) or not load.done():
        if (now := (left, clients.answered)) != last:
            last, moved = now, time.monotonic()
        if time.monotonic() > moved + STILL_SECONDS:
            break
        await asyncio.sleep(0.2)
    load.cancel()
    await asyncio.wait([load])
    fleet.diary.note(Did.NOTED, "everything", detail="quiet" if not left else f"at a standstill, {left} jobs left")
    return time.monotonic() - healed


async def _unfinished(client: SchedulerClient, run: str) -> int:
    """Count the jobs that are not final; -1 while nobody answers."""
    try:
        waiting = await _list(client, run, JobState.QUEUED)
        # A job may move on between lists by state: only one list of all tells that none is left.
        left = waiting or [job for job in await _list(client, run) if job.state not in FINAL_STATES]
    except ClientError:
        return -1
    return len(left)


async def _list(client: SchedulerClient, run: str, state: JobState | None = None) -> Sequence[JobView]:
    job_filter = JobFilter(labels={LABEL: run}, state=state)
    return [job async for job in client.list(job_filter, page_size=1000)]


async def _collect(
    client: SchedulerClient, run: str
) -> tuple[Mapping[str, JobView], Mapping[str, Sequence[AttemptView]]]:
    ids = [job.job_id for job in await _list(client, run)]
    jobs = {job_id: await client.get(job_id) for job_id in ids}
    return jobs, {job_id: await client.attempts(job_id) for job_id in ids}


async def _within(
    read: Callable[[], Awaitable[Sequence[str]]], holds: Callable[[Sequence[str]], bool]
) -> Sequence[str]:
    """Read until it holds, or it is clear that it never will."""
    deadline = time.monotonic() + STILL_SECONDS
    while not holds(found := await read()) and time.monotonic() < deadline:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.2)
    return found


def _summary(plan: Plan, evidence: Evidence) -> str:
    states = {state.value: sum(job.state is state for job in evidence.jobs.values()) for state in FINAL_STATES}
    starts = sum(entry.mark == "STARTED" for entry in evidence.ledger)
    losses = sum(one.outcome == "LOST" for many in evidence.attempts.values() for one in many)
    return (
        f"seed {plan.seed}, {plan.seconds:g} s, {len(plan.faults)} faults: {len(evidence.records.acks)} submits "
        f"acknowledged, {len(evidence.jobs)} jobs {states}, {starts} handlers started, {losses} attempts lost, "
        f"{len(evidence.records.cancels)} cancels, {len(evidence.records.requeues)} requeues, "
        f"{len(evidence.records.watches)} watches, "
        f"{len(evidence.fail_overs)} fail-overs; quiet {evidence.quiet_after:.1f} s after healing"
    )

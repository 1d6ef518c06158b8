"""How long anything takes at most: what a missing guard costs in time alone is found by these."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from scheduler.application.worker.claim_loop import POLL_SECONDS
from scheduler.domain.ids import WorkerId
from scheduler.domain.job import Job
from scheduler.domain.lease import LeaseTerms
from scheduler.domain.state import WAITING_STATES, JobState
from tests.simulation.book import Stream
from tests.simulation.checks import Evidence
from tests.simulation.fleet import Fleet
from tests.simulation.host import World
from tests.simulation.journal import Move
from tests.simulation.ledger import Run
from tests.simulation.processes import ApiProcess, WorkerProcess
from tests.simulation.servers import CLOSED_WITHIN
from tests.simulation.sky import Sky

JITTER = 1.2
"""Of every background loop's interval."""
LEASE_SECONDS = LeaseTerms().duration.total_seconds()
RENEWAL_SECONDS = LeaseTerms().renewal_interval.total_seconds()
HINT_SECONDS = 0.2
TICK_SECONDS = 1.0
DUE_SECONDS = 0.5 * JITTER + 0.2
HAND_OUT_SECONDS = 10.0
SWEEP_SECONDS = 5.0 + 2 * 2.0 * JITTER
REFILL_SECONDS = 2.0 * JITTER + 1.0
WATCH_POLL_SECONDS = 5.0 * JITTER
LAG = frozenset({"lagging"})
SLOW_QUEUE = frozenset({"slow queue"})
ENQUEUED_SECONDS = 4.0
FLUSH = "flushed"


def check_recovery(evidence: Evidence) -> Iterator[str]:
    """A job is taken back a lease and a tick after its worker's last renewal, however slow the store is."""
    sky = Sky(evidence.world, evidence.fleet)
    for start, end in _stays(evidence, JobState.RUNNING):
        worker_id = start.after.worker_id
        assert worker_id is not None
        lease_end = _lease_end(evidence, worker_id)
        over_at = max(start.at, lease_end)
        deadline = over_at + TICK_SECONDS + _delays(evidence, over_at) + 6 * sky.statement()
        since = over_at - LEASE_SECONDS
        if (
            min(end, evidence.world.loop.time()) > deadline
            and start.at < lease_end + CLOSED_WITHIN.total_seconds()
            and sky.is_fair(since, deadline)
            and sky.store_is_well(since, deadline, slow=True)
            and sky.a_reaper_is_well(since, deadline, besides=LAG)
        ):
            yield f"{start.after.attempt_id} was not taken back by {deadline:.4f}, its lease ended at {over_at:.4f}"


def _lease_end(evidence: Evidence, worker_id: WorkerId) -> float:
    journal = evidence.world.servers.journal
    closing = journal.closings.get(worker_id)
    expiry = journal.renewals[worker_id][-1] + LEASE_SECONDS
    return expiry if closing is None else min(expiry, closing.at)


def _delays(evidence: Evidence, around: float) -> float:
    """Return what slow statements and a lagging loop add: their own time, and a standstill at each step."""
    store = evidence.world.servers.store.troubles
    slow = store.any(around - LEASE_SECONDS, around + LEASE_SECONDS, frozenset({"slow"}))
    lag = any(host.troubles.any(around - LEASE_SECONDS, around + LEASE_SECONDS, LAG) for host in evidence.fleet.ever)
    return 6 * 0.6 * slow + 4 * 1.6 * lag


def check_cancelled_handlers(evidence: Evidence) -> Iterator[str]:
    """A handler is told that its job was cancelled at once, and by its worker's next renewal where no hint comes."""
    sky = Sky(evidence.world, evidence.fleet)
    runs = {run.attempt_id: run for run in evidence.world.ledger.runs if run.obedient}
    for moves in evidence.moves.values():
        for move in moves:
            if move.before is None or move.before.state is not JobState.RUNNING:
                continue
            run = runs.get(move.before.attempt_id)
            if move.after.state is JobState.CANCELLED and run is not None:
                yield from _check_told(evidence, sky, move, run)


def _check_told(evidence: Evidence, sky: Sky, move: Move, run: Run) -> Iterator[str]:
    since = max(move.at, run.started_at)
    host = next(host for host in evidence.fleet.ever if host.name == run.host)
    hinted = sky.hints_flow(move.by, since + 1)
    slowed = host.troubles.any(since - 1, since + 1, SLOW_QUEUE)
    bound = HINT_SECONDS + slowed if hinted else RENEWAL_SECONDS + 0.2
    deadline = since + bound + 4 * sky.statement()
    told_at = evidence.world.loop.time() if run.ended_at is None else run.ended_at
    if (
        told_at > deadline
        and sky.is_fair(since, deadline)
        and sky.store_is_well(since, deadline)
        and sky.is_well(host, since, deadline, besides=SLOW_QUEUE)
    ):
        yield f"{run.attempt_id} on {run.host} ran on until {told_at:.4f}, cancelled at {move.at:.4f}"


def check_due(evidence: Evidence) -> Iterator[str]:
    """A job that is due is queued within a tick."""
    sky = Sky(evidence.world, evidence.fleet)
    for start, end in _stays(evidence, *WAITING_STATES):
        due_at = max(start.at, evidence.world.servers.clock.seconds_of(start.after.run_at, start.at))
        deadline = due_at + DUE_SECONDS + 3 * sky.statement()
        if (
            min(end, evidence.world.loop.time()) > deadline
            and sky.is_fair(due_at, deadline)
            and sky.store_is_well(due_at, deadline)
            and sky.a_reaper_is_well(due_at, deadline)
        ):
            yield f"job {start.after.id} was due at {due_at:.4f} and not queued by {deadline:.4f}"


def check_queued(evidence: Evidence) -> Iterator[str]:
    """A queued job starts while a worker has a free slot: soon, or when its entry or its hint was lost."""
    sky = Sky(evidence.world, evidence.fleet)
    for start, end in _stays(evidence, JobState.QUEUED):
        for bound, is_calm in ((POLL_SECONDS * JITTER, True), (HAND_OUT_SECONDS + SWEEP_SECONDS, False)):
            deadline = start.at + bound + 0.5 + 6 * sky.statement()
            if min(end, evidence.world.loop.time()) > deadline and _can_start(evidence, sky, start, deadline, is_calm):
                yield f"job {start.after.id} was queued at {start.at:.4f} and not started by {deadline:.4f}"


def _can_start(evidence: Evidence, sky: Sky, start: Move, deadline: float, is_calm: bool) -> bool:  # noqa: FBT001 - one of two cases
    since = start.at
    calm = (
        sky.all_are_well(since - HAND_OUT_SECONDS, deadline) and sky.queue_is_well(since - HAND_OUT_SECONDS, deadline)
        if is_calm
        else sky.queue_is_well(since, deadline) and sky.a_reaper_is_well(since, deadline)
    )
    return (
        calm
        and sky.is_fair(since, deadline)
        and sky.store_is_well(since, deadline)
        and any(_had_room(evidence, worker, since, deadline) for worker in sky.workers(since, deadline))
    )


def _had_room(evidence: Evidence, worker: WorkerProcess, since: float, until: float) -> bool:
    """Return whether a worker had a slot to spare all the time, whatever else it started."""
    ids = set(worker.worker_ids)
    held = [
        (start, end)
        for start, end in _stays(evidence, JobState.RUNNING)
        if start.after.worker_id in ids and start.at <= until and end + 1 >= since
    ]
    runs = [
        run
        for run in evidence.world.ledger.runs
        if run.host == worker.name and run.started_at <= until and (run.ended_at is None or run.ended_at + 1 >= since)
    ]
    return len({start.after.attempt_id for start, _ in held} | {run.attempt_id for run in runs}) < worker.parts.slots


def check_watchers(evidence: Evidence) -> Iterator[str]:
    """A watcher hears of a final state at once, and by its api's next poll where no hint comes."""
    sky = Sky(evidence.world, evidence.fleet)
    for watched in evidence.book.watches:
        ends = [move for move in evidence.moves.get(watched.job_id, []) if move.after.is_final]
        for stream in watched.streams:
            for move in ends:
                yield from _check_heard(evidence, sky, stream, move)


def _check_heard(evidence: Evidence, sky: Sky, stream: Stream, move: Move) -> Iterator[str]:
    since = max(move.at, stream.opened_at)
    api = next(host for host in evidence.fleet.ever if host.name == stream.api)
    assert isinstance(api, ApiProcess)
    hinted = sky.hints_flow(move.by, since + 1) and sky.hints_flow(stream.api, since + 1)
    deadline = since + (HINT_SECONDS if hinted else WATCH_POLL_SECONDS) + 0.2 + 4 * sky.statement()
    later = [other for other in evidence.moves[move.after.id] if other.at > move.at]
    if (
        stream.ended_at < since
        or (later and later[0].at <= deadline)
        or evidence.world.loop.time() < deadline
        or any(at <= deadline and job.version >= move.after.version for at, job in stream.heard)
        or stream.ended_at <= deadline
    ):
        return
    if sky.is_fair(since, deadline) and sky.store_is_well(since, deadline) and sky.is_well(api, since, deadline):
        yield f"the stream from {stream.api} about {move.after.id} did not show v{move.after.version} by {deadline:.4f}"


def check_refill(world: World, fleet: Fleet, since: float, jobs: Sequence[Job]) -> Iterator[str]:
    """What was queued when the queue lost its data is queued again after a round of the reaper. To be asked then."""
    sky, now = Sky(world, fleet), world.loop.time()
    troubles = world.servers.queue_server.troubles
    others = [each for each in troubles.ever if (each.kind, each.since) != (FLUSH, since)]
    if (
        any(trouble.touches(since - 1, now) for trouble in others)
        or not sky.is_fair(since, now)
        or not sky.store_is_well(since, now)
        or not sky.a_reaper_is_well(since, now)
    ):
        return
    data, rows = world.servers.queue_data(), world.servers.rows().jobs
    for job in jobs:
        row = rows.get(job.id)
        is_there = job.id in data.queues[job.priority] or job.id in data.processing
        if row is not None and row.job.version == job.version and not is_there:
            yield f"job {job.id} was queued at {since:.4f}, when the queue was lost, and is not in it again"


def check_repairs(evidence: Evidence) -> Iterator[str]:
    """Where nothing ever went wrong no hand-out is overdue; a start between two steps of a sweep looks like a loss."""
    world = evidence.world
    troubles = [world.servers.store.troubles, world.servers.queue_server.troubles]
    troubles += [host.troubles for host in evidence.fleet.ever]
    if world.rough or world.servers.clock.jumps or any(each.ever for each in troubles):
        return
    for host in evidence.fleet.ever:
        if host.telemetry.repairs["overdue"]:
            yield f"{host.name} counted {host.telemetry.repairs['overdue']} overdue hand-outs"


def check_false_repairs(evidence: Evidence) -> Iterator[str]:
    """What its submitter enqueues in time is not counted as missing before."""
    for job_id, seconds in evidence.world.servers.journal.enqueued_after_sweep.items():
        if seconds < ENQUEUED_SECONDS and not evidence.world.servers.clock.jumps:
            yield f"job {job_id} was enqueued after {seconds:.4f} s, and had been counted as missing before"


def _stays(evidence: Evidence, *states: JobState) -> Iterator[tuple[Move, float]]:
    """Yield each stay of a job in one of the states: the move into it, and when it ended."""
    for _, life in evidence.each_life():
        end = float("inf") if life.deletion is None else life.deletion.at
        for move, following in pairwise([*life.moves, None]):
            if move is not None and move.after.state in states:
                yield move, end if following is None else following.at


BOUNDS = (
    check_recovery,
    check_cancelled_handlers,
    check_due,
    check_queued,
    check_watchers,
    check_repairs,
    check_false_repairs,
)

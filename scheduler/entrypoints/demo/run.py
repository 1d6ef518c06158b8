"""Start the stack, run the load, check the totals, stop the stack."""

import asyncio
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from scheduler.adapters.grpc.client import SchedulerClient
from scheduler.entrypoints.cli.failures import print_error
from scheduler.entrypoints.cli.output import console
from scheduler.entrypoints.demo.checks import Check, check_all
from scheduler.entrypoints.demo.display import progress_display
from scheduler.entrypoints.demo.evidence import Evidence, is_idle, read_attempts, read_metrics, read_results, settled
from scheduler.entrypoints.demo.follow import cancel_one, follow_to_the_end, watch_one
from scheduler.entrypoints.demo.load import submit_plan
from scheduler.entrypoints.demo.plan import Plan, make_plan
from scheduler.entrypoints.demo.summary import check_lines, kind_table, rate_table, state_table, type_table
from scheduler.entrypoints.demo.target_database import prepare_database, read_bookings
from scheduler.entrypoints.demo.web_service import WebService
from scheduler.entrypoints.stack import HOST, Stack

ENVIRONMENT: Mapping[str, str | int] = {
    "GRACE_SECONDS": 1,  # Ctrl-C need not wait for the job that sleeps for a minute
    "WORKER_HANDLERS": "scheduler.examples",
    "HTTP_CALL_ALLOWED_NETWORKS": "127.0.0.0/8",
}
"""What the demo sets beside the defaults, with the target of db_tx jobs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """About how many jobs, and whether data and logs stay."""

    jobs: int = 400
    keep: bool = False


def run_demo(options: DemoOptions) -> int:
    """Run the demo; return 0 when every check passed. Data and logs stay where something failed."""
    directory = Path(tempfile.mkdtemp(prefix="scheduler-demo-"))
    screen, failed = console(), True
    try:
        with _sigterm_ends_the_demo():
            checks = _on_a_stack(directory, options.jobs, screen)
        failed = any(check.problems for check in checks)
    except (KeyboardInterrupt, SystemExit):
        failed = False
        raise
    finally:
        _leave(directory, keep=failed or options.keep)
    return 1 if failed else 0


def _leave(directory: Path, *, keep: bool) -> None:
    if keep:
        print_error(f"the data is in {directory}, the logs are in {directory / 'logs'}")
    else:
        shutil.rmtree(directory, ignore_errors=True)


def _on_a_stack(directory: Path, jobs: int, screen: Console) -> Sequence[Check]:
    began = time.monotonic()
    screen.print("starting PostgreSQL, Valkey, api, worker and reaper …")
    with (
        WebService() as web,
        Stack(data_dir=directory, environment={**ENVIRONMENT}, prepare=prepare_database) as stack,
    ):
        screen.print(f"ready after {time.monotonic() - began:.1f} s, serving on {stack.address}")
        plan = make_plan(jobs, datetime.now(UTC), web_address=web.address)
        evidence = asyncio.run(_run_load(stack, plan, web, screen))
        checks = check_all(evidence)
        _report(evidence, checks, screen)
        stopping = time.monotonic()
    screen.print(f"stopped everything in {time.monotonic() - stopping:.1f} s")
    return checks


async def _run_load(stack: Stack, plan: Plan, web: WebService, screen: Console) -> Evidence:
    async with SchedulerClient(stack.address) as client:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch_one(client, plan))
            cancelling = group.create_task(cancel_one(client, plan))
            submitted = await submit_plan(client, plan)
            screen.print(f"submitted {len(plan.jobs)} jobs over gRPC")
            with progress_display(screen, len(plan.jobs)) as show:
                jobs = await follow_to_the_end(client, plan, show=show, dead_process=stack.dead_process)
        return Evidence(
            plan=plan,
            submitted=submitted,
            jobs=jobs,
            attempts=await read_attempts(client, plan),
            results=await read_results(client, plan),
            calls=web.calls,
            bookings=await asyncio.to_thread(read_bookings, stack.postgres),
            watched=watching.result(),
            cancelled=cancelling.result(),
            stats=await settled(client.queue_stats, is_idle),
            api_metrics=await read_metrics(stack.metrics_address),
            worker_metrics=await settled(
                lambda: read_metrics(f"http://{HOST}:{stack.ports.worker_metrics}/metrics"),
                lambda metrics: metrics.total("jobs_processed_total") >= plan.results,
            ),
        )


def _report(evidence: Evidence, checks: Sequence[Check], screen: Console) -> None:
    for part in (
        state_table(evidence),
        type_table(evidence),
        kind_table(evidence),
        rate_table(evidence),
        check_lines(checks),
    ):
        screen.print()
        screen.print(part)
    broken = sum(bool(check.problems) for check in checks)
    screen.print()
    screen.print(f"{broken} of {len(checks)} checks failed" if broken else f"all {len(checks)} checks passed")


@contextmanager
def _sigterm_ends_the_demo() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, which asyncio takes for a cancellation, so that the stack is stopped."""
    terminated = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        signal.raise_signal(signal.SIGINT)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt),
    }
    try:
        yield
    except KeyboardInterrupt:
        if terminated:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

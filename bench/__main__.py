"""`python -m bench [--quick]`: run the measurements and print them."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from bench.bare_sql import BareSql
from bench.measures import (
    batch_submit_rate,
    drain_rate,
    latencies,
    percentile,
    seconds_until_ready,
    unary_submit_rate,
)
from bench.report import Figure, print_report
from scheduler.entrypoints.stack import Stack

DRAINED_JOBS = 10_000
SLOTS = 100


def main() -> int:
    """Measure once, or three times without --quick."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    rounds = 1 if parser.parse_args().quick else 3
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}")
        with tempfile.TemporaryDirectory(prefix="scheduler-bench-") as directory:
            print_report(_measure(Path(directory)))
    return 0


def _measure(directory: Path) -> list[Figure]:
    figures = [
        Figure(name="`scheduler up`, new data", value=seconds_until_ready(directory / "up"), unit="s", goal=5),
        Figure(name="`scheduler up`, again", value=seconds_until_ready(directory / "up"), unit="s", goal=5),
    ]
    with Stack(data_dir=directory / "stack", environment={"WORKER_POOL_SIZE": SLOTS}) as stack:
        return [*figures, *asyncio.run(_measure_stack(stack))]


async def _measure_stack(stack: Stack) -> list[Figure]:
    waits = [wait * 1000 for wait in await latencies(stack, 200)]
    unary = await unary_submit_rate(stack, 4000)
    drained = await drain_rate(stack, DRAINED_JOBS)
    stack.worker.ask_to_stop()
    stack.worker.await_end()
    submitted = await batch_submit_rate(stack, 20_000)
    bare = BareSql(stack.postgres.url)
    return [
        Figure(name="submit to final event, median", value=percentile(waits, 0.5), unit="ms", goal=50),
        Figure(name="submit to final event, p95", value=percentile(waits, 0.95), unit="ms"),
        Figure(name="SubmitJob, 64 callers", value=unary, unit="jobs/s"),
        Figure(
            name="SubmitJobs, batches of 1,000", value=submitted, unit="jobs/s", goal=10_000, raw=bare.insert(20_000)
        ),
        Figure(
            name=f"no-op jobs drained, {SLOTS} slots",
            value=drained,
            unit="jobs/s",
            goal=3_000,
            raw=bare.start_and_finish(DRAINED_JOBS),
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())

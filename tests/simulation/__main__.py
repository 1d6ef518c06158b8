"""python -m tests.simulation --seeds 2000 [--first 0] [--sabotage fence] [--trace]: print every seed that fails."""

import argparse
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.sabotage import SABOTAGES, sabotaged
from tests.simulation.simulation import Report, simulate

CHUNK = 25


def _run(seeds: Iterable[int], sabotage: str | None) -> tuple[int, int, int, list[str]]:
    jobs = runs = count = 0
    failures: list[str] = []
    with sabotaged(sabotage):
        for seed in seeds:
            report = simulate(seed)
            jobs, runs, count = jobs + report.jobs, runs + report.runs, count + 1
            if report.violations:
                failures.append(str(report))
    return count, jobs, runs, failures


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _show(report: Report) -> None:
    _say(*report.trace.lines(), f"digest {report.trace.digest()}", str(report))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), help="take a guard out; violations are then expected")
    parser.add_argument("--trace", action="store_true", help="run the first seed alone and print all that happens")
    return parser.parse_args()


def main() -> int:
    """Run seeds in several processes; return 1 when any of them failed."""
    arguments = _arguments()
    if arguments.trace:
        with sabotaged(arguments.sabotage):
            report = simulate(arguments.first)
        _show(report)
        return bool(report.violations)
    return _run_many(arguments)


def _run_many(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    end = arguments.first + arguments.seeds
    chunks = [range(first, min(first + CHUNK, end)) for first in range(arguments.first, end, CHUNK)]
    count = jobs = runs = failed = 0
    with ProcessPoolExecutor(arguments.processes) as pool:
        for part in pool.map(_run, chunks, [arguments.sabotage] * len(chunks)):
            count, jobs, runs, failed = count + part[0], jobs + part[1], runs + part[2], failed + len(part[3])
            for failure in part[3]:
                _say(failure)
    seconds = time.monotonic() - began
    _say(f"{count} runs, {jobs} jobs, {runs} handler runs in {seconds:.1f} s: {failed} runs failed")
    if failed:
        _say("replay one with: python -m tests.simulation --trace --first SEED")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())

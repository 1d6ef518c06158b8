"""`python -m bench [--quick | --footprint]`: measure, and print the figures beside their goals.

A missed goal is no failure.
"""

import argparse
import sys

from bench.figures import summaries
from bench.footprint import measure_footprint
from bench.report import print_report
from bench.suites import LONG, QUICK, measure_main, measure_more
from bench.worker_runs import BenchError
from scheduler.domain.errors import SchedulerError

ROUNDS = 3


def main() -> int:
    """Return 0 unless a measurement could not be made."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the main figures, once")
    parser.add_argument("--footprint", action="store_true", help="what a job costs, instead of how fast it goes")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often everything is measured without --quick")
    options = parser.parse_args()
    try:
        if options.footprint:
            print_report(summaries([measure_footprint()]))
        elif options.quick:
            print_report(summaries([measure_main(QUICK)]))
        else:
            _measure_long(options.rounds)
    except (BenchError, SchedulerError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _measure_long(rounds: int) -> None:
    figures = []
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        figures.append([*measure_main(LONG), *measure_more(LONG)])
    print_report(summaries(figures))


if __name__ == "__main__":
    sys.exit(main())

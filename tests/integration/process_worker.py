"""A worker in small: starts one attempt in a handler process, and leaves it when it is told or killed."""

import signal
import sys

from tests.integration import process_jobs
from tests.integration.process_tools import Bench, run

HANDLERS = {
    "wait.parent": process_jobs.wait_for_grandchild,
    "wait.hog": process_jobs.hog,
    "wait.for": process_jobs.wait_for,
}


async def work(bench: Bench) -> None:
    outcome = await bench.attempt(HANDLERS[sys.argv[1]], sys.argv[2])
    sys.stdout.write(f"{outcome}\n")


if __name__ == "__main__":
    # As a worker that drains does not end by it.
    signal.signal(signal.SIGINT, lambda *_: None)
    run(work)

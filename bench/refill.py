"""How long the queues stay empty after Redis lost everything, or evicted them."""

import time

import redis

from bench.worker_runs import BenchError
from scheduler.adapters.redis.keys import Keys
from scheduler.entrypoints.stack import Stack

REFILL_SECONDS = 300.0
KEYS = Keys()
POLL_SECONDS = 0.05


def refill_seconds(stack: Stack, jobs: int) -> tuple[float, float]:
    """Return the seconds until so many jobs are queued again after FLUSHALL, and after their queues were evicted."""
    with redis.Redis.from_url(stack.valkey.url) as client:
        _await_depth(client, jobs)
        client.flushall()
        flushed = _await_depth(client, jobs)
        client.unlink(*KEYS.queues)
        return flushed, _await_depth(client, jobs)


def _await_depth(client: "redis.Redis", jobs: int) -> float:
    started = time.monotonic()
    while (depth := sum(int(client.zcard(queue)) for queue in KEYS.queues)) < jobs:
        if time.monotonic() - started > REFILL_SECONDS:
            raise BenchError(f"{depth} of {jobs} jobs are queued in Redis after {REFILL_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started

"""Many workers lose SQL at once, and find it again at once."""

import threading
import time
from typing import Self

import pytest

from scheduler.domain.state import JobState
from tests.chaos.part import Part
from tests.failures.tools import Scene
from tests.integration.cockroach_tools import scalar

pytestmark = pytest.mark.servers
WORKERS = 50
POOL_SIZE = 2
OUTAGE_SECONDS = 4.0
SAMPLE_SECONDS = 0.01
OPEN_WORKERS = "SELECT count(*) FROM workers WHERE closed_at IS NULL AND lease_expires_at > now() AND slots = 1"


class Crowd:
    """Watches, in a thread, how many connections a process holds at most."""

    def __init__(self, part: Part) -> None:
        self.largest = 0
        self._part = part
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.largest = max(self.largest, self._part.sql.connections)


def test_herd_of_workers_does_not_exceed_its_pools_after_an_outage(scene: Scene) -> None:
    def are_open() -> bool:
        return scalar(scene.fleet.postgres.url, OPEN_WORKERS) == WORKERS

    with scene.fleet.running(
        "worker", "herd", CHAOS_WORKERS=WORKERS, DB_POOL_SIZE=POOL_SIZE, WORKER_POOL_SIZE=1, METRICS_PORT=0
    ) as herd:
        scene.until(are_open)
        scene.fleet.postgres.kill()
        time.sleep(OUTAGE_SECONDS)
        with Crowd(herd) as crowd:
            scene.fleet.postgres.start()
            began = time.monotonic()
            scene.until(are_open)
            scene.measured(f"{WORKERS} workers after an outage of {OUTAGE_SECONDS:g} s: all lease again", began)
            scene.submit_many(2 * WORKERS, scene.submission(seconds=0.2))
            jobs = scene.until_all_ended()
            scene.measured("and their jobs are done", began)

    assert [job.state for job in jobs] == [JobState.SUCCEEDED] * 2 * WORKERS
    assert 0 < crowd.largest <= WORKERS * (POOL_SIZE + 1)  # one more for each lease

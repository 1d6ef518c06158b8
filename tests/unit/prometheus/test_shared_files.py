import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from scheduler.adapters.prometheus.shared_files import SharedFiles, clear, forget_gauges
from tests.unit.prometheus.scrape import samples

PARENT_SLOT = 99
ROOT = Path(__file__).resolve().parents[3]


class Slot:
    """A real process in a slot of a directory."""

    def __init__(self, directory: Path, slot: int) -> None:
        command = [sys.executable, "-m", "tests.unit.prometheus.slot_process", str(directory), str(slot)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, order: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == order + "\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


Start = Callable[[int], Slot]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(number: int) -> Slot:
            slot = Slot(tmp_path, number)
            stack.callback(slot.kill)
            slot.do("ready")
            return slot

        yield begin


def seen(directory: Path, name: str, **labels: str) -> float | None:
    text = generate_latest(SharedFiles(directory, PARENT_SLOT).all_slots()).decode()
    return samples(text).get((name, frozenset(labels.items())))


def test_counters_and_histograms_of_all_processes_add_up(start: Start, tmp_path: Path) -> None:
    one, two = start(0), start(1)

    one.do("submit 2")
    two.do("submit 3")
    one.do("call 0.25")
    two.do("call 2")

    assert seen(tmp_path, "jobs_submitted_total", priority="default") == 5
    assert seen(tmp_path, "grpc_request_duration_seconds_count", method="GetJob") == 2
    assert seen(tmp_path, "grpc_request_duration_seconds_sum", method="GetJob") == 2.25
    assert seen(tmp_path, "grpc_request_duration_seconds_bucket", method="GetJob", le="0.25") == 1


def test_counters_start_at_zero_for_every_priority(start: Start, tmp_path: Path) -> None:
    start(0)

    assert seen(tmp_path, "jobs_submitted_total", priority="low") == 0


def test_running_attempts_add_up_and_one_degraded_process_shows(start: Start, tmp_path: Path) -> None:
    one, two = start(0), start(1)

    one.do("inflight 4")
    two.do("inflight 5")
    two.do("degraded queue")

    assert seen(tmp_path, "worker_inflight_jobs") == 9
    assert seen(tmp_path, "degraded", part="queue") == 1
    assert seen(tmp_path, "degraded", part="store") == 0


def test_a_killed_process_leaves_its_counts_and_takes_its_gauges(start: Start, tmp_path: Path) -> None:
    one, two = start(0), start(1)
    one.do("inflight 4")
    two.do("inflight 5")
    two.do("submit 3")

    two.kill()
    forget_gauges(tmp_path, 1)

    assert seen(tmp_path, "worker_inflight_jobs") == 4
    assert seen(tmp_path, "jobs_submitted_total", priority="default") == 3


def test_a_restarted_process_goes_on_counting_in_the_same_files(start: Start, tmp_path: Path) -> None:
    first = start(0)
    first.do("submit 3")
    first.do("inflight 4")
    first.kill()
    files = sorted(file.name for file in tmp_path.iterdir())

    start(0).do("submit 2")

    assert seen(tmp_path, "jobs_submitted_total", priority="default") == 5
    assert seen(tmp_path, "worker_inflight_jobs") == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == files


def test_many_series_outgrow_the_first_size_of_a_file(start: Start, tmp_path: Path) -> None:
    start(0).do("errors 1000")

    assert seen(tmp_path, "jobs_submitted_errors_total", error_type=f"error-999-{'x' * 100}") == 1
    assert seen(tmp_path, "jobs_submitted_errors_total", error_type=f"error-0-{'x' * 100}") == 1


def test_the_parent_clears_what_an_earlier_run_left(start: Start, tmp_path: Path) -> None:
    slot = start(0)
    slot.do("submit 3")
    slot.kill()

    clear(tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert seen(tmp_path, "jobs_submitted_total", priority="default") is None

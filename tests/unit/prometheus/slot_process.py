"""A process in a slot: does what each line on its standard input says, and echoes it when it is done."""

import sys
from pathlib import Path

from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.adapters.prometheus.faults import FaultMetrics
from scheduler.adapters.prometheus.metrics import Metrics
from scheduler.adapters.prometheus.reaper import ReaperMetrics
from scheduler.adapters.prometheus.rpc import RpcMetrics
from scheduler.adapters.prometheus.shared_files import SharedFiles
from scheduler.adapters.prometheus.submit import SubmitMetrics
from scheduler.adapters.prometheus.worker import WorkerMetrics
from tests.support.builders import a_job


def main(directory: Path, slot: int) -> None:
    metrics = Metrics(SharedFiles(directory, slot))
    submit = SubmitMetrics(metrics)
    worker = WorkerMetrics(metrics, types=["noop"], slots=10)
    ReaperMetrics(metrics, clock=FixedClock())
    faults = FaultMetrics(metrics)
    calls = RpcMetrics(metrics, methods=["GetJob"])
    for line in sys.stdin:
        match line.split():
            case ["submit", count]:
                submit.jobs_submitted([a_job()] * int(count))
            case ["inflight", count]:
                worker.inflight(int(count))
            case ["degraded", part]:
                faults.degraded(part, is_degraded=True)
            case ["call", seconds]:
                calls.rpc_ended("GetJob", "OK", float(seconds), peer="ipv4:127.0.0.1:1")
            case ["errors", count]:
                for number in range(int(count)):
                    submit.submit_failed(f"error-{number}-{'x' * 100}")
            case _:
                pass
        sys.stdout.write(line)
        sys.stdout.flush()


main(Path(sys.argv[1]), int(sys.argv[2]))

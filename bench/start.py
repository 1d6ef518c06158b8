"""How long `scheduler up` takes until it serves."""

import subprocess
import sys
import time
from pathlib import Path

from bench.worker_runs import BenchError
from scheduler.adapters.embedded.ports import free_port


def seconds_until_ready(data_dir: Path) -> float:
    """Run the command and return the seconds until it says that it serves."""
    command = [sys.executable, "-m", "scheduler.entrypoints.cli", "up", "--data-dir", str(data_dir)]
    ports = ["--grpc-port", str(free_port()), "--metrics-port", str(free_port())]
    started = time.perf_counter()
    with subprocess.Popen([*command, *ports], stdout=subprocess.PIPE, text=True) as up:
        line = up.stdout.readline() if up.stdout is not None else ""
        seconds = time.perf_counter() - started
        up.terminate()
    if not line.startswith("serving"):
        raise BenchError("`scheduler up` did not start")
    return seconds

"""`scheduler up`: everything in one command."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from scheduler.adapters.embedded import EmbeddedServer
from scheduler.adapters.handlers.discovery import find_handlers
from scheduler.entrypoints.api import METRICS_PORT as API_METRICS_PORT
from scheduler.entrypoints.api import serve_api
from scheduler.entrypoints.children import Child, restart_dead
from scheduler.entrypoints.fleet import CHECK_SECONDS, stop_event
from scheduler.entrypoints.handlers import check_handlers
from scheduler.entrypoints.process import Backend, ProcessOptions
from scheduler.entrypoints.reaper import serve_reaper
from scheduler.entrypoints.runtime import ignore_signals
from scheduler.entrypoints.serving import run_parts
from scheduler.entrypoints.settings import Settings
from scheduler.entrypoints.stack import HOST, Stack, StackPorts
from scheduler.entrypoints.worker import serve_worker

GRPC_PORT = 8081


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What the command line says; a port that is None is the documented one, 0 a free one."""

    backend: Backend
    data_dir: Path
    grpc_port: int | None = None
    metrics_port: int | None = None
    api_processes: int = 1
    worker_processes: int = 1
    grace_seconds: float = 0.0
    worker_handlers: Sequence[str] = ()


class UpReporter(Protocol):
    """Tells the person at the terminal."""

    @abstractmethod
    def ready(self, address: str) -> None:
        """Say that the API serves at `address`."""

    @abstractmethod
    def restarted(self, name: str, exit_code: int, log: Path | None) -> None:
        """Say that a process ended by itself and was started again."""


def run_up(options: UpOptions, reporter: UpReporter) -> int:
    """Serve until a signal; return the exit code. Raises SchedulerError when a part cannot start."""
    grpc_port = GRPC_PORT if options.grpc_port is None else options.grpc_port
    metrics_port = API_METRICS_PORT if options.metrics_port is None else options.metrics_port
    if options.backend is Backend.MEMORY:
        return _run_in_memory(options, StackPorts.choose(grpc=grpc_port, metrics=metrics_port), reporter)
    if (code := check_handlers(options.worker_handlers)) != 0:
        return code
    stack = Stack(
        data_dir=options.data_dir,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        api_processes=options.api_processes,
        worker_processes=options.worker_processes,
        grace_seconds=options.grace_seconds,
        environment={"WORKER_HANDLERS": ",".join(options.worker_handlers)},
    )
    return _run_stack(stack, reporter)


def _run_stack(stack: Stack, reporter: UpReporter) -> int:
    def report(ended: Child | EmbeddedServer, exit_code: int) -> None:
        reporter.restarted(ended.name, exit_code, ended.log)

    stopping = stop_event(stack.children)
    with stack:
        reporter.ready(stack.address)
        while not stopping.wait(CHECK_SECONDS):
            for server in stack.servers:
                server.restart_if_dead(report)
            restart_dead(stack.children, report)
    ignore_signals()
    return 0


def _run_in_memory(options: UpOptions, ports: StackPorts, reporter: UpReporter) -> int:
    """Run all parts in this process, on loopback only."""
    settings = Settings.load(grpc_host=HOST, grpc_port=ports.grpc, metrics_host=HOST)
    parts = [
        partial(serve_api, metrics_port=ports.api_metrics, announce=lambda port: reporter.ready(f"{HOST}:{port}")),
        partial(serve_worker, metrics_port=ports.worker_metrics),
        partial(serve_reaper, metrics_port=ports.reaper_metrics),
    ]
    process = ProcessOptions(handlers=find_handlers(options.worker_handlers))
    return run_parts(settings, process, Backend.MEMORY, parts)

"""A worker process with the chaos handler: python -m tests.chaos.worker_main, set up by the environment.

Beside the worker's own variables: CHAOS_LEDGER (directory), CHAOS_CLOCK_OFFSET (seconds by which this host's time of
day is wrong), CHAOS_STUCK_AFTER (seconds), CHAOS_WORKERS (so many workers in this process, each with its own pools).
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from dependency_injector import providers

from scheduler.adapters.handlers.registry import Registry
from scheduler.adapters.system.clock import SystemClock
from scheduler.application.loops import run_until
from scheduler.application.worker.ending import Ending
from scheduler.domain.errors import SchedulerError
from scheduler.entrypoints.container import Container, build_container
from scheduler.entrypoints.process import Backend, ProcessOptions
from scheduler.entrypoints.resources import LeaseConnection
from scheduler.entrypoints.runtime import EXIT_UNFIT, leave, run_process
from scheduler.entrypoints.settings import Settings
from scheduler.entrypoints.worker import serve_worker
from tests.chaos.handler import CHAOS_WORK, ChaosHandler
from tests.chaos.ledger import Ledger
from tests.chaos.noting_registry import NotingRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How this worker differs from a real one."""

    ledger: Path
    clock_offset: float
    stuck_after: timedelta | None
    workers: int

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        stuck_after = environment.get("CHAOS_STUCK_AFTER")
        return cls(
            ledger=Path(environment["CHAOS_LEDGER"]),
            clock_offset=float(environment.get("CHAOS_CLOCK_OFFSET", "0")),
            stuck_after=None if stuck_after is None else timedelta(seconds=float(stuck_after)),
            workers=int(environment.get("CHAOS_WORKERS", "1")),
        )


def equip(container: Container, terms: Terms, ledger: Ledger) -> Container:
    """Give a worker the chaos handler, its wrong clock, and a registry that notes renewals."""
    clock = SystemClock(time_of_day=lambda: time.time() + terms.clock_offset)
    container.common.clock.override(providers.Object(clock))
    handlers = container.common.handlers()
    assert isinstance(handlers, Registry)
    handlers.register(CHAOS_WORK, ChaosHandler(ledger))
    if terms.stuck_after is not None:
        container.runner.add_kwargs(stuck_after=terms.stuck_after)
    connect = container.lease_connection.overridden[-1]  # behind the override below

    def noting() -> LeaseConnection:
        connection: LeaseConnection = connect()
        connection.registry = NotingRegistry(connection.registry, ledger)
        return connection

    container.lease_connection.override(providers.Callable(noting))
    return container


async def work(settings: Settings, terms: Terms, ledger: Ledger, stopping: asyncio.Event) -> Ending:
    """Be one worker."""
    container = equip(build_container(settings, backend=Backend.SERVERS, options=ProcessOptions()), terms, ledger)
    await run_until(container.resources().open(), stopping)
    try:
        if stopping.is_set():
            return Ending.COMPLETE
        return await serve_worker(container, stopping, metrics_port=settings.metrics_port or 0)
    finally:
        await container.resources().close()


def main() -> int:
    settings, terms = Settings.load(), Terms.read(os.environ)
    ledger = Ledger(terms.ledger)

    async def run(stopping: asyncio.Event) -> int:
        endings = await asyncio.gather(*(work(settings, terms, ledger, stopping) for _ in range(terms.workers)))
        if any(endings):
            leave(EXIT_UNFIT if Ending.WORN_OUT in endings else 0)
        return 0

    return run_process(run, settings)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SchedulerError as failure:  # as the command line does
        sys.exit(f"scheduler: {failure}")

"""Commands that run processes of the service: up, demo, api, worker, reaper, migrate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.entrypoints.cli.options import Handlers
from scheduler.entrypoints.cli.parsing import absolute_one_line_path
from scheduler.entrypoints.process import Backend, ProcessOptions

if TYPE_CHECKING:
    from scheduler.entrypoints.settings import Settings

_Processes = Annotated[int, typer.Option(min=1, max=256, help="How many processes share the work and the ports.")]
# How one of `--processes N` is told its place by its parent.
_Slot = Annotated[int | None, typer.Option(hidden=True, min=0)]
_MetricsDirectory = Annotated[Path | None, typer.Option(hidden=True)]


def up(
    backend: Annotated[
        Backend, typer.Option(case_sensitive=False, help="Where the data lives: embedded servers, or nowhere.")
    ] = Backend.SERVERS,
    data_dir: Annotated[
        Path,
        typer.Option(
            file_okay=False, callback=absolute_one_line_path, help="Holds data and logs from one run to the next."
        ),
    ] = Path(".scheduler"),
    grpc_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The API's port; 0: a free one.", show_default="GRPC_PORT, else 8081"),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65533,
            help="Of the api; worker and reaper follow. 0: free ones.",
            show_default="METRICS_PORT, else 2112",
        ),
    ] = None,
    api_processes: _Processes = 1,
    worker_processes: _Processes = 1,
    handlers: Handlers = None,
) -> int:
    """Run everything until Ctrl-C: embedded servers, api, worker and reaper, on this machine only."""
    settings = _settings(grpc_port=grpc_port, metrics_port=metrics_port, worker_handlers=handlers or None)

    from scheduler.entrypoints.cli.up_reporter import TerminalReporter
    from scheduler.entrypoints.up import UpOptions, run_up

    options = UpOptions(
        backend=backend,
        data_dir=data_dir,
        grpc_port=settings.grpc_port,
        metrics_port=settings.metrics_port,
        api_processes=api_processes,
        worker_processes=worker_processes,
        grace_seconds=settings.grace_seconds,
        worker_handlers=settings.worker_handlers,
    )
    return run_up(options, TerminalReporter(options))


def demo(
    jobs: Annotated[int, typer.Option(min=100, max=20_000, help="About how many jobs.")] = 400,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the data and the logs.")] = False,
) -> int:
    """Run a mixed load on real embedded servers, check every total, stop."""
    from scheduler.entrypoints.demo.run import DemoOptions, run_demo

    return run_demo(DemoOptions(jobs=jobs, keep=keep))


def api(processes: _Processes = 1, slot: _Slot = None, metrics_directory: _MetricsDirectory = None) -> int:
    """Serve the API, as the environment says."""
    settings = _settings()
    if processes > 1:
        return _run_fleet("api", processes, settings)

    from scheduler.entrypoints.api import run_api

    return run_api(settings, ProcessOptions(slot=slot, metrics_directory=metrics_directory))


def worker(
    handlers: Handlers = None,
    processes: _Processes = 1,
    slot: _Slot = None,
    metrics_directory: _MetricsDirectory = None,
) -> int:
    """Run jobs, as the environment says."""
    settings = _settings(worker_handlers=handlers or None)
    if processes > 1:
        return _run_fleet("worker", processes, settings)

    from scheduler.entrypoints.worker import run_worker

    return run_worker(settings, ProcessOptions(slot=slot, metrics_directory=metrics_directory))


def reaper() -> int:
    """Release due jobs, recover lost ones, repair queues, purge: any number may run."""
    settings = _settings()

    from scheduler.entrypoints.reaper import run_reaper

    return run_reaper(settings, ProcessOptions())


def migrate(
    db_tx: Annotated[
        bool, typer.Option("--db-tx", help="In DB_TX_DATABASE_URL instead: the tables that db_tx jobs need there.")
    ] = False,
) -> int:
    """Bring the schema of the database up to date."""
    settings = _settings()

    from scheduler.entrypoints.migrate import run_migrate, run_migrate_db_tx

    return (run_migrate_db_tx if db_tx else run_migrate)(settings)


def _settings(**overrides: object) -> "Settings":
    """Read the environment before what runs is imported: an error in it is told at once."""
    from scheduler.entrypoints.settings import Settings

    return Settings.load(**overrides)


def _run_fleet(kind: str, processes: int, settings: "Settings") -> int:
    from scheduler.entrypoints.fleet import run_fleet

    return run_fleet(kind, processes, settings)

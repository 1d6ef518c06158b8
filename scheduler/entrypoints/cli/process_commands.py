"""Commands that run processes of the service: up, demo, api, worker, reaper, migrate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.entrypoints.cli.options import Handlers
from scheduler.entrypoints.cli.parsing import absolute_one_line_path
from scheduler.entrypoints.process import Backend, ProcessOptions

if TYPE_CHECKING:
    from collections.abc import Callable

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
    from scheduler.entrypoints.cli.up_reporter import TerminalReporter
    from scheduler.entrypoints.settings import Settings
    from scheduler.entrypoints.up import UpOptions, run_up

    settings = Settings.load(grpc_port=grpc_port, metrics_port=metrics_port, worker_handlers=handlers or None)
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
    from scheduler.entrypoints.api import run_api

    return _run("api", run_api, processes, ProcessOptions(slot=slot, metrics_directory=metrics_directory))


def worker(
    handlers: Handlers = None,
    processes: _Processes = 1,
    slot: _Slot = None,
    metrics_directory: _MetricsDirectory = None,
) -> int:
    """Run jobs, as the environment says."""
    from scheduler.entrypoints.worker import run_worker

    options = ProcessOptions(slot=slot, metrics_directory=metrics_directory)
    return _run("worker", run_worker, processes, options, worker_handlers=handlers or None)


def reaper() -> int:
    """Release due jobs, recover lost ones, repair queues, purge: any number may run."""
    from scheduler.entrypoints.reaper import run_reaper

    return _run("reaper", run_reaper, 1, ProcessOptions())


def migrate(
    db_tx: Annotated[
        bool, typer.Option("--db-tx", help="In DB_TX_DATABASE_URL instead: the tables that db_tx jobs need there.")
    ] = False,
) -> int:
    """Bring the schema of the database up to date."""
    from scheduler.entrypoints.migrate import run_migrate, run_migrate_db_tx
    from scheduler.entrypoints.settings import Settings

    return (run_migrate_db_tx if db_tx else run_migrate)(Settings.load())


def _run(
    kind: str,
    run: "Callable[[Settings, ProcessOptions], int]",
    processes: int,
    options: ProcessOptions,
    **overrides: object,
) -> int:
    from scheduler.entrypoints.settings import Settings

    settings = Settings.load(**overrides)
    if processes == 1:
        return run(settings, options)

    from scheduler.entrypoints.fleet import run_fleet

    return run_fleet(kind, processes, settings)

"""Several processes of one kind that share their ports and add up their metrics."""

import os
import signal
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import structlog

from scheduler.adapters.grpc.server import require_bindable
from scheduler.adapters.prometheus.shared_files import clear, forget_gauges
from scheduler.adapters.system.service_manager import ServiceManager
from scheduler.entrypoints import api, worker
from scheduler.entrypoints.children import CANNOT_START, STOP_SECONDS, Child, restart_dead, stop_all
from scheduler.entrypoints.flag import Flag
from scheduler.entrypoints.fleet_notices import FleetNotices
from scheduler.entrypoints.handlers import check_handlers
from scheduler.entrypoints.log_level import holding_back_reloads, reload_log_level, set_up_logging
from scheduler.entrypoints.runtime import STOP_SIGNALS, end_soon, ignore_signals, stops_at_hangup
from scheduler.entrypoints.settings import Settings, SettingsError, withhold_from_children

CHECK_SECONDS = 0.2


def run_fleet(kind: str, processes: int, settings: Settings) -> int:
    """Run `processes` children of a kind ("api" or "worker") until a signal; return the exit code.

    They are started again when they die or get stuck, unless one cannot even start: then all stop.
    """
    set_up_logging(settings)
    withhold_from_children()
    _require_shareable(kind, settings)
    if kind == "worker" and (code := check_handlers(settings.worker_handlers)) != 0:
        return code
    with tempfile.TemporaryDirectory(prefix="scheduler-metrics-") as directory:
        clear(Path(directory))
        service = ServiceManager(settings.notify_socket, watchdog=settings.watchdog)
        notices = FleetNotices(service, Path(directory), processes)
        children = [_child(kind, slot, directory, settings, notices) for slot in range(processes)]
        try:
            return _watch(children, Path(directory), settings, notices)
        finally:
            service.stopping()
            stop_all(children, settings.grace_seconds + STOP_SECONDS)
            notices.close()
            ignore_signals()


def _child(kind: str, slot: int, directory: str, settings: Settings, notices: FleetNotices) -> Child:
    return Child(
        name=f"{kind} {slot}",
        arguments=[kind, "--slot", str(slot), "--metrics-directory", directory],
        environment={"WORKER_HANDLERS": ",".join(settings.worker_handlers), **notices.environment(slot)},
    )


def _watch(children: list[Child], directory: Path, settings: Settings, notices: FleetNotices) -> int:
    log = structlog.get_logger("scheduler")

    def report(child: Child, code: int) -> None:
        log.error("process_restarted", process=child.name, exit_code=code)
        forget_gauges(directory, children.index(child))
        notices.started(children.index(child))

    stopping = stop_event(children, supervised=settings.supervised)
    reload = Flag()
    if settings.log_level_file is not None:
        signal.signal(signal.SIGHUP, lambda *_: reload.set())
    with holding_back_reloads():
        for child in children:
            child.start()
    while not stopping.wait(CHECK_SECONDS):
        if any(child.could_not_start() for child in children):
            return CANNOT_START
        with holding_back_reloads():
            restart_dead(children, report)
        if reload.is_set():
            reload.clear()
            _reload(children, settings)
        notices.pass_on()
        for slot in notices.silent():
            _kill(children[slot])
    return 0


def _kill(child: Child) -> None:
    """End a child that is stuck; it is started again like any that ends."""
    if child.exit_code() is None:
        structlog.get_logger("scheduler").error("stuck_process_killed", process=child.name)
        child.send(signal.SIGKILL)


def _reload(children: list[Child], settings: Settings) -> None:
    """Read the level of the logs again, here and in every child."""
    reload_log_level(settings)
    for child in children:
        child.send(signal.SIGHUP)


def stop_event(children: Sequence[Child], *, supervised: bool = False) -> Flag:
    """Return a flag that the first SIGTERM or SIGINT sets; the second ends this process, and with it its children.

    Any SIGHUP sets it too, unless this process was told to outlive its terminal, and ends nothing; and so does the end
    of the process that started this one, if this one is `supervised`.
    """
    stopping = Flag()

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            for child in children:
                child.send(signal.SIGKILL)
            os._exit(128 + number)
        stopping.set()

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    if stops_at_hangup():
        signal.signal(signal.SIGHUP, lambda *_: stopping.set())
    if supervised:
        threading.Thread(target=_stop_with_parent, args=(stopping,), daemon=True).start()
    return stopping


def _stop_with_parent(stopping: Flag) -> None:
    # Not through sys.stdin: its lock would be held by this thread for ever.
    while os.read(0, 1):
        pass
    stopping.set()
    end_soon()


def _require_shareable(kind: str, settings: Settings) -> None:
    """Refuse ports that somebody else uses: children that share a port would quietly share it with him, too."""
    default = {"api": api.METRICS_PORT, "worker": worker.METRICS_PORT}[kind]
    ports = {
        "METRICS_PORT": (settings.metrics_host, default if settings.metrics_port is None else settings.metrics_port)
    }
    if kind == "api":
        ports["GRPC_PORT"] = (settings.grpc_host, settings.grpc_port)
    for variable, (host, port) in ports.items():
        if port == 0:
            raise SettingsError(f"{variable}: must not be 0 when several processes share it")
        require_bindable(host, port, share_port=False)

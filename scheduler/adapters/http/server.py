"""The HTTP server for operators and their tools: /metrics, /health, /ready."""

import asyncio
import errno
import logging
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from scheduler.adapters.http.reports import health_report, readiness_report
from scheduler.application.errors import PortInUseError
from scheduler.application.ports.health import Progress
from scheduler.application.readiness import ReadinessCheck

Render = Callable[[], tuple[bytes, str]]
"""Returns the metrics and their content type; runs in a thread, since it may read files."""
SHUTDOWN_SECONDS = 1.0
IDLE_SECONDS = 75.0
"""More than lies between two scrapes; the library's own limit is an hour."""
_LOGGER = "scheduler.http"


class OperationsServer:
    """Serves until stopped. Installs no signal handlers. Port 0 takes a free one, see `port` after the start."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        metrics: Render,
        readiness: ReadinessCheck,
        progress: Progress,
        reuse_port: bool = False,
    ) -> None:
        self._host = host
        self._port = port
        self._reuse_port = reuse_port
        self._metrics = metrics
        self._readiness = readiness
        self._progress = progress
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """Return the port that is served."""
        return self._port

    async def start(self) -> None:
        """Listen; raise PortInUseError when somebody else does, and else an OSError that names the address."""
        logger = logging.getLogger(_LOGGER)
        logger.addFilter(_is_ours)
        runner = web.AppRunner(
            self._application(),
            handle_signals=False,
            access_log=None,
            logger=logger,
            shutdown_timeout=SHUTDOWN_SECONDS,
            keepalive_timeout=IDLE_SECONDS,
        )
        await runner.setup()
        try:
            await self._listen(runner)
        except OSError as error:
            await runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(self._port) from error
            message = f"cannot serve on {self._host}:{self._port}: {error.strerror}"
            raise OSError(error.errno, message) from error
        self._runner = runner

    async def stop(self) -> None:
        """Close all connections, answered or not, after a moment; stopping twice is harmless."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        await web.TCPSite(runner, self._host, self._port, reuse_port=self._reuse_port).start()
        self._port = runner.addresses[0][1]

    def _application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/metrics", self._get_metrics),
                web.get("/health", self._get_health),
                web.get("/ready", self._get_ready),
            ]
        )
        return application

    async def _get_metrics(self, _: web.Request) -> web.Response:
        body, content_type = await asyncio.to_thread(self._metrics)
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _get_health(self, _: web.Request) -> web.Response:
        stuck = self._progress.stuck()
        return web.json_response(health_report(stuck), status=_status(is_good=not stuck))

    async def _get_ready(self, _: web.Request) -> web.Response:
        found = await self._readiness.check()
        return web.json_response(readiness_report(found), status=_status(is_good=found.ready))


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell whether a log line is about us: not about a client that speaks no HTTP, which would get a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _status(*, is_good: bool) -> int:
    return HTTPStatus.OK if is_good else HTTPStatus.SERVICE_UNAVAILABLE

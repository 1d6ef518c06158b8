"""One way out for all logs: ours by structlog, those of libraries by the standard library, one line each."""

import logging
import sys
from collections.abc import Collection
from typing import Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from scheduler.adapters.logging.redaction import Redaction
from scheduler.application.current_attempt import current_attempt
from scheduler.application.current_trace import current_trace
from scheduler.domain.text import printable

LogFormat = Literal["json", "console"]
# Chatty below WARNING, about nothing that an operator can act on, and two of them about header values.
_QUIET_LIBRARIES = ("aiohttp.access", "asyncio", "grpc._cython.cygrpc", "hpack", "httpcore2", "psycopg")
# These warn of each try that an outage costs, over and over. Of SQL our fault log says the same once a second, of a
# collector of spans the library itself says at last that it gave up.
_WARNING_LIBRARIES = ("opentelemetry", "psycopg")


_TRACEBACKS = ("exception", "stack")
_INDENT = "    "
# What journald takes for the priority of a line.
_JOURNAL_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}


def configure_logging(
    *,
    level: str,
    log_format: LogFormat,
    stream: TextIO = sys.stderr,
    to_journal: bool = False,
    secrets: Collection[str] = (),
) -> None:
    """Send every log of this process at or above `level` ("DEBUG" … "CRITICAL") to the stream; may be called again.

    Loggers that are in use follow at once. `to_journal`: journald reads the stream and shall know each line's priority.
    `secrets` are hidden wherever they appear.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(stream)
    finish: list[Processor] = [
        Redaction(secrets),
        *_renderers(log_format, colors=stream.isatty(), to_journal=to_journal),
    ]
    handler.setFormatter(_formatter(finish))
    logging.basicConfig(handlers=[handler], level=number, force=True)
    # A line that cannot be written is lost; whoever logs it goes on.
    logging.raiseExceptions = False
    for library in _QUIET_LIBRARIES:
        logging.getLogger(library).setLevel(max(number, logging.WARNING))
    least = logging.ERROR if number > logging.DEBUG else logging.WARNING
    for library in _WARNING_LIBRARIES:
        logging.getLogger(library).setLevel(max(number, least))
    structlog.configure(
        # The level is asked for at each line: loggers remember the rest from their first one.
        processors=[structlog.stdlib.filter_by_level, *_enrichers(), ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _enrichers() -> list[Processor]:
    """Return what must run while the caller's context is there."""
    return [
        structlog.contextvars.merge_contextvars,
        _add_attempt,
        _add_trace,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _add_attempt(_log: object, _method: str, line: EventDict) -> EventDict:
    """Name the attempt in which something is logged, unless the line does."""
    attempt = current_attempt()
    return line if attempt is None else {**attempt.log_fields, **line}


def _add_trace(_log: object, _method: str, line: EventDict) -> EventDict:
    """Name the trace on whose behalf something is logged, unless the line does."""
    trace = current_trace()
    if trace is not None:
        line.setdefault("trace_id", trace.trace_id)
    return line


def _formatter(finish: list[Processor]) -> ProcessorFormatter:
    return ProcessorFormatter(
        foreign_pre_chain=_enrichers(),
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            *finish,
        ],
    )


def _renderers(log_format: LogFormat, *, colors: bool, to_journal: bool) -> list[Processor]:
    """Return what makes the text of a line: no value can begin another line, or give one another priority."""
    if log_format == "json":
        render: Processor = structlog.processors.JSONRenderer(default=str)
        return [_with_priority(render) if to_journal else render]
    render = structlog.dev.ConsoleRenderer(colors=colors)
    return [_escape, _with_priority(render) if to_journal else render]


def _escape(_log: object, _method: str, line: EventDict) -> EventDict:
    """Escape what moves the cursor, begins a line or turns the direction of a text; tracebacks keep their lines."""
    return {printable(name): _shown(name, value) for name, value in line.items()}


def _shown(name: str, value: object) -> object:
    if name in _TRACEBACKS and isinstance(value, str):
        return "\n".join(f"{_INDENT}{printable(each)}" for each in value.split("\n"))
    if isinstance(value, str):
        return printable(value)
    text = repr(value)
    return value if text.isprintable() else printable(text)


def _with_priority(render: Processor) -> Processor:
    def prefix(logger: WrappedLogger, name: str, event: EventDict) -> str:
        priority = _JOURNAL_PRIORITIES.get(str(event.get("level")), _JOURNAL_PRIORITIES["info"])
        return "\n".join(f"<{priority}>{each}" for each in str(render(logger, name, event)).split("\n"))

    return prefix

"""A process that logs a bit of everything: argv is level, format, "journal" if journald reads it, and "hostile"."""

import logging
import sys
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import structlog

from scheduler.adapters.logging.configuration import LogFormat, configure_logging
from scheduler.application.current_attempt import in_attempt
from scheduler.application.current_trace import in_trace
from scheduler.application.ports.handlers import JobContext
from scheduler.domain.ids import AttemptId, Fence, JobId, WorkerId
from scheduler.domain.trace import TraceContext

CONTEXT = JobContext(
    attempt_id=AttemptId(JobId(UUID(int=7)), Fence(3)),
    job_type="order.pack",
    attempt=2,
    max_attempts=3,
    worker_id=WorkerId(UUID(int=8)),
    deadline=datetime(2030, 1, 1, tzinfo=UTC),
)

configure_logging(level=sys.argv[1], log_format=cast("LogFormat", sys.argv[2]), to_journal="journal" in sys.argv)
log = structlog.get_logger("scheduler.test")
log.debug("detail", job_id="1")
trace = TraceContext(trace_id="a" * 32, span_id="b" * 16)
with in_trace(trace), structlog.contextvars.bound_contextvars(worker_id="w-1"):
    log.info("job_failed", job_id="2", error="redis://user:hunter2@host:6379/0", payload='{"a": 1}')
logging.getLogger("some.library").warning("connected with password=%s", "hunter2")
with in_attempt(CONTEXT):
    logging.getLogger("some.library").warning("request failed")
    log.warning("order_refused", attempt="of its own")
logging.getLogger("some.library").debug("library detail")
logging.getLogger("psycopg.pool").warning("error connecting")
log.critical("worn_out")
try:
    int("two\nlines")
except ValueError:
    log.exception("loop_failed")
if "hostile" in sys.argv:
    forged = "\n<1>2020-01-01 [critical] forged\r\x1b[2J\u202e\u2028"
    logging.getLogger("some.library").warning("refused%s", forged)
    log.warning("order_refused", reason=forged, others=[forged], **{forged: 1})
    log.error("loop_failed", exc_info=ValueError("\n<1>in a message" + forged))

"""The extra may be missing, and nobody who does not ask for spans waits for it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WITHOUT = """
import sys
sys.modules["opentelemetry"] = None
from scheduler.client import SchedulerClient, Submission
from scheduler.application.untraced import UNTRACED
from scheduler.entrypoints.container import build_container
from scheduler.entrypoints.process import Backend
from scheduler.entrypoints.settings import Settings
from scheduler.handlers import JobContext, handler
from scheduler.testing import InMemoryScheduler, job_context
container = build_container(Settings.load(), backend=Backend.MEMORY)
assert container.common.tracing() is UNTRACED
@handler("trace")
def tell(_: None, context: JobContext) -> str:
    return context.traceparent
assert tell(None, job_context()).startswith("00-")
"""
# The Redis client looks for the library by itself, hence the look at the client alone first.
UNASKED = """
import sys
import scheduler.client
from scheduler.adapters.opentelemetry.caller import caller_trace
assert caller_trace() is None
assert "opentelemetry" not in sys.modules
from scheduler.entrypoints.container import build_container
from scheduler.entrypoints.process import Backend
from scheduler.entrypoints.settings import Settings
build_container(Settings.load(), backend=Backend.MEMORY).common.tracing()
assert not {"scheduler.adapters.opentelemetry.spans", "opentelemetry.exporter"} & sys.modules.keys()
"""


def ran(program: str, **environment: str) -> str:
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    return said.stdout + said.stderr


def test_everything_works_without_the_extra_which_is_told_where_spans_are_wanted() -> None:
    assert "tracing_extra_missing" in ran(WITHOUT, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317")


def test_nothing_imports_the_extra_unless_a_collector_is_named() -> None:
    assert ran(UNASKED) == ""

"""Handlers whose annotations are strings, as `from __future__ import annotations` makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from scheduler.application.ports.handlers import JobContext
from scheduler.handlers import handler
from tests.support.builders import NOW, a_job, a_worker_id

if TYPE_CHECKING:
    from decimal import Decimal

    from scheduler.handlers import JobContext as Context


class Resize(BaseModel):
    width: int


@handler("image.resize")
def resize(payload: Resize, context: JobContext) -> None: ...


@handler("typed")
def typed_for_checkers(payload: int, context: Context) -> Decimal:
    raise AssertionError


def context() -> JobContext:
    job = a_job()
    return JobContext(
        attempt_id=job.attempt_id,
        job_type=job.type,
        attempt=1,
        max_attempts=3,
        worker_id=a_worker_id(),
        deadline=NOW,
    )

"""A user's module whose handler runs in processes of their own."""

import os

from scheduler.handlers import JobContext, handler


@handler("process.id", executor="process")
def process_id(payload: object, context: JobContext) -> int:
    return os.getpid()

"""Handlers that say a word and then end in one way or another, for tests of what is logged."""

import logging
from typing import Literal

from pydantic import BaseModel

from scheduler.handlers import JobContext, PermanentError, RetryLater, handler


class Talk(BaseModel):
    end: Literal["success", "failure", "retry"] = "success"


@handler("talk.loop")
async def in_the_loop(payload: Talk, context: JobContext) -> None:
    _talk(payload, context)


@handler("talk.thread")
def in_a_thread(payload: Talk, context: JobContext) -> None:
    _talk(payload, context)


@handler("talk.process", executor="process")
def in_a_process(payload: Talk, context: JobContext) -> None:
    _talk(payload, context)


def _talk(payload: Talk, context: JobContext) -> None:
    context.logger.info("talked")
    logging.getLogger("shop").warning("a library talked")
    if payload.end == "failure":
        raise PermanentError("no")
    if payload.end == "retry":
        raise RetryLater("not yet", delay=0.01)

"""Where a call's secrets are looked for: what takes long must not hold up the event loop, on which cancels arrive."""

import asyncio
import json
import threading
from datetime import datetime

import pytest

from scheduler.adapters.handlers.http_call import HttpCallHandler, HttpClient
from scheduler.adapters.handlers.http_call.handler import LONG_SECRETS
from scheduler.adapters.handlers.http_call.messages import Reply, Request
from scheduler.adapters.memory.fixed_clock import FixedClock
from scheduler.application.ports.handlers import PermanentError
from tests.support.http_calls import a_context


class Echo(HttpClient):
    """A server that refuses and says back what it was sent."""

    async def send(self, request: Request) -> Reply:
        return Reply(status=400, headers={}, body=request.headers["x-key"].encode())


class NotingClock(FixedClock):
    """A clock that notes the thread in which the error is made."""

    thread: threading.Thread | None = None

    def now(self) -> datetime:
        self.thread = threading.current_thread()
        return super().now()


@pytest.mark.parametrize(("length", "in_the_loop"), [(20, True), (LONG_SECRETS + 1, False)])
def test_many_secrets_are_hidden_outside_of_the_event_loop(length: int, in_the_loop: bool) -> None:  # noqa: FBT001 - a parameter
    clock = NotingClock()
    payload = json.dumps({"url": "http://example.com/", "headers": {"x-key": "s3cret" + "x" * (length - 6)}})

    with pytest.raises(PermanentError, match=r"answered 400 Bad Request: \*\*\*$"):
        asyncio.run(HttpCallHandler(client=Echo(), clock=clock).run(payload, a_context()))
    assert (clock.thread is threading.current_thread()) == in_the_loop

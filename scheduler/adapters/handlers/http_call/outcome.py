"""What a response means for the job."""

import json
from collections.abc import Collection
from datetime import datetime

from scheduler.adapters.handlers.http_call.body import KEPT_BYTES, readable
from scheduler.adapters.handlers.http_call.errors import CallFailedError
from scheduler.adapters.handlers.http_call.messages import Reply, Request
from scheduler.adapters.handlers.http_call.retry_after import retry_after
from scheduler.adapters.handlers.http_call.secrets import Secrets
from scheduler.application.ports.handlers import PermanentError, RetryLaterError

_SUCCESSES = range(200, 300)
_MAY_PASS = frozenset({408, 425, 429, *range(500, 600)})


def is_success(status: int, expected: Collection[int] | None) -> bool:
    """Tell whether the call did what it was to do."""
    return status in (_SUCCESSES if expected is None else expected)


def result_of(request: Request, reply: Reply) -> str:
    """Return the job's result; raises CallFailedError when the response did not arrive whole."""
    if reply.broken:
        raise CallFailedError(f"{request} answered {reply.status_line}, but the connection broke before the body's end")
    kept = readable(reply.body[:KEPT_BYTES])
    truncated = len(reply.body) > KEPT_BYTES or not reply.whole
    return json.dumps({"status": reply.status, "body": kept, "truncated": truncated})


def failure_of(request: Request, reply: Reply, secrets: Secrets, now: datetime) -> Exception:
    """Return the error that says what the server answered, and whether to try again."""
    message = f"{request} answered {reply.status_line}{_body(reply, secrets)}"
    if reply.status not in _MAY_PASS:
        return PermanentError(message)
    delay = retry_after(reply, now)
    return CallFailedError(message) if delay is None else RetryLaterError(message, delay)


def _body(reply: Reply, secrets: Secrets) -> str:
    text = secrets.hide(readable(reply.body[:KEPT_BYTES])).strip()
    return f": {text}" if text else ""

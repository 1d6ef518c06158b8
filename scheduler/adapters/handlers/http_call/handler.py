"""A job type that calls a web service."""

import asyncio
from typing import cast

from scheduler.adapters.handlers.http_call.client import HttpClient
from scheduler.adapters.handlers.http_call.errors import CallFailedError
from scheduler.adapters.handlers.http_call.identity import identity_headers
from scheduler.adapters.handlers.http_call.messages import Reply, Request
from scheduler.adapters.handlers.http_call.outcome import failure_of, is_success, result_of
from scheduler.adapters.handlers.http_call.payload import CallPayload
from scheduler.adapters.handlers.http_call.secrets import Secrets
from scheduler.adapters.handlers.http_call.target import InvalidUrlError, Target
from scheduler.adapters.handlers.payload import PayloadReader
from scheduler.application.ports.clock import Clock
from scheduler.application.ports.handlers import Handler, JobContext, PermanentError

LONG_SECRETS = 2 * 1024
"""Characters of headers and query that are looked for within 20 ms, in the worst case of words and answer."""
_DEFAULT_HEADERS = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "grpc-task-scheduler"}


class HttpCallHandler(Handler):
    """Sends one HTTP request; the status decides between success, another try and failure. See docs/http_call.md."""

    def __init__(self, *, client: HttpClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._payloads = PayloadReader(CallPayload)

    async def run(self, payload: str | None, context: JobContext) -> str | None:
        """Make the call that the payload describes; the result holds the status and the beginning of the body."""
        call = cast("CallPayload", self._payloads.read(payload))
        request = _request(call, context)
        try:
            async with asyncio.timeout(call.timeout_seconds):
                return await self._call(call, request)
        except TimeoutError:
            raise CallFailedError(f"{request}: not done within {call.timeout_seconds:g} s") from None

    async def _call(self, call: CallPayload, request: Request) -> str:
        hops = 0
        while True:
            reply = await self._client.send(request)
            if is_success(reply.status, call.expected_status):
                return result_of(request, reply)
            if reply.location is None:
                raise await self._failure(call, request, reply)
            if hops == call.follow_redirects:
                raise PermanentError(f"{request} answered {reply.status_line}, and follow_redirects is {hops}")
            request = _next_hop(request, reply, reply.location)
            hops += 1

    async def _failure(self, call: CallPayload, request: Request, reply: Reply) -> Exception:
        """Say what was answered, without the call's secrets: where there are many, off the event loop."""

        def failure() -> Exception:
            return failure_of(request, reply, Secrets(call.headers, call.url.query), self._clock.now())

        length = len(call.url.query) + sum(map(len, call.headers.values()))
        return await asyncio.to_thread(failure) if length > LONG_SECRETS else failure()


def _request(call: CallPayload, context: JobContext) -> Request:
    headers = {**_DEFAULT_HEADERS, **call.headers}
    if call.content is not None:
        headers.setdefault("content-type", call.content_type)
    return Request(
        method=call.method,
        target=call.url,
        headers=headers,
        identity=identity_headers(context),
        content=call.content,
    )


def _next_hop(request: Request, reply: Reply, location: str) -> Request:
    answered = f"{request} answered {reply.status_line} with a Location that"
    try:
        target = request.target.join(location)
    except InvalidUrlError as error:
        raise PermanentError(f"{answered} {error}") from None
    if _leaves_tls(request.target, target):
        raise PermanentError(f"{answered} must not leave https")
    return request.redirected(reply.status, target)


def _leaves_tls(source: Target, target: Target) -> bool:
    return source.scheme == "https" and target.scheme == "http"

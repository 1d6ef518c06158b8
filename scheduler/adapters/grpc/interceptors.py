"""The outermost layer of every call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, nullcontext
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from scheduler.adapters.grpc.arrivals import Arrivals
from scheduler.adapters.grpc.calls import Call, CallServices, Context
from scheduler.adapters.grpc.errors import CapReachedError, MalformedRequestError, Refusal, refusal_of
from scheduler.adapters.grpc.large_requests import LARGE_BYTES, check_fields, read_batch
from scheduler.adapters.grpc.limits import Cap, check_size
from scheduler.adapters.grpc.trace_metadata import read_trace
from scheduler.application.deadline import DEFAULT_SECONDS, time_limit

MAX_SECONDS = 30.0
"""However patient its client is, no unary call spends more time here."""

Request = TypeVar("Request")
Response = TypeVar("Response")
Given = TypeVar("Given")
Answer = TypeVar("Answer")
AnyContext = TypeVar("AnyContext")
if TYPE_CHECKING:  # generic in the stubs only
    Handler = grpc.RpcMethodHandler[Request, Response]
Read = Callable[[bytes], Request]
Write = Callable[[Response], bytes]
Unary = Callable[[Request, Context[bytes, Response]], Awaitable[Response]]
Streaming = Callable[[Request, Context[bytes, Response]], AsyncGenerator[Response]]
UnaryOfBytes = Callable[[bytes, Context[bytes, Response]], Awaitable[bytes]]
AnyBehavior = Callable[[object, object], Awaitable[object]]
WriterOfBytes = Callable[[bytes, Context[bytes, Response]], Awaitable[None]]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Guards the calls of one service, and caps the streams of others (health, reflection): `other_streams` by path."""

    def __init__(self, *, service: str, services: CallServices, other_streams: Mapping[str, Cap]) -> None:
        self._prefix = f"/{service}/"
        self._services = services
        self._other_streams = other_streams
        self._arrivals = Arrivals(services.telemetry)
        self._guarded: dict[str, object] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Request, Response] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler[Request, Response] | None:
        """Return the guarded handler; it is made once a method, for this runs in every call."""
        path = handler_call_details.method
        if path not in self._guarded:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._guarded[path] = self._guard_any(path, handler)
        return cast("Handler[Request, Response]", self._guarded[path])

    def _guard_any(self, path: str, handler: Handler[Request, Response]) -> object:
        if path.startswith(self._prefix):
            return self._guard(path.removeprefix(self._prefix), handler)
        write = handler.response_serializer
        if handler.request_streaming:
            streams = cast("Streaming[AsyncIterator[Request], Response]", handler.stream_stream)
            writing = _leaving_nothing(self._capped(path, _writing(streams)))
            return grpc.stream_stream_rpc_method_handler(
                cast("AnyBehavior", writing), handler.request_deserializer, write
            )
        unary = cast("Unary[Request, object]", handler.unary_stream or handler.unary_unary)
        behavior = cast("AnyBehavior", _leaving_nothing(self._capped(path, self._receiving(_reader(handler), unary))))
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(behavior, None, write)
        return grpc.stream_unary_rpc_method_handler(behavior, None, write)

    def _receiving(self, read: Read[Request], behavior: Unary[Request, Response]) -> Unary[object, Response]:
        async def call(_: object, context: Context[bytes, Response]) -> Response:
            return await behavior(read(await self._arrivals.request(context)), context)

        return call

    def _capped(self, path: str, behavior: Unary[Request, Response]) -> Unary[Request, Response]:
        cap = self._other_streams.get(path)

        async def call(request: Request, context: Context[bytes, Response]) -> Response:
            try:
                with nullcontext() if cap is None else cap.held(context.peer()):
                    return await behavior(request, context)
            except (CapReachedError, MalformedRequestError) as error:
                await context.abort_with_status(cast("Refusal", refusal_of(error)).to_status())
                raise

        return call

    def _guard(self, method: str, handler: Handler[Request, Response]) -> Handler[bytes, bytes]:
        # Requests are received and parsed inside, as if they were streams of one: where gRPC receives them, they may
        # take for ever, and where it parses them, clients are shown Python's errors. The stubs know the handlers of
        # synchronous servers only, hence the casts.
        read, write = _reader(handler), cast("Write[Response]", handler.response_serializer)
        if handler.response_streaming:
            streaming = cast("Streaming[Request, Response]", handler.unary_stream)
            return grpc.stream_stream_rpc_method_handler(self._guard_streaming(method, read, streaming, write))
        unary = cast("Unary[Request, Response]", handler.unary_unary)
        return grpc.stream_unary_rpc_method_handler(self._guard_unary(method, read, unary, write))

    def _guard_unary(
        self, method: str, read: Read[Request], behavior: Unary[Request, Response], write: Write[Response]
    ) -> UnaryOfBytes[Response]:
        services, arrivals = self._services, self._arrivals

        async def call(_: object, context: Context[bytes, Response]) -> bytes:
            data = await arrivals.request(context)
            with services.tracing.call(method, partial(read_trace, context)) as span:
                async with Call(services, method, context, span) as this:
                    with time_limit(_seconds(context.time_remaining())):
                        check_size(method, len(data))
                        large = len(data) > LARGE_BYTES
                        request = await self._read_large(method, read, data) if large else read(data)
                        answer = write(await behavior(request, context))
                        services.answers.note(len(answer), this.peer)
                        return answer

        return _leaving_nothing(call)

    def _guard_streaming(
        self, method: str, read: Read[Request], behavior: Streaming[Request, Response], write: Write[Response]
    ) -> WriterOfBytes[Response]:
        services, arrivals = self._services, self._arrivals

        # A coroutine that writes instead of a generator: it runs in one task, and closes what it iterates. A stream
        # outlives any time limit; each read on its behalf has the default one.
        async def call(_: object, context: Context[bytes, Response]) -> None:
            data = await arrivals.request(context)
            with services.tracing.call(method, partial(read_trace, context)) as span:
                async with Call(services, method, context, span) as this:
                    check_size(method, len(data))
                    with services.watches.held(this.peer):
                        async with aclosing(behavior(read(data), context)) as responses:
                            async for response in responses:
                                await context.write(cast("Response", write(response)))

        return _leaving_nothing(call)

    async def _read_large(self, method: str, read: Read[Request], data: bytes) -> Request:
        large = self._services.large
        if method == "SubmitJobs":
            return cast("Request", (await large.run(len(data), read_batch(data)))[-1])
        return (await large.run(len(data), _read_in_one_step(method, read, data)))[0]


def _read_in_one_step(method: str, read: Read[Request], data: bytes) -> Iterator[Request]:
    if method == "SubmitJob":
        check_fields(data)
    yield read(data)


def _reader(handler: Handler[Request, Response]) -> Read[Request]:
    parse = cast("Read[Request]", handler.request_deserializer)

    def read(data: bytes) -> Request:
        try:
            return parse(data)
        except DecodeError as error:
            raise MalformedRequestError from error

    return read


def _writing(behavior: Streaming[Request, Response]) -> Callable[[Request, Context[bytes, Response]], Awaitable[None]]:
    async def call(requests: Request, context: Context[bytes, Response]) -> None:
        async with aclosing(behavior(requests, context)) as responses:
            async for response in responses:
                await context.write(response)

    return call


def _leaving_nothing(
    call: Callable[[Given, AnyContext], Awaitable[Answer]],
) -> Callable[[Given, AnyContext], Awaitable[Answer]]:
    """Let no request wait for the garbage collector.

    gRPC keeps the error of an aborted call with the call, the error its traceback, and this the frames that hold the
    request and the call: a cycle.
    """

    async def outermost(request: Given, context: AnyContext) -> Answer:
        try:
            return await call(request, context)
        except grpc.aio.AbortError as error:
            error.__traceback__ = error.__context__ = error.__cause__ = None
            del request, context
            raise

    return outermost


def _seconds(remaining: float | None) -> float:
    return DEFAULT_SECONDS if remaining is None else min(remaining, MAX_SECONDS)

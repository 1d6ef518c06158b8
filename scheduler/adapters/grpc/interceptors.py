"""The outermost layer of every call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from scheduler.adapters.grpc.calls import Call, CallServices, Context
from scheduler.adapters.grpc.errors import MalformedRequestError
from scheduler.adapters.grpc.trace_metadata import read_trace
from scheduler.application.deadline import DEFAULT_SECONDS, time_limit

MAX_SECONDS = 30.0
"""However patient its client is, no unary call spends more time here."""

Request = TypeVar("Request")
Response = TypeVar("Response")
if TYPE_CHECKING:  # generic in the stubs only
    Handler = grpc.RpcMethodHandler[Request, Response]
Read = Callable[[bytes], Request]
Unary = Callable[[Request, Context[Request, Response]], Awaitable[Response]]
Streaming = Callable[[Request, Context[Request, Response]], AsyncGenerator[Response]]
UnaryOfBytes = Callable[[bytes, Context[Request, Response]], Awaitable[Response]]
WriterOfBytes = Callable[[bytes, Context[Request, Response]], Awaitable[None]]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Guards the calls of one service; those of others (health, reflection) pass."""

    def __init__(self, *, service: str, services: CallServices) -> None:
        self._prefix = f"/{service}/"
        self._services = services
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
            if handler is None or not path.startswith(self._prefix):
                return handler
            self._guarded[path] = self._guard(path.removeprefix(self._prefix), handler)
        return cast("Handler[Request, Response]", self._guarded[path])

    def _guard(self, method: str, handler: Handler[Request, Response]) -> Handler[bytes, Response]:
        # Requests are parsed inside: where gRPC parses them, clients are shown Python's errors. The stubs know the
        # handlers of synchronous servers only, hence the casts.
        read = _reader(handler)
        if handler.response_streaming:
            streaming = cast("Streaming[Request, Response]", handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(
                self._guard_streaming(method, read, streaming), response_serializer=handler.response_serializer
            )
        unary = cast("Unary[Request, Response]", handler.unary_unary)
        return grpc.unary_unary_rpc_method_handler(
            self._guard_unary(method, read, unary), response_serializer=handler.response_serializer
        )

    def _guard_unary(
        self, method: str, read: Read[Request], behavior: Unary[Request, Response]
    ) -> UnaryOfBytes[Request, Response]:
        services = self._services

        async def call(data: bytes, context: Context[Request, Response]) -> Response:
            with services.tracing.call(method, partial(read_trace, context)) as span:
                async with Call(services, method, context, span):
                    with time_limit(_seconds(context.time_remaining())):
                        return await behavior(read(data), context)

        return call

    def _guard_streaming(
        self, method: str, read: Read[Request], behavior: Streaming[Request, Response]
    ) -> WriterOfBytes[Request, Response]:
        services = self._services

        # A coroutine that writes instead of a generator: it runs in one task, and closes what it iterates. A stream
        # outlives any time limit; each read on its behalf has the default one.
        async def call(data: bytes, context: Context[Request, Response]) -> None:
            with services.tracing.call(method, partial(read_trace, context)) as span:
                async with (
                    Call(services, method, context, span),
                    aclosing(behavior(read(data), context)) as responses,
                ):
                    async for response in responses:
                        await context.write(response)

        return call


def _reader(handler: Handler[Request, Response]) -> Read[Request]:
    parse = cast("Read[Request]", handler.request_deserializer)

    def read(data: bytes) -> Request:
        try:
            return parse(data)
        except DecodeError as error:
            raise MalformedRequestError from error

    return read


def _seconds(remaining: float | None) -> float:
    return DEFAULT_SECONDS if remaining is None else min(remaining, MAX_SECONDS)

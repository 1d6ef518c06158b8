"""A collector of spans, as OpenTelemetry's protocol (OTLP over gRPC) has it."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Received:
    """A span, and the service that sent it."""

    service: str
    span: Span

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def parent_id(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def span_id(self) -> str:
        return self.span.span_id.hex()

    @property
    def links(self) -> Sequence[tuple[str, str]]:
        return [(link.trace_id.hex(), link.span_id.hex()) for link in self.span.links]

    @property
    def attributes(self) -> dict[str, str | int]:
        return _values(self.span.attributes)


class Collector(TraceServiceServicer):
    """Keeps all that it is sent."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.endpoint = ""

    def Export(  # noqa: N802 - as on the wire
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        for resource in request.resource_spans:
            service = str(_values(resource.resource.attributes)["service.name"])
            self.received += [Received(service, span) for scope in resource.scope_spans for span in scope.spans]
        return ExportTraceServiceResponse()

    def wait_for(self, name: str, matches: Callable[[Received], bool] = lambda _: True) -> Received:
        """Wait for a span of that name."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for one in tuple(self.received):
                if one.span.name == name and matches(one):
                    return one
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"no such span as {name}, only {[one.span.name for one in self.received]}")


def _values(attributes: Sequence[KeyValue]) -> dict[str, str | int]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in attributes}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """Serve on a free port of this machine."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call] # generated
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(grace=None).wait()

"""Spans on their way to a collector, by OTLP over gRPC, as the standard OTEL_* variables say."""

from collections.abc import Callable

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from scheduler.adapters.opentelemetry.sampling import FollowsSubmitter
from scheduler.adapters.opentelemetry.spans import OpenTelemetryTracing


def export_spans(*, service: str, version: str, redact: Callable[[str], str]) -> OpenTelemetryTracing:
    """Begin to export, and let handlers' own spans go the same way.

    Spans are sent by a thread, in batches; what a slow or absent collector does not take is dropped. OTEL_SERVICE_NAME
    replaces `service`.
    """
    provider = TracerProvider(resource=_resource(service, version), shutdown_on_exit=False)
    provider.sampler = FollowsSubmitter(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return OpenTelemetryTracing(provider, redact=redact)


def _resource(service: str, version: str) -> Resource:
    ours = Resource({"service.name": service, "service.version": version})
    return Resource.create(dict(ours.merge(OTELResourceDetector().detect()).attributes))

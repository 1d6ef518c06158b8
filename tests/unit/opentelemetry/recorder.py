"""Tracing whose spans end in a list."""

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, StaticSampler

from scheduler.adapters.logging.redaction import Redaction
from scheduler.adapters.opentelemetry.sampling import FollowsSubmitter
from scheduler.adapters.opentelemetry.spans import OpenTelemetryTracing

ALWAYS = ParentBased(StaticSampler(Decision.RECORD_AND_SAMPLE))


class Recorder(OpenTelemetryTracing):
    """Records at once, by the default sampler unless another is given."""

    def __init__(self, sampler: Sampler = ALWAYS) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(FollowsSubmitter(sampler), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        super().__init__(provider, redact=Redaction().text)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Return those that have ended, in that order."""
        return self._exporter.get_finished_spans()

    def names(self) -> Sequence[str]:
        return [span.name for span in self.spans]

    def only(self) -> ReadableSpan:
        (span,) = self.spans
        return span

"""Whether a trace is recorded."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanKind,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import Attributes


class FollowsSubmitter(Sampler):
    """Lets a trace that begins with a link be judged as a part of the linked one.

    So the parent-based samplers record the attempts of those jobs whose submits are recorded.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Ask the sampler, with the first link for a parent where there is none."""
        if links and not get_current_span(parent_context).get_span_context().is_valid:
            parent_context = set_span_in_context(NonRecordingSpan(links[0].context), Context())
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Return the sampler's own."""
        return self._sampler.get_description()

"""Keeps what a call must not give away out of the texts that people see."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from scheduler.adapters.handlers.http_call.reading import Reading

HIDDEN = "***"
PUBLIC_HEADERS = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-encoding",
        "content-language",
        "content-type",
        "if-modified-since",
        "if-unmodified-since",
        "prefer",
        "range",
        "user-agent",
    }
)
"""The only payload headers whose values are no secrets, and that follow a redirect to another origin."""
_SHORTEST_SECRET = 4
"""Shorter words give nothing away, and hiding them would make any text unreadable."""


class Secrets:
    """The values that one call carries in headers and query."""

    def __init__(self, headers: Mapping[str, str], query: str) -> None:
        values = [value for name, value in headers.items() if name not in PUBLIC_HEADERS]
        words = {word for value in values for word in (value, *value.split())}
        words |= {query, *(value for _, value in parse_qsl(query))}
        readings = {reading.text for word in words for reading in _readings(word, escapes=1)}
        self._words = [word for word in readings if len(word) >= _SHORTEST_SECRET]

    def hide(self, text: str) -> str:
        """Replace each secret in a text: a server may answer with what it was sent.

        So is the beginning of one inside of which the text ends, and what is escaped, even twice: JSON inside JSON.
        """
        spans = sorted(span for reading in _readings(text, escapes=2) for span in reading.spans(self._words))
        shown, at = "", 0
        for begin, end in spans:
            if begin >= at:
                shown += text[at:begin] + HIDDEN
            at = max(at, end)
        return shown + text[at:]


def _readings(text: str, *, escapes: int) -> Iterator[Reading]:
    """Read a text as it stands, and without its escapes: once, twice, as often as asked."""
    reading = Reading.of(text)
    yield reading
    for _ in range(escapes):
        reading = reading.decoded()
        yield reading

"""Keeps what a call must not give away out of the texts that people see."""

import json
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote, unquote_plus

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
        spellings = {spelling for word in words if len(word) >= _SHORTEST_SECRET for spelling in _spellings(word)}
        # The longest first: a value is hidden whole before a word of it would be.
        self._spellings = sorted(spellings, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Replace each secret in a text: a server may answer with what it was sent."""
        for spelling in self._spellings:
            text = text.replace(spelling, HIDDEN)
        return text


def _spellings(word: str) -> Iterable[str]:
    return {word, json.dumps(word)[1:-1], quote(word, safe=""), quote(word), unquote_plus(word)}

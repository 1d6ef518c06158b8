"""One place that makes any text fit for storage and display."""

import re

MAX_TEXT_BYTES = 4096
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNFIT = re.compile("[\0\ud800-\udfff]")


def printable(text: str) -> str:
    """Return one line that moves no cursor, sets no colour and turns no text around: such characters become escapes."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def clean_text(text: str, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Replace NUL and lone surrogates by U+FFFD and cut the text to `max_bytes` of UTF-8."""
    encoded = _UNFIT.sub(_REPLACEMENT, text).encode()
    return encoded[:max_bytes].decode(errors="ignore")


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")

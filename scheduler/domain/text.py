"""One place that makes any text fit for storage and display."""

MAX_TEXT_BYTES = 4096
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean_text(text: str, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Replace NUL and lone surrogates by U+FFFD and cut the text to `max_bytes` of UTF-8."""
    replaced = text.replace("\0", _REPLACEMENT)
    encoded = replaced.encode("utf-8", errors="surrogatepass").decode("utf-8", errors="replace").encode()
    return encoded[:max_bytes].decode("utf-8", errors="ignore")

"""How far an attempt says that it is."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Self, SupportsFloat

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.text import clean_text

MAX_PROGRESS_MESSAGE_BYTES = 256
_DIGITS = 6
"""Of a percent: what lies beyond is a rounding error, which must not make 100 too much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A note of an attempt about itself; of two notes of one attempt the later one counts, whatever its percent."""

    percent: float
    """From 0 to 100."""
    message: str = ""
    at: datetime
    """When it was said; grows strictly from note to note of an attempt."""

    def __post_init__(self) -> None:
        """Refuse what no attempt can have said, whether new or loaded."""
        if not (math.isfinite(self.percent) and 0 <= self.percent <= 100):  # noqa: PLR2004 - in percent
            raise InvalidFieldError("percent", "must be a number between 0 and 100")
        if clean_text(self.message, MAX_PROGRESS_MESSAGE_BYTES) != self.message:
            raise InvalidFieldError("message", f"must be clean text of at most {MAX_PROGRESS_MESSAGE_BYTES} bytes")
        if self.at.tzinfo is None:
            raise InvalidFieldError("at", "must carry a time zone")

    @classmethod
    def said(cls, percent: object, message: object = "", *, at: datetime) -> Self:
        """Make a note of what a handler said: the message is made fit and cut; a percent that is none is refused."""
        if isinstance(percent, bool) or not isinstance(percent, SupportsFloat):
            raise InvalidFieldError("percent", "must be a number between 0 and 100")
        text = clean_text(str(message), MAX_PROGRESS_MESSAGE_BYTES)
        return cls(percent=_rounded(percent), message=text, at=at)


def _rounded(percent: SupportsFloat) -> float:
    try:
        return round(float(percent), _DIGITS) + 0.0  # no negative zero
    except OverflowError:
        return math.inf

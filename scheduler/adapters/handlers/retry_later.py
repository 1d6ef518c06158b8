"""The error by which a handler asks for its next attempt."""

from datetime import timedelta

from scheduler.application.ports.handlers import RetryLaterError


class RetryLater(RetryLaterError):  # noqa: N818 - it is read as what the handler asks for
    """Raised by a handler: the attempt failed, and the next one should wait for `delay`, within max_backoff."""

    def __init__(self, message: str, *, delay: timedelta | float) -> None:
        """Take the delay as a timedelta, or in seconds."""
        super().__init__(message, delay if isinstance(delay, timedelta) else timedelta(seconds=delay))

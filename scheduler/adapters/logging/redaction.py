"""Keeps secrets out of the logs, whoever writes them."""

import re

from structlog.typing import EventDict, WrappedLogger

HIDDEN = "***"
_SECRET_FIELDS = ("password", "token", "secret", "authorization", "payload")
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)")
_PASSWORD = re.compile(r"(?i)(password\s*[=:]\s*)('[^']*'|[^\s,;]+)")


def redact(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    """Hide fields that are named like a secret, and passwords inside texts."""
    for name, value in event_dict.items():
        if name.lower().endswith(_SECRET_FIELDS):
            event_dict[name] = HIDDEN
        elif isinstance(value, str):
            event_dict[name] = redact_text(value)
    return event_dict


def redact_text(text: str) -> str:
    """Hide the credentials of addresses, and the passwords of connection strings."""
    if "://" in text:
        text = _CREDENTIALS.sub(HIDDEN, text)
    return _PASSWORD.sub(rf"\1{HIDDEN}", text) if "password" in text.lower() else text

"""Keeps secrets out of the logs, whoever writes them. Takes time in proportion to what is logged."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from structlog.typing import EventDict, WrappedLogger

HIDDEN: Final = "***"
LEFT_OUT: Final = "…"
MAX_TEXT: Final = 64 * 1024
"""Characters of one text; what follows is left out."""
MAX_DEPTH: Final = 8
MAX_VALUES: Final = 1000
"""Of one line, those inside of others included."""
SHORTEST_SECRET: Final = 6
"""Of the settings: to replace shorter ones wherever they appear would make the logs unreadable."""
_OWN_FIELDS: Final = frozenset({"level", "logger", "timestamp"})
_NAMES: Final = (
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "private_key",
    "authorization",
    "cookie",
    "credential",
)
"""A field is hidden whose name contains one of them, or `payload`; in texts, what is assigned to one."""
_QUOTED: Final = r"""(?:"(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?|\\++["'][^"']*+)"""
_VALUE: Final = rf"""(?:{_QUOTED}|[^\s,;&"']++)"""
_ASSIGNED: Final = re.compile(
    rf"""
    ((?:{"|".join(name.replace("_", "[_-]?") for name in _NAMES if name != "cookie")})
     [\w-]{{0,32}}+\\{{0,4}}+["']?\s{{0,8}}+(?:=>|[=:])\s{{0,8}}+)
    (?:(?:bearer|basic|digest|token|apikey|negotiate)\s++)?{_VALUE}
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_COOKIES: Final = re.compile(
    rf"""(?i)(cookie\\{{0,4}}+["']?\s{{0,8}}+[=:]\s{{0,8}}+)(?:{_QUOTED}|[^\r\n"']++)""", re.DOTALL
)
"""Hidden to the end of the line: one header holds several."""
_BEARER: Final = re.compile(
    r"\b([Bb]earer|BEARER)\s{1,8}+(?!(?:auth|token|realm|error|scheme|header|credential)\w*+)[\w.~+/=-]++"
)
_BASIC: Final = re.compile(r"\b([Bb]asic|BASIC)\s{1,8}+(?=[A-Za-z+/]*+[0-9=])[A-Za-z0-9+/=]{4,}+")
_ADDRESS: Final = re.compile(r"""://([^\s"'<>]++)""")
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,32}PRIVATE KEY-----|\Z)", re.DOTALL
)


class Redaction:
    """Hides fields that are named like a secret, what looks like one in texts, and the secrets that it knows."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        """Know some secrets, which are hidden wherever they appear."""
        self._secrets = sorted((each for each in secrets if len(each) >= SHORTEST_SECRET), key=len, reverse=True)

    def __call__(self, _: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
        """Redact a line, and nothing that its writer still holds."""
        walk = _Walk(self)
        return {
            name: value if name in _OWN_FIELDS else walk.field(name, value, depth=0)
            for name, value in event_dict.items()
        }

    def text(self, text: str) -> str:
        """Hide what looks like a secret in a text."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        if len(text) > MAX_TEXT:
            text = text[:MAX_TEXT] + LEFT_OUT
        if "://" in text and "@" in text:
            text = _ADDRESS.sub(_without_login, text)
        folded = text.lower()
        if "private key-----" in folded:
            text = _PRIVATE_KEY.sub(HIDDEN, text)
        if "cookie" in folded:
            text = _COOKIES.sub(rf"\1{HIDDEN}", text)
        if "bearer" in folded:
            text = _BEARER.sub(rf"\1 {HIDDEN}", text)
        if "basic" in folded:
            text = _BASIC.sub(rf"\1 {HIDDEN}", text)
        return _ASSIGNED.sub(rf"\1{HIDDEN}", text) if _is_secret(folded) else text


class _Walk:
    """One pass over the values of a line, to a limit."""

    def __init__(self, redaction: Redaction) -> None:
        self._text = redaction.text
        self._left = MAX_VALUES

    def field(self, name: object, value: object, *, depth: int) -> object:
        if isinstance(name, str) and ("payload" in name.lower() or _is_secret(name.lower())):
            return HIDDEN
        return self.value(value, depth=depth)

    def value(self, value: object, *, depth: int) -> object:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            return LEFT_OUT
        match value:
            case int() | float() | None:  # a bool is an int
                return value
            case Mapping():
                return self._mapping(value, depth + 1)
            case list() | tuple() | set() | frozenset():
                return self._items(value, depth + 1)
            case bytes() | bytearray():
                return self._text(value.decode(errors="replace"))
            case _:
                return self._text(str(value))

    def _mapping(self, value: Mapping[object, object], depth: int) -> object:
        redacted: dict[str, object] = {}
        for name, item in value.items():
            if self._left <= 0:
                redacted[LEFT_OUT] = LEFT_OUT
                break
            redacted[self._text(str(name))] = self.field(name, item, depth=depth)
        return redacted

    def _items(self, value: Collection[object], depth: int) -> object:
        redacted: list[object] = []
        for item in value:
            if self._left <= 0:
                return [*redacted, LEFT_OUT]
            redacted.append(self.value(item, depth=depth))
        return redacted


def _is_secret(folded: str) -> bool:
    named = folded.replace("-", "_")
    return any(name in named for name in _NAMES)


def _without_login(match: re.Match[str]) -> str:
    """Hide all up to the last @, which a password may hold, and a slash: but not of a path behind host or port."""
    login, at, host = match.group(1).rpartition("@")
    if not at:
        return match.group()
    authority, slash, _ = login.partition("/")
    name, colon, port = authority.rpartition(":")
    if slash and "@" not in authority and (not colon or port.isdecimal() or name.startswith("[")):
        return match.group()
    return f"://{HIDDEN}@{host}"

"""Where a call goes: a URL, read so strictly that no two programs can read it differently."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Self
from urllib.parse import urljoin

from scheduler.domain.errors import SchedulerError

MAX_URL_LENGTH = 8192
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?"
)
_AUTHORITY = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_NAME = 253
_NUMBER = re.compile(r"(?i)[0-9]+|0x[0-9a-f]*")


class InvalidUrlError(SchedulerError):
    """The text is no URL that may be called. The message does not show the text: it may hold secrets."""


@dataclass(frozen=True, slots=True)
class Target:
    """An http or https resource; `host` is a lower-case ASCII name or an address without brackets."""

    scheme: str
    host: str
    port: int
    resource: str
    """Path and query as they are sent."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL; raises InvalidUrlError."""
        if len(text) > MAX_URL_LENGTH:
            raise InvalidUrlError(f"must be at most {MAX_URL_LENGTH} characters")
        if not all("!" <= character <= "~" for character in text) or "\\" in text:
            raise InvalidUrlError("must be printable ASCII without spaces and backslashes: encode hosts as punycode")
        match = _URL.fullmatch(text)
        if match is None or (scheme := match["scheme"].lower()) not in _DEFAULT_PORTS:
            raise InvalidUrlError("must begin with http:// or https://")
        host, port = _authority(match["authority"])
        path = match["path"] or "/"
        return cls(scheme, host, port or _DEFAULT_PORTS[scheme], path + (match["query"] or ""))

    @property
    def origin(self) -> tuple[str, str, int]:
        """Return scheme, host and port: what must be equal for secrets to be sent again."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Return the Host header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def query(self) -> str:
        """Return what follows the question mark."""
        return self.resource.partition("?")[2]

    def __str__(self) -> str:
        """Return the origin alone: path and query may hold secrets."""
        return f"{self.scheme}://{self.authority}"

    def join(self, reference: str) -> Self:
        """Resolve a Location header against this URL; raises InvalidUrlError."""
        try:
            return self.parse(urljoin(f"{self}{self.resource}", reference))
        except ValueError as error:
            raise InvalidUrlError("must be a URL") from error


def _authority(text: str) -> tuple[str, int | None]:
    if "@" in text:
        raise InvalidUrlError("must not hold credentials: send them in a header")
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise InvalidUrlError("must name a host, with or without a port")
    port = match["port"]
    if port is not None and not 1 <= int(port) <= _MAX_PORT:
        raise InvalidUrlError(f"must have a port between 1 and {_MAX_PORT}")
    return _host(match["host"].lower()), int(port) if port is not None else None


def _host(text: str) -> str:
    if not text:
        raise InvalidUrlError("must name a host")
    if text.startswith("["):
        return _ipv6(text[1:-1])
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1] or labels[-2]):
        return _ipv4(text)
    if len(text) > _MAX_NAME or not _NAME.fullmatch(text):
        raise InvalidUrlError("must have a host of letters, digits and hyphens, in parts divided by single dots")
    return text


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError as error:
        raise InvalidUrlError("must write an IPv4 address as four decimal numbers") from error


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError as error:
        raise InvalidUrlError("must have an IPv6 address between the brackets") from error
    if address.scope_id is not None:
        raise InvalidUrlError("must not have an IPv6 zone")
    return str(address)

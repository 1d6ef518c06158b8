"""One request and its response."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Self

from scheduler.adapters.handlers.http_call.secrets import PUBLIC_HEADERS
from scheduler.adapters.handlers.http_call.target import Target

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SEND_A_LENGTH = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent; header names are in lower case."""

    method: str
    target: Target
    headers: Mapping[str, str]
    """The payload's, and the defaults for those that it does not name."""
    identity: Mapping[str, str]
    """Sent to every hop."""
    content: bytes | None = None

    @property
    def wire_headers(self) -> list[tuple[bytes, bytes]]:
        """Return all headers, the framing ones included."""
        framing = {"host": self.target.authority}
        if self.content is not None or self.method in _SEND_A_LENGTH:
            framing["content-length"] = str(len(self.content or b""))
        merged = {**framing, **self.headers, **self.identity}
        return [(name.encode("ascii"), value.encode("ascii")) for name, value in merged.items()]

    def redirected(self, status: int, target: Target) -> Self:
        """Return the next hop as RFC 9110 wants it; only harmless headers follow to another origin."""
        headers = self.headers
        if target.origin != self.target.origin:
            headers = {name: value for name, value in headers.items() if name in PUBLIC_HEADERS}
        following = replace(self, target=target, headers=headers)
        becomes_get = status == HTTPStatus.SEE_OTHER and self.method != "HEAD"
        if status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND}:
            becomes_get = self.method == "POST"
        return following.without_content() if becomes_get else following

    def without_content(self) -> Self:
        """Return a GET of the same target."""
        headers = {name: value for name, value in self.headers.items() if not name.startswith("content-")}
        return replace(self, method="GET", headers=headers, content=None)

    def __str__(self) -> str:
        """Return what errors may show."""
        return f"{self.method} {self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, as far as it was read."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; of several the first."""
    body: bytes = b""
    broken: bool = False
    """The connection failed before the body had ended."""
    whole: bool = True
    """The body is all that was sent, decoded."""

    @property
    def location(self) -> str | None:
        """Return where a redirect leads, None when this is none."""
        return self.headers.get("location") if self.status in _REDIRECTS else None

    @property
    def status_line(self) -> str:
        """Return the status with the phrase that the standard gives it."""
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)

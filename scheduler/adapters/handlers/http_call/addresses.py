"""Which network addresses a call may reach: public ones, and those that the operator allows."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

# IANA's special-purpose registries, written out: what `ipaddress` knows of them differs between Python releases.
_SPECIAL_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared (carrier-grade NAT)"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
# The first match names the kind; the last line is everything that is not 2000::/3, the only global unicast space.
_SPECIAL_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("::/3", "reserved"),
        ("4000::/2", "reserved"),
        ("8000::/1", "reserved"),
    )
)
_EMBEDDED_LAST = tuple(map(IPv6Network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48")))
_TEREDO = IPv6Network("2001::/32")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_V4_MASK = 0xFFFF_FFFF


class AddressPolicy:
    """Refuses every address that is not public, and every form that carries another address, unless it is allowed.

    An allowed IPv6 network does not let in what its addresses carry: 64:ff9b::7f00:1 also needs 127.0.0.1 allowed.
    """

    def __init__(self, allowed: Sequence[IpNetwork] = ()) -> None:
        self._allowed = allowed

    def refusal(self, address: IpAddress) -> str | None:
        """Return what kind of address is refused, None when the address may be dialled."""
        for candidate in (address, *_embedded(address)):
            kind = _kind(candidate)
            if kind is not None and not any(candidate in network for network in self._allowed):
                return kind
        return None


def _kind(address: IpAddress) -> str | None:
    table = _SPECIAL_V4 if isinstance(address, IPv4Address) else _SPECIAL_V6
    return next((kind for network, kind in table if address in network), None)


def _embedded(address: IpAddress) -> Iterator[IPv4Address]:
    """Return the IPv4 addresses to which a gateway may take packets for this IPv6 address."""
    if isinstance(address, IPv4Address):
        return
    value = int(address)
    if any(address in network for network in _EMBEDDED_LAST):
        yield IPv4Address(value & _V4_MASK)
    elif address in _SIX_TO_FOUR:
        yield IPv4Address(value >> 80 & _V4_MASK)
    elif address in _TEREDO:
        yield IPv4Address(value >> 64 & _V4_MASK)
        yield IPv4Address(~value & _V4_MASK)

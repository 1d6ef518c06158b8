"""Which network addresses a call may reach: public ones, and those that the operator allows."""

from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network
DENIED = "denied"
"""The kind of addresses that the operator forbids."""

# IANA's special-purpose registries, written out: what `ipaddress` knows of them differs between Python releases. And
# the one public address at which a cloud serves its machines' secrets. The network policy has the same list.
SPECIAL_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared (carrier-grade NAT)"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud platform (Azure)"),
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
SPECIAL_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
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
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""The upper half of an interface identifier whose lower half is an IPv4 address (RFC 5214), in any network."""
_V4_MASK = 0xFFFF_FFFF
_LONGEST_PREFIX = 96


class AddressPolicy:
    """Refuses every address that is not public, and every form that carries another address, unless it is allowed.

    An allowed IPv6 network does not let in what its addresses carry: 64:ff9b::7f00:1 also needs 127.0.0.1 allowed. What
    is denied is refused even where it is allowed. `nat64` are the networks behind which an operator's gateways reach
    IPv4. No `ports` are all.
    """

    def __init__(
        self,
        allowed: Sequence[IpNetwork] = (),
        *,
        denied: Sequence[IpNetwork] = (),
        nat64: Sequence[IPv6Network] = (),
        ports: Collection[int] = (),
    ) -> None:
        self._allowed = allowed
        self._denied = denied
        self._nat64 = nat64
        self._ports = ports

    def refusal(self, address: IpAddress) -> str | None:
        """Return what kind of address is refused, None when the address may be dialled."""
        for candidate in (address, *_embedded(address), *self._translated(address)):
            if any(candidate in network for network in self._denied):
                return DENIED
            kind = _kind(candidate)
            if kind is not None and not any(candidate in network for network in self._allowed):
                return kind
        return None

    def refuses_port(self, port: int) -> bool:
        """Return whether no address may be dialled at this port."""
        return bool(self._ports) and port not in self._ports

    def _translated(self, address: IpAddress) -> Iterator[IPv4Address]:
        for prefix in self._nat64:
            if address in prefix:
                yield _behind(prefix, address)


def _kind(address: IpAddress) -> str | None:
    table = SPECIAL_V4 if isinstance(address, IPv4Address) else SPECIAL_V6
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
    if value >> 32 & _V4_MASK in _ISATAP:
        yield IPv4Address(value & _V4_MASK)


def _behind(prefix: IPv6Network, address: IpAddress) -> IPv4Address:
    """Return the IPv4 address behind the prefix: the bits 64 to 71 are no part of it (RFC 6052, 2.2)."""
    octets, start = address.packed, prefix.prefixlen // 8
    if prefix.prefixlen < _LONGEST_PREFIX:
        octets = octets[:8] + octets[9:]
    return IPv4Address(octets[start : start + 4])

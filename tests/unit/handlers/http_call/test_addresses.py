from ipaddress import ip_address

import pytest

from scheduler.adapters.handlers.http_call.addresses import AddressPolicy
from tests.support.http_calls import networks

REFUSED = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "100.64.0.1": "shared (carrier-grade NAT)",
    "100.127.255.255": "shared (carrier-grade NAT)",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "reserved",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.0.1": "private",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "IPv4-compatible",
    "::ffff:8.8.8.8": "IPv4-mapped",
    "64:ff9b::808:808": "NAT64",
    "64:ff9b:1::808:808": "NAT64",
    "100::1": "reserved",
    "2001::1": "Teredo",
    "2001:2::1": "reserved",
    "2001:db8::1": "documentation",
    "2002:808:808::1": "6to4",
    "3fff::1": "documentation",
    "5f00::1": "reserved",
    "fc00::1": "private",
    "fd00:ec2::254": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "1fff:ffff::1": "reserved",
    "4000::1": "reserved",
    "a000::1": "reserved",
}
PUBLIC = ("1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "223.255.255.255", "2606:4700::1111")


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_what_is_not_public_is_refused_by_its_kind(address: str, kind: str) -> None:
    assert AddressPolicy().refusal(ip_address(address)) == kind


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_dialled(address: str) -> None:
    assert AddressPolicy().refusal(ip_address(address)) is None


def test_an_allowed_network_lets_its_own_addresses_in_and_no_others() -> None:
    policy = AddressPolicy(networks("127.0.0.0/8", "fd12::/16"))

    assert policy.refusal(ip_address("127.1.2.3")) is None
    assert policy.refusal(ip_address("fd12::7")) is None
    assert policy.refusal(ip_address("10.0.0.1")) == "private"
    assert policy.refusal(ip_address("fd13::7")) == "private"
    assert policy.refusal(ip_address("::ffff:127.0.0.1")) == "IPv4-mapped"


@pytest.mark.parametrize(
    ("network", "carrier", "kind"),
    [
        ("64:ff9b::/96", "64:ff9b::7f00:1", "loopback"),
        ("64:ff9b:1::/48", "64:ff9b:1::a00:1", "private"),
        ("::ffff:0:0/96", "::ffff:169.254.169.254", "link-local"),
        ("::/96", "::10.0.0.1", "private"),
        ("2002::/16", "2002:a9fe:a9fe::1", "link-local"),
        ("2001::/32", "2001:0:808:808:0:0:80ff:fffe", "loopback"),
        ("2001::/32", "2001:0:7f00:1:0:0:f7f7:f7f7", "loopback"),
    ],
)
def test_an_allowed_form_does_not_let_in_what_it_carries(network: str, carrier: str, kind: str) -> None:
    assert AddressPolicy(networks(network)).refusal(ip_address(carrier)) == kind


def test_an_allowed_form_that_carries_a_public_address_may_be_dialled() -> None:
    assert AddressPolicy(networks("64:ff9b::/96")).refusal(ip_address("64:ff9b::808:808")) is None

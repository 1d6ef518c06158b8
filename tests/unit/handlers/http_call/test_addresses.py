from ipaddress import IPv6Network, ip_address

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
# Where clouds serve their machines' names and secrets.
METADATA = {
    "AWS, Azure, DigitalOcean, GCP, Oracle, OpenStack": "169.254.169.254",
    "AWS, names and time": "169.254.169.253",
    "AWS, IPv6": "fd00:ec2::254",
    "AWS ECS, credentials": "169.254.170.2",
    "AWS EKS, credentials": "169.254.170.23",
    "AWS EKS, credentials, IPv6": "fd00:ec2::23",
    "Azure, WireServer": "168.63.129.16",
    "GCP, IPv6": "fd20:ce::254",
    "Alibaba": "100.100.100.200",
    "Oracle Classic": "192.0.0.192",
    "OpenStack, IPv6": "fe80::a9fe:a9fe",
    "Scaleway": "169.254.42.42",
    "Scaleway, IPv6": "fd00:42::42",
    "Tencent": "169.254.0.23",
}
PUBLIC = ("1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "223.255.255.255", "2606:4700::1111")


@pytest.mark.parametrize(("address", "kind"), REFUSED.items())
def test_what_is_not_public_is_refused_by_its_kind(address: str, kind: str) -> None:
    assert AddressPolicy().refusal(ip_address(address)) == kind


@pytest.mark.parametrize("address", METADATA.values(), ids=METADATA)
def test_the_metadata_of_clouds_is_refused_in_every_form(address: str) -> None:
    forms = ["{}"]
    if ":" not in address:
        forms += ["64:ff9b::{}", "::ffff:{}", "2606:4700::5efe:{}", "2606:4700::200:5efe:{}"]
    policy = AddressPolicy(networks("64:ff9b::/96", "::ffff:0:0/96"))

    assert [form for form in forms if policy.refusal(ip_address(form.format(address))) is None] == []


# The examples of RFC 6052, 2.4, and 192.0.2.33 in them.
@pytest.mark.parametrize(
    ("prefix", "address"),
    [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::c000:221"),
    ],
)
def test_what_is_behind_a_gateway_of_the_operator_is_checked(prefix: str, address: str) -> None:
    gateway, allowed = IPv6Network(prefix), networks(prefix)

    assert AddressPolicy(allowed).refusal(ip_address(address)) is None
    assert AddressPolicy(allowed, nat64=[gateway]).refusal(ip_address(address)) == "documentation"
    assert AddressPolicy([*allowed, *networks("192.0.2.33")], nat64=[gateway]).refusal(ip_address(address)) is None


def test_what_is_denied_is_refused_even_where_it_is_allowed_and_whatever_carries_it() -> None:
    policy = AddressPolicy(networks("0.0.0.0/0", "::/0"), denied=networks("1.1.1.0/24", "10.0.0.1"))

    assert policy.refusal(ip_address("1.1.1.1")) == "denied"
    assert policy.refusal(ip_address("64:ff9b::a00:1")) == "denied"
    assert policy.refusal(ip_address("1.1.2.1")) is None


def test_ports_are_refused_only_where_some_are_named() -> None:
    assert not AddressPolicy().refuses_port(25)
    assert AddressPolicy(ports={80, 443}).refuses_port(25)
    assert not AddressPolicy(ports={80, 443}).refuses_port(443)


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

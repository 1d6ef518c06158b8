"""Calls over TLS: certificates are checked against the name, and HTTP/2 is spoken where it is offered."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest
from trustme import CA

from scheduler.adapters.handlers.http_call import AddressPolicy, HttpClient
from scheduler.adapters.handlers.http_call.addresses import IpAddress
from scheduler.adapters.handlers.http_call.errors import CallFailedError
from scheduler.application.ports.handlers import PermanentError
from tests.support.http2_target import serving_http2
from tests.support.http_calls import JOB_ID, call, networks
from tests.support.http_target import answering, response, server_tls, serving

NAME = "shop.example"


@pytest.fixture(scope="module")
def authority() -> CA:
    return CA()


@pytest.fixture
def ca_file(authority: CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def to_loopback(_host: str, _port: int) -> Sequence[IpAddress]:
    return [ip_address("127.0.0.1")]


def a_client(ca_file: str | None) -> HttpClient:
    return HttpClient(policy=AddressPolicy(networks("127.0.0.1/32")), ca_file=ca_file, resolve=to_loopback)


def test_a_certificate_of_a_trusted_authority_for_the_name_is_good(authority: CA, ca_file: str) -> None:
    async def scenario() -> None:
        async with serving(answering(response(body=b"safe")), tls=server_tls(authority, NAME)) as target:
            client = a_client(ca_file)
            assert (await call(client, target.url(host=NAME, scheme="https")))["body"] == "safe"
            await client.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("certified", "trusted"),
    [
        pytest.param(NAME, False, id="of an authority that nobody trusts"),
        pytest.param("other.example", True, id="for another name"),
        pytest.param("127.0.0.1", True, id="for the address instead of the name"),
    ],
)
def test_any_other_certificate_is_refused_before_the_request_is_sent(
    authority: CA,
    ca_file: str,
    certified: str,
    trusted: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    async def scenario() -> None:
        async with serving(answering(response()), tls=server_tls(authority, certified)) as target:
            client = a_client(ca_file if trusted else None)
            with pytest.raises(CallFailedError, match=r"no connection: .*certificate verify failed"):
                await call(client, target.url(host=NAME, scheme="https"))
            await client.aclose()
            assert target.received == []

    asyncio.run(scenario())


def test_a_redirect_that_leaves_tls_is_refused(authority: CA, ca_file: str) -> None:
    async def scenario() -> None:
        async with serving(answering(response())) as plain:
            answer = answering(response(302, location=plain.url()))
            async with serving(answer, tls=server_tls(authority, NAME)) as target:
                client = a_client(ca_file)
                with pytest.raises(PermanentError, match="must not leave https"):
                    await call(client, target.url(host=NAME, scheme="https"), follow_redirects=1)
                await client.aclose()
            assert plain.connections == 0

    asyncio.run(scenario())


def test_http2_is_spoken_where_it_is_offered(authority: CA, ca_file: str) -> None:
    async def scenario() -> None:
        async with serving_http2(b"over HTTP/2", server_tls(authority, NAME, alpn="h2")) as target:
            client = a_client(ca_file)
            for _ in range(2):
                result = await call(client, f"https://{NAME}:{target.port}/orders")
                assert result == {"status": 200, "body": "over HTTP/2", "truncated": False}
            await client.aclose()
        assert [request[":path"] for request in target.requests] == ["/orders", "/orders"]
        assert {request["idempotency-key"] for request in target.requests} == {str(JOB_ID)}
        assert target.requests[0][":authority"] == f"{NAME}:{target.port}"
        assert "traceparent" in target.requests[0]

    asyncio.run(scenario())

"""TLS at nginx, with the lines that docs/deployment.md gives."""

import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import trustme

from scheduler.adapters.grpc.servicer import SERVICE
from scheduler.entrypoints.stack import Stack
from tests.acceptance.operations import await_ready
from tests.acceptance.processes import keep_running
from tests.deploy.balancer import HOST, PLAIN, balancing
from tests.deploy.tools import ROOT

CALL_SECONDS = 10


def documented_lines(folder: Path) -> str:
    (lines,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "deployment.md").read_text(), re.DOTALL)
    assert isinstance(lines, str)
    return lines.replace("/etc/nginx/tls/", f"{folder}/")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def address(stack: Stack, authority: trustme.CA, tmp_path: Path) -> Iterator[str]:
    server = authority.issue_cert(HOST)
    server.private_key_pem.write_to_path(tmp_path / "server.key")
    for part in server.cert_chain_pems:
        part.write_to_path(tmp_path / "server.crt", append=True)
    authority.cert_pem.write_to_path(tmp_path / "clients-ca.crt")
    keep_running(stack.api)
    await_ready(stack.ports.api_metrics)
    with balancing(tmp_path, [stack.ports.grpc], listen=documented_lines(tmp_path)) as address:
        yield address


def call(address: str, authority: trustme.CA, client: trustme.LeafCert | None = None) -> None:
    credentials = grpc.ssl_channel_credentials(
        root_certificates=authority.cert_pem.bytes(),
        private_key=client.private_key_pem.bytes() if client else None,
        certificate_chain=client.cert_chain_pems[0].bytes() if client else None,
    )
    with grpc.secure_channel(address, credentials) as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/GetQueueStats")
        assert ask(b"", timeout=CALL_SECONDS)


@pytest.mark.servers
def test_clients_of_the_authority_are_served_and_no_others(address: str, authority: trustme.CA) -> None:
    call(address, authority, authority.issue_cert("client@example.org"))

    with pytest.raises(grpc.RpcError):
        call(address, authority)
    with pytest.raises(grpc.RpcError):
        call(address, authority, trustme.CA().issue_cert("client@example.org"))


def test_the_documented_lines_replace_what_is_there() -> None:
    assert PLAIN in (ROOT / "deploy" / "compose" / "nginx" / "nginx.conf").read_text()
    assert f"instead of `{PLAIN}`" in (ROOT / "docs" / "deployment.md").read_text()

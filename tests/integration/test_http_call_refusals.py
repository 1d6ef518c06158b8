"""Server-side request forgery: what must not be called is not, as the interpreter's own audit of sockets shows."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, SOCK_STREAM, socket

import pytest

from scheduler.adapters.handlers.http_call import AddressPolicy, HttpClient
from scheduler.adapters.handlers.http_call.addresses import IpAddress
from scheduler.application.ports.handlers import PermanentError
from tests.support.http_calls import call, networks
from tests.support.http_target import answering, response, serving

# {port} is one on which 127.0.0.1 and ::1 listen.
HOSTILE = (
    # loopback, in all spellings
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.255.255.254:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0X7F.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.01:{port}/",
    "http://127.000.000.001:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::1%25lo]:{port}/",
    "http://[::1%lo]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://[::]:{port}/",
    # IPv4 inside IPv6
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::1]:{port}/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[2001:0:a00:1::1]/",
    # metadata services, private and special networks
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://192.0.0.192/opc/v1/instance/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://203.0.113.7/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    # names
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://loopback.example:{port}/",
    "http://six.example:{port}/",
    "http://mapped.example:{port}/",
    "http://all-private.example:{port}/",
    "http://metadata.example/",
    "https://loopback.example:{port}/",
    # two readings
    "http://public.example@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@public.example/",
    "http://public.example:80@127.0.0.1:{port}/",
    "http://public.example\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@public.example/",
    "http://127.0.0.1:{port}#@public.example/",
    "http://127.0.0.1:{port}?@public.example/",
    "http://127\u30020\u30020\u30021:{port}/",
    "http://\u2460\u2461\u2466.0.0.1:{port}/",
    "http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54:{port}/",
    "http://loca\u00adlhost:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://127.0.0.1:{port}\r\nx: y/",
    "http://127.0.0.1:{port}/\r\nx: y",
    "http://127.0.0.1 :{port}/",
    "http://127.0.0.1\t:{port}/",
    "http:127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:70000/",
    "http://:{port}/",
    # other schemes
    "file:///etc/passwd",
    "file://127.0.0.1:{port}/etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/x",
    "unix:///run/docker.sock",
    "http+unix://%2Frun%2Fdocker.sock/",
    "data:text/plain,x",
    "ws://127.0.0.1:{port}/",
    "jar:http://127.0.0.1:{port}/!/",
)
NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "loopback.example": ["127.0.0.1"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "all-private.example": ["10.0.0.1", "127.0.0.1", "fd00::1"],
    "metadata.example": ["169.254.169.254"],
}


class SocketAudit:
    """Notes what sockets are told to do while `watching`; a hook cannot be taken out again."""

    EVENTS = frozenset(
        {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
    )

    def __init__(self) -> None:
        self.watching = False
        self.noted: list[tuple[str, object]] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.watching and event in self.EVENTS:
            self.noted.append((event, arguments[1:]))


@pytest.fixture(scope="module")
def process_audit() -> SocketAudit:
    return SocketAudit()


@pytest.fixture
def audit(process_audit: SocketAudit) -> Iterator[SocketAudit]:
    process_audit.noted.clear()
    yield process_audit
    process_audit.watching = False


@pytest.fixture(scope="module")
def loopback() -> Iterator[Sequence[socket]]:
    """Listen on one port of both loopback addresses."""
    with ExitStack() as stack:
        four = stack.enter_context(socket(AF_INET, SOCK_STREAM))
        six = stack.enter_context(socket(AF_INET6, SOCK_STREAM))
        four.bind(("127.0.0.1", 0))
        six.bind(("::1", four.getsockname()[1]))
        for listener in (four, six):
            listener.listen()
            listener.setblocking(False)  # noqa: FBT003 - its only parameter
        yield four, six


async def resolve(host: str, _port: int) -> Sequence[IpAddress]:
    return [ip_address(text) for text in NAMES[host]]


def attempt(client: HttpClient, url: str, audit: SocketAudit, **fields: object) -> None:
    async def scenario() -> None:
        audit.watching = True
        try:
            await call(client, url, **fields)
        finally:
            audit.watching = False
            await client.aclose()

    asyncio.run(scenario())


def untouched(listener: socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_url_fails_for_good_and_no_packet_is_sent(
    url: str, loopback: Sequence[socket], audit: SocketAudit
) -> None:
    port = loopback[0].getsockname()[1]

    with pytest.raises(PermanentError) as refusal:
        attempt(HttpClient(resolve=resolve), url.replace("{port}", str(port)), audit)

    assert audit.noted == []
    assert all(untouched(listener) for listener in loopback)
    assert "payload.url: " in str(refusal.value) or "HTTP_CALL_ALLOWED_NETWORKS" in str(refusal.value)


def test_a_port_that_is_not_listed_and_an_address_that_is_denied_are_refused_by_their_variable(
    loopback: Sequence[socket], audit: SocketAudit
) -> None:
    port = loopback[0].getsockname()[1]
    here = networks("127.0.0.0/8")

    with pytest.raises(PermanentError, match=f"port {port} is not one of HTTP_CALL_ALLOWED_PORTS"):
        attempt(HttpClient(policy=AddressPolicy(here, ports={80})), f"http://127.0.0.1:{port}/", audit)
    with pytest.raises(PermanentError, match=r"denied address \(HTTP_CALL_DENIED_NETWORKS\)"):
        attempt(HttpClient(policy=AddressPolicy(here, denied=here)), f"http://127.0.0.1:{port}/", audit)

    assert audit.noted == []


def test_there_are_more_than_forty_of_them() -> None:
    assert len(set(HOSTILE)) > 40


def test_the_audit_would_have_noted_a_packet(loopback: Sequence[socket], audit: SocketAudit) -> None:
    port = loopback[0].getsockname()[1]
    client = HttpClient(resolve=resolve, policy=AddressPolicy(networks("127.0.0.0/8")))

    with pytest.raises(Exception, match="not done within"):
        attempt(client, f"http://127.0.0.1:{port}/", audit, timeout_seconds=0.05)

    assert audit.noted == [("socket.connect", (("127.0.0.1", port),))]
    assert not untouched(loopback[0])


def test_a_name_that_the_system_resolves_to_this_machine_is_refused(
    loopback: Sequence[socket], audit: SocketAudit
) -> None:
    port = loopback[0].getsockname()[1]

    with pytest.raises(PermanentError, match="loopback address"):
        attempt(HttpClient(), f"http://localhost:{port}/", audit)

    assert {event for event, _ in audit.noted} == {"socket.getaddrinfo"}
    assert all(untouched(listener) for listener in loopback)


class Rebinding:
    """A resolver whose answer changes with each question."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[IpAddress]:
        self.asked += 1
        return [ip_address(text) for text in self._answers.pop(0).split()]


def test_the_address_that_was_checked_is_the_one_that_is_dialled(audit: SocketAudit) -> None:
    resolver = Rebinding("127.0.0.1", "127.0.0.2")

    async def scenario() -> None:
        async with serving(answering(response(body=b"good"))) as good:
            client = HttpClient(resolve=resolver, policy=AddressPolicy(networks("127.0.0.1/32")))
            audit.watching = True
            assert (await call(client, good.url(host="rebinding.example")))["body"] == "good"
            audit.watching = False
            await client.aclose()
            assert good.received[0].headers["host"] == f"rebinding.example:{good.port}"
            assert audit.noted == [("socket.connect", (("127.0.0.1", good.port),))]

    asyncio.run(scenario())
    assert resolver.asked == 1


def test_a_new_connection_asks_and_checks_again(audit: SocketAudit) -> None:
    resolver = Rebinding("127.0.0.1", "127.0.0.2")

    async def scenario() -> None:
        async with serving(answering(response(connection="close"))) as good:
            client = HttpClient(resolve=resolver, policy=AddressPolicy(networks("127.0.0.1/32")))
            await call(client, good.url(host="rebinding.example"))
            audit.watching = True
            with pytest.raises(PermanentError, match="loopback address"):
                await call(client, good.url(host="rebinding.example"))
            audit.watching = False
            await client.aclose()

    asyncio.run(scenario())
    assert audit.noted == []


def test_of_several_addresses_only_allowed_ones_are_dialled(audit: SocketAudit) -> None:
    async def scenario() -> None:
        async with serving(answering(response())) as good:
            client = HttpClient(
                resolve=Rebinding("10.0.0.1 127.0.0.2 127.0.0.1"), policy=AddressPolicy(networks("127.0.0.1/32"))
            )
            audit.watching = True
            await call(client, good.url(host="mixed.example"))
            audit.watching = False
            await client.aclose()
            assert audit.noted == [("socket.connect", (("127.0.0.1", good.port),))]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "location", ["http://127.0.0.2:{port}/", "http://[::1]:{port}/", "//loopback.example:{port}/", "http://0x7f.1/"]
)
def test_each_hop_of_a_redirect_is_checked(location: str, audit: SocketAudit) -> None:
    async def scenario() -> None:
        async with serving(answering(b"")) as good:
            where = location.replace("{port}", str(good.port))
            good.answer = answering(response(302, location=where))
            client = HttpClient(resolve=Rebinding("127.0.0.3"), policy=AddressPolicy(networks("127.0.0.1/32")))
            audit.watching = True
            with pytest.raises(PermanentError):
                await call(client, good.url(), follow_redirects=5)
            audit.watching = False
            await client.aclose()
            assert audit.noted == [("socket.connect", (("127.0.0.1", good.port),))]

    asyncio.run(scenario())


def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, audit: SocketAudit) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def scenario() -> None:
        async with serving(answering(response())) as good:
            client = HttpClient(policy=AddressPolicy(networks("127.0.0.1/32")))
            audit.watching = True
            await call(client, good.url())
            audit.watching = False
            await client.aclose()
            assert audit.noted == [("socket.connect", (("127.0.0.1", good.port),))]

    asyncio.run(scenario())

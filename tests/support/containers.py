"""Servers from container images, where a Docker engine runs."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from testcontainers.core.container import DockerContainer

START_SECONDS = 60.0
PING_SECONDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A server's image: how to run it, how to address it, and how to see that it answers."""

    name: str
    command: str
    port: int
    url: str
    ping: Callable[[str], object]


def _ping_sql(url: str) -> None:
    with psycopg.connect(url, connect_timeout=PING_SECONDS) as connection:
        connection.execute("SELECT 1")


def _ping_redis(url: str) -> None:
    with redis.Redis.from_url(url, socket_timeout=PING_SECONDS) as client:
        client.ping()


COCKROACH = Image(
    name="cockroachdb/cockroach:v23.2.28",
    command="start-single-node --insecure --store=type=mem,size=1GiB",
    port=26257,
    url="postgresql://root@{address}/defaultdb?sslmode=disable",
    ping=_ping_sql,
)
REDIS = Image(name="redis:7.2-alpine", command="", port=6379, url="redis://{address}/0", ping=_ping_redis)


@contextmanager
def running(image: Image) -> Iterator[str]:
    """Run a container until the end of the block; give its address. Skips where no Docker engine runs."""
    if reason := why_no_docker():
        pytest.skip(reason)
    container = DockerContainer(image.name).with_exposed_ports(image.port)
    if image.command:
        container = container.with_command(image.command)
    with container:
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(image.port)}"
        url = image.url.format(address=address)
        _await_answer(image, url)
        yield url


@cache
def why_no_docker() -> str:
    """Ask the engine's API once; return why containers cannot run, or nothing when they can."""
    connection = _EngineConnection(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    try:
        connection.request("GET", "/_ping")
        answer = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"no Docker engine runs ({error})"
    finally:
        connection.close()
    return "" if answer == HTTPStatus.OK else f"the Docker engine answers {answer}"


class _EngineConnection(HTTPConnection):
    """HTTP to where DOCKER_HOST says, a unix socket or an address."""

    def __init__(self, engine: str) -> None:
        self._engine = urlsplit(engine)
        super().__init__(self._engine.hostname or "localhost", self._engine.port or 2375, timeout=PING_SECONDS)

    def connect(self) -> None:
        if self._engine.scheme != "unix":
            super().connect()
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PING_SECONDS)
        self.sock.connect(self._engine.path)


def _await_answer(image: Image, url: str) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        with suppress(psycopg.OperationalError, redis.RedisError):
            image.ping(url)
            return
        time.sleep(0.1)
    pytest.fail(f"{image.name} does not answer at {url} after {START_SECONDS:g} s")

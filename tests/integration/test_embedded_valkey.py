"""Valkey from the wheel."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from scheduler.adapters.embedded import EmbeddedServerError, EmbeddedValkey
from tests.integration.embedded_tools import client

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("appendonly", "yes"),
        ("appendfsync", "everysec"),
        ("save", ""),
        ("bind", "127.0.0.1"),
        ("unixsocket", ""),
        ("protected-mode", "yes"),
    ],
)
def test_a_local_server_that_keeps_an_append_only_file(server: EmbeddedValkey, setting: str, expected: str) -> None:
    with client(server.url) as connection:
        assert connection.config_get(setting) == {setting: expected}
        assert connection.config_get("dir") == {"dir": str(server.data_dir)}


def test_only_the_loopback_address_listens(server: EmbeddedValkey) -> None:
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", server.port)) != 0


def test_the_last_write_before_a_stop_is_kept(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:
        with client(server.url) as connection:
            connection.set("kept", "42")
        server.restart()
        with client(server.url) as connection:
            assert connection.get("kept") == "42"


def test_settings_are_passed_on(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, settings={"maxmemory": "64mb"}) as server, client(server.url) as connection:
        assert connection.config_get("maxmemory") == {"maxmemory": str(64 * 1024 * 1024)}


def test_a_setting_that_is_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="did not start: Bad directive") as failure:
        EmbeddedValkey(tmp_path, settings={"no-such-setting": "1"}).start()
    assert "\n" not in str(failure.value)


def test_only_the_passwords_bearer_gets_in(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server:
        with client(server.url) as connection:
            assert connection.ping()
        with client(f"redis://127.0.0.1:{server.port}/0") as connection, pytest.raises(redis.AuthenticationError):
            connection.ping()


def test_a_data_directory_of_a_version_without_passwords_gets_one(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server, client(server.url) as connection:
        connection.set("kept", "42")
    (tmp_path / "password").unlink()
    with EmbeddedValkey(tmp_path) as server, client(server.url) as connection:
        assert connection.get("kept") == "42"

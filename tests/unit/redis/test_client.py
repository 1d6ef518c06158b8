import pytest

from scheduler.adapters.redis.client import CONNECT_SECONDS, AddressError, check_address, open_client

URL = "redis://user:secret@example.invalid:6380/3"


def test_an_address_is_followed() -> None:
    settings = open_client(URL, client_name="me").connection_pool.connection_kwargs
    assert {name: settings[name] for name in ("host", "port", "db", "username", "password", "client_name")} == {
        "host": "example.invalid",
        "port": 6380,
        "db": 3,
        "username": "user",
        "password": "secret",
        "client_name": "me",
    }


@pytest.mark.parametrize("url", [URL, f"{URL}?protocol=3&decode_responses=true&retry_on_timeout=true"])
def test_no_address_makes_the_client_repeat_commands_or_change_replies(url: str) -> None:
    settings = open_client(url, client_name="me").connection_pool.connection_kwargs
    assert settings["retry"].get_retries() == 0
    assert settings["retry_on_error"] == []
    assert settings["protocol"] == 2
    assert settings["decode_responses"] is False


@pytest.mark.parametrize("url", [URL, f"{URL}?socket_timeout=7"])
def test_no_timeout_of_redis_py_can_swallow_a_cancellation(url: str) -> None:
    settings = open_client(url, client_name="me").connection_pool.connection_kwargs
    assert settings["socket_timeout"] is None


@pytest.mark.parametrize("url", [URL, "redis://h", "rediss://h/0?ssl_cert_reqs=none&socket_timeout=7&db=3"])
def test_an_address_of_which_a_connection_can_be_made_passes(url: str) -> None:
    check_address(url)


@pytest.mark.parametrize(
    "option",
    ["bogus=1", "socket_timeout=abc", "db=x", "connection_class=x", "parser_class=x", "ssl=1"],
)
def test_an_address_with_options_that_redis_py_refuses_is_refused_without_being_repeated(option: str) -> None:
    with pytest.raises(AddressError) as refusal:
        check_address(f"{URL}?{option}")
    assert "secret" not in str(refusal.value)


def test_no_connection_is_waited_for_longer_than_two_seconds() -> None:
    settings = open_client(URL, client_name="me").connection_pool.connection_kwargs
    assert settings["socket_connect_timeout"] == CONNECT_SECONDS == 2.0

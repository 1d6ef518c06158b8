"""Everything that the environment decides is checked at the start, and named when it is wrong."""

import os
import traceback
from collections.abc import Mapping
from datetime import timedelta

import pytest

from scheduler.entrypoints.settings import Settings, SettingsError, child_environment

FREE_TEXTS = {
    "grpc_host",
    "metrics_host",
    "cockroachdb_host",
    "cockroachdb_user",
    "cockroachdb_password",
    "cockroachdb_database",
    "db_tx_allowed_statements",
    "redis_host",
    "redis_password",
    "log_level_file",
    "notify_socket",
    "journal_stream",
    "otel_exporter_otlp_endpoint",
    "otel_exporter_otlp_traces_endpoint",
}
BAD_VALUES = {
    "grpc_client_share": ["0", "1.5", "half"],
    "grpc_max_connections": ["0", "1.5", "many"],
    "grpc_port": ["eighty", "-1", "65536", "1.5"],
    "metrics_port": ["x", "-1", "65536"],
    "worker_pool_size": ["0", "10001", "many"],
    "worker_handlers": ["shop/tasks.py", "shop.", "1shop", "shop tasks", "shop,.tasks"],
    "cockroachdb_port": ["0", "65536", "x"],
    "cockroachdb_sslmode": ["maybe"],
    "database_url": ["localhost", "mysql://localhost/x", "postgresql:///x"],
    "db_isolation": ["snapshot"],
    "db_pool_size": ["0", "1001"],
    "db_tx_database_url": ["localhost", "mysql://localhost/x", "postgresql:///x"],
    "db_tx_pool_size": ["0", "1001"],
    "redis_port": ["0", "65536", "x"],
    "redis_url": ["localhost", "http://localhost", "redis://", "redis://h:1/abc", "redis://h/0/1"],
    "redis_key_prefix": ["x" * 65],
    "claim_order": ["random"],
    "lease_seconds": ["3.9", "3601", "nan", "inf", "-inf"],
    "start_seconds": ["-1", "nan", "3601"],
    "grace_seconds": ["-1", "nan", "86401"],
    "handler_process_max_mb": ["0", "63", "1048577", "much"],
    "worker_max_mb": ["0", "127", "1048577", "much"],
    "keep_succeeded_days": ["0", "-1", "nan", "inf", "1e12"],
    "keep_failed_days": ["0", "-1", "nan", "inf", "1e12"],
    "http_call_allowed_networks": ["ten", "10.0.0.1/8", "10.0.0.0/33", "::1;::2"],
    "http_call_denied_networks": ["ten", "10.0.0.1/8"],
    "http_call_nat64_prefixes": ["ten", "10.0.0.0/8", "64:ff9b::/95", "64:ff9b::1/96"],
    "http_call_allowed_ports": ["http", "0", "65536", "80;443"],
    "http_call_ca_file": ["/no/such/file", "/", __file__],
    "otel_sdk_disabled": ["perhaps"],
    "otel_traces_exporter": ["zipkin"],
    "otel_exporter_otlp_protocol": ["http/protobuf"],
    "otel_exporter_otlp_traces_protocol": ["http/json"],
    "supervised": ["perhaps"],
    "db_tx_allow_any_sql": ["perhaps"],
    "log_level": ["LOUD"],
    "log_format": ["xml"],
    "access_log_sample": ["-1", "1000001", "half"],
    "watchdog_usec": ["0", "soon"],
    "watchdog_pid": ["me"],
}
SECRETS = {
    "COCKROACHDB_PASSWORD": "pass-of-the-store",
    "REDIS_PASSWORD": "pass-of-the-queue",
    "DATABASE_URL": "postgresql://me:pass-in-the-store-url@localhost/x",
    "REDIS_URL": "redis://:pass-in-the-queue-url@localhost",
    "DB_TX_DATABASE_URL": "postgresql://me:pass-in-the-target-url@localhost/x",
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_what_no_log_may_show_is_known_with_the_passwords_inside() -> None:
    settings = Settings.load(
        database_url="postgresql://me:pa%2Fss@h/x?password=in-query",
        redis_url="redis://h:1",
        cockroachdb_password="pass-word",
    )

    assert settings.secret_values == {"pa%2Fss", "pa/ss", "in-query", "pass-word"}


def test_a_list_of_statements_and_any_statement_exclude_each_other() -> None:
    with pytest.raises(
        SettingsError, match=r"^DB_TX_ALLOW_ANY_SQL: .*must not be set beside DB_TX_ALLOWED_STATEMENTS$"
    ):
        Settings.load(db_tx_allow_any_sql=True, db_tx_allowed_statements="statements.sql")


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_VALUES.items() for value in values])
def test_a_bad_value_is_refused_and_its_variable_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name.upper(), value)
    with pytest.raises(SettingsError) as refusal:
        Settings.load()
    assert str(refusal.value).startswith(f"{name.upper()}: ")
    assert "\n" not in str(refusal.value)


def test_every_variable_that_can_be_wrong_is_tried() -> None:
    assert BAD_VALUES.keys() | FREE_TEXTS == Settings.model_fields.keys()


def test_modules_of_handlers_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_HANDLERS", "shop.tasks, mail_ä ,")
    assert Settings.load().worker_handlers == ("shop.tasks", "mail_ä")
    assert Settings.load(worker_handlers=["other"]).worker_handlers == ("other",)


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "x")
    with pytest.raises(SettingsError, match=r"GRPC_PORT: .*; LOG_LEVEL: "):
        Settings.load()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_an_empty_variable_counts_as_unset(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Settings.load()
    monkeypatch.setenv(name.upper(), "")
    assert Settings.load() == usual


def test_a_variable_counts_and_the_command_line_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_PORT", "1234")
    monkeypatch.setenv("WORKER_POOL_SIZE", "3")
    settings = Settings.load(grpc_port=4321, worker_pool_size=None)
    assert (settings.grpc_port, settings.worker_pool_size) == (4321, 3)


def test_a_bad_word_of_the_command_line_is_named_too() -> None:
    with pytest.raises(SettingsError, match="GRPC_PORT"):
        Settings.load(grpc_port=-5)


def test_names_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in [
        ("LOG_LEVEL", "debug"),
        ("LOG_FORMAT", "JSON"),
        ("CLAIM_ORDER", "Weighted"),
        ("DB_ISOLATION", "READ_COMMITTED"),
    ]:
        monkeypatch.setenv(name, value)
    settings = Settings.load()
    words = (settings.log_level, settings.log_format, settings.claim_order, settings.db_isolation)
    assert words == ("DEBUG", "json", "weighted", "read committed")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"GRPC_PORT": "x"},
        {"DATABASE_URL": "mysql://me:pass-in-the-store-url@h/x"},
        {"REDIS_URL": "redis://:pass-in-the-queue-url@"},
        {"DB_TX_DATABASE_URL": "mysql://me:pass-in-the-target-url@h/x"},
    ],
)
def test_no_secret_is_shown_in_errors_or_descriptions(broken: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, **broken}.items():
        monkeypatch.setenv(name, value)
    try:
        settings = Settings.load()
    except SettingsError as error:
        shown = "".join(traceback.format_exception(error))
    else:
        shown = f"{settings!r} {settings} {settings.model_dump()}"
    assert "pass-" not in shown
    assert bool(broken) == ("SettingsError" in shown)


def test_addresses_are_made_of_their_parts_whatever_these_hold() -> None:
    settings = Settings.load(
        cockroachdb_host="::1",
        cockroachdb_port=5432,
        cockroachdb_user="m@e",
        cockroachdb_password="a/b:c",
        cockroachdb_database="x y",
        cockroachdb_sslmode="verify-full",
        redis_host="::1",
        redis_password="a@b",
    )
    assert settings.store_url == "postgresql://m%40e:a%2Fb%3Ac@[::1]:5432/x%20y?sslmode=verify-full"
    assert settings.queue_url == "redis://:a%40b@[::1]:6379/0"


def test_without_passwords_the_addresses_have_none() -> None:
    settings = Settings.load()
    assert settings.store_url == "postgresql://root@localhost:26257/scheduler?sslmode=disable"
    assert settings.queue_url == "redis://localhost:6379/0"


def test_a_given_address_counts_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, SECRETS[name])
    settings = Settings.load(cockroachdb_host="elsewhere", redis_host="elsewhere")
    assert (settings.store_url, settings.queue_url) == (SECRETS["DATABASE_URL"], SECRETS["REDIS_URL"])


def test_the_lease_is_a_length_of_time() -> None:
    assert Settings.load(lease_seconds=4.5).lease == timedelta(seconds=4.5)


def test_networks_are_listed_with_commas() -> None:
    settings = Settings.load(http_call_allowed_networks="10.1.0.0/16, fd12::/32,127.0.0.1")
    assert list(map(str, settings.http_call_networks)) == ["10.1.0.0/16", "fd12::/32", "127.0.0.1/32"]
    assert list(Settings.load().http_call_networks) == []


def test_what_http_call_must_not_reach_is_read() -> None:
    settings = Settings.load(
        http_call_denied_networks="198.18.0.1, 2606:4700::/32",
        http_call_nat64_prefixes="2001:67c:2960:6464::/96",
        http_call_allowed_ports="80, 443",
    )
    assert list(map(str, settings.http_call_denied)) == ["198.18.0.1/32", "2606:4700::/32"]
    assert list(map(str, settings.http_call_nat64)) == ["2001:67c:2960:6464::/96"]
    assert settings.http_call_allowed_ports == (80, 443)


def test_a_child_gets_this_environment_with_some_variables_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    environment = child_environment(LOG_LEVEL="DEBUG", GRPC_PORT=1)
    assert environment == {**os.environ, "LOG_LEVEL": "DEBUG", "GRPC_PORT": "1"}
    assert os.environ["LOG_LEVEL"] == "INFO"


@pytest.mark.parametrize(
    ("variables", "exports"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4317"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_spans_are_exported_where_a_collector_is_named(
    variables: Mapping[str, str], *, exports: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings.load().exports_spans is exports

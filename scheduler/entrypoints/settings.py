"""Everything that the environment decides, each variable checked at start. The only reader of the environment."""

import os
import re
import ssl
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from pydantic import (
    AnyUrl,
    Field,
    PostgresDsn,
    SecretStr,
    TypeAdapter,
    UrlConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from scheduler.domain.errors import SchedulerError

StoreUrl = Annotated[PostgresDsn, UrlConstraints(allowed_schemes=["postgresql", "postgres"], host_required=True)]
QueueUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["redis", "rediss"], host_required=True)]
_REDIS_PATH = re.compile("/?[0-9]*")
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
_NAT64_LENGTHS = frozenset({32, 40, 48, 56, 64, 96})
"""Of RFC 6052."""
SECRETS = ("cockroachdb_password", "database_url", "db_tx_database_url", "redis_password", "redis_url")
"""Those that a file may hold: DATABASE_URL_FILE names the file of DATABASE_URL."""
SECRET_VARIABLES = frozenset(f"{name.upper()}{suffix}" for name in SECRETS for suffix in ("", "_FILE"))
DB_TX_VARIABLES = frozenset({"DB_TX_DATABASE_URL", "DB_TX_DATABASE_URL_FILE"})
"""Those that workers alone need."""


class SettingsError(SchedulerError):
    """A variable holds what it must not; the message names each such variable."""


class Settings(BaseSettings):
    """One field a variable, of the same name in capitals. An empty variable counts as unset."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, hide_input_in_errors=True, extra="forbid")

    grpc_host: str = "0.0.0.0"  # noqa: S104 - a server is there to be reached
    grpc_port: int = Field(default=8081, ge=0, le=65535)
    grpc_max_connections: int = Field(default=10_000, ge=1, le=1_000_000)
    grpc_client_share: float = Field(default=0.5, gt=0, le=1)
    metrics_host: str = "0.0.0.0"  # noqa: S104 - as above
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    worker_pool_size: int = Field(default=10, ge=1, le=10_000)
    worker_handlers: Annotated[tuple[str, ...], NoDecode] = ()
    cockroachdb_host: str = "localhost"
    cockroachdb_port: int = Field(default=26257, ge=1, le=65535)
    cockroachdb_user: str = "root"
    cockroachdb_password: SecretStr = SecretStr("")
    cockroachdb_database: str = "scheduler"
    cockroachdb_sslmode: SslMode = "disable"
    database_url: SecretStr | None = None
    db_isolation: Literal["auto", "serializable", "read committed"] = "auto"
    db_pool_size: int = Field(default=10, ge=1, le=1000)
    db_tx_database_url: SecretStr | None = None
    db_tx_allowed_statements: Path | None = None
    db_tx_allow_any_sql: bool = False
    db_tx_pool_size: int = Field(default=5, ge=1, le=1000)
    redis_host: str = "localhost"
    redis_port: int = Field(default=6379, ge=1, le=65535)
    redis_password: SecretStr = SecretStr("")
    redis_url: SecretStr | None = None
    redis_key_prefix: str = Field(default="{scheduler}:", max_length=64)
    claim_order: Literal["strict", "weighted"] = "strict"
    lease_seconds: float = Field(default=12.0, ge=4, le=3600)
    start_seconds: float = Field(default=30.0, ge=0, le=3600)
    grace_seconds: float = Field(default=25.0, ge=0, le=24 * 3600)
    handler_process_max_mb: int = Field(default=1024, ge=64, le=1024 * 1024)
    worker_max_mb: int = Field(default=4096, ge=128, le=1024 * 1024)
    keep_succeeded_days: float = Field(default=7.0, gt=0, le=36_500)
    keep_failed_days: float = Field(default=30.0, gt=0, le=36_500)
    http_call_allowed_networks: str = ""
    http_call_denied_networks: str = ""
    http_call_nat64_prefixes: str = ""
    http_call_allowed_ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode] = ()
    http_call_ca_file: str | None = None
    otel_sdk_disabled: bool = False
    otel_traces_exporter: Literal["otlp", "none"] = "otlp"
    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_traces_endpoint: str | None = None
    otel_exporter_otlp_protocol: Literal["grpc"] = "grpc"
    otel_exporter_otlp_traces_protocol: Literal["grpc"] = "grpc"
    supervised: bool = False
    """Standard input is a pipe held by the process that started this one: stop when it closes."""
    log_level: LogLevel = "INFO"
    log_level_file: Path | None = None
    log_format: Literal["json", "console"] = "json"
    access_log_sample: int = Field(default=0, ge=0, le=1_000_000)
    notify_socket: str | None = None
    """Where systemd wants to be told how this process is; with the two below set by systemd itself."""
    watchdog_usec: int | None = Field(default=None, ge=1)
    watchdog_pid: int | None = None
    journal_stream: str | None = None
    """Set by systemd for what it reads into the journal."""

    @field_validator("worker_handlers", "http_call_allowed_ports", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("worker_handlers")
    @classmethod
    def _are_modules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(f"{name!r} is not the name of a module, as in shop.tasks")
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("log_format", "claim_order", "db_isolation", mode="before")
    @classmethod
    def _in_small_letters(cls, value: object) -> object:
        return value.lower().replace("_", " ") if isinstance(value, str) else value

    @field_validator("database_url", "db_tx_database_url")
    @classmethod
    def _is_postgres_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            TypeAdapter(StoreUrl).validate_python(value.get_secret_value())
        return value

    @field_validator("db_tx_allow_any_sql")
    @classmethod
    def _excludes_a_list(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("db_tx_allowed_statements") is not None:
            raise ValueError("must not be set beside DB_TX_ALLOWED_STATEMENTS")
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            url = TypeAdapter(QueueUrl).validate_python(value.get_secret_value())
            if not _REDIS_PATH.fullmatch(url.path or ""):
                raise ValueError("its path must be the number of a database, as in redis://host:6379/0")
        return value

    @field_validator("http_call_allowed_networks", "http_call_denied_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @field_validator("http_call_nat64_prefixes")
    @classmethod
    def _are_prefixes(cls, value: str) -> str:
        for network in _networks(value):
            if isinstance(network, IPv4Network) or network.prefixlen not in _NAT64_LENGTHS:
                raise ValueError(f"{network} is no IPv6 network of a length that NAT64 has: 32, 40, 48, 56, 64 or 96")
        return value

    @field_validator("http_call_ca_file")
    @classmethod
    def _holds_certificates(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=value)
            except OSError as error:  # ssl.SSLError is one
                raise ValueError(f"is no readable file of PEM certificates: {error}") from error
        return value

    @classmethod
    def load(cls, **overrides: object) -> "Settings":
        """Read the environment; `overrides` (from the command line) win. Raises SettingsError."""
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls.model_validate({**cls._from_environment(), **given})
        except ValidationError as error:
            raise SettingsError(_explain(error)) from error

    @classmethod
    def _from_environment(cls) -> dict[str, str]:
        given = {name: value for name in cls.model_fields if (value := os.environ.get(name.upper()))}
        files = {name: file for name in SECRETS if (file := os.environ.get(f"{name.upper()}_FILE"))}
        read = {name: _read_secret(name, file) for name, file in files.items() if name not in given}
        return given | {name: secret for name, secret in read.items() if secret}

    @property
    def store_url(self) -> str:
        """Return DATABASE_URL, or the address that the COCKROACHDB_* variables make."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        password = self.cockroachdb_password.get_secret_value()
        login = quote(self.cockroachdb_user, safe="") + (f":{quote(password, safe='')}" if password else "")
        place = f"{_host(self.cockroachdb_host)}:{self.cockroachdb_port}/{quote(self.cockroachdb_database, safe='')}"
        return f"postgresql://{login}@{place}?{urlencode({'sslmode': self.cockroachdb_sslmode})}"

    @property
    def db_tx_url(self) -> str | None:
        """Return where db_tx jobs run, None when nowhere."""
        return None if self.db_tx_database_url is None else self.db_tx_database_url.get_secret_value()

    @property
    def queue_url(self) -> str:
        """Return REDIS_URL, or the address that the REDIS_* variables make."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        password = self.redis_password.get_secret_value()
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis://{login}{_host(self.redis_host)}:{self.redis_port}/0"

    @property
    def secret_values(self) -> frozenset[str]:
        """Return what no log may show: passwords, of the addresses too, as they are written and as they are meant."""
        given = {name: each.get_secret_value() for name in SECRETS if (each := getattr(self, name)) is not None}
        urls = [urlsplit(value) for name, value in given.items() if name.endswith("_url")]
        written = {value for name, value in given.items() if not name.endswith("_url")}
        written |= {url.password for url in urls if url.password is not None}
        written |= {value for url in urls for name, value in parse_qsl(url.query) if name == "password"}
        return frozenset({*written, *map(unquote, written)} - {""})

    @property
    def http_call_networks(self) -> Sequence[IPv4Network | IPv6Network]:
        """Return what http_call may reach beside public addresses."""
        return _networks(self.http_call_allowed_networks)

    @property
    def http_call_denied(self) -> Sequence[IPv4Network | IPv6Network]:
        """Return what http_call may not reach, whatever else is said."""
        return _networks(self.http_call_denied_networks)

    @property
    def http_call_nat64(self) -> Sequence[IPv6Network]:
        """Return behind which networks http_call would reach IPv4."""
        return [IPv6Network(network) for network in _networks(self.http_call_nat64_prefixes)]

    @property
    def watchdog(self) -> timedelta | None:
        """Return how often systemd wants a sign of life of this process."""
        is_ours = self.watchdog_pid in {None, os.getpid()}
        return timedelta(microseconds=self.watchdog_usec) if self.watchdog_usec is not None and is_ours else None

    @property
    def exports_spans(self) -> bool:
        """Tell whether spans go to a collector."""
        endpoint = self.otel_exporter_otlp_traces_endpoint or self.otel_exporter_otlp_endpoint
        return endpoint is not None and self.otel_traces_exporter == "otlp" and not self.otel_sdk_disabled

    @property
    def lease(self) -> timedelta:
        """Return the length of a worker's lease."""
        return timedelta(seconds=self.lease_seconds)


FOR_THIS_PROCESS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def withhold_from_children() -> None:
    """Take what a service manager told this process alone out of the environment that its children inherit."""
    for name in FOR_THIS_PROCESS:
        os.environ.pop(name, None)


def child_environment(withheld: Collection[str] = (), /, **variables: str | int) -> Mapping[str, str]:
    """Return this process's environment without some variables and with others, for a process that it starts."""
    inherited = {name: value for name, value in os.environ.items() if name not in withheld}
    return inherited | {name: str(value) for name, value in variables.items()}


def _read_secret(name: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name.upper()}_FILE: {error}") from error


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _networks(text: str) -> Sequence[IPv4Network | IPv6Network]:
    return [ip_network(part) for item in text.split(",") if (part := item.strip())]


def _explain(error: ValidationError) -> str:
    return "; ".join(f"{_variable(issue['loc'])}: {issue['msg']}" for issue in error.errors(include_input=False))


def _variable(location: tuple[int | str, ...]) -> str:
    return str(location[0]).upper() if location else "settings"

"""Every part of every process can be built, and building opens nothing."""

import asyncio
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from dependency_injector import providers
from pydantic import SecretStr
from structlog.testing import capture_logs

from scheduler.adapters.grpc.pb.scheduler_pb2 import DESCRIPTOR
from scheduler.adapters.handlers.registry import Registry
from scheduler.application.dto import StartedJob
from scheduler.application.ports.handlers import Handler, JobContext
from scheduler.domain.priority import StrictOrder, WeightedOrder
from scheduler.domain.state import JobState
from scheduler.entrypoints.container import Container, build_container
from scheduler.entrypoints.container.common import RPC_METHODS
from scheduler.entrypoints.process import Backend, ProcessOptions
from scheduler.entrypoints.settings import Settings, SettingsError
from tests.support.builders import a_job, a_worker_id

NOWHERE = Settings(
    database_url="postgresql://nobody@127.0.0.1:1/nothing",  # type: ignore[arg-type] # validated from text
    redis_url="redis://127.0.0.1:1/0",  # type: ignore[arg-type] # the same
)
BACKENDS = list(Backend)


def test_each_method_of_the_api_has_metrics_of_its_own() -> None:
    (service,) = DESCRIPTOR.services_by_name.values()
    assert set(RPC_METHODS) == {method.name for method in service.methods}


def container(backend: Backend, **settings: object) -> Container:
    return build_container(NOWHERE.model_copy(update=settings), backend=backend)


def all_providers(built: Container) -> dict[str, providers.Provider[object]]:
    """Return every provider by its name, those of the containers inside included."""
    found: dict[str, providers.Provider[object]] = {}
    for prefix, part in [
        ("", built.providers),
        ("common.", built.common.providers),
        ("adapters.", built.adapters.providers),
    ]:
        for name, provider in part.items():
            if not isinstance(provider, providers.DependenciesContainer | providers.Self):
                found[prefix + name] = provider
    return found


def resolve(name: str, provider: providers.Provider[object], built: Container) -> object:
    if name == "lease_keeper":
        return built.lease_keeper(registry=built.lease_connection().registry)
    return provider()


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_provider_gives_its_object_at_once_and_without_servers(backend: Backend) -> None:
    async def scenario() -> None:
        built = container(backend)
        found = all_providers(built)
        assert len(found) > 50
        for name, provider in found.items():
            resolved = resolve(name, provider, built)
            assert not isinstance(resolved, asyncio.Future), name
            assert not asyncio.iscoroutine(resolved), name
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_parts_of_a_process_share_one_object_of_each_kind(backend: Backend) -> None:
    async def scenario() -> None:
        built = container(backend)
        for name, provider in all_providers(built).items():
            if isinstance(provider, providers.Singleton):
                assert provider() is provider(), name

    asyncio.run(scenario())


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_processes_share_nothing(backend: Backend) -> None:
    async def scenario() -> None:
        one, other = container(backend), container(backend)
        for name, provider in all_providers(one).items():
            if isinstance(provider, providers.Singleton) and not name.endswith(("order", "rules")):
                assert provider() is not all_providers(other)[name](), name

    asyncio.run(scenario())


def test_each_lease_has_a_connection_of_its_own_on_servers_and_each_worker_a_name_of_its_own() -> None:
    async def scenario() -> None:
        built = container(Backend.SERVERS)
        assert built.lease_connection().registry is not built.adapters.registry()
        assert built.lease_connection() is not built.lease_connection()
        assert built.describe_worker().id != built.describe_worker().id

    asyncio.run(scenario())


def test_settings_reach_the_parts_that_they_govern() -> None:
    async def scenario() -> None:
        built = container(
            Backend.MEMORY,
            lease_seconds=20.0,
            worker_pool_size=3,
            keep_succeeded_days=1.0,
            keep_failed_days=2.0,
        )
        assert built.lease_terms().duration == timedelta(seconds=20)
        assert built.attempt_table().slots == built.describe_worker().slots == 3
        keep = {state: rule.keep_for.days for rule in built.purge_jobs.kwargs["rules"]() for state in rule.states}
        assert keep == {
            JobState.SUCCEEDED: 1,
            JobState.CANCELLED: 1,
            JobState.FAILED: 2,
            JobState.DEADLETTER: 2,
        }

    asyncio.run(scenario())


@pytest.mark.parametrize(("claim_order", "kind"), [("strict", StrictOrder), ("weighted", WeightedOrder)])
def test_the_order_of_claims_is_a_setting(claim_order: str, kind: type) -> None:
    built = container(Backend.MEMORY, claim_order=claim_order)
    assert isinstance(built.start_jobs.kwargs["order"](), kind)


def test_memory_is_ready_by_itself_and_servers_are_not() -> None:
    async def scenario() -> None:
        assert (await container(Backend.MEMORY).readiness().check()).ready
        names = [type(check).__name__ for check in container(Backend.SERVERS).adapters.health_checks()]
        assert names == ["SqlDependency", "RedisHealth"]

    asyncio.run(scenario())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_worker_registers_with_the_handlers_it_has(backend: Backend) -> None:
    described = container(backend).describe_worker()
    assert list(described.handlers) == ["db_tx", "http_call", "noop"]
    assert described.id != a_worker_id()
    assert ProcessOptions().shares_ports is False


def test_a_target_address_that_libpq_cannot_read_stops_the_start_without_being_shown() -> None:
    url = SecretStr("postgresql://me:pass-of-mine@host/x?sslmod=off")
    with pytest.raises(SettingsError, match=r"^DB_TX_DATABASE_URL: must be a URL that libpq reads") as refusal:
        container(Backend.MEMORY, db_tx_database_url=url).worker()
    assert "pass-" not in "".join(traceback.format_exception(refusal.value))


def test_statements_that_cannot_be_meant_stop_the_start_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "statements.sql"
    path.write_text("-- name: good\nSELECT 1\n-- name: bad\nCOMMIT\n")
    with pytest.raises(SettingsError, match=r"^DB_TX_ALLOWED_STATEMENTS: .*statements\.sql, line 3: 'bad' must begin"):
        container(Backend.MEMORY, db_tx_allowed_statements=path).worker()


def test_handlers_log_under_their_job_by_the_log_of_the_process() -> None:
    async def run() -> None:
        built = build_container(Settings(), backend=Backend.MEMORY)
        running = a_job(JobState.RUNNING, type="noop")
        heard: list[JobContext] = []

        class Talk(Handler):
            async def run(self, payload: str | None, context: JobContext) -> str | None:
                context.logger.info("said", mood="fine")
                heard.append(context)
                return payload

        registry = Registry()
        registry.register("noop", Talk())
        built.common.handlers.override(providers.Object(registry))
        built.runner().launch(StartedJob(job=running, payload=None), a_worker_id())
        while not heard:  # noqa: ASYNC110 - on this loop
            await asyncio.sleep(0)

    with capture_logs() as lines:
        asyncio.run(run())
    (line,) = [line for line in lines if line["event"] == "said"]
    assert (line["job_type"], line["mood"], line["log_level"]) == ("noop", "fine", "info")

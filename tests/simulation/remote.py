"""Ports as a process has them: each call is a request to a server, repeated or given up as the real adapters do."""

from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Protocol, TypeVar, cast

from scheduler.adapters.redis.breaker import CircuitBreaker
from scheduler.adapters.redis.client import COMMAND_SECONDS
from scheduler.adapters.redis.server import PROBE_SECONDS
from scheduler.application.deadline import remaining_seconds
from scheduler.application.errors import QueueUnavailableError
from tests.simulation.engine import Engine
from tests.simulation.network import Call, Link, LostError, RefusedError, cause
from tests.simulation.sql import CALL, transactions

Port = TypeVar("Port")


class Caller(Protocol):
    """Carries out calls to one server."""

    @abstractmethod
    async def __call__(self, call: Call) -> object: ...


class StoreCaller(Caller):
    """Runs each call as a statement of the real retry wrapper."""

    def __init__(self, link: Link, engine: Engine) -> None:
        self._transactions = transactions(link, engine)

    async def __call__(self, call: Call) -> object:
        [[outcome]] = await self._transactions.execute(call.name.encode(), {CALL: call}, operation=call.name)
        return outcome


class QueueCaller(Caller):
    """Tries a command once, behind the circuit breaker, as the Redis adapter does."""

    def __init__(self, link: Link, breaker: CircuitBreaker) -> None:
        self._link = link
        self._breaker = breaker

    async def __call__(self, call: Call) -> object:
        if remaining_seconds() <= 0:
            raise QueueUnavailableError("no time is left")
        probe = self._breaker.admit()
        limit = min(remaining_seconds(), PROBE_SECONDS if probe else COMMAND_SECONDS)
        try:
            answer = await self._link.exchange(call, limit)
        except (LostError, RefusedError) as error:
            failure = QueueUnavailableError("simulated")
            self._breaker.failed(failure)
            raise failure from error
        except BaseException:
            self._breaker.abandoned(probe=probe)
            raise
        self._breaker.succeeded()
        return answer


class _Remote:
    def __init__(self, caller: Caller, name: str, target: object) -> None:
        self._caller = caller
        self._name = name
        self._target = target

    def __getattr__(self, name: str) -> Callable[..., Coroutine[None, None, object]]:
        method = getattr(self._target, name)
        caller, full_name = self._caller, f"{self._name}.{name}"

        async def call(*args: object, **options: object) -> object:
            return await caller(Call(full_name, method, args, options, cause.get()))

        setattr(self, name, call)
        return call


def remote(caller: Caller, name: str, target: Port) -> Port:
    """Return a stand-in for a server's port, with all its methods."""
    return cast("Port", _Remote(caller, name, target))

"""Calls of the API from a command."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from scheduler.adapters.grpc.client import Patience, SchedulerClient
from scheduler.adapters.grpc.client_errors import ClientError

T = TypeVar("T")
_OUT_OF_REACH = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED"})
"""Statuses that may mean that the address is the wrong one."""
_PATIENCE = Patience(tries=3)
"""Whoever sits at a terminal wants to know within a second or two that nobody answers."""


def call(address: str, body: Callable[[SchedulerClient], Awaitable[T]]) -> T:
    """Run `body` with an open client; Ctrl-C cancels it. Raises ClientError, and BadParameter without an address."""
    if not address:
        raise typer.BadParameter("must not be empty", param_hint="--address")

    async def run() -> T:
        async with SchedulerClient(address, patience=_PATIENCE) as client:
            return await body(client)

    try:
        return asyncio.run(run())
    except ClientError as error:
        if error.status in _OUT_OF_REACH:
            raise ClientError(error.status, f"{address}: {error.message}", error.details) from error
        raise

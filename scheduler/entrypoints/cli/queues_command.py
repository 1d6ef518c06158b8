"""The command `queues`."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.entrypoints.cli.options import DEFAULT_ADDRESS, Address, AsJson

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.adapters.grpc.client import SchedulerClient
    from scheduler.adapters.grpc.client_views import QueueStatsView


def queues(
    live: Annotated[bool, typer.Option("--live", help="Go on until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks, with --live.")] = 1.0,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Show how many jobs wait, run and ended in the dead letters; counts stop at 100,000."""
    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.output import console

    if not live:
        _print(call(address, lambda client: client.queue_stats()), as_json=as_json)
    elif as_json or not console().is_terminal:
        call(address, lambda client: _follow(client, interval, lambda stats: _print(stats, as_json=as_json)))
    else:
        _draw(address, interval)


def _print(stats: "QueueStatsView", *, as_json: bool) -> None:
    from scheduler.entrypoints.cli.documents import queue_stats_document
    from scheduler.entrypoints.cli.output import print_document, print_table
    from scheduler.entrypoints.cli.tables import queue_table

    if as_json:
        print_document(queue_stats_document(stats))
    else:
        print_table(queue_table(stats))


def _draw(address: str, interval: float) -> None:
    from rich.live import Live

    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.output import console
    from scheduler.entrypoints.cli.tables import queue_table

    with Live(console=console(), auto_refresh=False) as screen:
        call(
            address,
            lambda client: _follow(client, interval, lambda stats: screen.update(queue_table(stats), refresh=True)),
        )


async def _follow(client: "SchedulerClient", interval: float, show: "Callable[[QueueStatsView], None]") -> None:
    while True:
        show(await client.queue_stats())
        await asyncio.sleep(interval)

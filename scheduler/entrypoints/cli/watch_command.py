"""The command `watch`."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.domain.state import JobState
from scheduler.entrypoints.cli.failures import FAILED
from scheduler.entrypoints.cli.options import DEFAULT_ADDRESS, MAX_VERSION, Address, AsJson, JobIdArgument

if TYPE_CHECKING:
    from scheduler.adapters.grpc.client import SchedulerClient

_EXIT_CODES: Mapping[JobState, int] = {JobState.SUCCEEDED: 0}


def watch(
    job_id: JobIdArgument,
    after_version: Annotated[
        int, typer.Option(min=0, max=MAX_VERSION, help="Only changes newer than this version.")
    ] = 0,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> int:
    """Follow a job to its end. Exit code 0 when it succeeded, else 1."""
    return watch_job(job_id, after_version=after_version, address=address, as_json=as_json)


def watch_job(job_id: str, *, address: str, as_json: bool, after_version: int = 0) -> int:
    """Show a job's changes until it ends; return the exit code that its end means."""
    from scheduler.entrypoints.cli.calls import call
    from scheduler.entrypoints.cli.watch_display import watch_display

    async def body(client: "SchedulerClient") -> int:
        # A watch is patient with servers that restart. The first call is not, when none answers at all.
        state = (await client.get(job_id)).state
        with watch_display(job_id, as_json=as_json) as show:
            async with aclosing(client.watch(job_id, after_version=after_version)) as events:
                async for event in events:
                    state = event.state
                    show(event)
        return _EXIT_CODES.get(state, FAILED)

    return call(address, body)

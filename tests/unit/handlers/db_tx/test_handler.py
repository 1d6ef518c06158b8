"""Where payloads are read: what takes long must not hold up the event loop, on which cancels arrive."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping

import pytest

from scheduler.adapters.handlers.db_tx import Connections, DbTxHandler
from scheduler.adapters.handlers.db_tx.handler import LONG_PAYLOAD
from scheduler.adapters.handlers.db_tx.outcome import TargetError
from scheduler.adapters.memory.fixed_clock import FixedClock
from tests.support.http_calls import a_context

NOBODY = "postgresql://127.0.0.1:1/nothing"


class Statements(Mapping[str, str]):
    """One statement, and the thread in which it was looked up."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None

    def __getitem__(self, name: str) -> str:
        self.thread = threading.current_thread()
        return "SELECT $1"

    def __iter__(self) -> Iterator[str]:
        return iter(("the one",))

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(("length", "in_the_loop"), [(1, True), (LONG_PAYLOAD, False)])
def test_a_long_payload_is_read_outside_of_the_event_loop(length: int, in_the_loop: bool) -> None:  # noqa: FBT001 - a parameter
    statements = Statements()
    payload = json.dumps({"statement": "the one", "params": ["x" * length]})

    async def attempt() -> None:
        handler = DbTxHandler(target=Connections(NOBODY, size=1), statements=statements, clock=FixedClock())
        await handler.run(payload, a_context())

    with pytest.raises(TargetError, match="no connection"):
        asyncio.run(attempt())
    assert (statements.thread is threading.current_thread()) == in_the_loop

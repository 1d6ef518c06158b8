"""What processes have logged."""

import json
from collections.abc import Sequence
from typing import Any

from scheduler.entrypoints.children import Child

Line = dict[str, Any]


def lines_of(child: Child) -> Sequence[Line]:
    """Read all that the process has logged: each line is a JSON object, or the test fails."""
    assert child.log is not None
    return [json.loads(line) for line in child.log.read_text().splitlines()]


def with_event(child: Child, event: str) -> Sequence[Line]:
    """Read its lines of one event."""
    return [line for line in lines_of(child) if line["event"] == event]

"""Ports of the parts are checked before anything starts."""

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.entrypoints.stack import StackError, StackPorts


@pytest.mark.parametrize("place", range(3))
def test_a_port_asked_for_twice_is_named(place: int) -> None:
    grpc = free_port()

    with pytest.raises(StackError, match=f"port {grpc} is asked for twice"):
        StackPorts.choose(grpc=grpc, metrics=grpc - place).require_free()

"""Ports of the parts are checked before anything starts."""

import pytest

from scheduler.adapters.embedded.ports import free_port
from scheduler.entrypoints.settings import SettingsError
from scheduler.entrypoints.stack import StackError, StackPorts


@pytest.mark.parametrize("place", range(3))
def test_a_port_asked_for_twice_is_named(place: int) -> None:
    grpc = free_port()

    with pytest.raises(StackError, match=f"port {grpc} is asked for twice"):
        StackPorts.choose(grpc=grpc, metrics=grpc - place).require_free()


@pytest.mark.parametrize("asked", [None, 0])
def test_ports_that_nobody_names_are_free_ones(asked: int | None) -> None:
    ports = StackPorts.choose(grpc=asked, metrics=asked)

    assert 0 not in (ports.grpc, ports.api_metrics, ports.worker_metrics, ports.reaper_metrics)
    ports.require_free()


def test_three_ports_of_metrics_lie_in_a_row_up_to_the_last_port() -> None:
    ports = StackPorts.choose(metrics=65533)

    assert (ports.api_metrics, ports.worker_metrics, ports.reaper_metrics) == (65533, 65534, 65535)


@pytest.mark.parametrize("metrics", [65534, 65535])
def test_a_port_of_metrics_without_two_more_behind_it_is_refused(metrics: int) -> None:
    with pytest.raises(SettingsError, match="METRICS_PORT: must be 1 to 65533"):
        StackPorts.choose(metrics=metrics)

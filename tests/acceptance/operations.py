"""What operators and their tools see of a process."""

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from scheduler.entrypoints.stack import HOST

PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process answered over HTTP."""

    status: int
    body: str

    @property
    def document(self) -> dict[str, object]:
        """Read the body as a JSON object."""
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document


def get(port: int, path: str) -> Answer:
    """Ask over a new connection."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.read().decode())
    finally:
        connection.close()


def metric(port: int, name: str, **labels: str) -> float:
    """Add up the series of a name that carry these labels, as the process shows them now; 0 when there is none."""
    families = text_string_to_metric_families(get(port, "/metrics").body)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def await_ready(port: int) -> None:
    """Wait until the process behind a port is ready."""

    def is_ready() -> bool:
        try:
            return get(port, "/ready").status == http.HTTPStatus.OK
        except OSError:
            return False

    eventually(is_ready)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(POLL_SECONDS)

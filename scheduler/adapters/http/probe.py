"""One question to a process's OperationsServer, with the standard library alone: a health check must start fast."""

import http.client
from dataclasses import dataclass

_MAX_ANSWER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a process said."""

    status: int
    text: str

    @property
    def is_good(self) -> bool:
        """Tell whether it said yes."""
        return self.status == http.HTTPStatus.OK


def ask(host: str, port: int, path: str, *, timeout: float) -> Answer:
    """Ask over a connection of its own. Raises OSError when there is no answer in time."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return Answer(response.status, response.read(_MAX_ANSWER_BYTES).decode(errors="replace"))
    except http.client.HTTPException as error:
        raise ConnectionError(f"the answer is no HTTP: {error!r}") from error
    finally:
        connection.close()

"""The command `health`, which containers run to check themselves."""

from collections.abc import Sequence
from typing import Annotated

import typer

DEFAULT_PORTS = (2112, 2113, 2114)
"""Where api, worker and reaper serve /health while METRICS_PORT is unset."""
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a server listens, and how to reach it here


def health(
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask whether it can serve, which needs SQL, and not only whether it lives.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            envvar="METRICS_PORT",
            help="Ask there alone.",
            show_default="2112 to 2114, as far as somebody listens",
        ),
    ] = None,
    host: Annotated[str, typer.Option(envvar="METRICS_HOST", help="Where the processes listen.")] = "127.0.0.1",
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that an answer may take.")] = 3.0,
) -> int:
    """Ask the processes on this machine how they are; fail unless at least one answers and all that do are well."""
    from scheduler.entrypoints.cli.failures import FAILED
    from scheduler.entrypoints.cli.output import print_line

    path = "/ready" if ready else "/health"
    there = _ANY_ADDRESS.get(host, host)
    found = [_look(there, each, path, timeout) for each in ([port] if port else _listening(there, timeout))]
    for _, said in found:
        print_line(said)
    return 0 if all(is_well for is_well, _ in found) else FAILED


def _look(host: str, port: int, path: str, timeout: float) -> tuple[bool, str]:
    from scheduler.adapters.http.probe import ask

    try:
        answer = ask(host, port, path, timeout=timeout)
    except OSError as error:
        return False, f"{host}:{port}{path}: {error}"
    return answer.is_good, f"{host}:{port}{path}: {answer.text}"


def _listening(host: str, timeout: float) -> Sequence[int]:
    """Return the default ports on which somebody listens. Raises ConnectionError when there is none."""
    ports = [port for port in DEFAULT_PORTS if _listens(host, port, timeout)]
    if not ports:
        raise ConnectionError(f"no process listens on {host}, ports {', '.join(map(str, DEFAULT_PORTS))}")
    return ports


def _listens(host: str, port: int, timeout: float) -> bool:
    import socket

    try:
        socket.create_connection((host, port), timeout).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True  # the question itself will tell what is wrong
    return True

"""The compose stack's nginx, in front of api processes of this machine."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scheduler.adapters.embedded.ports import free_port
from tests.deploy.tools import DEPLOY, TIMEOUT_SECONDS, tool

HOST = "127.0.0.1"
START_SECONDS = 10.0
CONFIGURATION = DEPLOY / "compose" / "nginx"
PLAIN = "listen 8081 http2;"


def configure(folder: Path, port: int, apis: Sequence[int], *, listen: str = PLAIN) -> Path:
    """Copy the configuration, with ports of this machine instead of those in containers; return the main file."""
    main = folder / "nginx.conf"
    text = (CONFIGURATION / "nginx.conf").read_text()
    for theirs, ours in {
        "listen 127.0.0.1:8080": f"listen {HOST}:{free_port()}",
        " /tmp/": f" {folder}/",
        PLAIN: listen,
        "listen 8081 ": f"listen {HOST}:{port} ",
        "worker_shutdown_timeout 10s": "worker_shutdown_timeout 1s",
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    main.write_text(text)
    (folder / "upstream.conf").write_text(_upstream(apis))
    return main


def _upstream(apis: Sequence[int]) -> str:
    """Name each api instead of asking Docker's DNS; keep the rest."""
    theirs = (CONFIGURATION / "upstream.conf").read_text()
    (line,) = (line for line in theirs.splitlines() if line.strip().startswith("server "))
    servers = "\n".join(line.replace("api:8081 resolve", f"{HOST}:{port}") for port in apis)
    return "\n".join(
        servers if each == line else each for each in theirs.splitlines() if not each.startswith("resolver")
    )


@contextmanager
def balancing(folder: Path, apis: Sequence[int], *, listen: str = PLAIN) -> Iterator[str]:
    """Run nginx in front of the apis, listening as these lines of its configuration say; give its address."""
    port = free_port()
    main = configure(folder, port, apis, listen=listen)
    process = subprocess.Popen([tool("nginx"), "-c", main, "-e", "stderr", "-g", "daemon off;"])
    try:
        _await_listener(port)
        yield f"{HOST}:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)
        assert process.wait(TIMEOUT_SECONDS) == 0


def _await_listener(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.02)
        else:
            return

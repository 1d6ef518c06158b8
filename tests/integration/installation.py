"""A whole scheduler as processes, from the sources and on the servers of one's choice."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scheduler.adapters.embedded.ports import free_port
from scheduler.entrypoints.children import Child, stop_all
from scheduler.entrypoints.settings import child_environment
from tests.acceptance.operations import await_ready

CLI = "scheduler.entrypoints.cli"


@dataclass(frozen=True, slots=True)
class Installation:
    """One version of the program, and the servers that it uses; its logs carry its name."""

    name: str
    source: Path
    servers: dict[str, str | int]
    logs: Path

    def migrate(self) -> str:
        """Bring the schema to what it needs; return what was said."""
        ran = subprocess.run(
            [sys.executable, "-m", CLI, "migrate"],
            env=child_environment(**self._environment()),
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ran.stdout + ran.stderr

    @contextmanager
    def running(self) -> Iterator[str]:
        """Run an api, a worker and a reaper; return the api's address."""
        grpc_port = free_port()
        ports = {kind: free_port() for kind in ("api", "worker", "reaper")}
        parts = [self._part(kind, GRPC_PORT=grpc_port, METRICS_PORT=port) for kind, port in ports.items()]
        try:
            for part in parts:
                part.start()
            for port in ports.values():
                await_ready(port)
            yield f"127.0.0.1:{grpc_port}"
        finally:
            stop_all(parts)
        assert [part.exit_code() for part in parts] == [0, 0, 0]

    def errors(self) -> Sequence[str]:
        """Return what its processes logged as errors."""
        lines = [line for log in self.logs.glob(f"{self.name}-*.log") for line in log.read_text().splitlines()]
        return [line for line in lines if '"level": "error"' in line or "Traceback" in line]

    def _part(self, kind: str, **environment: str | int) -> Child:
        return Child(
            name=f"{self.name}-{kind}",
            arguments=[kind],
            environment={**self._environment(), **environment},
            log=self.logs / f"{self.name}-{kind}.log",
            module=CLI,
        )

    def _environment(self) -> dict[str, str | int]:
        # Safe path: the folder that the tests run in holds the new version.
        return {**self.servers, "PYTHONPATH": str(self.source), "PYTHONSAFEPATH": 1}

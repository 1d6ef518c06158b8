"""Write the Python code of the wire contract, or check that the committed code is what the contract says.

    python scripts/generate_proto.py            write scheduler/adapters/grpc/pb
    python scripts/generate_proto.py --check    exit 1, naming the files, when they differ
    python scripts/generate_proto.py --release  also take the contract as the baseline of breaking checks

The code is compiled under a virtual path: the proto package `scheduler.v1` would else become a Python package
that collides with ours. Only the imports follow that path; the service stays `scheduler.v1.SchedulerService`.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = ROOT / "proto" / "scheduler" / "v1"
PACKAGE = Path("scheduler/adapters/grpc/pb")
RELEASED = ROOT / "proto" / "baseline" / "released.txtpb"
TOOLS = Path(sysconfig.get_path("scripts"))
HANDWRITTEN = {"__init__.py"}


def generate(out: Path) -> None:
    """Write the package below `out`, which then holds scheduler/adapters/grpc/pb."""
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        f"--proto_path={PACKAGE.as_posix()}={CONTRACT}",
        *(f"--plugin={name}={TOOLS / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=quiet:{out}",
        # Server and clients are grpc.aio throughout; typed for both, every handler would take a union.
        f"--mypy_grpc_out=quiet,only_async:{out}",
        *((PACKAGE / source.name).as_posix() for source in sorted(CONTRACT.glob("*.proto"))),
    ]
    subprocess.run(command, check=True)


def generated_files(root: Path) -> dict[str, str]:
    """Return the text of each generated file below `root`, by its path there."""
    files = (path for path in sorted((root / PACKAGE).glob("*.py*")) if path.name not in HANDWRITTEN)
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in files}


def drift(root: Path) -> list[str]:
    """Return a diff from the code below `root` to what the contract says: no lines when they agree."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch))
        committed, fresh = generated_files(root), generated_files(Path(scratch))
    return [line for name in sorted(committed | fresh) for line in _diff(name, committed, fresh)]


def _diff(name: str, committed: dict[str, str], fresh: dict[str, str]) -> list[str]:
    before, after = (files.get(name, "").splitlines() for files in (committed, fresh))
    names = (f"{name} (committed)", f"{name} (generated)")
    return list(difflib.unified_diff(before, after, *names, lineterm=""))


def write_baseline(target: Path) -> None:
    """Write an image of the contract, without its comments, for `buf breaking --against`."""
    subprocess.run([TOOLS / "buf", "build", ROOT, "--exclude-source-info", "--output", target], cwd=ROOT, check=True)


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description="Generate the Python code of the wire contract.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    parser.add_argument("--release", action="store_true", help="also write proto/baseline/released.txtpb")
    parser.add_argument("--root", type=Path, default=ROOT, help="where scheduler/adapters/grpc/pb lies")
    options = parser.parse_args()
    if options.check:
        lines = drift(options.root)
        verdict = "drift: run scripts/generate_proto.py" if lines else "the generated code is current"
        print(*lines, verdict, sep="\n")
        return 1 if lines else 0
    generate(options.root)
    if options.release:
        write_baseline(RELEASED)
    return 0


if __name__ == "__main__":
    sys.exit(main())

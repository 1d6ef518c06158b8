"""A long chaos run: python -m tests.chaos --seed 1 --minutes 10, and the options below."""

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.plan import PROCESSES
from tests.chaos.run import chaos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--isolation", choices=["auto", "serializable", "read committed"], default="auto")
    parser.add_argument("--pooler", action="store_true", help="put every process behind PgBouncer")
    parser.add_argument("--directory", type=Path, default=None, help="where logs and ledgers are kept, also on success")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    directory = Path(tempfile.mkdtemp(prefix=f"chaos-{seed}-")) if options.directory is None else options.directory
    directory.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"chaos: SEED={seed} MINUTES={options.minutes:g}, logs in {directory}\n")
    sys.stdout.flush()
    pooled = PROCESSES if options.pooler else ()
    verdict = chaos(seed, options.minutes * 60, directory, isolation=options.isolation, pooled=pooled)
    return _report(verdict.summary, verdict.violations, directory, keep=options.directory is not None)


def _report(summary: str, violations: Sequence[str], directory: Path, *, keep: bool) -> int:
    sys.stdout.write(summary + "\n")
    if not violations:
        sys.stdout.write("no violation\n")
        if not keep:
            shutil.rmtree(directory)
        return 0
    sys.stdout.write("".join(f"VIOLATION {text}\n" for text in violations))
    sys.stdout.write(f"faults:\n{(directory / 'diary.log').read_text()}")
    sys.stdout.write(f"{len(violations)} violations; {summary}; ledgers and logs are kept in {directory}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

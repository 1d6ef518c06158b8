"""Take out one condition of the SQL statements and Lua scripts at a time, and name the suite that fails.

python -m tests.mutation [--list] [--only TEXT] [--jobs N] [--without SUITE]...
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutation.mutants import mutants
from tests.mutation.runner import ROOT, SUITES, Judged, judge_all
from tests.mutation.survivors import read_survivors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--only", default="", help="only mutants whose name holds this text")
    parser.add_argument("--jobs", type=int, default=2, help="how many to judge at a time")
    parser.add_argument("--without", action="append", default=[], help="leave out a suite")
    options = parser.parse_args()
    chosen = [mutant for mutant in mutants(ROOT) if options.only in mutant.name]
    if options.list:
        sys.stdout.write("".join(f"{mutant.name}\n" for mutant in chosen))
        return 0
    began = time.monotonic()
    judged = judge_all(chosen, jobs=options.jobs, tell=_tell, without=options.without)
    sys.stdout.write(f"\n{table(judged)}\n{time.monotonic() - began:.0f} s\n")
    complaints = list(_complaints(judged))
    sys.stdout.write("".join(f"{complaint}\n" for complaint in complaints))
    return 1 if complaints else 0


def _tell(judged: Judged) -> None:
    by = f"{judged.killed_by} ({judged.test})" if judged.killed_by else "NOT KILLED"
    sys.stdout.write(f"{judged.seconds:5.0f} s  {judged.mutant.name}: {by}\n")
    sys.stdout.flush()


def _complaints(judged: Sequence[Judged]) -> Iterator[str]:
    survivors = read_survivors()
    for one in judged:
        name = one.mutant.name
        if one.killed_by is None and name not in survivors:
            yield f"SURVIVES, and survivors.toml does not say why: {name}"
        if one.killed_by is not None and name in survivors:
            yield f"is killed by {one.killed_by}, so survivors.toml is wrong: {name}"


def table(judged: Sequence[Judged]) -> str:
    """Return a table for docs/reliability.md: for each folder how many mutants each suite kills."""
    names = list(dict.fromkeys(suite.name for suites in SUITES.values() for suite in suites))
    lines = [f"| Mutants of | all | {' | '.join(names)} | survive, explained |", "|---|" + "---|" * (len(names) + 2)]
    for folder in SUITES:
        by = Counter(one.killed_by for one in judged if one.mutant.folder == folder)
        cells = [str(by[name] or 0) for name in (*names, None)]
        lines.append(f"| `{Path(folder).relative_to('scheduler/adapters')}` | {by.total()} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

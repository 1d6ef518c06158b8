"""Run the suites on one mutant after the other, the cheapest first, until one of them fails.

Mutants stand in copies of the source tree, one for each thread: the checkout is never changed, and runs may overlap.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from tests.mutation.mutants import Mutant

ROOT: Final = Path(__file__).parents[2]
IGNORED: Final = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist")
LIMIT_SECONDS: Final = 600.0
TESTS_FAILED: Final = 1
HUNG: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests by pytest's arguments; files that are patterns below the tree."""

    name: str
    files: Sequence[str]
    options: Sequence[str] = ()

    def arguments(self, tree: Path) -> Sequence[str]:
        return [*(str(path) for pattern in self.files for path in sorted(tree.glob(pattern))), *self.options]


_OF_STATEMENTS: Final = ("ambiguous", "migrations", "plans", "rows")
"""The others wait for outages, and look at no statement's answer."""
CHAOS: Final = Suite(name="chaos", files=["tests/chaos/test_chaos.py"])
SUITES: Final[Mapping[str, Sequence[Suite]]] = {
    "scheduler/adapters/cockroach/sql": (
        Suite(name="contract", files=["tests/contract"], options=["-k", "read-committed"]),
        Suite(name="integration", files=[f"tests/integration/test_cockroach_{name}.py" for name in _OF_STATEMENTS]),
        Suite(name="model", files=["tests/integration/test_model_*.py"]),
        CHAOS,
    ),
    "scheduler/adapters/handlers/db_tx/sql": (
        Suite(name="integration", files=["tests/integration/test_db_tx_effects.py"]),
    ),
    "scheduler/adapters/redis/lua": (
        Suite(name="contract", files=["tests/contract"], options=["-k", "valkey"]),
        Suite(name="integration", files=["tests/integration/test_redis_*.py"]),
        CHAOS,
    ),
}


class BrokenSuiteError(Exception):
    """A suite did not run, or fails without any mutant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A mutant and the suite that failed; None where all passed."""

    mutant: Mutant
    killed_by: str | None
    test: str = ""
    """The test that failed first."""
    seconds: float = 0.0


class Tree:
    """A copy of the source tree, in which one mutant may stand."""

    def __init__(self, path: Path) -> None:
        self.path = path
        shutil.copytree(ROOT, path, ignore=IGNORED)

    @contextmanager
    def holding(self, mutant: Mutant) -> Iterator[None]:
        """Hold the mutant while inside."""
        file = self.path / mutant.folder / mutant.file
        text = file.read_text()
        file.write_text(mutant.apply(self.path))
        try:
            yield
        finally:
            file.write_text(text)

    def first_failure(self, suite: Suite) -> str | None:
        """Run a suite; return the name of the test that failed, or None."""
        scratch = self.path / ".scratch"
        code, output = _run([*suite.arguments(self.path), f"--basetemp={scratch}"], self.path)
        shutil.rmtree(scratch, ignore_errors=True)
        if code == HUNG:
            return "no end"
        if code not in {0, TESTS_FAILED}:
            raise BrokenSuiteError(f"{suite.name} ended with {code}:\n{output[-3000:]}")
        failed = (line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR ")))
        return next(failed, "an unnamed test").split(" - ")[0].split(" ", 1)[-1] if code else None


def judge(tree: Tree, mutant: Mutant, suites: Sequence[Suite]) -> Judged:
    """Return the first suite that fails on the mutant."""
    began = time.monotonic()
    with tree.holding(mutant):
        for suite in suites:
            if (test := tree.first_failure(suite)) is not None:
                return Judged(mutant=mutant, killed_by=suite.name, test=test, seconds=time.monotonic() - began)
    return Judged(mutant=mutant, killed_by=None, seconds=time.monotonic() - began)


def judge_all(
    mutants: Sequence[Mutant], *, jobs: int, tell: Callable[[Judged], None], without: Sequence[str] = ()
) -> Sequence[Judged]:
    """Judge all, after a proof that the suites pass without a mutant; leave out the suites named."""
    suites = {folder: [one for one in several if one.name not in without] for folder, several in SUITES.items()}
    with tempfile.TemporaryDirectory(prefix="mutation-") as directory, ThreadPoolExecutor(jobs) as pool:
        trees: SimpleQueue[Tree] = SimpleQueue()
        for number in range(jobs):
            trees.put(Tree(Path(directory, str(number))))

        def work(mutant: Mutant) -> Judged:
            tree = trees.get()
            try:
                judged = judge(tree, mutant, suites[mutant.folder])
            finally:
                trees.put(tree)
            tell(judged)
            return judged

        folders = {mutant.folder for mutant in mutants}
        needed = {suite.name + folder: suite for folder in folders for suite in suites[folder]}
        list(pool.map(_prove, needed.values(), repeat(trees)))
        return list(pool.map(work, mutants))


def _prove(suite: Suite, trees: "SimpleQueue[Tree]") -> None:
    tree = trees.get()
    try:
        if (test := tree.first_failure(suite)) is not None:
            raise BrokenSuiteError(f"{suite.name} fails without a mutant: {test}")
    finally:
        trees.put(tree)


def _run(arguments: Sequence[str], tree: Path) -> tuple[int, str]:
    """Run pytest in a process group of its own, which ends with it."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return HUNG, ""
    return process.returncode, output.decode(errors="replace")

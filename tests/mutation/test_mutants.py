"""Mutants are found in whatever is written, and the runner names what kills them. `make mutate` judges them all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mutation.conditions import Cut
from tests.mutation.mutants import Mutant, lua_cuts, mutants, sql_cuts
from tests.mutation.runner import ROOT, SUITES, Suite, Tree, judge
from tests.mutation.survivors import read_survivors

Cuts = Callable[[str], Iterator[Cut]]
SQL = "scheduler/adapters/cockroach/sql"
LUA = "scheduler/adapters/redis/lua"


def _mutated(cuts: Cuts, text: str) -> set[str]:
    return {" ".join((text[: cut.start] + cut.replacement + text[cut.end :]).split()) for cut in cuts(text)}


@pytest.mark.parametrize(
    ("cuts", "text", "expected"),
    [
        (sql_cuts, "SELECT a FROM t WHERE a = 1", {"SELECT a FROM t WHERE true"}),
        (
            sql_cuts,
            "UPDATE t SET a = 1 WHERE b AND (c OR d) RETURNING a",
            {
                "UPDATE t SET a = 1 WHERE true AND (c OR d) RETURNING a",
                "UPDATE t SET a = 1 WHERE b AND true RETURNING a",
                "UPDATE t SET a = 1 WHERE b AND (false OR d) RETURNING a",
                "UPDATE t SET a = 1 WHERE b AND (c OR false) RETURNING a",
            },
        ),
        (
            sql_cuts,
            "DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE 'a AND b' = x)",
            {
                "DELETE FROM t WHERE true",
                "DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM u WHERE true)",
            },
        ),
        (
            sql_cuts,
            "SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t -- WHERE nothing",
            {
                "SELECT CASE WHEN true THEN 1 ELSE 2 END FROM t -- WHERE nothing",
                "SELECT CASE WHEN false THEN 1 ELSE 2 END FROM t -- WHERE nothing",
            },
        ),
        (
            sql_cuts,
            "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1 WHERE c RETURNING a",
            {
                "INSERT INTO t VALUES (1) RETURNING a",
                "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1 WHERE true RETURNING a",
            },
        ),
        (sql_cuts, "j.a = %(a)s AND j.b = 1", {"true AND j.b = 1", "j.a = %(a)s AND true"}),
        (sql_cuts, "j.a, j.b", set()),
        (
            lua_cuts,
            "if a and not f('or') then g() end",
            {
                "if true then g() end",
                "if false then g() end",
                "if true and not f('or') then g() end",
                "if a and true then g() end",
            },
        ),
        (
            lua_cuts,
            "return a == b and 1 or 0",
            {"return true and 1 or 0", "return false or 0"},
        ),
        (lua_cuts, "redis.call('ZADD', k, 'NX', 1, m)", {"redis.call('ZADD', k, 1, m)"}),
    ],
)
def test_one_clause_at_a_time_is_taken_out(cuts: Cuts, text: str, expected: set[str]) -> None:
    assert _mutated(cuts, text) == expected


def test_a_new_file_is_mutated_by_itself(tmp_path: Path) -> None:
    (tmp_path / SQL).mkdir(parents=True)
    (tmp_path / SQL / "new.sql").write_text("SELECT j.id\nFROM jobs AS j\nWHERE j.version = 1\n")

    (mutant,) = mutants(tmp_path)

    assert mutant.name == "new.sql: j.version = 1 -> true"
    assert mutant.apply(tmp_path) == "SELECT j.id\nFROM jobs AS j\nWHERE true\n"


def test_no_two_mutants_have_one_name_and_each_has_suites() -> None:
    found = mutants(ROOT)

    assert len({mutant.name for mutant in found}) == len(found) > 100
    assert {mutant.folder for mutant in found} == SUITES.keys()


def test_each_explained_survivor_is_still_there() -> None:
    assert read_survivors().keys() <= {mutant.name for mutant in mutants(ROOT)}


@pytest.mark.servers
@pytest.mark.timeout(300)
def test_the_runner_names_the_suite_that_kills_a_mutant(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree")
    workers = Suite(name="workers", files=["tests/contract/test_worker_registry.py"], options=["-k", "read-committed"])
    queue = Suite(name="queue", files=["tests/contract/test_job_queue.py"], options=["-k", "valkey"])

    sql = judge(tree, _mutant("renew_worker.sql: w.closed_at IS NULL -> true"), [workers])
    lua = judge(tree, _mutant("claim.lua: 'NX', -> nothing"), [queue])
    unseen = judge(tree, _mutant("finish_rebuild.lua: value == ARGV[1] -> true"), [queue])

    assert sql.killed_by == "workers"
    assert "test_worker_registry.py::" in sql.test
    assert lua.killed_by == "queue"
    assert unseen.killed_by is None


def _mutant(name: str) -> Mutant:
    return next(mutant for mutant in mutants(ROOT) if mutant.name == name)

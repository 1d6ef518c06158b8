"""One SQL text for two databases: each statement is searched for what only one of them has, or each in its own way."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from scheduler.adapters.cockroach.statements import Statements, read_sql
from tests.architecture.rules import PACKAGE, modules_below
from tests.architecture.sql_rules import COMMENT, FORBIDDEN, IN_LITERALS, findings, statements_in

ADAPTER = PACKAGE / "adapters" / "cockroach"
FILES = sorted(PACKAGE.rglob("*.sql"))
FRAGMENTS = {"job_columns", "shards", "list_filter"}

# For each rule, statements that break it.
VIOLATIONS = {
    "a negative interval": ["SELECT now() + INTERVAL '-1 day'", "SELECT interval '1 day -2 hours'"],
    "jsonpath": ["SELECT jsonb_path_query(a, '$.b') FROM t", "SELECT a FROM t WHERE a @? '$.b'"],
    "make_interval": ["SELECT make_interval(secs => 1)"],
    "ids made by the server": ["SELECT uuidv7()", "SELECT gen_random_uuid()"],
    "RETURNING old or new": ["UPDATE t SET a = 1 RETURNING old.a", "UPDATE t SET a = 1 RETURNING id, new.a"],
    "an array of JSON": ["SELECT %(a)s::JSONB[]", "SELECT a::json [] FROM t"],
    "a division": ["SELECT a / 2 FROM t"],
    "SERIAL": ["CREATE TABLE t (id SERIAL)", "CREATE TABLE t (id bigserial)"],
    "an enum type": ["CREATE TYPE mood AS ENUM ('sad')"],
    "an advisory lock": ["SELECT pg_advisory_lock(1)", "SELECT pg_try_advisory_xact_lock(1)"],
    "LISTEN or NOTIFY": ["LISTEN jobs", "NOTIFY jobs", "SELECT pg_notify('jobs', '')"],
    "SKIP LOCKED": ["SELECT id FROM t FOR UPDATE SKIP LOCKED"],
    "MERGE": ["MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DO NOTHING"],
    "a DO block": ["DO $$ BEGIN END $$", "DO 'BEGIN END'"],
    "a temporary table": ["CREATE TEMP TABLE t (id UUID)", "CREATE TEMPORARY TABLE t (id UUID)"],
    "ON CONFLICT ON CONSTRAINT": ["INSERT INTO t (a) VALUES ('x') ON CONFLICT ON CONSTRAINT c DO NOTHING"],
    "USING HASH": ["CREATE INDEX i ON t USING HASH (a)"],
    "FOR SHARE": ["SELECT id FROM t FOR SHARE", "SELECT id FROM t FOR KEY SHARE"],
    "SELECT *": ["SELECT * FROM t", "SELECT t.* FROM t", "SELECT a, t.* FROM t", "SELECT DISTINCT * FROM t"],
    "an order of NULLs": ["SELECT a FROM t ORDER BY a NULLS LAST"],
    "a locale": [
        "SELECT a FROM t WHERE a ILIKE 'x'",
        'SELECT a FROM t ORDER BY a COLLATE "C"',
        "SELECT lower(a) FROM t",
    ],
    "OFFSET": ["SELECT a FROM t OFFSET 10"],
    "an integer type without its size": [
        "CREATE TABLE t (a INT)",
        "SELECT a::INTEGER FROM t",
        "SELECT a::bigint FROM t",
    ],
    "a float type without its size": ["SELECT a::FLOAT FROM t", "SELECT a::double precision FROM t"],
    "a time without its zone": ["CREATE TABLE t (a TIMESTAMP)"],
    "a parameter without a cast": ["SELECT %(a)s", "SELECT a FROM t WHERE a = %(a)s AND b = %(b)s::TEXT", "SELECT %s"],
    "a storage option": ["CREATE TABLE t (a TEXT) WITH (fillfactor = 70)", "CREATE INDEX CONCURRENTLY i ON t (a)"],
    "a second statement": ["SELECT a FROM t; SELECT b FROM t"],
    "two mutations of t": [
        "WITH a AS (UPDATE t SET b = 'x' RETURNING id) DELETE FROM t WHERE id IN (SELECT id FROM a)",
        "WITH a AS (INSERT INTO t (b) VALUES ('x') RETURNING id) UPDATE t AS u SET b = 'y'",
    ],
}


def test_the_files_are_found() -> None:
    assert {path.parent.name for path in FILES} == {"sql", "migrations"}
    assert {path.stem for path in FILES if path.is_relative_to(ADAPTER)} == {*read_sql("sql"), *read_sql("migrations")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_file_runs_on_both_databases(path: Path) -> None:
    assert findings(path.read_text("utf-8")) == []


@pytest.mark.parametrize("name", sorted(read_sql("sql").keys() - FRAGMENTS))
def test_the_assembled_statement_runs_on_both_databases(name: str) -> None:
    assert findings(Statements()[name].decode()) == []


@pytest.mark.parametrize("name", sorted(read_sql("migrations")))
def test_a_migration_only_adds_so_that_the_version_before_works_on(name: str) -> None:
    text = COMMENT.sub("", read_sql("migrations")[name])
    assert re.match(
        r"\s*(CREATE (TABLE|(UNIQUE )?INDEX) IF NOT EXISTS|ALTER TABLE \w+\s+ADD COLUMN IF NOT EXISTS) ", text
    )
    assert not re.search(r"\b(DROP|RENAME|SET NOT NULL|TYPE)\b", text)
    if text.lstrip().startswith("ALTER"):
        assert "NOT NULL" not in text or "DEFAULT" in text


@pytest.mark.parametrize("module", modules_below(PACKAGE), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_sql_in_python_follows_the_same_rules_and_the_adapter_has_none(module: Path) -> None:
    found = list(statements_in(module.read_text("utf-8")))
    assert [finding for statement in found for finding in findings(statement)] == []
    assert not (found and module.is_relative_to(ADAPTER))


@pytest.mark.parametrize(("rule", "statement"), [(rule, text) for rule, texts in VIOLATIONS.items() for text in texts])
def test_the_search_finds(rule: str, statement: str) -> None:
    assert rule in findings(statement)


def test_every_rule_has_a_statement_that_breaks_it() -> None:
    assert VIOLATIONS.keys() == {*FORBIDDEN, *IN_LITERALS, "two mutations of t"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*)::INT8 FROM t",
        "INSERT INTO t (a) VALUES (%(a)s::TEXT) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
        "SELECT now() - %(a)s::FLOAT8 * INTERVAL '1 second'",
        "SELECT 'a / b * SELECT *; INT' -- a / comment",
        "SELECT (a, b) > (%(a)s::TIMESTAMPTZ, %(b)s::UUID) FROM t",
        "WITH a AS (DELETE FROM t RETURNING id) DELETE FROM u WHERE id IN (SELECT id FROM a)",
    ],
)
def test_the_search_accepts(statement: str) -> None:
    assert findings(statement) == []


def test_statements_are_recognised_in_python() -> None:
    source = '''
"""Select what you like: a docstring is no statement."""
a = "SELECT 1"
b = b"INSERT INTO t (a) VALUES (1)"
c = f"DELETE FROM {table}"
d = "WITH x AS (SELECT 1) SELECT 2"
e = "selected"
f = "Create a table"
'''
    assert set(statements_in(source)) == {
        "SELECT 1",
        "INSERT INTO t (a) VALUES (1)",
        "DELETE FROM ",
        "WITH x AS (SELECT 1) SELECT 2",
    }


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(name.split("_")[0]) for name in read_sql("migrations")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_texts_are_part_of_the_package() -> None:
    package = files("scheduler.adapters.cockroach")
    assert package.joinpath("sql", "apply_changes.sql").is_file()
    assert package.joinpath("migrations", "0001_jobs.sql").is_file()

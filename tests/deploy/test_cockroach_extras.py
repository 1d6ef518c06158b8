"""The optional statements for CockroachDB speak of the schema as it is."""

import re

from scheduler.adapters.cockroach.statements import read_sql
from tests.deploy.tools import DEPLOY

INDEX = re.compile(r"CREATE INDEX (?:IF NOT EXISTS )?(\w+) ON (\w+) (\([^)]*\))")
EXTRAS = (DEPLOY / "cockroach" / "extras.sql").read_text()
SCHEMA = "\n".join(read_sql("migrations").values())


def test_a_hashed_index_has_the_columns_of_the_one_that_it_replaces() -> None:
    ours = {match[0]: match.groups() for match in INDEX.finditer(SCHEMA)}
    hashed = [match.groups() for match in INDEX.finditer(EXTRAS)]
    assert len(hashed) == EXTRAS.count("USING HASH") > 0
    assert set(hashed) <= set(ours.values())
    assert re.findall(r"DROP INDEX jobs@(\w+);\nCREATE INDEX (\w+)", EXTRAS) == [(name, name) for name, *_ in hashed]


def test_every_table_that_is_changed_exists() -> None:
    tables = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", SCHEMA))
    assert set(re.findall(r"ALTER TABLE (\w+)", EXTRAS)) <= tables

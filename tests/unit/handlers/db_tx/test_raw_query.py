"""What of a submitter's own SQL is refused before it is sent, however it is written."""

import time

import pytest

from scheduler.adapters.handlers.db_tx.outline import outline_of
from scheduler.adapters.handlers.db_tx.raw_query import fault_of_raw

NAMED = (
    "INSERT INTO scheduler_effects VALUES ($1)",
    "INSERT INTO SCHEDULER_EFFECTS VALUES ($1)",
    'INSERT INTO "scheduler_effects" VALUES ($1)',
    'INSERT INTO public . /**/ "scheduler_effect_rows" VALUES ($1)',
    "WITH a AS (INSERT INTO scheduler_effects SELECT $1) SELECT 1",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SELECT 'scheduler_' || 'x', E'a'\n'\\'' || pg_read_file('x') || ''",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_catalog.PG_READ_BINARY_FILE ('/etc/passwd')",
    'SELECT "pg_read_file" ($1)',
    "SELECT pg_ls_dir('.')",
    "SELECT pg_ls_waldir()",
    "SELECT pg_stat_file('PG_VERSION')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT dblink_exec('', 'COMMIT')",
    "SELECT * FROM dblink('', 'SELECT 1') AS t (a INT8)",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_reload_conf()",
    "SELECT set_config('role', 'postgres', false)",
    "UPDATE pg_catalog.pg_settings SET setting = 'none' WHERE name = 'role'",
    "SELECT crdb_internal.force_panic('x')",
)
SHAPED = (
    ("SELECT U&\"pg_read\\005ffile\"('x')", "U&"),
    ("SELECT u&\"pg!005fread_file\" UESCAPE '!' ('x')", "U&"),
    ("DO 'BEGIN END'", "DO block"),
    ("do LANGUAGE plpgsql 'BEGIN END'", "DO block"),
    ("SELECT 1 AS a INTO t", "INTO"),
    ("SELECT 1 AS a/**/into/**/TEMP t", "INTO"),
    ("WITH a AS (SELECT 1) SELECT * INTO t FROM a", "INTO"),
    ("SELECT 1 AS insert\u00a0 INTO t", "INTO"),
    ("SELECT * FROM [GRANT admin TO me]", "command"),
    ("WITH a AS (ALTER TABLE t RENAME TO u) SELECT 1", "command"),
    ("INSERT INTO [53 AS t] VALUES (1)", "number"),
    ("INSERT INTO [ /**/ 53 (1, 2) AS t] VALUES (1)", "number"),
)
ALLOWED = (
    "INSERT INTO t (comment, into_account) VALUES ($1, 'INTO the [53 AS x] DO (SET x)')",
    "INSERT /* INTO */ INTO t SELECT a[1], ARRAY[1, CAST($1 AS INT8)] FROM u",
    "INSERT INTO t VALUES ($1) ON CONFLICT (id) DO UPDATE SET a = 1",
    "MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DO NOTHING",
    "UPSERT INTO t VALUES ($1)",
    "UPDATE pg_reader SET reset_config = $1 WHERE my_set_config > 0",
    "SELECT pg_sleep(1), now()",
    "CALL settle($1)",
    "REFRESH MATERIALIZED VIEW totals",
)


@pytest.mark.parametrize("text", NAMED)
def test_names_are_found_in_any_spelling(text: str) -> None:
    assert (fault_of_raw(text) or "").startswith("must not name ")


@pytest.mark.parametrize(("text", "fault"), SHAPED)
def test_what_no_name_gives_away_is_found_by_its_shape(text: str, fault: str) -> None:
    assert fault in (fault_of_raw(text) or "")


@pytest.mark.parametrize("text", ALLOWED)
def test_ordinary_statements_pass(text: str) -> None:
    assert outline_of(text).fault() is None
    assert fault_of_raw(text) is None


@pytest.mark.parametrize("piece", ["pg_read", "( SET ", "[ 1 1", "[ 1 ( 1 ,", " INTO", "u&", "\ufb00", "E''\n"])
def test_judging_takes_time_in_proportion_to_the_length(piece: str) -> None:
    def seconds(times: int) -> float:
        began = time.process_time()
        fault_of_raw(piece * times)
        return time.process_time() - began

    # Twenty times the length: twenty times as long if it is linear, four hundred times if it is not.
    assert seconds(40_000) < 100 * max(seconds(2_000), 0.001)

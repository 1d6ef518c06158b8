import time

import pytest

from scheduler.adapters.handlers.db_tx.outline import KEYWORDS, outline_of

ONE_STATEMENT = (
    ("SELECT 1", "SELECT", 0),
    ("  select $1", "SELECT", 1),
    ("SELECT 1;", "SELECT", 0),
    ("SELECT 1; -- done", "SELECT", 0),
    (";;SELECT 1;;", "SELECT", 0),
    ("-- a; b\nUPDATE t SET a = $2 WHERE b = $1", "UPDATE", 2),
    ("/* a; /* nested; */ still $7 */ DELETE FROM t WHERE a = $1", "DELETE", 1),
    ("/**/INSERT INTO t VALUES ($1, ';', '$2')", "INSERT", 1),
    ("((SELECT $1))", "SELECT", 1),
    ("WITH a AS (SELECT ';--' AS b) SELECT b FROM a", "WITH", 0),
    ("SELECT 'it''s; $4', $1", "SELECT", 1),
    (r"SELECT E'it\'s; $4', $1", "SELECT", 1),
    (r"SELECT 'C:\', $1", "SELECT", 1),
    ('SELECT "a;""$9" FROM t WHERE b = $1', "SELECT", 1),
    ("DO $$ BEGIN PERFORM 1; END $$", "DO", 0),
    ("DO $body$ BEGIN PERFORM '$$;'; END $body$", "DO", 0),
    ("SELECT $1 FROM foo$2", "SELECT", 1),
    ("SELECT a$b$c FROM t", "SELECT", 0),
    ("SELECT $10, $2", "SELECT", 10),
    ("SELECT 'never closed; $3", "SELECT", 0),
    ("SELECT $$never closed; $3", "SELECT", 0),
    ("SELECT /* never closed; $3", "SELECT", 0),
    ("SELECT E'a'\n'\\'$7' || $1", "SELECT", 1),
    ("SELECT E'a' -- b\n -- c\n '\\'$7' || $1", "SELECT", 1),
    ("SELECT E'a' '\\' || $1", "SELECT", 1),
    ("SELECT 'a'\n'\\' || $1", "SELECT", 1),
    ("SELECT 1 AS \u00a0e'\\' || $1", "SELECT", 1),
    ("SELECT 1 -- 'no text\n, $1", "SELECT", 1),
)


@pytest.mark.parametrize(("text", "keyword", "parameters"), ONE_STATEMENT)
def test_one_statement_is_read_as_the_server_reads_it(text: str, keyword: str, parameters: int) -> None:
    outline = outline_of(text)

    assert (outline.keyword, outline.statements, outline.parameters) == (keyword, 1, parameters)
    assert outline.fault() is None


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("  ", 0),
        ("; ;", 0),
        ("-- SELECT 1", 0),
        ("/* SELECT 1 */", 0),
        ("SELECT 1; SELECT 2", 2),
        ("a;b;c", 3),
    ],
)
def test_anything_but_one_statement_is_refused(text: str, count: int) -> None:
    assert outline_of(text).fault() == f"must be exactly one SQL statement, is {count}"


@pytest.mark.parametrize(
    "text",
    [
        "COMMIT",
        "commit and chain",
        ";COMMIT",
        "/* SELECT */ ROLLBACK",
        "-- SELECT\nEND",
        "ABORT",
        "BEGIN",
        "START TRANSACTION",
        "SAVEPOINT a",
        "RELEASE a",
        "PREPARE TRANSACTION 'a'",
        "SET search_path = a",
        "RESET ALL",
        "DISCARD ALL",
        "LISTEN a",
        "NOTIFY a",
        "COPY t FROM STDIN",
        "VACUUM",
        "LOCK TABLE t",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "PREPARE a AS SELECT 1",
        "EXECUTE a",
        "CREATE TABLE t (a INT8)",
        "DROP TABLE t",
        "GRANT SELECT ON t TO public",
        "EXPLAIN ANALYZE SELECT 1",
        "$1",
        "'SELECT'",
        '"select" 1',
        "\ufeffSELECT 1",
        "1",
    ],
)
def test_what_does_not_begin_with_a_known_word_is_refused(text: str) -> None:
    assert outline_of(text).fault() == f"must begin with {', '.join(KEYWORDS[:-1])} or {KEYWORDS[-1]}"


@pytest.mark.parametrize("piece", ["'", "$a$", "/*", "$", "--", '"', "E'\\", "E''\n", "a", "(", "[ 1 "])
def test_reading_takes_time_in_proportion_to_the_length(piece: str) -> None:
    def seconds(times: int) -> float:
        began = time.process_time()
        outline_of(piece * times)
        return time.process_time() - began

    # Twenty times the length: twenty times as long if it is linear, four hundred times if it is not.
    assert seconds(40_000) < 100 * max(seconds(2_000), 0.001)

from pathlib import Path

import pytest

from scheduler.adapters.handlers.db_tx import StatementsFileError, read_statements

GOOD = """\
-- Statements that jobs may run.

-- name: transfer
-- Moves money.
UPDATE accounts SET balance = balance + $2
WHERE id = $1;

--name:refresh.daily-totals
REFRESH MATERIALIZED VIEW totals
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "statements.sql"


def test_statements_are_read_by_name(path: Path) -> None:
    path.write_text(GOOD)

    assert read_statements(path) == {
        "transfer": "-- Moves money.\nUPDATE accounts SET balance = balance + $2\nWHERE id = $1;",
        "refresh.daily-totals": "REFRESH MATERIALIZED VIEW totals",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no statement"),
        ("-- nothing\n", "holds no statement"),
        ("SELECT 1", "line 1: '' is no name"),
        ("\nSELECT 1;\n-- name: a\nSELECT 2", "line 1: '' is no name"),
        ("-- name: a\nSELECT 1\n-- name:\nSELECT 2", "line 3: '' is no name"),
        ("-- name: get user\nSELECT 1", "line 1: 'get user' is no name"),
        ("-- name: a!\nSELECT 1", "line 1: 'a!' is no name"),
        ("-- name: a\nSELECT 1\n\n-- name: a\nSELECT 2", "line 4: the name 'a' is taken"),
        ("-- name: a\n-- name: b\nSELECT 2", "line 1: 'a' must be exactly one SQL statement, is 0"),
        ("-- name: a\nSELECT 1\n-- name: b\n", "line 3: 'b' must be exactly one SQL statement, is 0"),
        ("-- name: a\nSELECT 1; SELECT 2", "line 1: 'a' must be exactly one SQL statement, is 2"),
        ("-- name: a\nSELECT 1\n-- name: b\nCOMMIT", "line 3: 'b' must begin with"),
        ("-- name: a\nSELECT '\0'", "line 1: 'a' holds the character NUL"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_line(path: Path, text: str, message: str) -> None:
    path.write_text(text)

    with pytest.raises(StatementsFileError) as refusal:
        read_statements(path)

    assert str(refusal.value).removeprefix(str(path)).lstrip(",: ").startswith(message)


def test_a_file_that_cannot_be_read_is_refused(path: Path) -> None:
    with pytest.raises(StatementsFileError, match="cannot be read: No such file"):
        read_statements(path)
    with pytest.raises(StatementsFileError, match="cannot be read: Is a directory"):
        read_statements(path.parent)
    path.write_bytes(b"-- name: a\nSELECT '\xff'")
    with pytest.raises(StatementsFileError, match="it is not UTF-8"):
        read_statements(path)

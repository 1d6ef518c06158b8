import json

import pytest

from scheduler.adapters.handlers.db_tx.parameters import BOOL, INFERRED, INT8, JSONB, NUMERIC, Parameter
from scheduler.adapters.handlers.db_tx.payload import read_payload
from scheduler.application.ports.handlers import PermanentError

ALLOWED = {"transfer": "UPDATE t SET a = $1 WHERE b = $2"}


def bound(value: str) -> Parameter:
    [parameter] = read_payload(f'{{"query": "SELECT $1", "params": [{value}]}}', None).parameters
    return parameter


@pytest.mark.parametrize(
    ("value", "text", "oid"),
    [
        ("null", None, INFERRED),
        ("true", b"true", BOOL),
        ("false", b"false", BOOL),
        ("0", b"0", INT8),
        ("-7", b"-7", INT8),
        ("9223372036854775807", b"9223372036854775807", INT8),
        ("-9223372036854775808", b"-9223372036854775808", INT8),
        ("9223372036854775808", b"9223372036854775808", NUMERIC),
        ("-9223372036854775809", b"-9223372036854775809", NUMERIC),
        ("9" * 5000, b"9" * 5000, NUMERIC),
        ("0.1", b"0.1", NUMERIC),
        ("0.10", b"0.10", NUMERIC),
        ("1.00000000000000000000000001", b"1.00000000000000000000000001", NUMERIC),
        ("1e400", b"1E+400", NUMERIC),
        ("-0.0", b"-0.0", NUMERIC),
        ('"2026-01-02"', b"2026-01-02", INFERRED),
        ('""', b"", INFERRED),
        ('"\\u00e9\\ud83d\\ude00"', "é😀".encode(), INFERRED),
        ("{}", b"{}", JSONB),
        ("[]", b"[]", JSONB),
        (
            '{"a": [1, 0.10, null, true, "b\\"\\n"], "c": {"d": 1e400}}',
            b'{"a":[1,0.10,null,true,"b\\"\\n"],"c":{"d":1E+400}}',
            JSONB,
        ),
        (
            "[12345678901234567890123, 3.14159265358979323846]",
            b"[12345678901234567890123,3.14159265358979323846]",
            JSONB,
        ),
    ],
)
def test_a_json_value_becomes_a_parameter_of_its_type_with_every_digit(
    value: str, text: bytes | None, oid: int
) -> None:
    assert bound(value) == Parameter(text, oid)


def test_a_document_stays_the_same_document() -> None:
    document = '{"a": [1, 0.5, null, true, "b\\"\\n\\u00e9"], "": {"d": {}}}'

    text = bound(document).text

    assert text is not None
    assert json.loads(text) == json.loads(document)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, "payload: must be an object"),
        ("null", "payload: must be an object"),
        ("[]", "payload: must be an object"),
        ('"SELECT 1"', "payload: must be an object"),
        ("{", "payload: must be a JSON document"),
        ('{"query": "SELECT $1", "params": [NaN]}', "payload: must be a JSON document: NaN"),
        ('{"query": "SELECT $1", "params": [1e99999999999999999999]}', "payload: must be a JSON document: 1e9999"),
        ("{}", "query: must be a text"),
        ('{"query": null}', "query: must be a text"),
        ('{"query": ""}', "query: must be a text"),
        ('{"query": 7}', "query: must be a text"),
        ('{"query": " "}', "query: must be exactly one SQL statement, is 0"),
        ('{"query": "SELECT 1; COMMIT"}', "query: must be exactly one SQL statement, is 2"),
        ('{"query": "COMMIT"}', "query: must begin with CALL, "),
        ('{"query": "DO \'\'"}', "query: must not be a DO block"),
        ('{"query": "SELECT \'\\u0000\'"}', "query: must not hold the character NUL"),
        ('{"query": "SELECT \'\\ud800\'"}', "query: must be valid UTF-8"),
        ('{"query": "SELECT 1", "parms": []}', "parms: there is no such field"),
        ('{"query": "SELECT 1", "params": {}}', "params: must be an array"),
        ('{"query": "SELECT 1", "params": null}', "params: must be an array"),
        ('{"query": "SELECT $1"}', "params: must be 1 values, as many as the query has parameters, not 0"),
        ('{"query": "SELECT $2, $1", "params": [1]}', "params: must be 2 values"),
        ('{"query": "SELECT 1", "params": [1]}', "params: must be 0 values"),
        ('{"query": "SELECT $1", "params": ["\\u0000"]}', "params[0]: must not hold the character NUL"),
        ('{"query": "SELECT $1, $2", "params": [1, "\\ud800"]}', "params[1]: must be valid UTF-8"),
        ('{"query": "SELECT $1", "params": [{"a": ["\\u0000"]}]}', "params[0]: must not hold the character NUL"),
        ('{"query": "SELECT $1", "params": [{"\\u0000": 1}]}', "params[0]: must not hold the character NUL"),
        ('{"statement": "transfer"}', "statement: this worker has no named statements"),
        ('{"query": "SELECT 1", "statement": "transfer"}', "statement: this worker has no named statements"),
    ],
)
def test_a_payload_that_cannot_be_meant_is_refused_by_the_name_of_its_field(payload: str | None, message: str) -> None:
    with pytest.raises(PermanentError) as refusal:
        read_payload(payload, None)

    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ('{"query": "SELECT 1"}', "query: this worker runs named statements only"),
        ('{"query": "SELECT 1", "statement": "transfer"}', "query: this worker runs named statements only"),
        ("{}", "statement: must be a text"),
        ('{"statement": ["transfer"]}', "statement: must be a text"),
        ('{"statement": "drop"}', "statement: 'drop' is not one of the allowed statements"),
        (
            '{"statement": "transfer", "params": [1]}',
            "params: must be 2 values, as many as the statement has",
        ),
    ],
)
def test_where_statements_are_named_only_their_names_count(payload: str, message: str) -> None:
    with pytest.raises(PermanentError) as refusal:
        read_payload(payload, ALLOWED)

    assert str(refusal.value).startswith(message)


def test_without_a_list_a_query_is_refused_by_the_names_of_the_variables() -> None:
    with pytest.raises(PermanentError, match=r"^query: .*DB_TX_ALLOWED_STATEMENTS.*DB_TX_ALLOW_ANY_SQL"):
        read_payload('{"query": "SELECT 1"}', {})


def test_the_operators_own_statements_are_not_judged() -> None:
    assert read_payload('{"statement": "it"}', {"it": "DO ''"}).sql == b"DO ''"


def test_a_named_statement_is_found() -> None:
    statement = read_payload('{"statement": "transfer", "params": [1, "x"]}', ALLOWED)

    assert statement.sql == ALLOWED["transfer"].encode()
    assert [parameter.text for parameter in statement.parameters] == [b"1", b"x"]

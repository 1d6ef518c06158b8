import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.errors import InvalidFieldError
from scheduler.domain.json_document import MAX_JSON_BYTES, check_json


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


ODD_BUT_VALID = {
    "null": "null",
    "a number": "-0.0e-0",
    "a huge number": "1e400",
    "a tiny number": "-1E-400",
    "many digits": "1" * 5000,
    "NUL escape": '"\\u0000"',
    "lone surrogate escapes": '"\\ud800 \\udfff\\ud800"',
    "duplicate keys": '{"a": 1, "a": 2}',
    "an empty key": '{"": {}}',
    "white space around": " \t\r\n[ 1 ]\n",
    "beyond the basic plane": '"\U0001f600"',
    "line separators": '"\u2028\u2029\x7f"',
    "every escape": r'"\"\\\/\b\f\n\r\t\u00e9"',
    "200 arrays deep": nested(200),
    "200 objects deep": '{"a":' * 200 + "1" + "}" * 200,
    "many brackets side by side": "[" + ",".join(["[]"] * 1000) + "]",
    "many brackets in strings": json.dumps(["[{" * 500, '"' + "[" * 500]),
    "brackets behind an escaped quote": '["\\"' + "[" * 300 + '"]',
    "1 MiB": '"' + "x" * (MAX_JSON_BYTES - 2) + '"',
    "1 MiB of two bytes each": '"' + "é" * (MAX_JSON_BYTES // 2 - 1) + '"',
}

NOT_ONE_DOCUMENT = {
    "empty": "",
    "blank": " ",
    "NaN": "NaN",
    "NaN inside": '{"a": [NaN]}',
    "Infinity": "Infinity",
    "-Infinity": "[-Infinity]",
    "two documents": "1 2",
    "two lines": "{}\n{}",
    "trailing garbage": "{} x",
    "trailing comma": "[1,]",
    "a comment": "/**/ 1",
    "a byte order mark": "\ufeff{}",
    "single quotes": "'a'",
    "a bare word": "nul",
    "a leading zero": "01",
    "a plus sign": "+1",
    "a bare point": "1.",
    "other digits": "\u0661",
    "a raw NUL": '"\0"',
    "a raw line feed in a string": '"a\nb"',
    "an unknown escape": '"\\x41"',
    "a short escape": '"\\u12"',
    "an unended string": '"a',
    "an unended array": "[1",
    "other white space": "\xa01",
    "a key without quotes": "{a: 1}",
    "a lone surrogate": '"\ud800"',
    "201 arrays deep": nested(201),
    "201 objects deep": '{"a":' * 201 + "1" + "}" * 201,
    "a hundred thousand arrays deep": nested(100_000),
    "deep behind a string of quotes": '["\\"",' + nested(200) + "]",
    "1 MiB + 1": '"' + "x" * (MAX_JSON_BYTES - 1) + '"',
    "1 MiB + 1 of two bytes each": '"' + "é" * (MAX_JSON_BYTES // 2 - 1) + 'x"',
}


@pytest.mark.parametrize("name", ODD_BUT_VALID)
def test_odd_but_valid_documents_are_accepted(name: str) -> None:
    check_json("payload", ODD_BUT_VALID[name])


@pytest.mark.parametrize("name", NOT_ONE_DOCUMENT)
def test_everything_else_is_refused_under_its_fields_name(name: str) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        check_json("result", NOT_ONE_DOCUMENT[name])

    assert refusal.value.field == "result"


def test_a_string_that_never_ends_is_refused_in_one_pass() -> None:
    """Looked at again from each of its half a million quotes, it would outlast the time limit of the test."""
    with pytest.raises(InvalidFieldError):
        check_json("payload", "[" * 201 + '"' + '\\"' * 500_000)


def test_other_limits_can_be_set() -> None:
    check_json("payload", "[123]", max_bytes=5)
    with pytest.raises(InvalidFieldError, match="payload: must be at most 4 bytes, is 5"):
        check_json("payload", "[123]", max_bytes=4)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(value=values, indent=st.none() | st.integers(0, 3))
def test_whatever_json_writes_is_accepted(value: object, indent: int | None) -> None:
    check_json("payload", json.dumps(value, indent=indent))


@given(value=st.lists(values, max_size=5), depth=st.integers(min_value=150, max_value=260), noise=st.text())
def test_nesting_is_counted_as_a_parser_counts_it(value: list[object], depth: int, noise: str) -> None:
    document = json.dumps([noise, *value])
    text = "[" * depth + document + "]" * depth

    if depth + _depth(json.loads(document)) <= 200:
        check_json("payload", text)
    else:
        with pytest.raises(InvalidFieldError, match="nest"):
            check_json("payload", text)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0

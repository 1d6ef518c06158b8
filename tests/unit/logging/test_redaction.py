"""What is hidden in a line of a log, wherever it stands, and what is not."""

import copy
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.adapters.logging.redaction import HIDDEN, LEFT_OUT, MAX_TEXT, MAX_VALUES, Redaction

ADDRESSES = (
    ("postgresql://root:pa:ss@db:26257/x?sslmode=require", "postgresql://***@db:26257/x?sslmode=require"),
    ("redis://:pass@host", "redis://***@host"),
    ("at redis://u:p/a/ss@host/0.", "at redis://***@host/0."),
    ("redis://u:p@ss@host/0", "redis://***@host/0"),
    ("redis://u:p@s/s@host/0", "redis://***@host/0"),
    ("https://TOKEN@host/x", "https://***@host/x"),
    ("https://u:p@h1/x,https://h2/y", "https://***@h1/x,https://h2/y"),
)
TEXTS = (
    ("host=db password='a b' user=x", "host=db password=*** user=x"),
    ('{"password": "x y", "a": 1}', '{"password": ***, "a": 1}'),
    (r"{\"password\": \"x y\", \"a\": 1}", r'{\"password\": ***", \"a\": 1}'),
    ("{'api_key': 'x'}", "{'api_key': ***}"),
    ("password=a(b)[c]{d}<e>", "password=***"),
    ("GET /?access_token=abc&page=1", "GET /?access_token=***&page=1"),
    ("secret: abc", "secret: ***"),
    ("pwd=x passwd=y", "pwd=*** passwd=***"),
    ("Authorization: Bearer abc.def", "Authorization: ***"),
    ("authorization: Basic dXNlcjpw", "authorization: ***"),
    ("sent Bearer abc.def-1 twice", "sent Bearer *** twice"),
    ("sent Basic dXNlcjpw= twice", "sent Basic *** twice"),
    ("Set-Cookie: a=b; c=d\nHost: x", "Set-Cookie: ***\nHost: x"),
    ("x-api-key: 123", "x-api-key: ***"),
    ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- end", "*** end"),
)
ORDINARY = (
    "https://example.org/a@b",
    "http://host:8080/a@b",
    "http://[2001:db8::1]:80/a@b",
    "password authentication failed for user x",
    "basic authentication is off",
    "bearer token missing",
    "job_id=0f4c attempt=2 worker_id=9b1e keys=3",
    "the tokenizer read 7 tokens, the secretary wrote to a@b",
    "nothing to hide",
)
NAMES = (
    "password",
    "db_password",
    "passwords",
    "passwd",
    "pwd",
    "secret",
    "client_secret",
    "token",
    "tokens",
    "Authorization",
    "api_key",
    "apikey",
    "x-api-key",
    "X-API-Key",
    "cookie",
    "Set-Cookie",
    "credentials",
    "private_key",
    "payload",
    "payload_json",
)
OURS = {
    "event": "job_retrying",
    "level": "info",
    "logger": "scheduler",
    "timestamp": "2026-01-31T03:00:00Z",
    "job_id": "0f4c",
    "job_type": "order.pack",
    "attempt": 1,
    "fence": 3,
    "worker_id": "9b1e",
    "outcome": "RETRY",
    "error": "503 Service Unavailable",
    "trace_id": "4bf9",
    "seconds": 0.5,
    "is_ready": True,
    "left_out": None,
    "loops": ["claims", "lease"],
    "stacks": {"MainThread": "in run"},
    "author": "me",
    "primary_keys": 3,
}


def redacted(line: Mapping[str, object], *secrets: str) -> object:
    return Redaction(secrets)(None, "", dict(line))


@pytest.mark.parametrize(("text", "expected"), ADDRESSES + TEXTS)
def test_secrets_are_cut_out_of_texts(text: str, expected: str) -> None:
    assert Redaction().text(text) == expected


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_stay(text: str) -> None:
    assert Redaction().text(text) == text


@pytest.mark.parametrize("name", NAMES)
def test_fields_that_are_named_like_a_secret_are_hidden_at_any_depth(name: str) -> None:
    line = {name: "x", "headers": {name: "x", "accept": "y"}, "calls": [{"sent": ({name: b"x"},)}]}

    assert redacted(line) == {
        name: HIDDEN,
        "headers": {name: HIDDEN, "accept": "y"},
        "calls": [{"sent": [{name: HIDDEN}]}],
    }


def test_our_own_fields_stay() -> None:
    assert redacted(OURS) == OURS


def test_values_of_any_kind_are_read_as_texts_and_what_the_writer_holds_is_left_alone() -> None:
    line = {"a": ValueError("password=x"), "b": [b"token=x"], "c": {"d": {"redis://:x@h"}}}
    before = copy.copy(line)

    assert redacted(line) == {"a": "password=***", "b": ["token=***"], "c": {"d": ["redis://***@h"]}}
    assert line == before


def test_secrets_of_the_settings_are_hidden_wherever_they_are_and_short_ones_left() -> None:
    line = {"event": "no Tr0ub4dor here", "logger": "scheduler", "deep": [{"Tr0ub4dor": "xTr0ub4dory"}], "note": "abc"}

    assert redacted(line, "Tr0ub4dor", "abc", "scheduler") == {
        "event": "no *** here",
        "logger": "scheduler",
        "deep": [{"***": "x***y"}],
        "note": "abc",
    }


def test_what_is_too_long_too_deep_or_too_much_is_left_out() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert Redaction().text("x" * (MAX_TEXT + 9)) == "x" * MAX_TEXT + LEFT_OUT
    assert LEFT_OUT in str(redacted({"a": endless}))
    assert len(str(redacted({"a": [["x"] * 100] * 10_000}))) < 10 * MAX_VALUES


@given(st.text(), st.from_regex(r"[A-Za-z0-9!#$%*+./:=?@^_~-]{8,40}", fullmatch=True), st.sampled_from(NAMES[:-2]))
def test_no_secret_survives_what_assigns_it(before: str, secret: str, name: str) -> None:
    hidden = Redaction().text(f"{before.replace(secret, '')} {name}={secret}")

    assert not hidden.endswith(secret)


@given(st.text(), st.text(min_size=6).filter(lambda secret: "*" not in secret), st.text())
def test_no_known_secret_survives_anywhere(before: str, secret: str, after: str) -> None:
    assert not any(secret in part for part in Redaction([secret]).text(before + secret + after).split(HIDDEN))


@given(st.lists(st.sampled_from(["job_id", "7", "attempt", "=", ":", " ", "\n", "a@b", "x.y", "https://h/p", "key"])))
def test_texts_without_any_of_its_words_stay(pieces: list[str]) -> None:
    text = " ".join(pieces)

    assert Redaction().text(text) == text


@pytest.mark.parametrize(
    "piece",
    ["a://b:c", "://a@", "password", "password:'", '"password":"', "cookie", "Bearer ", "basic a", "token-", "\\", "@"],
)
def test_redaction_takes_time_in_proportion_to_the_length(piece: str) -> None:
    redaction = Redaction(["Tr0ub4dor"])

    def seconds(times: int) -> float:
        text = f"{piece * times}@ bearer basic cookie password private key-----"
        began = time.process_time()
        redaction.text(text)
        return time.process_time() - began

    # Twenty times the length: twenty times as long if it is linear, four hundred times if it is not.
    assert seconds(4000) < 100 * max(seconds(200), 0.001)

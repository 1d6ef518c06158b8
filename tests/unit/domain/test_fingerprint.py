"""What makes two errors the same kind of error."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.fingerprint import MAX_CHARACTERS, fingerprint, normalised

SAME = {
    "a number": ("took 12 of 3.5 s", "took 7 of 10,000.25 s"),
    "a sign": ("at offset -3", "at offset +40"),
    "an id": ("user 2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d is gone", "user 7D444840-9DC0-11D1-B245-5FFDCE74FAD2 is gone"),
    "an opaque name": ("order 01ARZ3NDEKTSV4RRFFQ69G5FAV lost", "order 01BX5ZZKBKACTAV9WEVGEMMVRZ lost"),
    "a pointer": ("<object at 0x7f3a10>", "<object at 0xDEADBEEF01>"),
    "a digest": ("blob 9f86d081884c7d65 is corrupt", "blob 60303ae22b998861 is corrupt"),
    "a quoted text": ("key 'a b' not found", 'key "it\'s c" not found'),
    "a time": ("expired at 2026-03-04T05:06:07.123Z", "expired at 2025-12-31 23:59:59+02:00"),
    "a time of day": ("since 05:06:07", "since 15:16:17.5"),
    "an IPv4 address": ("cannot reach 10.0.0.1:5432", "cannot reach 192.168.17.200"),
    "an IPv6 address": ("cannot reach 2001:db8::1", "cannot reach fe80::1ff:fe23:4567:890a"),
    "an e-mail address": ("no such user a.b+c@example.org", "no such user x@mail.example.com"),
    "white space": ("connection  refused \n", "\n\tconnection refused"),
    "what comes after three lines": ("a\nb\nc\nd", "a\nb\nc\ne"),
    "blank lines": ("a\n\n\nb", "a\nb"),
}
DIFFERENT = {
    "words": ("connection refused", "connection reset"),
    "case": ("Refused", "refused"),
    "a status": ("HTTP 404", "HTTP 503"),
    "a status behind a colon": ("status: 404", "status: 503"),
    "an exit code": ("exit code 1", "exit code 137"),
    "the second line": ("Error:\nrefused", "Error:\nreset"),
    "names with a digit": ("utf8 codec", "utf16 decoder"),
}


@pytest.mark.parametrize("what", SAME)
def test_errors_are_of_one_kind_when_they_differ_only_in(what: str) -> None:
    one, other = SAME[what]
    assert normalised(one) == normalised(other)
    assert fingerprint("email.send", one) == fingerprint("email.send", other)


@pytest.mark.parametrize("what", DIFFERENT)
def test_errors_are_of_two_kinds_when_they_differ_in(what: str) -> None:
    one, other = DIFFERENT[what]
    assert fingerprint("email.send", one) != fingerprint("email.send", other)


def test_the_same_error_of_another_type_is_another_kind() -> None:
    assert fingerprint("email.send", "refused") != fingerprint("email.fetch", "refused")


def test_an_apostrophe_opens_no_quoted_text() -> None:
    assert normalised("can't open it, won't try") == "can't open it, won't try"


def test_a_kind_of_error_reads_well() -> None:
    error = "GET https://api.example.org/users/17?at=2026-03-04: HTTP 503 after 1.5 s for job 'x'"
    assert normalised(error) == (
        "GET https://api.example.org/users/<number>?at=<time>: HTTP 503 after <number> s for job <quoted>"
    )


@given(st.text(), st.text(max_size=5_000))
def test_any_text_has_a_short_fingerprint_and_a_bounded_form(job_type: str, error: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", fingerprint(job_type, error))
    assert len(normalised(error)) <= MAX_CHARACTERS


@pytest.mark.parametrize("piece", ["'", "1", "a1", "0x", ":", "1:", "a@", "1.", "2026-", "http ", "f0-"])
def test_no_text_takes_long_to_read(piece: str) -> None:
    assert len(normalised(piece * 5_000)) <= MAX_CHARACTERS


def test_the_fingerprint_is_stored_hence_may_never_change() -> None:
    assert fingerprint("email.send", "refused by 10.0.0.1") == "a69808343400f358"

"""The small parts of a call: its identity, its redirects, Retry-After, bodies and what is hidden."""

import asyncio
import gzip
import re
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.adapters.handlers.http_call.body import READ_LIMIT, Body
from scheduler.adapters.handlers.http_call.identity import identity_headers
from scheduler.adapters.handlers.http_call.messages import Reply, Request
from scheduler.adapters.handlers.http_call.retry_after import retry_after
from scheduler.adapters.handlers.http_call.secrets import Secrets
from scheduler.adapters.handlers.http_call.target import Target
from scheduler.domain.retry import MAX_DELAY
from tests.support.builders import a_trace
from tests.support.http_calls import a_context

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
LATER = "Tue, 24 Nov 2026 12:01:30 GMT"
HERE = Target.parse("https://example.com/a")
THERE = Target.parse("https://other.example/b")
TEXT = b"".join(b"line %d of the answer\n" % number for number in range(50))


def test_an_attempt_is_named_so_that_a_target_can_know_it_again() -> None:
    first, second = identity_headers(a_context()), identity_headers(a_context(attempt=2, fence=7))

    assert first["idempotency-key"] == second["idempotency-key"] == str(a_context().job_id)
    assert (second["x-job-attempt"], second["x-job-fence"]) == ("2", "7")
    traces = [
        re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", headers["traceparent"]) for headers in (first, second)
    ]
    assert traces[0] is not None
    assert traces[1] is not None
    assert traces[0][1] == traces[1][1] == a_context().job_id.hex
    assert traces[0][2] != traces[1][2]


def test_a_call_belongs_to_the_trace_in_which_its_job_was_submitted() -> None:
    bare, full = a_trace(), a_trace("vendor=1")
    plain, stated = (identity_headers(replace(a_context(), trace=trace)) for trace in (bare, full))

    assert (plain["traceparent"], "tracestate" in plain) == (bare.traceparent, False)
    assert (stated["traceparent"], stated["tracestate"]) == (full.traceparent, "vendor=1")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "\u0661"}, None),
        ({"retry-after": "Tue, 99 Nov 2026 12:01:30 GMT"}, None),
        ({"retry-after": "Tue, 24 Nov 99999999999 12:01:30 GMT"}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "120"}, 120),
        ({"retry-after": "9" * 20}, MAX_DELAY.total_seconds()),
        ({"retry-after": LATER}, 90),
        ({"retry-after": "Tue, 24 Nov 2026 12:01:30 -0000"}, 90),
        ({"retry-after": LATER, "date": "Tue, 24 Nov 2026 12:01:00 GMT"}, 30),
        ({"retry-after": LATER, "date": "yesterday"}, 90),
        ({"retry-after": "Tue, 24 Nov 2020 12:00:00 GMT"}, 0),
        ({"retry-after": "Fri, 24 Nov 9999 12:00:00 GMT"}, MAX_DELAY.total_seconds()),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    found = retry_after(Reply(status=503, headers=headers), NOW)

    assert found == (None if seconds is None else timedelta(seconds=seconds))


def _post(target: Target = HERE) -> Request:
    return Request(
        method="POST",
        target=target,
        headers={"authorization": "Bearer x", "x-custom": "y", "accept": "*/*", "content-type": "text/csv"},
        identity={"idempotency-key": "k"},
        content=b"body",
    )


@pytest.mark.parametrize(
    ("status", "becomes"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_a_redirected_post_keeps_its_body_only_where_the_standard_says_so(status: int, becomes: str) -> None:
    hop = _post().redirected(status, HERE)

    assert hop.method == becomes
    assert hop.content == (b"body" if becomes == "POST" else None)
    assert ("content-type" in hop.headers) == (becomes == "POST")
    assert hop.headers["authorization"] == "Bearer x"


@pytest.mark.parametrize(
    ("method", "status", "becomes"),
    [("HEAD", 303, "HEAD"), ("PUT", 302, "PUT"), ("PUT", 303, "GET"), ("GET", 301, "GET")],
)
def test_other_methods_are_redirected_as_they_are(method: str, status: int, becomes: str) -> None:
    request = Request(method=method, target=HERE, headers={}, identity={})

    assert request.redirected(status, HERE).method == becomes


@pytest.mark.parametrize("url", ["https://other.example/a", "https://example.com:444/a", "http://example.com/a"])
def test_only_harmless_headers_follow_to_another_origin(url: str) -> None:
    hop = _post().redirected(307, Target.parse(url))

    assert hop.headers == {"accept": "*/*", "content-type": "text/csv"}
    assert dict(hop.wire_headers)[b"idempotency-key"] == b"k"


def test_a_request_says_how_long_it_is_and_whom_it_is_for() -> None:
    assert dict(_post().wire_headers)[b"content-length"] == b"4"
    empty = Request(method="POST", target=HERE, headers={}, identity={})
    assert empty.wire_headers == [(b"host", b"example.com"), (b"content-length", b"0")]
    assert Request(method="GET", target=THERE, headers={}, identity={}).wire_headers == [(b"host", b"other.example")]


def _read(encoding: str, chunks: Sequence[bytes]) -> tuple[Body, int]:
    taken = 0

    async def source() -> AsyncIterator[bytes]:
        nonlocal taken
        for chunk in chunks:
            taken += 1
            yield chunk

    body = Body(encoding)
    asyncio.run(body.read(source()))
    return body, taken


def _in_steps(content: bytes, step: int) -> list[bytes]:
    return [content[start : start + step] for start in range(0, len(content), step)]


def test_a_body_is_read_to_its_end() -> None:
    body, _ = _read("", [b"ab", b"", b"c"])

    assert (body.content, body.ended, body.whole) == (b"abc", True, True)


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("x-gzip", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT, wbits=-15)),
        ("deflate", zlib.compress(TEXT, level=0, wbits=-15)),
        ("deflate", gzip.compress(TEXT)),
    ],
)
def test_a_compressed_body_is_decoded(encoding: str, packed: bytes, step: int) -> None:
    body, _ = _read(encoding, _in_steps(packed, step))

    assert (body.content, body.ended, body.whole) == (TEXT, True, True)


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("packed", [gzip.compress(TEXT), zlib.compress(TEXT), zlib.compress(TEXT, wbits=-15)])
def test_of_a_compressed_body_that_ends_early_or_breaks_what_was_decoded_is_kept(packed: bytes, step: int) -> None:
    half = packed[: len(packed) // 2]

    short, _ = _read("deflate", _in_steps(half, step))
    broken, _ = _read("deflate", _in_steps(half + b"\xff" * 100, step))

    assert TEXT.startswith(short.content)
    assert len(short.content) > 200
    assert (short.ended, short.whole) == (True, False)
    assert broken.content.startswith(short.content)
    assert (broken.ended, broken.whole) == (True, False)


def test_what_follows_a_compressed_stream_is_missing_from_the_body() -> None:
    body, _ = _read("gzip", [gzip.compress(b"one"), gzip.compress(b"two")])

    assert (body.content, body.ended, body.whole) == (b"one", True, False)


def test_no_bytes_are_a_whole_body_whatever_their_encoding() -> None:
    body, _ = _read("gzip", [b""])

    assert (body.content, body.ended, body.whole) == (b"", True, True)


def test_nothing_is_read_past_the_limit() -> None:
    body, taken = _read("", [b"x" * 50_000] * 1000)

    assert (len(body.content), body.ended, taken) == (READ_LIMIT, False, 2)


def test_a_bomb_does_not_go_off() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)

    body, taken = _read("gzip", _in_steps(bomb, 1000))

    assert (len(body.content), body.ended) == (READ_LIMIT, False)
    assert taken < 3


def test_an_endless_stream_that_decodes_to_nothing_ends_at_the_limit() -> None:
    packer = zlib.compressobj(wbits=31)
    chunks = [packer.compress(b"") + packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(50_000)]

    body, taken = _read("gzip", chunks)

    assert (body.content, body.ended) == (b"", False)
    assert taken < len(chunks)


def test_what_claims_to_be_compressed_and_is_not_adds_nothing() -> None:
    body, _ = _read("gzip", [b"plain", b"text"])

    assert (body.content, body.ended, body.whole) == (b"", True, False)


@pytest.mark.parametrize(
    "shown",
    [
        "Bearer s3cret/t\u00f6 ken",
        "s3cret",
        "k=v4lue",
        "a%2Fb-key",
        "a%2fb-key",
        "a/b-key",
        r"a\/b-key",
        r"a\u002Fb-key",
        r"a\u002fb\u002Dk\u0065y",
        "quo\\\\ted",
        "x&lt;b-key&gt;&amp;&quot;y",
        "x&#60;b-key&#062;&#x26;&#X22;y",
        r"x\u003cb-key>&amp;%22y",
        r"x<b-key>&\"y",
        r"x&lt;b-key&gt;&amp;\&quot;y",
        r"{\"path\": \"a\\\/b-key\"}",
        "a%252Fb-key",
        "s3cret v4lue+s3cret",
        "un+der+score",
        "un der%20score",
        r"caf\u00e9\ud83d\ude00 b-key",
        "caf%c3%a9%F0%9F%98%80+b-key",
        "caf&eacute;&#x1f600; b-key",
    ],
)
def test_what_a_call_carries_is_hidden_wherever_it_shows(shown: str) -> None:
    text = _secrets().hide(f"<{shown}> as text/html")

    for secret in ("s3cret", "v4lue", "b-key", "quo", "score"):
        assert secret not in text
    assert text.startswith("<")
    assert text.endswith("> as text/html")


@pytest.mark.parametrize(
    "shown",
    [
        "s3cr",
        "a/b-",
        "a%2fb-",
        r"a\/b-ke",
        r"x\u003cb-k",
        "caf%C3%A9%F0%9F",
        r"caf\u00e9\ud83d",
        "caf\u00e9\ufffd",
        *(r"quo\\ted\u002Btail"[:length] for length in range(5, 18)),
        *("quo%5Cted%2Btail"[:length] for length in range(6, 16)),
        *("quo&bsol;ted&#43;tail"[:length] for length in range(9, 21)),
    ],
)
def test_the_beginning_of_what_a_call_carries_is_hidden_where_a_text_is_cut_inside_it(shown: str) -> None:
    assert _secrets().hide(f"no {shown}") == "no ***"


def test_what_a_call_does_not_carry_is_shown_as_it_was_written() -> None:
    text = r"50%25 &amp; \"more\" 1+1 \u00e9 s3c in a/b, s3cr and"

    assert _secrets().hide(text) == text


def _secrets() -> Secrets:
    headers = {
        "authorization": "Bearer s3cret",
        "x-path": "a/b-key",
        "x-quoted": "quo\\ted+tail",
        "x-short": "quo\\ted",
        "x-markup": 'x<b-key>&"y',
        "accept": "text/html",
    }
    return Secrets(headers, "k=v4lue&l=un+der+score&m=caf%C3%A9%F0%9F%98%80+b-key")

import json
from typing import cast

import pytest

from scheduler.adapters.handlers.http_call.payload import CallPayload
from scheduler.adapters.handlers.http_call.target import Target
from scheduler.adapters.handlers.payload import PayloadReader
from scheduler.application.ports.handlers import PermanentError

URL = "https://example.com/"


def read(**fields: object) -> CallPayload:
    return read_text(json.dumps({"url": URL, **fields}))


def read_text(text: str | None) -> CallPayload:
    return cast("CallPayload", PayloadReader(CallPayload).read(text))


def test_a_url_is_enough() -> None:
    call = read()

    assert (call.url, call.method, call.headers, call.content) == (Target.parse(URL), "GET", {}, None)
    assert (call.timeout_seconds, call.expected_status, call.follow_redirects) == (None, None, 0)


def test_everything_can_be_said() -> None:
    call = read(
        method="patch",
        headers={"X-Key": "a b\tc", "Content-Type": "text/csv", "X-Empty": ""},
        body="a,b",
        timeout_seconds=1,
        expected_status=[200, 409],
        follow_redirects=5,
    )

    assert call.method == "PATCH"
    assert call.headers == {"x-key": "a b\tc", "content-type": "text/csv", "x-empty": ""}
    assert call.content == b"a,b"
    assert (call.timeout_seconds, call.expected_status, call.follow_redirects) == (1, [200, 409], 5)


@pytest.mark.parametrize(
    ("body", "content", "content_type"),
    [
        (None, None, "application/json"),
        ("", b"", "text/plain; charset=utf-8"),
        ('{"a":1}', b'{"a":1}', "text/plain; charset=utf-8"),
        ({"ä": [1, 1.5, None]}, '{"ä": [1, 1.5, null]}'.encode(), "application/json"),
        ([], b"[]", "application/json"),
        (False, b"false", "application/json"),
        (10**30, b"1" + b"0" * 30, "application/json"),
    ],
)
def test_a_string_is_sent_as_it_is_and_anything_else_as_json(
    body: object, content: bytes | None, content_type: str
) -> None:
    call = read(body=body)

    assert call.content == content
    assert call.content_type == content_type


def test_one_expected_status_needs_no_list() -> None:
    assert read(expected_status=404).expected_status == [404]
    assert read(expected_status=None).expected_status is None


BAD = (
    ("url", "url", 1),
    ("url", "url", None),
    ("url", "url", "ftp://example.com/"),
    ("method", "method", "TRACE"),
    ("method", "method", "CONNECT"),
    ("method", "method", "GET / HTTP/1.1\r\n"),
    ("method", "method", 1),
    ("headers", "headers", []),
    ("headers", "headers", {f"x-{n}": "" for n in range(65)}),
    ("headers", "headers", {"x-long": "x" * 16_384}),
    ("headers", "headers", {"X-A": "1", "x-a": "2"}),
    ("headers", "headers.x-a", {"x-a": 1}),
    ("headers", "headers.x-a", {"x-a": "a\r\nx-b: c"}),
    ("headers", "headers.x-a", {"x-a": "a\n"}),
    ("headers", "headers.x-a", {"x-a": "a\0"}),
    ("headers", "headers.x-a", {"x-a": " a"}),
    ("headers", "headers.x-a", {"x-a": "ä"}),
    ("headers", "headers.x a", {"x a": "a"}),
    ("headers", "headers.", {"": "a"}),
    ("headers", "headers.:path", {":path": "/"}),
    *(
        ("headers", f"headers.{name}", {name: "x"})
        for name in (
            "Connection",
            "Content-Length",
            "Expect",
            "HOST",
            "HTTP2-Settings",
            "Idempotency-Key",
            "Keep-Alive",
            "Proxy-Authorization",
            "Proxy-Connection",
            "TE",
            "Traceparent",
            "Trailer",
            "Transfer-Encoding",
            "Upgrade",
            "X-Job-Attempt",
            "X-Job-Fence",
        )
    ),
    ("timeout_seconds", "timeout_seconds", 0),
    ("timeout_seconds", "timeout_seconds", -1),
    ("timeout_seconds", "timeout_seconds", 86_401),
    ("timeout_seconds", "timeout_seconds", "1"),
    ("timeout_seconds", "timeout_seconds", True),
    ("expected_status", "expected_status", []),
    ("expected_status", "expected_status", "200"),
    ("expected_status", "expected_status[0]", 199),
    ("expected_status", "expected_status[1]", [200, 600]),
    ("expected_status", "expected_status[0]", True),
    ("follow_redirects", "follow_redirects", 6),
    ("follow_redirects", "follow_redirects", -1),
    ("follow_redirects", "follow_redirects", True),
    ("proxy", "proxy", "http://example.com"),
)


@pytest.mark.parametrize(("field", "shown", "value"), BAD)
def test_a_bad_value_names_its_field(field: str, shown: str, value: object) -> None:
    with pytest.raises(PermanentError) as refusal:
        read(**{field: value})
    assert str(refusal.value).startswith(f"payload.{shown}")


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity"])
def test_a_body_that_json_cannot_hold_names_its_field(number: str) -> None:
    with pytest.raises(PermanentError, match=r"^payload"):
        read_text(f'{{"url": "{URL}", "body": [{number}]}}')


@pytest.mark.parametrize("text", [None, "null", "[]", '"x"', "{}", '{"url": "\\ud800"}', '{"body": "\\ud800"}'])
def test_what_is_no_call_names_the_payload(text: str | None) -> None:
    with pytest.raises(PermanentError, match=r"^payload"):
        read_text(text)


def test_several_errors_are_named_at_once_and_not_all_of_many() -> None:
    with pytest.raises(PermanentError, match=r"^payload\.url: [^;]*; payload\.method: [^;]*; payload\.zeal: [^;]*$"):
        read(url="", method="x", zeal=1)
    with pytest.raises(PermanentError) as refusal:
        read(**{f"x{n}": 1 for n in range(1000)})
    assert str(refusal.value).endswith("; and 990 more")


def test_no_error_shows_a_value() -> None:
    canary = "canary-4711"
    for fields in (
        {"url": f"https://me:{canary}@example.com/"},
        {"url": f"ftp://example.com/?{canary}"},
        {"headers": {"x-key": f" {canary}"}},
        {"headers": {"host": canary}},
        {"headers": {"x-key": [canary]}},
        {"method": canary},
        {"expected_status": canary},
        {"timeout_seconds": canary},
        {"other": canary},
    ):
        with pytest.raises(PermanentError) as refusal:
            read(**fields)
        assert canary not in str(refusal.value)
        assert refusal.value.__cause__ is None

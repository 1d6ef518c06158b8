"""Calls of real web servers on loopback: what is sent, what the answer means, and how much of it is read."""

import asyncio
import gzip
import json
import logging
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus

import pytest

from scheduler.adapters.handlers.http_call import AddressPolicy, HttpClient
from scheduler.adapters.handlers.http_call.body import KEPT_BYTES, READ_LIMIT
from scheduler.adapters.handlers.http_call.errors import CallFailedError
from scheduler.application.ports.handlers import PermanentError, RetryLaterError
from scheduler.domain.retry import Failure, FailureKind, Retry, RetryPolicy
from tests.support.builders import NOW, SECOND
from tests.support.http_calls import JOB_ID, call, networks
from tests.support.http_target import Answer, HttpTarget, Received, answering, response, serving

LOOPBACK = networks("127.0.0.0/8")
SECRET = "token-of-the-shop"
Scenario = Callable[[HttpClient, HttpTarget], Coroutine[object, object, None]]


def play(answer: Answer, scenario: Scenario) -> None:
    """Run a scenario with a client that may call loopback, and a server that answers so."""

    async def with_both() -> None:
        client = HttpClient(policy=AddressPolicy(LOOPBACK))
        async with serving(answer) as target:
            try:
                await scenario(client, target)
            finally:
                await client.aclose()

    asyncio.run(with_both())


def outcome(answer: Answer, **fields: object) -> dict[str, object] | Exception:
    """Make one call; return its result, or what it raised."""
    found: list[dict[str, object] | Exception] = []

    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        try:
            found.append(await call(client, target.url(), **fields))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            found.append(error)

    play(answer, scenario)
    return found[0]


# --- what is sent


def test_a_target_is_told_which_attempt_of_which_job_it_is_in_a_trace_of_the_job() -> None:
    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        await call(client, target.url("/orders?dry=1"), method="POST", body={"order": 17}, headers={"x-shop": "7"})
        [request] = target.received
        assert (request.method, request.resource, json.loads(request.body)) == ("POST", "/orders?dry=1", {"order": 17})
        assert request.headers["idempotency-key"] == str(JOB_ID)
        assert (request.headers["x-job-attempt"], request.headers["x-job-fence"]) == ("1", "1")
        assert request.headers["x-shop"] == "7"
        version, trace, span, flags = request.headers["traceparent"].split("-")
        assert (version, trace, flags) == ("00", JOB_ID.hex, "01")
        assert int(span, 16) > 0

    play(answering(response()), scenario)


# --- what the answer means


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_2xx_is_a_success(status: int) -> None:
    assert outcome(answering(response(status))) == {"status": status, "body": "", "truncated": False}


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(status: int) -> None:
    error = outcome(answering(response(status, b"not now")))

    assert type(error) is CallFailedError
    assert f" answered {status}" in str(error)
    assert str(error).endswith(": not now")


@pytest.mark.parametrize("status", [300, 302, 304, 400, 401, 403, 404, 409, 410, 422, 451])
def test_anything_else_fails_for_good(status: int) -> None:
    error = outcome(answering(response(status, b"never", location="/elsewhere")))

    assert type(error) is PermanentError
    assert f" answered {status}" in str(error)


def test_the_payload_says_what_else_is_a_success_and_what_is_none_then() -> None:
    assert outcome(answering(response(404)), expected_status=[404, 410]) == {
        "status": 404,
        "body": "",
        "truncated": False,
    }
    assert isinstance(outcome(answering(response(200)), expected_status=[404]), PermanentError)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        (
            {"retry_after": format_datetime(NOW + 90 * SECOND, usegmt=True), "date": format_datetime(NOW, usegmt=True)},
            90,
        ),
        ({"retry_after": "9" * 20}, 366 * 24 * 3600),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_followed_within_the_longest_backoff_of_the_job(
    status: int, headers: Mapping[str, str], seconds: float
) -> None:
    error = outcome(answering(response(status, b"", **headers)))

    assert isinstance(error, RetryLaterError)
    assert error.delay == timedelta(seconds=seconds)
    failure = Failure(kind=FailureKind.ERROR, error=str(error), retry_after=error.delay)
    policy = RetryPolicy(initial=SECOND, max_backoff=30 * SECOND)
    decided = policy.after_failure(failure, attempts=1, max_attempts=3, now=NOW, draw=0.5)
    assert decided == Retry(NOW + min(error.delay, 30 * SECOND))


async def _hang_up(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _break_off(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_hang_up, id="closed without a word"),
        pytest.param(_break_off, id="closed in the middle"),
        pytest.param(answering(b"220 mail.example ESMTP\r\n\r\n"), id="another protocol"),
        pytest.param(answering(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), id="a length that is none"),
    ],
)
def test_a_connection_that_breaks_is_tried_again(answer: Answer) -> None:
    assert type(outcome(answer)) is CallFailedError


def test_a_server_that_is_not_there_is_tried_again_and_path_and_query_are_not_told() -> None:
    async def scenario(client: HttpClient, _: HttpTarget) -> None:
        async with serving(answering(response())) as other:
            gone = other.port
        with pytest.raises(CallFailedError, match="no connection") as failure:
            await call(client, f"http://127.0.0.1:{gone}/{SECRET}?key={SECRET}")
        assert SECRET not in str(failure.value)

    play(answering(response()), scenario)


def test_a_call_that_takes_too_long_is_tried_again_and_its_connection_closed() -> None:
    async def silence(_: Received, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        with pytest.raises(CallFailedError, match="not done within"):
            await call(client, target.url(), timeout_seconds=0.1)

    play(silence, scenario)


# --- how much is read


def _endless(head: bytes, chunk: bytes) -> Answer:
    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(chunk)
            await writer.drain()

    return answer


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_body_without_end_is_read_to_the_limit_and_the_connection_is_closed(status: int) -> None:
    head = f"HTTP/1.1 {status} Whatever\r\n\r\n".encode()

    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        results = await asyncio.gather(call(client, target.url()), return_exceptions=True)
        # The server goes on until it finds the connection closed.
        await target.until(lambda server: server.ended == 1)
        assert str(results[0]).count("x" * 16) == KEPT_BYTES // 16
        assert isinstance(results[0], dict) == (status == HTTPStatus.OK)

    play(_endless(head, b"x" * 1024), scenario)


def test_a_body_that_says_it_is_larger_than_the_limit_is_not_read_to_its_end() -> None:
    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        assert (await call(client, target.url()))["truncated"] is True
        await target.until(lambda server: server.ended == 1)

    play(answering(response(200, b"y" * (100 * READ_LIMIT))), scenario)


def test_a_compressed_body_that_ends_early_is_told_to_be_truncated() -> None:
    packed = gzip.compress(b"all is well")
    cut = response(200, packed[:-8], content_encoding="gzip")

    assert outcome(answering(cut)) == {"status": 200, "body": "all is well", "truncated": True}


# --- connections


def test_one_connection_serves_one_call_after_the_other() -> None:
    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        for _ in range(3):
            await call(client, target.url())
        assert (target.connections, len(target.received)) == (1, 3)

    play(answering(response(body=b"ok")), scenario)


def test_a_call_that_is_cancelled_closes_its_connection() -> None:
    async def silence(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        await writer.drain()

    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        running = asyncio.create_task(call(client, target.url()))
        await target.until(lambda server: bool(server.received))
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()
        await target.until(lambda server: server.ended == 1)

    play(silence, scenario)


# --- redirects


def test_a_redirect_is_followed_when_asked_for_and_takes_no_secret_to_another_origin() -> None:
    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        async with serving(answering(response(body=b"there"))) as other:
            target.answer = answering(response(302, location=f"{other.url('/next')}"))
            headers = {"authorization": f"Bearer {SECRET}", "accept": "text/plain"}
            result = await call(client, target.url(), headers=headers, follow_redirects=1)
            assert result["body"] == "there"
            assert target.received[0].headers["authorization"] == f"Bearer {SECRET}"
            [followed] = other.received
            assert (followed.resource, followed.headers["accept"]) == ("/next", "text/plain")
            assert "authorization" not in followed.headers

    play(answering(response()), scenario)


def test_redirects_that_go_on_end_where_the_payload_says() -> None:
    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        with pytest.raises(PermanentError, match="follow_redirects is 3"):
            await call(client, target.url(), follow_redirects=3)
        assert len(target.received) == 4

    play(answering(response(302, location="/again")), scenario)


# --- secrets


@pytest.mark.parametrize("status", [400, 503])
def test_what_a_server_repeats_of_the_request_is_hidden_in_errors(status: int) -> None:
    async def echo(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response(status, f"{request.resource} {request.headers}".encode()))
        await writer.drain()

    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        headers = {"authorization": f"Bearer {SECRET}", "x-api-key": SECRET[::-1]}
        with pytest.raises((PermanentError, CallFailedError)) as failure:
            await call(client, target.url(f"/?signature={SECRET.upper()}"), headers=headers)
        told = str(failure.value)
        assert "x-api-key" in told
        assert not [secret for secret in (SECRET, SECRET[::-1], SECRET.upper()) if secret in told]
        assert failure.value.__suppress_context__ or failure.value.__context__ is None

    play(echo, scenario)


def test_nothing_that_is_sent_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(client: HttpClient, target: HttpTarget) -> None:
        await call(client, target.url(f"/{SECRET}?key={SECRET}"), headers={"authorization": SECRET}, body=SECRET)
        await asyncio.gather(call(client, f"http://127.0.0.1:1/{SECRET}"), return_exceptions=True)

    caplog.set_level(logging.INFO)
    play(answering(response(body=SECRET.encode())), scenario)

    assert SECRET not in caplog.text

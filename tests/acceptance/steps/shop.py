"""Steps about calls of a web service."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from scheduler.entrypoints.stack import Stack
from tests.acceptance.language import says
from tests.acceptance.shop import SECRET, THANKS, Shop
from tests.acceptance.world import World
from tests.support.http_target import Received, answering, response

QUICK_RETRIES = {"type": "http_call", "first wait": "0.1", "longest wait": "0.2"}


@pytest.fixture
def shop(stack: Stack) -> Iterator[Shop]:
    shop = Shop(stack)
    yield shop
    shop.close()


@says("a worker may call the shop")
def worker_may_call(world: World, shop: Shop) -> None:
    world.run(world.driver.workers.stop_all())
    shop.send_worker(HTTP_CALL_ALLOWED_NETWORKS="127.0.0.0/8")


@says("a worker may call nobody here")
def worker_may_not_call(world: World, shop: Shop) -> None:
    world.run(world.driver.workers.stop_all())
    shop.send_worker()


@says("the shop is busy once and wants to be left alone for {seconds} seconds")
def busy_for(shop: Shop, seconds: float) -> None:
    shop.answers(answering(response(503, retry_after=f"{seconds:.0f}"), THANKS))


@says("the shop is busy once and wants to be left alone until a date")
def busy_until(shop: Shop) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    shop.answers(answering(response(429, retry_after=later), THANKS))


@says("the shop refuses and repeats what it was told")
def refuses(shop: Shop) -> None:
    async def repeat(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response(422, f"{request.resource} {request.headers}".encode()))
        await writer.drain()

    shop.answers(repeat)


@says("{job} calls the shop")
def calls(world: World, shop: Shop, job: str) -> None:
    world.submit([{"job": job, "payload": shop.order(), **QUICK_RETRIES}])


@says("each call of {job} names the job, its attempt and its trace")
def names_the_job(world: World, shop: Shop, job: str) -> None:
    headers = [request.headers for request in shop.server.received]
    attempts = world.run(world.driver.client.attempts(world.ids[job]))
    assert [call["x-job-attempt"] for call in headers] == [str(attempt.number) for attempt in attempts]
    assert [call["x-job-fence"] for call in headers] == [str(attempt.fence) for attempt in attempts]
    assert {call["idempotency-key"] for call in headers} == {world.ids[job]}
    traces = [call["traceparent"].split("-") for call in headers]
    assert len({trace for _, trace, _, _ in traces}) == 1
    assert len({span for _, _, span, _ in traces}) == len(attempts)


@says("the reason of {job} does not tell the secret, nor does the worker's log")
def keeps_the_secret(world: World, shop: Shop, job: str) -> None:
    assert SECRET in str(shop.server.received)
    assert "authorization" in world.job(job).last_error
    assert SECRET not in world.job(job).last_error
    assert world.ids[job] in shop.logs
    assert SECRET not in shop.logs


@says("nobody has knocked at the shop")
def nobody_knocked(shop: Shop) -> None:
    assert shop.server.connections == 0

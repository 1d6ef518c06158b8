"""Steps about one SQL statement in somebody's database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from scheduler.entrypoints.stack import Stack
from tests.acceptance.bank import Bank, payment
from tests.acceptance.language import says
from tests.acceptance.operations import eventually
from tests.acceptance.world import World
from tests.chaos.network import Network
from tests.integration.db_tx_tools import Target, make_target

QUICK_RETRIES = {"type": "db_tx", "first wait": "0.1", "longest wait": "0.2", "most attempts": "100"}


@pytest.fixture(scope="session")
def bank_database(stack: Stack) -> Target:
    return make_target(stack.postgres.superuser_url)


@pytest.fixture
def bank(bank_database: Target, stack: Stack, tmp_path: Path) -> Iterator[Bank]:
    """A bank that is open; what was done to it before is undone."""
    bank_database.reset()
    with Network() as network:
        link = network.link(int(str(conninfo_to_dict(bank_database.url)["port"])))
        bank = Bank(bank_database, link, stack, tmp_path)
        yield bank
        bank.open()
        bank.leave()


@says("a worker is at the bank")
def worker_at_bank(world: World, bank: Bank) -> None:
    world.run(world.driver.workers.stop_all())
    bank.send_worker()


@says("a worker is at the bank and may do no more than {quoted}")
def bound_worker(world: World, bank: Bank, quoted: str) -> None:
    world.run(world.driver.workers.stop_all())
    bank.send_worker_with(quoted)


@says("a worker is at the bank that has agreed to nothing")
def worker_without_agreement(world: World, bank: Bank) -> None:
    world.run(world.driver.workers.stop_all())
    bank.send_worker(DB_TX_ALLOW_ANY_SQL="")


@says("a worker with one place is at the bank")
def worker_with_one_place(world: World, bank: Bank) -> None:
    world.run(world.driver.workers.stop_all())
    bank.send_worker(WORKER_POOL_SIZE="1")


@says("the worker at the bank dies")
def worker_dies(bank: Bank) -> None:
    bank.kill_worker()


@says("the bank is closed")
def closed(bank: Bank) -> None:
    bank.close()


@says("the bank falls silent")
def silent(bank: Bank) -> None:
    bank.fall_silent()


@says("the bank opens")
def opened(bank: Bank) -> None:
    bank.open()


@says("the bank's word that it has paid does not arrive")
def word_is_lost(bank: Bank) -> None:
    bank.lose_word()


@says("the bank has made the payment {job}")
def has_paid(world: World, bank: Bank, job: str) -> None:
    eventually(lambda: bank.link.lost_replies == 1)
    assert bank.has_recorded(world.ids[job])


@says('{job} pays {count} from "(?P<giver>[a-z]+)" to "(?P<taker>[a-z]+)"')
def pays(world: World, job: str, count: int, giver: str, taker: str) -> None:
    world.submit([{"job": job, "payload": payment(count, giver, taker), **QUICK_RETRIES}])


@says('{job} is the agreed {quoted} of {count} from "(?P<giver>[a-z]+)" to "(?P<taker>[a-z]+)"')
def pays_as_agreed(world: World, job: str, quoted: str, count: int, giver: str, taker: str) -> None:
    payload = payment(count, giver, taker, statement=quoted)
    world.submit([{"job": job, "payload": payload, **QUICK_RETRIES}])


@says('{job} is corrected to {count} from "(?P<giver>[a-z]+)" to "(?P<taker>[a-z]+)"')
def is_corrected(world: World, job: str, count: int, giver: str, taker: str) -> None:
    world.requeue(job, payload=payment(count, giver, taker))


@says("{job} asks the bank for {text}")
def asks(world: World, job: str, text: str) -> None:
    world.submit([{"job": job, "payload": json.dumps({"query": text}), **QUICK_RETRIES}])


@says("the result of {job} counts {count} accounts")
def result_counts(world: World, job: str, count: int) -> None:
    assert world.job(job).result == json.dumps({"rows_affected": count})


@says("{quoted} has {count} at the bank")
def has_money(bank: Bank, quoted: str, count: int) -> None:
    assert bank.balance(quoted) == count

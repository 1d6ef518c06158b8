"""The same texts on CockroachDB."""

import pytest

from scheduler.application.ports.handlers import PermanentError
from tests.integration.db_tx_tools import Job, Target, a_target_of, named, run_once

pytestmark = pytest.mark.containers
TRANSFER = "UPDATE accounts SET balance = balance + $2 WHERE id = $1"


@pytest.fixture(scope="module")
def made(cockroach_url: str) -> Target:
    # An insecure node knows no passwords: its only role is the administrator's.
    return a_target_of(cockroach_url)


@pytest.fixture
def target(made: Target) -> Target:
    made.reset()
    return made


def test_a_statement_takes_effect_once(target: Target) -> None:
    job = Job(payload=named(TRANSFER, 1, 5))

    assert [run_once(target, job, statements={TRANSFER: TRANSFER}) for _ in range(3)] == [1, 1, 1]
    assert target.balances()[1] == 105
    assert target.effects(job.id) == [(1, 1)]


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO accounts VALUES (1, 0)", "UPDATE accounts SET balance = -1", "SELECT FROM WHERE", "SELECT nothing"],
)
def test_what_no_retry_can_cure_fails_for_good_and_leaves_nothing(target: Target, statement: str) -> None:
    job = Job(payload=named(statement))

    with pytest.raises(PermanentError):
        run_once(target, job, statements={statement: statement})
    assert target.effects(job.id) == []
    assert target.balances() == {1: 100, 2: 100, 3: 100}

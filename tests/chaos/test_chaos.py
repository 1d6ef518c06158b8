"""The short chaos run of every test run. `make chaos SEED=... MINUTES=...` runs longer and with other seeds."""

from pathlib import Path

import pytest

from tests.chaos.plan import FaultKind, draw_plan
from tests.chaos.run import chaos
from tests.support.pgbouncer import MISSING

SEED = 16
SECONDS = 25.0
POOLED = ("api-2", "worker-2", "worker-3", "reaper-2")
"""Behind PgBouncer where it is installed; the others connect to PostgreSQL, as in a fleet on its way to a pooler."""


@pytest.mark.servers
@pytest.mark.timeout(300)
def test_whatever_dies_nothing_is_lost_and_nothing_is_recorded_twice(tmp_path: Path) -> None:
    verdict = chaos(SEED, SECONDS, tmp_path, pooled=() if MISSING else POOLED)

    diary = (tmp_path / "diary.log").read_text()
    assert not verdict.violations, (
        f"SEED={SEED}: {verdict.violations}\n{verdict.summary}\nlogs and ledgers are in {tmp_path}\n{diary}"
    )


def test_a_seed_draws_the_same_plan_again() -> None:
    assert draw_plan(SEED, 60) == draw_plan(SEED, 60)
    assert draw_plan(SEED, 60) != draw_plan(SEED + 1, 60)


def test_a_long_plan_holds_every_kind_of_fault() -> None:
    assert {fault.kind for fault in draw_plan(SEED, 1200).faults} == set(FaultKind)

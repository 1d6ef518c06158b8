from scheduler.adapters.system.ids import Uuid4Ids
from scheduler.adapters.system.randomness import SystemRandomness


def test_ids_are_random_uuids_and_never_repeat() -> None:
    ids = Uuid4Ids()

    drawn = [draw() for draw in (ids.job_id, ids.op_id, ids.worker_id) for _ in range(100)]

    assert len(set(drawn)) == 300
    assert {uuid.version for uuid in drawn} == {4}


def test_draws_lie_in_the_half_open_unit_interval_and_differ_between_instances() -> None:
    draws = [SystemRandomness().draw() for _ in range(200)]

    assert all(0 <= draw < 1 for draw in draws)
    assert len(set(draws)) == 200
    assert 0.3 < sum(draws) / 200 < 0.7

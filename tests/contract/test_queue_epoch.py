"""QueueEpoch."""

from tests.support.backends import QueueBackend, Run


def rebuilt(run: Run, broker: QueueBackend) -> None:
    assert run(broker.epoch.finish_rebuild(run(broker.epoch.begin_rebuild()))) is True


def is_current(run: Run, broker: QueueBackend) -> bool:
    return run(broker.epoch.current()) is not None


def test_a_new_server_asks_for_a_rebuild(run: Run, broker: QueueBackend) -> None:
    assert not is_current(run, broker)


def test_a_finished_rebuild_makes_it_current(run: Run, broker: QueueBackend) -> None:
    rebuilt(run, broker)

    assert is_current(run, broker)


def test_a_rebuild_that_only_began_does_not(run: Run, broker: QueueBackend) -> None:
    run(broker.epoch.begin_rebuild())

    assert not is_current(run, broker)


def test_lost_data_ask_for_a_rebuild(run: Run, broker: QueueBackend) -> None:
    rebuilt(run, broker)

    run(broker.lose_data())

    assert not is_current(run, broker)
    rebuilt(run, broker)
    assert is_current(run, broker)


def test_a_rebuild_during_which_the_data_were_lost_asks_for_another(run: Run, broker: QueueBackend) -> None:
    token = run(broker.epoch.begin_rebuild())

    run(broker.lose_data())

    assert run(broker.epoch.finish_rebuild(token)) is False
    assert not is_current(run, broker)


def test_the_rebuild_of_another_after_the_loss_does_not_count_as_ours(run: Run, broker: QueueBackend) -> None:
    ours = run(broker.epoch.begin_rebuild())
    run(broker.lose_data())
    theirs = run(broker.epoch.begin_rebuild())

    assert run(broker.epoch.finish_rebuild(ours)) is False
    assert not is_current(run, broker)
    assert run(broker.epoch.finish_rebuild(theirs)) is True
    assert is_current(run, broker)


def test_two_rebuilds_at_once_both_come_to_an_end(run: Run, broker: QueueBackend) -> None:
    tokens = [run(broker.epoch.begin_rebuild()) for _ in range(2)]

    assert [run(broker.epoch.finish_rebuild(token)) for token in tokens] == [True, True]
    assert is_current(run, broker)


def test_an_unknown_token_finishes_nothing(run: Run, broker: QueueBackend) -> None:
    run(broker.epoch.begin_rebuild())

    assert run(broker.epoch.finish_rebuild("building:nothing")) is False
    assert not is_current(run, broker)

import threading

from scheduler.adapters.http.progress import LoopProgress
from scheduler.adapters.memory.fixed_clock import FixedClock
from tests.support.builders import SECOND


def test_a_loop_has_its_whole_silence_from_its_registration_on() -> None:
    clock = FixedClock()
    progress = LoopProgress(clock)
    progress.register("claim", max_silence=5 * SECOND)

    clock.advance(5 * SECOND)
    assert progress.stuck() == []

    clock.advance(SECOND)
    assert progress.stuck() == ["claim"]


def test_a_beat_frees_a_stuck_loop() -> None:
    clock = FixedClock()
    progress = LoopProgress(clock)
    progress.register("claim", max_silence=SECOND)
    clock.advance(2 * SECOND)

    progress.beat("claim")

    assert progress.stuck() == []


def test_stuck_loops_are_named_in_order_and_each_has_its_own_patience() -> None:
    clock = FixedClock()
    progress = LoopProgress(clock)
    for loop, seconds in (("renew", 1), ("claim", 1), ("purge", 100)):
        progress.register(loop, max_silence=seconds * SECOND)

    clock.advance(2 * SECOND)

    assert progress.stuck() == ["claim", "renew"]


def test_a_loop_that_ended_as_it_should_is_not_missed() -> None:
    clock = FixedClock()
    progress = LoopProgress(clock)
    progress.register("claim", max_silence=SECOND)
    clock.advance(2 * SECOND)

    progress.forget("claim")
    progress.forget("never registered")

    assert progress.stuck() == []


def test_an_unregistered_loop_may_beat() -> None:
    progress = LoopProgress(FixedClock())

    progress.beat("unknown")

    assert progress.stuck() == []


def test_loops_beat_from_their_threads() -> None:
    clock = FixedClock()
    progress = LoopProgress(clock)
    progress.register("renew", max_silence=SECOND)
    clock.advance(2 * SECOND)

    thread = threading.Thread(target=progress.beat, args=("renew",))
    thread.start()
    thread.join()

    assert progress.stuck() == []

"""A flag that signal handlers set, however they interrupt whom."""

import signal
import threading
import time
from types import FrameType

from scheduler.entrypoints.flag import Flag

SIGNALS = 2000


def test_a_wait_ends_when_another_thread_sets_the_flag() -> None:
    flag = Flag()
    threading.Timer(0.05, flag.set).start()
    assert not flag.wait(0.001)
    assert flag.wait(30)


def test_a_handler_may_set_it_in_the_middle_of_a_wait() -> None:
    flag, caught = Flag(), 0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal caught
        caught += 1
        flag.set()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        sender = threading.Thread(target=bombard, args=(threading.get_ident(),))
        sender.start()
        while sender.is_alive():
            flag.wait(0.0001)
            flag.clear()
        sender.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert caught > 0


def bombard(thread: int) -> None:
    for _ in range(SIGNALS):
        signal.pthread_kill(thread, signal.SIGUSR1)
        time.sleep(0.00005)

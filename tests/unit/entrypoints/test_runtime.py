"""How a process ends: asked once, asked twice, orphaned, or with something left that nothing can stop."""

import signal
import subprocess
import time

import pytest

from tests.unit.entrypoints.processes import Program, program

WHOLE = "whole_program"


@pytest.mark.parametrize(("name", "number"), [("obedient", signal.SIGTERM), ("idle-thread", signal.SIGINT)])
def test_a_first_signal_asks_it_to_stop_and_the_end_of_its_standard_input_does_not(
    name: str, number: signal.Signals
) -> None:
    with program(name) as process:
        process.wait_for("up")
        process.close_input()
        process.send(number)
        assert process.exit_code() == 7


def test_no_exit_in_a_task_or_a_callback_ends_it_before_it_is_asked_to_stop() -> None:
    with program("strays") as process:
        process.wait_for("up")
        process.send(signal.SIGTERM)
        assert process.exit_code() == 7


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("deaf", signal.SIGTERM, signal.SIGINT), ("blocked", signal.SIGTERM, signal.SIGTERM)],
)
def test_a_second_signal_of_either_kind_ends_it_at_once(
    name: str, first: signal.Signals, second: signal.Signals
) -> None:
    with program(name) as process:
        process.wait_for("up")
        process.send(first)
        process.wait_for("stopping")
        process.send(second)
        assert process.exit_code() == 128 + second


def test_a_second_signal_ends_it_even_where_nobody_could_heed_the_first() -> None:
    with program("busy") as process:
        process.wait_for("up")
        process.send(signal.SIGTERM)
        # Two of a kind at once would be one.
        time.sleep(0.2)
        process.send(signal.SIGTERM)
        assert process.exit_code(within=30) == 128 + signal.SIGTERM


def test_what_a_handler_closes_does_not_silence_the_log() -> None:
    with program("silenced") as process:
        process.wait_for("up")
        process.send(signal.SIGTERM)
        assert process.exit_code() == 7
        assert "still_heard" in process.words()


def test_a_process_whose_interpreter_is_held_ends_and_tells_by_whom() -> None:
    with program("greedy") as process:
        process.wait_for("holding")
        assert process.exit_code(within=30) == 1
        assert "in greedy" in process.words()


def test_a_terminal_that_closes_stops_it_in_peace_however_often_it_says_so() -> None:
    with program("obedient") as process:
        process.wait_for("up")
        send_until_it_ends(process, signal.SIGHUP)
        assert process.exit_code() == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_signal_replaces_the_exit_code_of_a_process_whose_work_is_over(number: signal.Signals) -> None:
    with program("obedient") as process:
        process.wait_for("up")
        process.send(signal.SIGTERM)
        process.wait_for("over")
        send_until_it_ends(process, number)
        assert process.exit_code() == 7


def send_until_it_ends(process: Program, number: signal.Signals) -> None:
    while process.process.poll() is None:
        process.send(number)
        time.sleep(0.001)


def test_a_process_that_was_told_to_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with program("obedient") as process:
            process.wait_for("up")
            process.send(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.exit_code(within=1)
            process.send(signal.SIGTERM)
            assert process.exit_code() == 7
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("name", "module"), [("obedient", "program"), ("fleet", WHOLE)])
def test_a_supervised_process_stops_when_its_parent_is_gone(name: str, module: str) -> None:
    with program(name, module=module, SUPERVISED="1") as process:
        process.wait_for("up")
        process.close_input()
        assert process.exit_code() == 7


@pytest.mark.parametrize(("name", "module"), [("busy-thread", "program"), ("all-threads-busy", WHOLE)])
def test_threads_that_run_on_do_not_keep_a_process_alive(name: str, module: str) -> None:
    with program(name, module=module) as process:
        process.wait_for("up")
        process.send(signal.SIGTERM)
        assert process.exit_code(within=30) == 7


def test_a_hundred_threads_that_run_on_keep_no_other_call_waiting() -> None:
    with program("many-busy-threads") as process:
        process.wait_for("up")
        process.send(signal.SIGTERM)
        assert process.exit_code(within=30) == 7


def test_a_part_that_fails_stops_the_others_and_its_error_is_the_processs() -> None:
    with program("part-that-fails", module=WHOLE) as process:
        assert process.exit_code() == 1
        assert "ZeroDivisionError: this part" in (words := process.words())
        assert "the other part was stopped" in words


def test_a_handler_that_does_not_end_does_not_keep_the_process() -> None:
    with program("part-that-hangs", module=WHOLE) as process:
        process.wait_for("up")
        process.send(signal.SIGTERM)
        assert process.exit_code(within=30) == 0


def test_a_process_that_must_leave_does_so_although_nobody_reads_its_output() -> None:
    with program("without-output") as process:
        process.wait_for("up")
        process.close_output()
        process.close_input()
        assert process.exit_code(within=30) == 70


@pytest.mark.parametrize(("name", "event"), [("stuck", "handler_stuck"), ("broken-keeper", "lease_thread_failed")])
def test_a_process_whose_lease_cannot_be_kept_ends_even_with_a_blocked_loop(name: str, event: str) -> None:
    with program(name, module=WHOLE) as process:
        assert process.exit_code(within=30) == 70
        assert event in process.words()

"""The demo's handlers, tested as their users would test their own."""

import pytest

from scheduler.examples import Numbers, add_in_a_process, add_in_a_thread, add_in_the_loop
from scheduler.handlers import HandlerDefinition
from scheduler.testing import AttemptOutcome, run_handler_sync


@pytest.mark.parametrize("definition", [add_in_the_loop, add_in_a_thread, add_in_a_process])
def test_each_way_to_run_gives_the_sum_and_tells_its_progress_to_the_end(
    definition: HandlerDefinition[Numbers, dict[str, int]],
) -> None:
    run = run_handler_sync(definition, {"last": 12})

    assert run.result == {"sum": 78}
    assert run.progress[-1] == (100.0, "part 5 of 5")


@pytest.mark.parametrize("definition", [add_in_the_loop, add_in_a_thread, add_in_a_process])
def test_a_payload_without_numbers_is_refused(definition: HandlerDefinition[Numbers, dict[str, int]]) -> None:
    run = run_handler_sync(definition, {"last": "many"})

    assert run.outcome is AttemptOutcome.FAILED
    assert run.error.startswith("payload.last: ")

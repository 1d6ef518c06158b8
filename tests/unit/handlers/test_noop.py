import asyncio

import pytest

from scheduler.adapters.handlers.noop import DeliberateError, NoopHandler
from scheduler.application.ports.handlers import JobContext, PermanentError
from scheduler.domain.json_document import check_json
from tests.support.builders import NOW, SECOND, a_job, a_worker_id


def run(payload: str | None, attempt: int = 1, said: list[tuple[float, str]] | None = None) -> str | None:
    def hear(percent: float, message: str) -> None:
        assert said is not None
        said.append((percent, message))

    async def scenario() -> str | None:
        context = JobContext(
            attempt_id=a_job().attempt_id,
            job_type="noop",
            attempt=attempt,
            max_attempts=3,
            worker_id=a_worker_id(),
            deadline=NOW + SECOND,
            report_progress=hear,
        )
        return await NoopHandler().run(payload, context)

    return asyncio.run(scenario())


HARMLESS = (
    None,
    "null",
    "[]",
    "7",
    '"sleep_seconds"',
    "{}",
    '{"other": "sleep_seconds"}',
    '[{"fail_permanently": true}]',
    '{"sleep_seconds": 0, "fail_attempts": 0, "fail_permanently": false}',
    '{"n": 1e400, "s": "\\ud800\\u0000"}',
    '{"n": ' + "9" * 10_000 + "}",
    "[" * 200 + "]" * 200,
)


@pytest.mark.parametrize("payload", HARMLESS)
def test_it_succeeds_without_a_result(payload: str | None) -> None:
    if payload is not None:
        check_json("payload", payload)

    assert run(payload) is None


def test_it_fails_the_first_attempts_and_then_succeeds() -> None:
    payload = '{"fail_attempts": 2}'

    for attempt in (1, 2):
        with pytest.raises(DeliberateError, match=f"failed attempt {attempt} of 2"):
            run(payload, attempt)

    assert run(payload, 3) is None


def test_it_fails_for_good_on_request() -> None:
    with pytest.raises(PermanentError, match="as the payload asks"):
        run('{"fail_permanently": true, "fail_attempts": 1}')


def test_it_sleeps_before_it_ends_and_can_be_stopped_meanwhile() -> None:
    async def scenario() -> None:
        context = JobContext(
            attempt_id=a_job().attempt_id,
            job_type="noop",
            attempt=1,
            max_attempts=3,
            worker_id=a_worker_id(),
            deadline=NOW + SECOND,
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await NoopHandler().run('{"sleep_seconds": 3600, "fail_permanently": true}', context)

    asyncio.run(scenario())


def test_a_short_sleep_ends() -> None:
    with pytest.raises(DeliberateError):
        run('{"sleep_seconds": 0.001, "fail_attempts": 1}')


@pytest.mark.parametrize("value", ["-1", "3601", '"1"', "true", "null", "[]", "1e400", "-" + "9" * 10_000])
def test_a_sleep_that_cannot_be_meant_names_the_field(value: str) -> None:
    with pytest.raises(PermanentError, match=r"^sleep_seconds: "):
        run(f'{{"sleep_seconds": {value}}}')


def test_it_tells_its_progress_step_by_step() -> None:
    said: list[tuple[float, str]] = []

    run('{"sleep_seconds": 0.004, "progress_steps": 4}', said=said)

    assert said == [(25, "step 1 of 4"), (50, "step 2 of 4"), (75, "step 3 of 4"), (100, "step 4 of 4")]


def test_it_says_nothing_of_its_progress_unless_asked_to() -> None:
    said: list[tuple[float, str]] = []

    run('{"sleep_seconds": 0.001}', said=said)

    assert said == []


@pytest.mark.parametrize("value", ["-1", "10001", "1.5", '"1"', "true", "null", "9" * 10_000])
def test_a_number_of_steps_that_cannot_be_meant_names_the_field(value: str) -> None:
    with pytest.raises(PermanentError, match=r"^progress_steps: "):
        run(f'{{"progress_steps": {value}}}')


@pytest.mark.parametrize("value", ["-1", "1.5", '"1"', "true", "null", "9" * 10_000])
def test_a_number_of_failures_that_cannot_be_meant_names_the_field(value: str) -> None:
    with pytest.raises(PermanentError, match=r"^fail_attempts: "):
        run(f'{{"fail_attempts": {value}}}')


@pytest.mark.parametrize("value", ["1", '"true"', "null"])
def test_a_final_failure_that_cannot_be_meant_names_the_field(value: str) -> None:
    with pytest.raises(PermanentError, match=r"^fail_permanently: "):
        run(f'{{"fail_permanently": {value}}}')

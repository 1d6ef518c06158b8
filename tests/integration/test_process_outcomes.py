"""What an attempt in a handler process comes to: the same as in the worker, and an error when the process dies."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.adapters.handlers.definition import AnyDefinition
from scheduler.adapters.handlers.process.handler import ProcessHandler
from scheduler.application.ports.telemetry import ProcessEnd
from scheduler.domain.retry import MAX_DELAY, Failure, FailureKind
from scheduler.domain.state import JobState
from tests.integration import process_jobs
from tests.integration.process_tools import Bench, run
from tests.support.builders import NOW, a_job, a_trace


@pytest.mark.parametrize("definition", [process_jobs.greet, process_jobs.greet_async])
def test_a_typed_payload_goes_in_and_a_result_comes_out(definition: AnyDefinition) -> None:
    async def scenario(bench: Bench) -> None:
        result = json.loads(await bench.result(definition, '{"item": "tea \\u2615"}') or "")
        assert {**result, "pid": 0} == {"item": "tea ☕", "count": 1, "attempt": 1, "pid": 0}

    run(scenario)


@pytest.mark.parametrize(
    "text", ["é\\n☕" * 131_072, "\x7f" * 1_000_000, "\\" * 500_000], ids=["mixed", "DEL", "escaped"]
)
def test_a_payload_of_a_mebibyte_arrives_whatever_its_characters(text: str) -> None:
    async def scenario(bench: Bench) -> None:
        assert await bench.result(process_jobs.measure, json.dumps(text, ensure_ascii=False)) == str(len(text))

    run(scenario)


@pytest.mark.parametrize("text", ["\x7f" * 65_000, "\\" * 32_000], ids=["DEL", "escaped"])
def test_a_result_of_64_kibibytes_comes_out_whatever_its_characters(text: str) -> None:
    payload = json.dumps(text, ensure_ascii=False)

    async def scenario(bench: Bench) -> None:
        assert await bench.result(process_jobs.echo, payload) == payload

    run(scenario)


def test_a_bad_payload_fails_for_good_and_names_the_field() -> None:
    async def scenario(bench: Bench) -> None:
        outcome = await bench.attempt(process_jobs.greet, '{"count": 1}')
        assert isinstance(outcome, Failure)
        assert outcome.kind is FailureKind.PERMANENT
        assert "payload.item" in outcome.error

    run(scenario)


def test_the_context_is_that_of_the_attempt() -> None:
    job, trace = a_job(JobState.RUNNING, type="context", version=7, attempts=2), a_trace("vendor=1")

    async def scenario(bench: Bench) -> None:
        handler = ProcessHandler(module=process_jobs.__name__, job_type="context", pool=bench.pool)
        context = replace(bench.context(job), trace=trace, monotonic_deadline=time.monotonic() + 60)
        told = json.loads(await handler.run(None, context) or "")
        assert 0 < told.pop("seconds_left") <= 60
        assert told == {
            "job_id": str(job.id),
            "fence": 7,
            "job_type": "context",
            "attempt": 2,
            "max_attempts": 3,
            "worker_id": str(job.worker_id),
            "deadline": NOW.isoformat().replace("+00:00", "Z"),
            "cancelled": False,
            "trace": [trace.traceparent, "vendor=1"],
        }

    run(scenario)


FAILURES = {
    "error": (FailureKind.ERROR, "ValueError: no such thing"),
    "permanent": (FailureKind.PERMANENT, "never"),
    "exit": (FailureKind.ERROR, "SystemExit: 3"),
    "interrupt": (FailureKind.ERROR, "KeyboardInterrupt"),
    "mute": (FailureKind.ERROR, "MuteError"),
    "group": (FailureKind.ERROR, "ExceptionGroup: both (2 sub-exceptions); ValueError: no; OSError: nor this"),
    "long": (FailureKind.ERROR, "ValueError: " + "x" * (4096 - len("ValueError: "))),
}


def test_an_error_reads_as_it_does_in_the_worker_and_its_process_is_used_again() -> None:
    async def scenario(bench: Bench) -> None:
        for kind, expected in FAILURES.items():
            outcome = await bench.attempt(process_jobs.fail, f'"{kind}"')
            assert isinstance(outcome, Failure)
            assert (outcome.kind, outcome.error, outcome.retry_after) == (*expected, None)
        later = await bench.attempt(process_jobs.fail, '"later"')
        assert later == Failure(kind=FailureKind.ERROR, error="busy", retry_after=timedelta(seconds=7.5))
        latest = await bench.attempt(process_jobs.fail, '"never again"')
        assert latest == Failure(kind=FailureKind.ERROR, error="closed for good", retry_after=MAX_DELAY)
        assert (bench.telemetry.processes, bench.telemetry.process_ends) == (1, [])

    run(scenario)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("object", "result: must be JSON: "), ("long", "result: must be at most 65536 bytes, is 70002")],
)
def test_a_result_that_cannot_be_kept_fails_its_attempt_for_good(kind: str, error: str) -> None:
    async def scenario(bench: Bench) -> None:
        outcome = await bench.attempt(process_jobs.give_back, f'"{kind}"')
        assert isinstance(outcome, Failure)
        assert outcome.kind is FailureKind.PERMANENT
        assert outcome.error.startswith(error)
        assert await bench.result(process_jobs.give_back, '"nothing"') is None

    run(scenario)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("exit", "the handler's process ended with exit code 3"),
        ("segfault", "the handler's process was killed by SIGSEGV"),
        ("kill", "the handler's process was killed by SIGKILL, perhaps for want of memory"),
        ("realtime", "the handler's process was killed by signal 40"),
        ("garbage", "the handler's process sent something that is not JSON"),
        ("array", "the handler's process sent something that is not an object"),
        ("unknown", "the handler's process sent an unknown message"),
        ("flood", "the handler's process announced a message of 4294967295 bytes, the limit is 262144"),
        ("progress", "the handler's process sent an unknown message"),
        ("close", "the handler's process closed its connection to the worker"),
    ],
)
def test_a_process_that_dies_or_talks_nonsense_fails_its_attempt_only(kind: str, error: str) -> None:
    async def scenario(bench: Bench) -> None:
        outcome = await bench.attempt(process_jobs.die, f'"{kind}"')
        assert isinstance(outcome, Failure)
        assert outcome.kind is FailureKind.ERROR
        assert outcome.error.partition(": ")[2] == error
        assert await bench.result(process_jobs.give_back, '"nothing"') is None
        assert bench.telemetry.process_ends == [ProcessEnd.CRASHED]

    run(scenario)


def test_a_module_that_cannot_be_imported_fails_the_attempt_and_is_tried_again_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    source = "from scheduler.handlers import handler, JobContext\n@handler('late', executor='process')\n"
    module = tmp_path / "late_handlers.py"
    module.write_text("import no_such_library\n")

    async def scenario(bench: Bench) -> None:
        handler = ProcessHandler(module="late_handlers", job_type="late", pool=bench.pool)
        context = bench.context(a_job(JobState.RUNNING))
        with pytest.raises(Exception, match=r"^cannot import late_handlers: ModuleNotFoundError: .*no_such_library"):
            await handler.run(None, context)
        module.write_text(f"{source}def late(payload: None, context: JobContext) -> str:\n    return 'at last'\n")
        assert await handler.run(None, context) == '"at last"'

    run(scenario)


def test_a_module_without_the_handler_fails_the_attempt() -> None:
    async def scenario(bench: Bench) -> None:
        handler = ProcessHandler(module=process_jobs.__name__, job_type="no.such", pool=bench.pool)
        with pytest.raises(Exception, match=r"has no handler of job type 'no\.such'$") as raised:
            await handler.run(None, bench.context(a_job(JobState.RUNNING)))
        assert type(raised.value).__name__ == "HandlerMissingError"

    run(scenario)


def test_a_function_that_comes_back_twice_has_one_outcome(tmp_path: Path) -> None:
    async def scenario(bench: Bench) -> None:
        payload = json.dumps({"folder": str(tmp_path)})
        pids = {await bench.result(process_jobs.fork, payload) for _ in range(3)}
        assert len(pids) == 1
        assert (tmp_path / "forked").exists()

    run(scenario)

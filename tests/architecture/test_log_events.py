"""Events have constant names, and docs/logs.md knows them all."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.adapters.logging.worker import FAILED_EVENTS
from tests.architecture.log_rules import events_logged, log_violations, loop_names
from tests.architecture.rules import PACKAGE, ROOT, modules_below

MODULES = [path.relative_to(PACKAGE).as_posix() for path in modules_below(PACKAGE)]
# Where an event comes from elsewhere, what stands there, and how often.
PASSED_ON = {
    "adapters/logging/faults.py": ["{event}"] * 3,
    "adapters/logging/worker.py": ["{event}"],
    "application/loops.py": ["{f'{self._name}_failed'}"],
}
VIOLATIONS = [
    "log.info('Job failed')",
    "log.warning(f'job_{x}')",
    "self._log.error('job_failed: %s' % x)",
    "logging.info('job %s failed', x)",
    "logging.getLogger(__name__).warning('job failed')",
    "structlog.get_logger('scheduler').critical(name)",
    "context.logger.bind(x=1).info('jobFailed')",
    "context.logger.info('job_failed', x)",
    "logger.exception(str(error))",
    "self._faults.fault(f'{x}_failed', error)",
    "self._faults.fault(kind, error)",
]
ALLOWED = [
    "self._log.info('job_failed', job_id=x, error=f'{y}')",
    "FAILED = 'job_failed'\nlog.error(FAILED, x=1)",
    "FAILED: Final = 'job_failed'\nself._faults.fault(FAILED, error)",
    "self._faults.fault('claim_failed', error, retry_in=pause)",
    "outline.fault()",
    "parser.error('no such file')",
    "math.log(2)",
]


def source(module: str) -> str:
    return (PACKAGE / module).read_text()


def documented() -> list[str]:
    """The events in the first column of the table in docs/logs.md."""
    section = (ROOT / "docs" / "logs.md").read_text().split("\n## Events\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", section, flags=re.MULTILINE)
    return [event for row in rows for event in re.findall(r"`(\w+)`", row)]


@pytest.fixture(scope="module")
def in_the_code() -> frozenset[str]:
    return frozenset(_events())


def _events() -> Iterator[str]:
    for module in MODULES:
        passed_on = PASSED_ON.get(module, [])
        yield from (event for event in events_logged(source(module)) if event not in passed_on)
        yield from (f"{name}_failed" for name in loop_names(source(module)))
    yield from FAILED_EVENTS.values()


@pytest.mark.parametrize("line", VIOLATIONS)
def test_what_is_no_constant_event_is_found(line: str) -> None:
    assert len(log_violations(line)) == 1


@pytest.mark.parametrize("line", ALLOWED)
def test_constant_events_are_let_pass(line: str) -> None:
    assert log_violations(line) == []


def test_every_event_has_a_constant_name() -> None:
    violations = {module: log_violations(source(module)) for module in MODULES if module not in PASSED_ON}

    assert {module: lines for module, lines in violations.items() if lines} == {}


@pytest.mark.parametrize(("module", "passed_on"), PASSED_ON.items())
def test_events_of_others_are_passed_on_where_it_is_meant_and_nowhere_else(module: str, passed_on: list[str]) -> None:
    violations = log_violations(source(module))

    assert sorted(event for event in events_logged(source(module)) if event in passed_on) == sorted(passed_on)
    assert len(violations) == len(passed_on), violations


def test_the_names_of_loops_are_found_in_calls_and_tables() -> None:
    assert loop_names("make_loop(container, 'clock', work, interval=1)") == ["clock"]
    assert loop_names("for name, turn in (('orphans', self._turn),):\n    Loop(name, turn, interval=1)") == ["orphans"]
    assert loop_names("pair = ('a', self._turn)") == []


def test_every_event_is_documented_once_and_every_documented_one_exists(in_the_code: frozenset[str]) -> None:
    events = documented()

    assert len(events) == len(set(events))
    assert set(events) == in_the_code


def test_the_documents_name_no_event_that_does_not_exist(in_the_code: frozenset[str]) -> None:
    named = re.compile(r"\bevents? `(\w+)`(?:(?:, | or | and )`(\w+)`)*")
    found = {
        (path.name, event)
        for path in sorted(Path(ROOT / "docs").glob("*.md"))
        for match in named.finditer(path.read_text())
        for event in re.findall(r"`(\w+)`", match.group())
    }

    assert {(name, event) for name, event in found if event not in in_the_code} == set()
    assert len(found) > 5

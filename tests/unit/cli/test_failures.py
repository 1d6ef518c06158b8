"""No command ends in a traceback."""

from collections.abc import Callable

import pytest
import typer

from scheduler.domain.errors import InvalidFieldError, SchedulerError
from scheduler.entrypoints.cli.failures import reported


def fails_with(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return reported(command)


def exit_code_of(command: Callable[[], None]) -> int:
    with pytest.raises(typer.Exit) as exit_:
        command()
    return exit_.value.exit_code


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SchedulerError("the store is gone"), 1, "scheduler: the store is gone\n"),
        (InvalidFieldError("type", "too odd"), 2, "scheduler: type: too odd\n"),
        (FileNotFoundError(2, "No such file", "x.json"), 1, "scheduler: [Errno 2] No such file: 'x.json'\n"),
        (
            ExceptionGroup("all", [ExceptionGroup("some", [SchedulerError("one of them")])]),
            1,
            "scheduler: one of them\n",
        ),
        (
            ValueError("two\nlines"),
            1,
            "scheduler: unexpected ValueError: two\\nlines (LOG_LEVEL=DEBUG shows where)\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(fails_with(error)) == code
    assert capsys.readouterr().err == line


def test_at_debug_level_an_unexpected_error_shows_where_it_came_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")

    assert exit_code_of(fails_with(ValueError("odd"))) == 1
    assert "Traceback" in capsys.readouterr().err


def test_at_debug_level_an_expected_error_stays_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")

    assert exit_code_of(fails_with(SchedulerError("as expected"))) == 1
    assert capsys.readouterr().err == "scheduler: as expected\n"


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3)])
def test_a_command_exits_with_what_it_returns(returned: int | None, code: int) -> None:
    def command() -> int | None:
        return returned

    assert exit_code_of(reported(command)) == code


def test_wrong_arguments_are_left_to_the_parser() -> None:
    with pytest.raises(typer.BadParameter):
        fails_with(typer.BadParameter("no"))()

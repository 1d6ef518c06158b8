"""Every entry of the table, and what the phase of the transaction adds to it."""

import psycopg
import pytest

from scheduler.adapters.handlers.db_tx.outcome import (
    VERDICTS,
    Phase,
    RepeatableError,
    TargetError,
    Verdict,
    error_of_ours,
    told_apart,
    verdict_on,
)
from scheduler.application.ports.handlers import PermanentError

REPEATED = ("40001", "40P01", "40003")
RETRIED = (
    *("08000", "08001", "08003", "08006", "08P01"),
    *("53000", "53100", "53200", "53300"),
    *("55000", "55006", "55P03"),
    *("57000", "57014", "57P01", "57P02", "57P03", "57P04", "57P05"),
    *("58000", "58030", "25006", "25P03", "25P04", "XX000", "XXUUU", "28P01", "40000", "42P05"),
)
FAILED = (
    *("23000", "23001", "23502", "23503", "23505", "23514", "23P01", "40002", "44000"),
    *("42601", "42501", "42P01", "42703", "42883", "42804", "42P18"),
    *("22001", "22003", "22012", "22P02", "22P05", "21000", "0A000", "25001", "2D000", "54001", "P0001", "P0002"),
    *("2BP01", "2F002", "34000", "38001", "39000", "3B001", "3D000", "3F000"),
)


class StatedError(psycopg.OperationalError):
    def __init__(self, sqlstate: str) -> None:
        super().__init__("it\nbroke")
        self.sqlstate = sqlstate


def ours(error: psycopg.Error, phase: Phase) -> Exception:
    return error_of_ours(error, phase)


@pytest.mark.parametrize(
    ("sqlstate", "verdict"),
    [
        *((state, Verdict.REPEAT) for state in REPEATED),
        *((state, Verdict.RETRY) for state in RETRIED),
        *((state, Verdict.FAILED) for state in FAILED),
    ],
)
def test_each_state_has_its_verdict(sqlstate: str, verdict: Verdict) -> None:
    assert verdict_on(StatedError(sqlstate)) is verdict


def test_no_entry_of_the_table_is_left_out() -> None:
    tried = {*REPEATED, *RETRIED, *FAILED}
    assert [entry for entry in VERDICTS if not any(state.startswith(entry) for state in tried)] == []


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (psycopg.OperationalError("the connection is lost"), Verdict.RETRY),
        (psycopg.InterfaceError("the connection is closed"), Verdict.RETRY),
        (psycopg.DataError("cannot be sent"), Verdict.FAILED),
        (psycopg.NotSupportedError("ended as COPY_IN"), Verdict.FAILED),
    ],
)
def test_without_a_state_only_the_connection_is_worth_a_retry(error: psycopg.Error, verdict: Verdict) -> None:
    assert verdict_on(error) is verdict


LOST = psycopg.OperationalError("gone")


@pytest.mark.parametrize(
    ("error", "phase", "kind", "unknown"),
    [
        (StatedError("40001"), Phase.CLAIM, RepeatableError, False),
        (StatedError("40001"), Phase.STATEMENT, RepeatableError, False),
        (StatedError("40001"), Phase.RECORD, RepeatableError, False),
        (StatedError("40001"), Phase.COMMIT, RepeatableError, False),
        (StatedError("40003"), Phase.COMMIT, RepeatableError, True),
        (LOST, Phase.CLAIM, RepeatableError, False),
        (LOST, Phase.STATEMENT, TargetError, False),
        (LOST, Phase.RECORD, TargetError, False),
        (LOST, Phase.COMMIT, RepeatableError, True),
        (StatedError("57P01"), Phase.CLAIM, RepeatableError, False),
        (StatedError("57P01"), Phase.STATEMENT, TargetError, False),
        (StatedError("57P01"), Phase.COMMIT, RepeatableError, True),
        (StatedError("55P03"), Phase.CLAIM, TargetError, False),
        (StatedError("42P01"), Phase.CLAIM, TargetError, False),
        (StatedError("42P01"), Phase.STATEMENT, PermanentError, False),
        (StatedError("3B001"), Phase.RECORD, PermanentError, False),
        (StatedError("23505"), Phase.STATEMENT, PermanentError, False),
        (StatedError("23503"), Phase.COMMIT, PermanentError, False),
    ],
)
def test_the_phase_counts(error: psycopg.Error, phase: Phase, kind: type[Exception], unknown: bool) -> None:  # noqa: FBT001 - a row of the table
    translated = ours(error, phase)

    assert type(translated) is kind
    assert getattr(translated, "unknown", False) is unknown


def test_an_error_is_told_in_one_line_with_its_state() -> None:
    with pytest.raises(PermanentError, match=r"^it broke \[23505\]$"), told_apart(Phase.STATEMENT):
        raise StatedError("23505")

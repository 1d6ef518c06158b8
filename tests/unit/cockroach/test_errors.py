import psycopg
import pytest
from psycopg import errors
from psycopg_pool import PoolClosed, PoolTimeout

from scheduler.adapters.cockroach import StoreLoginError
from scheduler.adapters.cockroach.errors import (
    Failure,
    Verdict,
    error_of_ours,
    login_error,
    one_line,
    verdict_on,
)
from scheduler.application.errors import (
    DuplicateJobsError,
    SchemaNotMigratedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from scheduler.domain.errors import SchedulerError

# Each SQLSTATE that design and experience name, and what it calls for.
STATES = {
    Verdict.REPEAT: "40001 40P01 40002 40000",
    Verdict.RECONNECT: (
        "57P01 57P02 57P03 57P05 53300 58C01 25P02 25P03 25006 08000 08003 08006 08001 08004 08007 08P01 40003"
        " 0A000 26000 42P05 22P03"
    ),
    Verdict.DUPLICATE: "23505",
    Verdict.REJECTED: "22001 22003 22P02 22021 23502 23503 23514 54000",
    Verdict.NOT_MIGRATED: "42P01 42703",
    Verdict.UNAVAILABLE: (
        "57014 53100 53200 55P03 XX000 XX001 28P01 3D000 P0001 21000 54001 42501 42601 42804 42883 42P10 3F000 02000"
    ),
}
KNOWN = sorted(
    kind.sqlstate
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, psycopg.Error) and kind.sqlstate is not None
)
"""All that the driver has a name for."""
OURS: dict[Verdict, type[SchedulerError]] = {
    Verdict.REPEAT: StoreUnavailableError,
    Verdict.RECONNECT: StoreUnavailableError,
    Verdict.DUPLICATE: DuplicateJobsError,
    Verdict.REJECTED: StoreRejectedError,
    Verdict.NOT_MIGRATED: SchemaNotMigratedError,
    Verdict.UNAVAILABLE: StoreUnavailableError,
}


class Reported(psycopg.Error):
    """An error that came with a SQLSTATE, known to the driver or not."""

    def __init__(self, sqlstate: str, text: str = "text") -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("state", "verdict"), [(state, verdict) for verdict, states in STATES.items() for state in states.split()]
)
def test_a_sqlstate_calls_for(state: str, verdict: Verdict) -> None:
    assert verdict_on(Reported(state)) is verdict


@pytest.mark.parametrize("state", [*KNOWN, "99999"])
def test_no_sqlstate_but_those_about_data_ends_in_a_refusal_of_data(state: str) -> None:
    error = Reported(state)
    ours = error_of_ours(error, verdict_on(error))
    if state == "23505":
        assert isinstance(ours, DuplicateJobsError)
    elif (state.startswith(("22", "23")) and state != "22P03") or state == "54000":
        assert isinstance(ours, StoreRejectedError)
    else:
        assert isinstance(ours, StoreUnavailableError)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), Verdict.RECONNECT),
        (psycopg.InterfaceError("the connection is closed"), Verdict.RECONNECT),
        (PoolTimeout("no connection"), Verdict.RECONNECT),
        (PoolClosed("closed"), Verdict.UNAVAILABLE),
        (TimeoutError(), Verdict.UNAVAILABLE),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), Verdict.REJECTED),
        (psycopg.ProgrammingError("cannot adapt type"), Verdict.UNAVAILABLE),
        (psycopg.InternalError("bad poll status"), Verdict.UNAVAILABLE),
        (psycopg.errors.PipelineAborted("pipeline aborted"), Verdict.RECONNECT),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), Verdict.REJECTED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_the_drivers_own_errors_call_for(error: Failure, verdict: Verdict) -> None:
    assert verdict_on(error) is verdict


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_an_error_of_ours(verdict: Verdict) -> None:
    assert type(error_of_ours(Reported("XX000"), verdict)) is OURS[verdict]


def test_what_is_missing_is_named_without_the_rest_of_the_message() -> None:
    error = errors.UndefinedColumn('column "later" does not exist')
    assert str(error_of_ours(error, verdict_on(error))) == (
        'store is unavailable: the schema lacks column "later": run `scheduler migrate`'
    )


def test_errors_are_told_in_one_line_with_their_sqlstate() -> None:
    assert one_line(Reported("40001", "restart\n  transaction:  please\n")) == "restart transaction: please [40001]"
    assert one_line(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('connection failed: FATAL:  password authentication failed for user "x"', StoreLoginError),
        ('connection failed: FATAL:  database "x" does not exist', StoreLoginError),
        ('connection failed: FATAL:  role "x" does not exist', StoreLoginError),
        ('invalid integer value "p" for connection option "port"', StoreLoginError),
        ("connection failed: FATAL:  the database system is starting up", StoreUnavailableError),
        ("connection failed: FATAL:  the database system is shutting down", StoreUnavailableError),
        ("connection failed: FATAL:  the database system is in recovery mode", StoreUnavailableError),
        ("connection failed: FATAL:  sorry, too many clients already", StoreUnavailableError),
        ("connection failed: Connection refused\n\tIs the server running?", StoreUnavailableError),
        ("connection timeout expired", StoreUnavailableError),
    ],
)
def test_a_refused_login_is_told_from_a_server_that_is_away(text: str, kind: type[StoreUnavailableError]) -> None:
    error = login_error(psycopg.OperationalError(text))
    assert type(error) is kind
    assert "\n" not in str(error)

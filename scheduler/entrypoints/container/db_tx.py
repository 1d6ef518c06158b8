"""How the handler of db_tx jobs is made of the settings."""

from scheduler.adapters.handlers.db_tx import (
    Connections,
    DbTxHandler,
    StatementsFileError,
    TargetAddressError,
    read_statements,
)
from scheduler.application.ports.clock import Clock
from scheduler.entrypoints.settings import Settings, SettingsError


def build_db_tx(settings: Settings, clock: Clock) -> DbTxHandler:
    """Make the handler; it connects when the first job comes. Raises SettingsError, which names the variable."""
    url, path, any_sql = settings.db_tx_url, settings.db_tx_allowed_statements, settings.db_tx_allow_any_sql
    try:
        target = None if url is None else Connections(url, size=settings.db_tx_pool_size, any_sql=any_sql)
        statements = {} if path is None else read_statements(path)
    except TargetAddressError as error:
        raise SettingsError(f"DB_TX_DATABASE_URL: {error}") from error
    except StatementsFileError as error:
        raise SettingsError(f"DB_TX_ALLOWED_STATEMENTS: {error}") from error
    return DbTxHandler(target=target, statements=None if any_sql else statements, clock=clock)

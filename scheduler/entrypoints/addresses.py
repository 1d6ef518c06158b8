"""Where the servers are: an address that no connection can be made of is refused before anything connects."""

from scheduler.adapters.cockroach import StoreLoginError, StoreSettings
from scheduler.adapters.redis.client import AddressError, check_address
from scheduler.entrypoints.settings import Settings, SettingsError


def store_address(settings: Settings) -> str:
    """Return where SQL is. Raises SettingsError, which names the variable."""
    try:
        StoreSettings(url=settings.store_url).conninfo()
    except StoreLoginError as error:
        raise SettingsError("DATABASE_URL: is no PostgreSQL URL, or has a parameter unknown to libpq") from error
    return settings.store_url


def queue_address(settings: Settings) -> str:
    """Return where Redis is. Raises SettingsError, which names the variable."""
    try:
        check_address(settings.queue_url)
    except AddressError as error:
        raise SettingsError(f"REDIS_URL: {error}") from error
    return settings.queue_url

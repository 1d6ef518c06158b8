"""How this project sets redis-py up."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from scheduler.domain.errors import SchedulerError

CONNECT_SECONDS = 2.0
COMMAND_SECONDS = 2.0
POOL_SIZE = 32
IDLE_CHECK_SECONDS = 30


class AddressError(SchedulerError):
    """redis-py makes no connection of this address; the message names the option, and no value."""


def check_address(url: str) -> None:
    """Raise AddressError when the address has options that redis-py refuses. Connects to nothing."""
    try:
        pool = open_client(url, client_name="check").connection_pool
        pool.connection_class(**pool.connection_kwargs)
    except (AttributeError, TypeError, ValueError, RedisError) as error:
        raise AddressError(f"redis-py refuses it: {error}") from error


def open_client(url: str, *, client_name: str) -> Redis:
    """Make a client of a redis://, rediss:// or unix:// address; it connects when it is first used.

    It never repeats a command by itself: a claim that is sent twice would hand out twice.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=POOL_SIZE,
        timeout=COMMAND_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_keepalive=True,
        health_check_interval=IDLE_CHECK_SECONDS,
        client_name=client_name,
    )
    # Whatever the address asks for in its query string, the rest of this package relies on these. With a timeout of its
    # own redis-py writes inside asyncio.wait_for, which on Python 3.11 swallows a cancellation that comes as the write
    # ends: a task that must stop would go on for ever. RedisServer and RedisSubscription limit every wait themselves.
    pool.connection_kwargs.update(
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        protocol=2,
        legacy_responses=False,
        decode_responses=False,
    )
    return Redis.from_pool(pool)

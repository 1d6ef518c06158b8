import pytest
from redis import exceptions as redis_errors

from scheduler.adapters.redis.errors import REDIS_FAULTS, translate


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (redis_errors.AuthenticationError("invalid username-password pair"), "refuses the login"),
        (redis_errors.NoPermissionError("no permissions"), "denies the permission"),
        (redis_errors.BusyLoadingError("Redis is loading"), "is loading its data"),
        (redis_errors.OutOfMemoryError("command not allowed"), "is out of memory"),
        (redis_errors.ReadOnlyError("You can't write"), "is a read-only replica"),
        (redis_errors.ClusterDownError("Hash slot not served"), "is part of a cluster that is down"),
        (redis_errors.MasterDownError("Link with MASTER is down"), "has lost its master"),
        (redis_errors.MovedError("1234 127.0.0.1:7001"), "is the wrong node of a cluster"),
        (redis_errors.ResponseError("MISCONF Errors writing to the AOF file"), "cannot write its data to disk"),
        (redis_errors.ResponseError("BUSY Redis is busy running a script"), "busy with a script"),
        (redis_errors.ResponseError("NOREPLICAS Not enough good replicas"), "has too few replicas"),
        (redis_errors.ResponseError("ERR unknown command"), "refuses the command"),
        (redis_errors.TimeoutError("Timeout reading"), "does not answer in time"),
        (redis_errors.ConnectionError("Connection refused"), "cannot be reached"),
        (redis_errors.InvalidResponse("Protocol error"), "fails"),
        (ConnectionResetError(104, "Connection reset by peer"), "cannot be reached"),
        (TimeoutError(), "does not answer in time"),
    ],
)
def test_each_fault_is_told_in_one_line(error: Exception, detail: str) -> None:
    assert isinstance(error, REDIS_FAULTS)
    assert f"queue is unavailable: Redis {detail}" in str(translate(error))
    assert "\n" not in str(translate(error))


def test_a_long_text_of_many_lines_becomes_a_short_line() -> None:
    text = str(translate(redis_errors.ResponseError("ERR\r\n" + "x" * 5000)))
    assert "\n" not in text
    assert len(text) < 300


def test_every_error_of_the_driver_is_covered() -> None:
    kinds = [kind for kind in vars(redis_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    outside = {kind.__name__ for kind in kinds if not issubclass(kind, REDIS_FAULTS)}
    # The cluster client's own, a fork's, and one that nothing raises: none of them can come from the client we use.
    assert outside <= {
        "ChildDeadlockedError",
        "CrossSlotTransactionError",
        "IncorrectPolicyType",
        "InvalidPipelineStack",
        "RedisClusterException",
        "SlotNotCoveredError",
    }

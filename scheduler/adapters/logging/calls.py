"""The calls of the API, as log lines: the access log."""

from collections import Counter

from structlog.typing import FilteringBoundLogger

from scheduler.application.ports.telemetry import RpcTelemetry


class LoggedCalls(RpcTelemetry):
    """Logs each call that did not end well, and of the others of each method the first of every `sample`.

    They are counted, not drawn: a method that is called seldom shows, too. A `sample` of 0 logs none at all. Passes all
    on to `following`.
    """

    def __init__(self, log: FilteringBoundLogger, *, sample: int, following: RpcTelemetry) -> None:
        self._log = log
        self._sample = sample
        self._following = following
        self._passed: Counter[str] = Counter()

    def rpc_ended(self, method: str, status: str, seconds: float, *, peer: str) -> None:
        """Log it, unless it is one of those left out."""
        self._following.rpc_ended(method, status, seconds, peer=peer)
        if self._sample and (status != "OK" or self._is_due(method)):
            self._log.info("rpc_ended", method=method, status=status, seconds=round(seconds, 6), peer=peer)

    def limited(self, cap: str) -> None:
        """Pass it on: a flood must not flood the log."""
        self._following.limited(cap)

    def mutation_abandoned(self) -> None:
        """Pass it on."""
        self._following.mutation_abandoned()

    def _is_due(self, method: str) -> bool:
        passed = self._passed[method]
        self._passed[method] = (passed + 1) % self._sample
        return passed == 0

"""A real logger whose lines end in a list."""

import logging
from collections.abc import MutableMapping
from typing import Any, cast

import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger


class Lines(LogCapture):
    """Lines, with a logger that writes them."""

    def log(self, level: int = logging.DEBUG) -> FilteringBoundLogger:
        wrapper = structlog.make_filtering_bound_logger(level)
        return cast("FilteringBoundLogger", structlog.wrap_logger(None, processors=[self], wrapper_class=wrapper))

    def events(self) -> list[tuple[str, str]]:
        """Level and event of each line."""
        return [(line["log_level"], line["event"]) for line in self.entries]

    def only(self) -> MutableMapping[str, Any]:
        (line,) = self.entries
        return line

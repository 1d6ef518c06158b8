"""How soon something that ended by itself is started again."""

import time

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""What lived this long counts as well: when it ends the pauses begin anew."""
_MOST_DOUBLINGS = 10


class Pauses:
    """From start to start: longer and longer, until a run was steady."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        """How many runs in a row were short."""
        self._started_at = 0.0

    def note_start(self) -> None:
        """Begin a run."""
        self._started_at = time.monotonic()

    def note_end(self) -> None:
        """End a run that nobody wanted to end."""
        self.failures = 0 if self.is_steady() else self.failures + 1

    def is_steady(self) -> bool:
        """Tell whether the last start is long ago."""
        return time.monotonic() - self._started_at >= STEADY_SECONDS

    def are_over(self) -> bool:
        """Tell whether the next run may begin: at once if the last was steady."""
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self.failures, _MOST_DOUBLINGS))
        return time.monotonic() - self._started_at >= pause

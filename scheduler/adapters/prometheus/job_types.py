"""Job types as a label: clients make them up, so only so many get a series of their own."""

from collections.abc import Sequence

OTHER_TYPES = "other"
MAX_TYPES = 100


class JobTypes:
    """The types that are known from the start, or else the first hundred that are seen."""

    def __init__(self, known: Sequence[str] = ()) -> None:
        self._seen = set(known)
        self._learns = not known

    def label(self, job_type: str) -> str:
        """Return the type, or "other"."""
        if self._learns and len(self._seen) < MAX_TYPES:
            self._seen.add(job_type)
        return job_type if job_type in self._seen else OTHER_TYPES

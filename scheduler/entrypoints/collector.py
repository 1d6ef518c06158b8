"""How often the garbage collector runs."""

import gc

YOUNG_OBJECTS = 10_000
"""So many new objects call the garbage collector: some MiB, where Python's 700 would be less than one batch."""


def collect_rarely() -> None:
    """Let it run less often: modules that are loaded, and a batch of jobs, are many objects and no garbage."""
    gc.set_threshold(YOUNG_OBJECTS)


def spare_the_collector() -> None:
    """Let it run less often, and pass over what a start has left."""
    gc.freeze()
    collect_rarely()

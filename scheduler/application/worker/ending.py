"""How a worker ends."""

from enum import IntEnum


class Ending(IntEnum):
    """The worse, the higher."""

    COMPLETE = 0
    """Every handler has ended."""
    HUNG = 1
    """A handler runs on, and only the end of the process stops it."""
    WORN_OUT = 2
    """So many handlers ran on that the worker stopped by itself: a new process must take its place."""

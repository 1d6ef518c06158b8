"""How an attempt in a process fails, beside what its handler says."""

import signal

from scheduler.domain.errors import SchedulerError


class HandlerProcessError(SchedulerError):
    """The process of an attempt did not bring it to an end."""


class ProcessNotStartedError(HandlerProcessError):
    """The system refused another process."""


class ProcessDiedError(HandlerProcessError):
    """The process ended, or fell silent, while its handler ran."""

    def __init__(self, returncode: int | None) -> None:
        """Keep the exit code, negative for a signal; None when the process lives but does not talk any more."""
        super().__init__(f"the handler's process {_ending(returncode)}")
        self.returncode = returncode


def _ending(returncode: int | None) -> str:
    if returncode is None:
        return "closed its connection to the worker"
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    hint = ", perhaps for want of memory" if -returncode == signal.SIGKILL else ""
    return f"was killed by {_name(-returncode)}{hint}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

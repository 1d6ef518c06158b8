"""How a call can fail."""

from scheduler.domain.errors import SchedulerError


class CallFailedError(SchedulerError):
    """The call failed in a way that may pass: it is tried again."""


class AddressRefusedError(SchedulerError):
    """The host or port is none that may be called; nothing was sent.

    The message does not show the address: it may be one that the job's owner should not learn.
    """

"""How a call can fail."""

from scheduler.domain.errors import SchedulerError


class CallFailedError(SchedulerError):
    """The call failed in a way that may pass: it is tried again."""


class AddressRefusedError(SchedulerError):
    """The host is none that may be called; nothing was sent."""

    def __init__(self, kind: str) -> None:
        """Keep the kind of address; the address itself may be one that the job's owner should not learn."""
        super().__init__(f"the host has a {kind} address, which HTTP_CALL_ALLOWED_NETWORKS does not allow")
        self.kind = kind

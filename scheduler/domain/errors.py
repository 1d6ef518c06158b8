"""The root of all errors of ours, and those that the domain itself raises."""

from scheduler.domain.state import JobState


class SchedulerError(Exception):
    """Root of every error that this project raises on purpose."""


class InvalidFieldError(SchedulerError):
    """A value breaks a rule; `field` is the domain's name of it, a dotted path where it is nested."""

    def __init__(self, field: str, reason: str) -> None:
        """Keep the field and the reason apart, so that an adapter can name the field in its own terms."""
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class TransitionNotAllowedError(SchedulerError):
    """The job's state does not allow the transition."""

    def __init__(self, current: JobState, target: JobState) -> None:
        """Keep both ends of the refused transition."""
        super().__init__(f"a {current} job cannot become {target}")
        self.current = current
        self.target = target

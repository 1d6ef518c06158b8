"""Types whose jobs always fail, each for one test: dead letters are listed and changed by type."""

from scheduler.handlers import JobContext, handler

NAMES = tuple(f"unwilling.{number:02}" for number in range(60))
LONG_NAME = f"unwilling.{'name' * 15}"
REFUSAL = "will not dance"
_unused = iter(NAMES)


async def refuse(payload: object, context: JobContext) -> None:
    raise RuntimeError(f"{context.job_type} {REFUSAL}")


HANDLERS = tuple(handler(name)(refuse) for name in (*NAMES, LONG_NAME))
globals().update({f"handler_{number}": each for number, each in enumerate(HANDLERS)})


def unused() -> str:
    """Return a type that no test of this process uses."""
    return next(_unused)

"""What a database would refuse for good, refused here as well, so that memory hides no fault."""

from collections.abc import Iterable

from scheduler.application.dto import Change, NewJob
from scheduler.application.errors import StoreRejectedError
from scheduler.domain.job import Job


def check_new_job(new: NewJob) -> None:
    """Raise StoreRejectedError when a text of the job cannot be stored."""
    _check_texts(_texts_of_job(new.job), new.payload)


def check_change(change: Change) -> None:
    """Raise StoreRejectedError when a text of the transition cannot be stored."""
    error = None if change.ended is None else change.ended.error
    _check_texts((change.job.last_error,), change.payload, change.result, error)


def _texts_of_job(job: Job) -> Iterable[str | None]:
    labels = (text for label in job.labels.items() for text in label)
    return (job.type, job.idempotency_key, job.last_error, *labels)


def _check_texts(texts: Iterable[str | None], *more: str | None) -> None:
    for text in (*texts, *more):
        if text and not _is_storable(text):
            raise StoreRejectedError("a text holds NUL or a lone surrogate")


def _is_storable(text: str) -> bool:
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

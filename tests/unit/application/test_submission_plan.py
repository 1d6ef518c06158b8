"""Which jobs of several requests are new, which exist, and which requests are refused."""

from scheduler.application.dto import SubmitOutcome, TakenName
from scheduler.application.errors import IdempotencyMismatchError
from scheduler.application.submission_plan import NamedSubmission, SubmissionPlan, plan_submissions
from scheduler.domain.ids import JobId
from scheduler.domain.submission import Submission
from tests.support.builders import MICROSECOND, NOW, SECOND, a_job_id, a_submission, an_op_id

ONE, OTHER = a_submission(payload="1"), a_submission(payload="2")


def named(submission: Submission = ONE, *, job_id: JobId | None = None, key: str | None = None) -> NamedSubmission:
    if key is not None:
        submission = a_submission(payload=submission.payload, idempotency_key=key)
    return NamedSubmission(submission=submission, job_id=job_id or a_job_id(), op_id=an_op_id())


def stored(item: NamedSubmission, *, by_itself: bool = False) -> TakenName:
    """Describe a stored job with the names and the content of the item."""
    return TakenName(
        job_id=item.job_id,
        idempotency_key=item.submission.idempotency_key,
        request_hash=item.submission.request_hash,
        created_op_id=item.op_id if by_itself else an_op_id(),
    )


def plan(*requests: list[NamedSubmission], taken: list[TakenName] | None = None) -> SubmissionPlan:
    return plan_submissions(requests, taken or [], NOW)


def created(item: NamedSubmission) -> SubmitOutcome:
    return SubmitOutcome(job_id=item.job_id, created=True)


def found(item: NamedSubmission) -> SubmitOutcome:
    return SubmitOutcome(job_id=item.job_id, created=False)


def test_new_jobs_keep_the_order_of_their_requests_in_the_queue() -> None:
    first, second, third = named(), named(OTHER), named()
    planned = plan([first, second], [third])
    assert planned.results == [[created(first), created(second)], [created(third)]]
    assert [new.job.id for new in planned.new_jobs] == [first.job_id, second.job_id, third.job_id]
    assert [job.queued_at for job in planned.created] == [NOW + index * MICROSECOND for index in range(3)]
    assert [(new.payload, new.job.op_id) for new in planned.new_jobs[:2]] == [("1", first.op_id), ("2", second.op_id)]


def test_a_repeat_of_a_stored_job_by_its_id_creates_none() -> None:
    item = named(job_id=a_job_id())
    planned = plan([item], taken=[stored(item)])
    assert (planned.results, planned.new_jobs, planned.created) == ([[found(item)]], [], [])


def test_a_repeat_for_another_time_is_the_same_submission() -> None:
    first, repeat = (
        NamedSubmission(
            submission=a_submission(idempotency_key="k", run_at=NOW + seconds * SECOND),
            job_id=a_job_id(),
            op_id=an_op_id(),
        )
        for seconds in (30, 31)
    )
    planned = plan([repeat], taken=[stored(first)])
    assert (planned.results, planned.new_jobs) == ([[found(first)]], [])


def test_a_repeat_by_its_key_answers_with_the_id_of_the_first() -> None:
    first, repeat = named(key="k"), named(key="k")
    planned = plan([repeat], taken=[stored(first)])
    assert (planned.results, planned.new_jobs) == ([[found(first)]], [])


def test_a_job_that_an_earlier_write_of_the_same_submission_stored_counts_as_created() -> None:
    item = named()
    planned = plan([item], taken=[stored(item, by_itself=True)])
    assert planned.results == [[created(item)]]
    assert planned.new_jobs == []
    assert [job.id for job in planned.created] == [item.job_id]


def test_another_content_under_a_stored_id_is_refused_with_its_place() -> None:
    first = named(job_id=a_job_id())
    changed = named(OTHER, job_id=first.job_id)
    planned = plan([named(), named(), changed], taken=[stored(first)])
    (error,) = planned.results
    assert isinstance(error, IdempotencyMismatchError)
    assert (error.job_id, error.index) == (first.job_id, 2)


def test_a_key_and_an_id_of_two_jobs_are_refused_even_with_the_same_content() -> None:
    by_id, by_key = named(job_id=a_job_id()), named(key="k")
    both = named(job_id=by_id.job_id, key="k")
    (error,) = plan([both], taken=[stored(by_id), stored(by_key)]).results
    assert isinstance(error, IdempotencyMismatchError)


def test_a_refused_request_leaves_no_trace_for_the_next() -> None:
    taken = named(job_id=a_job_id())
    innocent = named(key="k")
    refused = [named(key="k"), named(OTHER, job_id=taken.job_id)]
    planned = plan(refused, [innocent], taken=[stored(taken)])
    assert isinstance(planned.results[0], IdempotencyMismatchError)
    assert planned.results[1] == [created(innocent)]
    assert [(new.job.id, new.job.queued_at) for new in planned.new_jobs] == [(innocent.job_id, NOW)]


def test_of_repeats_inside_a_request_the_first_creates() -> None:
    first = named(key="k")
    planned = plan([first, named(key="k"), named(job_id=first.job_id, key="k")])
    assert planned.results == [[created(first), found(first), found(first)]]
    assert len(planned.new_jobs) == len(planned.created) == 1


def test_of_repeats_in_two_requests_of_a_flush_the_first_creates() -> None:
    first = named(job_id=a_job_id())
    planned = plan([first], [named(job_id=first.job_id)])
    assert planned.results == [[created(first)], [found(first)]]
    assert len(planned.new_jobs) == 1


def test_other_content_under_a_name_of_the_same_flush_is_refused() -> None:
    first = named(key="k")
    planned = plan([first], [named(OTHER, key="k")])
    assert planned.results[0] == [created(first)]
    assert isinstance(planned.results[1], IdempotencyMismatchError)


def test_only_a_key_is_expected_to_be_repeated() -> None:
    assert named(key="k").expects_repeats
    assert not named(job_id=a_job_id()).expects_repeats

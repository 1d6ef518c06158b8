import pytest

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from tests.integration.grpc_refusals import bad_fields, refusal
from tests.integration.grpc_tools import Api, a_job_message, over_loopback, submitted
from tests.support.builders import SECOND


async def listed(api: Api, request: pb.ListJobsRequest) -> list[str]:
    ids: list[str] = []
    while True:
        page = await api.stub.ListJobs(request)
        ids += [job.job_id for job in page.jobs]
        if not page.next_page_token:
            return ids
        request.page_token = page.next_page_token


@over_loopback
async def test_pages_list_every_job_once_newest_first(api: Api) -> None:
    ids = []
    for _ in range(7):
        ids.append(await submitted(api))
        api.clock.advance(SECOND)
    assert await listed(api, pb.ListJobsRequest(page_size=3)) == ids[::-1]


@over_loopback
async def test_each_filter_narrows_the_list(api: Api) -> None:
    plain = await submitted(api)
    urgent = await submitted(api, priority=pb.PRIORITY_CRITICAL)
    other = await submitted(api, type="other")
    labelled_job = a_job_message()
    labelled_job.labels["team"] = "a"
    labelled = (await api.stub.SubmitJob(pb.SubmitJobRequest(job=labelled_job))).job_id
    await api.stub.CancelJob(pb.CancelJobRequest(job_id=plain))
    begin = api.clock.now()
    api.clock.advance(SECOND)
    late = await submitted(api)
    after, before = pb.ListJobsRequest(), pb.ListJobsRequest()
    after.created_after.FromDatetime(api.clock.now())
    before.created_before.FromDatetime(api.clock.now())
    assert begin < api.clock.now()
    assert await listed(api, pb.ListJobsRequest(state_filter=pb.JOB_STATE_CANCELLED)) == [plain]
    assert await listed(api, pb.ListJobsRequest(priority_filter=pb.PRIORITY_CRITICAL)) == [urgent]
    assert await listed(api, pb.ListJobsRequest(type_filter="other")) == [other]
    assert await listed(api, pb.ListJobsRequest(label_filter={"team": "a"})) == [labelled]
    assert await listed(api, after) == [late]
    assert set(await listed(api, before)) == {plain, urgent, other, labelled}


@over_loopback
async def test_a_list_comes_without_payloads(api: Api) -> None:
    await submitted(api, payload_json="1")
    (job,) = (await api.stub.ListJobs(pb.ListJobsRequest())).jobs
    assert job.payload_json == ""


@over_loopback
async def test_a_page_holds_50_jobs_by_default_and_1000_at_most(api: Api) -> None:
    for _ in range(2):
        await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message()] * 600))
    default = await api.stub.ListJobs(pb.ListJobsRequest())
    most = await api.stub.ListJobs(pb.ListJobsRequest(page_size=2_000_000_000))
    assert (len(default.jobs), len(most.jobs)) == (50, 1000)


@over_loopback
async def test_a_token_goes_on_only_with_its_own_filters(api: Api) -> None:
    await api.stub.SubmitJobs(pb.SubmitJobsRequest(jobs=[a_job_message()] * 3))
    page = await api.stub.ListJobs(pb.ListJobsRequest(page_size=1))
    other = pb.ListJobsRequest(type_filter="email.send", page_token=page.next_page_token)
    larger = pb.ListJobsRequest(page_size=2, page_token=page.next_page_token)
    assert bad_fields(await refusal(api.stub.ListJobs(other))) == ["page_token"]
    assert len((await api.stub.ListJobs(larger)).jobs) == 2


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"page_size": -1}, "page_size"),
        ({"page_token": "garbled"}, "page_token"),
        ({"state_filter": 99}, "state_filter"),
        ({"priority_filter": 99}, "priority_filter"),
        ({"type_filter": "a\0"}, "type_filter"),
    ],
)
@over_loopback
async def test_a_list_that_cannot_be_made_names_the_field(api: Api, fields: dict[str, object], named: str) -> None:
    request = pb.ListJobsRequest()
    for name, value in fields.items():
        setattr(request, name, value)
    assert bad_fields(await refusal(api.stub.ListJobs(request))) == [named]

"""`scheduler get`, `cancel`, `requeue` and `attempts`."""

import time
from uuid import uuid4

import pytest

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from tests.unit.cli.tool import PATIENCE_SECONDS, Tool


@pytest.fixture
def failed(tool: Tool) -> str:
    """Id of a job that FAILED."""
    job_id = tool.submit("noop", "--payload", '{"fail_permanently": true}')
    assert tool("watch", job_id).code == 1
    return job_id


def test_a_job_is_shown_with_the_fields_of_the_wire(tool: Tool, failed: str) -> None:
    job = tool("get", failed, "--json").document

    assert job.keys() == {field.name for field in pb.JobStatus.DESCRIPTOR.fields}
    assert (job["state"], job["last_error"]) == ("FAILED", "failed for good, as the payload asks")
    assert str(job["created_at"]).endswith("Z")


def test_a_job_is_shown_to_people_field_by_field(tool: Tool, failed: str) -> None:
    ran = tool("get", failed)

    fields = dict(line.split(maxsplit=1) for line in ran.lines)
    assert fields["state"].strip() == "FAILED"
    assert fields["attempts"].strip() == "1 of 3"
    assert fields["payload"].strip() == '{"fail_permanently": true}'


def test_in_a_pipe_no_row_is_filled_up_to_the_longest(tool: Tool) -> None:
    payload = f'"{"x" * 50_000}"'
    job_id = tool.submit("noop", "--payload", "-", stdin=payload.encode())

    for ran in (tool("get", job_id), tool("list"), tool("queues"), tool("attempts", job_id)):
        assert ran.lines == [line.rstrip() for line in ran.lines]
    assert payload in tool("get", job_id).stdout


def test_the_history_has_the_fields_of_the_wire(tool: Tool, failed: str) -> None:
    attempt = tool("attempts", failed, "--json").document

    assert attempt.keys() == {field.name for field in pb.Attempt.DESCRIPTOR.fields}
    assert (attempt["number"], attempt["outcome"]) == (1, "FAILED")


def test_an_attempt_that_has_not_ended_is_shown_as_running(tool: Tool) -> None:
    job_id = tool.submit("noop", "--payload", '{"sleep_seconds": 600}', "--priority", "critical")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while tool("get", job_id, "--json").document["state"] != "RUNNING":
        assert time.monotonic() < deadline

    attempt = tool("attempts", job_id, "--json").document
    for_people = tool("attempts", job_id)
    tool("cancel", job_id)

    assert (attempt["outcome"], attempt["finished_at"]) == ("RUNNING", None)
    assert "RUNNING" in for_people.lines[1]


def test_a_waiting_job_is_cancelled(tool: Tool) -> None:
    job_id = tool.submit("noop", "--at", "+1h")

    ran = tool("cancel", job_id, "--json")

    assert (ran.code, ran.document) == (0, {"job_id": job_id, "cancelled": True})
    assert tool("get", job_id, "--json").document["state"] == "CANCELLED"


def test_a_job_that_ended_is_not_cancelled_and_the_others_are(tool: Tool, failed: str) -> None:
    waiting = tool.submit("noop", "--at", "+1h")

    ran = tool("cancel", failed, waiting, "--json")

    assert ran.code == 1
    assert [document["cancelled"] for document in ran.documents] == [False, True]


def test_an_unknown_job_does_not_keep_the_others_from_being_cancelled(tool: Tool) -> None:
    waiting = tool.submit("noop", "--at", "+1h")

    ran = tool("cancel", str(uuid4()), waiting)

    assert ran.code == 1
    assert ran.error_line.startswith("scheduler: NOT_FOUND: ")
    assert ran.stdout == f"{waiting} cancelled\n"


def test_a_failed_job_runs_again_with_a_new_payload(tool: Tool, failed: str) -> None:
    ran = tool("requeue", failed, "--payload", "{}", "--json")

    assert (ran.code, ran.document["state"]) == (0, "QUEUED")
    assert tool("watch", failed).code == 0
    assert tool("get", failed, "--json").document["payload_json"] == "{}"


def test_a_requeue_keeps_the_payload_unless_told_otherwise(tool: Tool, failed: str) -> None:
    version = int(str(tool("get", failed, "--json").document["version"]))

    assert tool("requeue", failed).stdout == f"{failed} QUEUED at version {version + 1}\n"

    assert tool("watch", failed).code == 1
    assert len(tool("attempts", failed, "--json").documents) == 2


def test_a_requeue_of_another_version_is_refused(tool: Tool, failed: str) -> None:
    ran = tool("requeue", failed, "--expected-version", "99")

    assert (ran.code, ran.stdout) == (1, "")
    assert ran.error_line.startswith("scheduler: FAILED_PRECONDITION: ")


@pytest.mark.parametrize(("command", "option"), [("requeue", "--expected-version"), ("watch", "--after-version")])
def test_a_version_that_the_wire_cannot_hold_is_refused(tool: Tool, command: str, option: str) -> None:
    ran = tool(command, str(uuid4()), option, str(2**63))

    assert ran.code == 2
    assert option in ran.stderr


def test_a_version_goes_with_one_job_only(tool: Tool, failed: str) -> None:
    ran = tool("requeue", failed, str(uuid4()), "--expected-version", "3")

    assert ran.code == 2
    assert "--expected-version" in ran.stderr


def test_several_jobs_are_requeued_whatever_becomes_of_the_others(tool: Tool, failed: str) -> None:
    waiting = tool.submit("noop", "--at", "+1h")

    ran = tool("requeue", waiting, failed, "--json")

    assert (ran.code, ran.document["job_id"]) == (1, failed)
    assert ran.error["status"] == "FAILED_PRECONDITION"


@pytest.mark.parametrize("command", ["get", "attempts", "watch", "cancel", "requeue"])
def test_what_is_no_id_is_refused_with_the_name_of_the_field(tool: Tool, command: str) -> None:
    for_people, for_scripts = tool(command, "nope"), tool(command, "nope", "--json")

    assert for_people.code == for_scripts.code == 1
    assert for_people.error_line == "scheduler: INVALID_ARGUMENT: job_id: must be a UUID"
    assert for_scripts.error["status"] == "INVALID_ARGUMENT"
    assert for_scripts.error["field_violations"] == [{"field": "job_id", "description": "must be a UUID"}]

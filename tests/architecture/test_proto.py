import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from tests.support.original_client import original_pool, original_service

ROOT = Path(__file__).parents[2]
BUF = Path(sysconfig.get_path("scripts"), "buf")
CONTRACT = Path("proto/scheduler/v1/scheduler.proto")
PACKAGE = Path("scheduler/adapters/grpc/pb")
BASELINES = {"original": ROOT / "proto/baseline/original", "released": ROOT / "proto/baseline/released.txtpb"}

# Every field of the original, with its number: what deployed clients put on the wire.
ORIGINAL_FIELDS = {
    "Job": "job_id 1, type 2, priority 3, payload_json 4, idempotency_key 5, max_attempts 6",
    "SubmitJobRequest": "job 1",
    "SubmitJobResponse": "job_id 1",
    "GetJobRequest": "job_id 1",
    "WatchJobRequest": "job_id 1",
    "CancelJobRequest": "job_id 1",
    "CancelJobResponse": "cancelled 1",
    "JobStatus": "job_id 1, state 2, attempts 3, last_error 4, created_at 5, updated_at 6, started_at 7, finished_at 8",
    "JobEvent": "job_id 1, state 2, message 3, timestamp 4, attempts 5",
    "ListJobsRequest": "state_filter 1, priority_filter 2, type_filter 3, page_size 4, page_token 5",
    "ListJobsResponse": "jobs 1, next_page_token 2",
}
ADDED_FIELDS = {
    "Job": "run_at 7, timeout 8, retry_policy 9, labels 10",
    "SubmitJobResponse": "created 2",
    "WatchJobRequest": "after_version 2",
    "JobStatus": "type 9, priority 10, max_attempts 11, run_at 12, payload_json 13, version 14, worker_id 15,"
    " labels 16, result_json 17, progress 18, progress_message 19, losses 20",
    "JobEvent": "version 6, last_error 7, progress 8, progress_message 9",
    "ListJobsRequest": "label_filter 6, created_after 7, created_before 8, error_fingerprint 9",
    "RetryPolicy": "initial 1, max 2, multiplier 3, jitter 4",
    "RequeueJobRequest": "job_id 1, payload_json 2, expected_version 3",
    "JobFilter": "state_filter 1, priority_filter 2, type_filter 3, label_filter 4, created_after 5, created_before 6,"
    " finished_after 7, finished_before 8, error_text 9, error_fingerprint 10",
    "RequeueJobsRequest": "filter 1, dry_run 2, limit 3, rate 4, cursor 5",
    "PurgeJobsRequest": "filter 1, dry_run 2, limit 3, cursor 4",
}
ORIGINAL_VALUES = {
    "Priority": "UNSPECIFIED 0, CRITICAL 1, HIGH 2, DEFAULT 3, LOW 4",
    "JobState": "UNSPECIFIED 0, QUEUED 1, RUNNING 2, SUCCEEDED 3, FAILED 4, DEADLETTER 5",
}
ADDED_VALUES = {"Priority": "", "JobState": "CANCELLED 6, RETRYING 7, SCHEDULED 8"}
PREFIXES = {"Priority": "PRIORITY_", "JobState": "JOB_STATE_"}
RPCS = {
    "SubmitJob": ("SubmitJobRequest", "SubmitJobResponse", False),
    "GetJob": ("GetJobRequest", "JobStatus", False),
    "WatchJob": ("WatchJobRequest", "JobEvent", True),
    "CancelJob": ("CancelJobRequest", "CancelJobResponse", False),
    "ListJobs": ("ListJobsRequest", "ListJobsResponse", False),
}

# One edit each that some deployed client would feel.
BREAKING_EDITS = {
    "a field is removed": ("  string last_error = 4;\n", ""),
    "a field is renumbered": ("string last_error = 4;", "string last_error = 41;"),
    "a field is renamed": ("string last_error = 4;", "string error = 4;"),
    "a field changes its type": ("int32 attempts = 3;", "string attempts = 3;"),
    "an enum value is renumbered": ("JOB_STATE_DEADLETTER = 5;", "JOB_STATE_DEADLETTER = 9;"),
    "an rpc is removed": ("  rpc CancelJob(CancelJobRequest) returns (CancelJobResponse);\n", ""),
    "an rpc stops streaming": ("returns (stream JobEvent)", "returns (JobEvent)"),
    "the package is renamed": ("package scheduler.v1;", "package scheduler.v2;"),
}


def buf(*arguments: str | Path, at: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BUF, *arguments], cwd=at, capture_output=True, text=True, check=False)


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "scripts/generate_proto.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the contract to edit, as a buf workspace of its own."""
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def edit(tree: Path, old: str, new: str) -> None:
    text = (tree / CONTRACT).read_text("utf-8")
    assert old in text
    (tree / CONTRACT).write_text(text.replace(old, new, 1), "utf-8")


def numbered(names: str, prefix: str = "") -> dict[str, int]:
    pairs = (entry.split() for entry in names.split(",") if entry)
    return {prefix + name: int(number) for name, number in pairs}


def fields(message: Descriptor) -> dict[str, int]:
    return {field.name: field.number for field in message.fields}


def values(enum: EnumDescriptor) -> dict[str, int]:
    return {value.name: value.number for value in enum.values}


def shape(field: FieldDescriptor) -> tuple[str, int, int, bool, str]:
    of = field.message_type or field.enum_type
    return field.name, field.number, field.type, field.is_repeated, of.full_name if of else ""


def test_the_committed_code_is_what_the_contract_says() -> None:
    check = generate("--check")
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("name", ["scheduler_pb2.py", "scheduler_pb2_grpc.pyi"])
def test_code_that_was_edited_or_deleted_is_drift(name: str, tmp_path: Path) -> None:
    package = tmp_path / PACKAGE
    shutil.copytree(ROOT / PACKAGE, package)
    assert generate("--check", "--root", tmp_path).returncode == 0
    (package / name).write_text((package / name).read_text("utf-8") + "# edited\n", "utf-8")
    edited = generate("--check", "--root", tmp_path)
    (package / name).unlink()
    deleted = generate("--check", "--root", tmp_path)
    assert (edited.returncode, deleted.returncode) == (1, 1)
    assert name in edited.stdout
    assert name in deleted.stdout


def test_the_package_demands_the_versions_its_generated_code_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    messages, rpcs = (
        (ROOT / PACKAGE / name).read_text("utf-8") for name in ("scheduler_pb2.py", "scheduler_pb2_grpc.py")
    )
    protobuf = re.search(r"^# Protobuf Python Version: (\S+)$", messages, re.MULTILINE)
    grpcio = re.search(r"^GRPC_GENERATED_VERSION = '(\S+)'$", rpcs, re.MULTILINE)
    assert protobuf
    assert grpcio
    assert {f"protobuf>={protobuf[1]}", f"grpcio>={grpcio[1]}"} <= set(project["dependencies"])


def test_the_service_keeps_its_name_though_the_code_lies_in_our_package() -> None:
    service = pb.DESCRIPTOR.services_by_name["SchedulerService"]
    assert service.full_name == "scheduler.v1.SchedulerService"
    assert pb.__name__ == "scheduler.adapters.grpc.pb.scheduler_pb2"


@pytest.mark.parametrize("message", sorted(ORIGINAL_FIELDS | ADDED_FIELDS))
def test_every_field_has_the_number_that_clients_rely_on(message: str) -> None:
    descriptor = pb.DESCRIPTOR.message_types_by_name[message]
    original, added = (numbered(table.get(message, "")) for table in (ORIGINAL_FIELDS, ADDED_FIELDS))
    assert fields(descriptor) == original | added


@pytest.mark.parametrize("enum", sorted(ORIGINAL_VALUES))
def test_every_enum_value_has_the_number_that_clients_rely_on(enum: str) -> None:
    names = f"{ORIGINAL_VALUES[enum]},{ADDED_VALUES[enum]}"
    assert values(pb.DESCRIPTOR.enum_types_by_name[enum]) == numbered(names, PREFIXES[enum])


@pytest.mark.parametrize("rpc", sorted(RPCS))
def test_every_rpc_of_the_original_keeps_its_request_and_its_answer(rpc: str) -> None:
    method = pb.DESCRIPTOR.services_by_name["SchedulerService"].methods_by_name[rpc]
    assert (method.input_type.name, method.output_type.name, method.server_streaming) == RPCS[rpc]
    assert not method.client_streaming


@pytest.mark.parametrize("message", sorted(ORIGINAL_FIELDS))
def test_the_baseline_of_the_original_holds_its_fields_and_no_more(message: str) -> None:
    original = original_pool().FindMessageTypeByName(f"scheduler.v1.{message}")
    assert fields(original) == numbered(ORIGINAL_FIELDS[message])
    assert {shape(field) for field in original.fields} <= {
        shape(field) for field in pb.DESCRIPTOR.message_types_by_name[message].fields
    }


def test_the_baseline_of_the_original_holds_its_messages_enums_and_rpcs_and_no_more() -> None:
    file = original_service().file
    enums = {name: values(enum) for name, enum in file.enum_types_by_name.items()}
    assert enums == {name: numbered(names, PREFIXES[name]) for name, names in ORIGINAL_VALUES.items()}
    assert set(file.message_types_by_name) == set(ORIGINAL_FIELDS)
    assert set(original_service().methods_by_name) == set(RPCS)


@pytest.mark.parametrize(("message", "first", "last"), [("Job", 11, 30), ("JobStatus", 21, 40)])
def test_numbers_for_additions_are_reserved(message: str, first: int, last: int) -> None:
    proto = DescriptorProto()
    pb.DESCRIPTOR.message_types_by_name[message].CopyToProto(proto)
    reserved = {number for range_ in proto.reserved_range for number in range(range_.start, range_.end)}
    assert reserved == set(range(first, last + 1))


def test_the_contract_is_formatted_and_passes_lint() -> None:
    for check in (buf("lint"), buf("format", "--diff", "--exit-code", CONTRACT)):
        assert check.returncode == 0, check.stdout + check.stderr


def test_lint_misses_no_element_without_a_comment(copy: Path) -> None:
    text = (copy / CONTRACT).read_text("utf-8")
    (copy / CONTRACT).write_text(re.sub(r"^ *//.*\n", "", text, flags=re.MULTILINE), "utf-8")
    findings = map(json.loads, buf("lint", "--error-format", "json", at=copy).stdout.splitlines())
    found = Counter(finding["type"] for finding in findings if finding["type"].startswith("COMMENT_"))
    file = pb.DESCRIPTOR
    assert found == {
        "COMMENT_SERVICE": 1,
        "COMMENT_RPC": len(file.services_by_name["SchedulerService"].methods),
        "COMMENT_MESSAGE": len(file.message_types_by_name),
        "COMMENT_FIELD": sum(len(message.fields) for message in file.message_types_by_name.values()),
        "COMMENT_ENUM": len(file.enum_types_by_name),
        "COMMENT_ENUM_VALUE": sum(len(enum.values) for enum in file.enum_types_by_name.values()),
    }


@pytest.mark.parametrize("baseline", sorted(BASELINES))
def test_the_contract_breaks_no_client(baseline: str) -> None:
    check = buf("breaking", "--against", BASELINES[baseline])
    assert check.returncode == 0, check.stdout + check.stderr


@pytest.mark.parametrize("baseline", sorted(BASELINES))
@pytest.mark.parametrize("what", sorted(BREAKING_EDITS))
def test_the_breaking_check_refuses_a_contract_where(copy: Path, what: str, baseline: str) -> None:
    edit(copy, *BREAKING_EDITS[what])
    check = buf("breaking", "--against", BASELINES[baseline], at=copy)
    assert check.returncode == 100, check.stdout + check.stderr  # buf's status for findings, not for errors
    assert CONTRACT.name in check.stdout


def test_an_addition_from_the_reserved_range_breaks_nothing(copy: Path) -> None:
    edit(copy, "  reserved 11 to 30;\n", "  reserved 12 to 30;\n")
    edit(copy, "  string job_id = 1;\n", "  string job_id = 1;\n  // New.\n  string queue = 11;\n")
    for baseline in BASELINES.values():
        check = buf("breaking", "--against", baseline, at=copy)
        assert check.returncode == 0, check.stdout + check.stderr

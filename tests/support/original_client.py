"""A client of the original service: it knows the original's RPCs, fields and enum values, and nothing newer.

Its messages live in a descriptor pool of their own, so that it runs in one process with the code of today's contract,
whose messages have the same full names.
"""

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from functools import cache
from pathlib import Path

import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

BASELINE = Path(__file__).parents[2] / "proto" / "baseline" / "original"
CONTRACT = "scheduler/v1/scheduler.proto"
SERVICE = "scheduler.v1.SchedulerService"

Fields = dict[str, object]  # in JSON form: str, int, bool, or lists and dicts of them


@cache
def original_pool() -> DescriptorPool:
    """Compile the original contract into a descriptor pool of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch, "original.binpb")
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={BASELINE}", CONTRACT]
        subprocess.run([*command, "--include_imports", f"--descriptor_set_out={image}"], check=True)
        files = FileDescriptorSet.FromString(image.read_bytes())
    pool = DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


def original_service() -> ServiceDescriptor:
    """Describe the original's service."""
    return original_pool().FindServiceByName(SERVICE)


def original_message(name: str, fields: Mapping[str, object]) -> Message:
    """Build a message of the original from its JSON form; a field the original does not have is an error."""
    cls = GetMessageClass(original_pool().FindMessageTypeByName(f"scheduler.v1.{name}"))
    return ParseDict(dict(fields), cls(), descriptor_pool=original_pool())


def original_fields(message: Message) -> Fields:
    """Read every field the original knows; an enum value it does not know stays a number, as it does in its clients."""
    return MessageToDict(
        message,
        always_print_fields_with_no_presence=True,
        preserving_proto_field_name=True,
        descriptor_pool=original_pool(),
    )


class OriginalClient:
    """Calls the original's five RPCs over a channel; fields go in and come out in protobuf's JSON form."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def submit_job(self, **job: object) -> str:
        """Submit a job, given by the fields of the original's Job; return its id."""
        return str((await self._call("SubmitJob", {"job": job}))["job_id"])

    async def get_job(self, job_id: str) -> Fields:
        """Return the original's JobStatus."""
        return await self._call("GetJob", {"job_id": job_id})

    async def watch_job(self, job_id: str) -> AsyncIterator[Fields]:
        """Yield the original's JobEvents until the server ends the stream."""
        method = original_service().methods_by_name["WatchJob"]
        stream = self._channel.unary_stream(
            f"/{SERVICE}/WatchJob",
            request_serializer=_serialize,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        async for event in stream(original_message(method.input_type.name, {"job_id": job_id})):
            yield original_fields(event)

    async def cancel_job(self, job_id: str) -> bool:
        """Cancel a job; return what CancelJob says."""
        return bool((await self._call("CancelJob", {"job_id": job_id}))["cancelled"])

    async def list_jobs(self, **request: object) -> Fields:
        """Return one page, given by the fields of the original's ListJobsRequest: jobs and next_page_token."""
        return await self._call("ListJobs", request)

    async def _call(self, rpc: str, fields: Mapping[str, object]) -> Fields:
        method = original_service().methods_by_name[rpc]
        call = self._channel.unary_unary(
            f"/{SERVICE}/{rpc}",
            request_serializer=_serialize,
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        return original_fields(await call(original_message(method.input_type.name, fields)))


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()

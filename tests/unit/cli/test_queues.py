"""`scheduler queues`."""

from scheduler.adapters.grpc.pb import scheduler_pb2 as pb
from tests.unit.cli.tool import Tool


def test_the_counts_have_the_fields_of_the_wire(tool: Tool) -> None:
    stats = tool("queues", "--json").document

    assert stats.keys() == {field.name for field in pb.GetQueueStatsResponse.DESCRIPTOR.fields}
    queues = stats["queues"]
    assert isinstance(queues, list)
    assert [queue["priority"] for queue in queues] == ["CRITICAL", "HIGH", "DEFAULT", "LOW"]
    assert all(queue.keys() == {field.name for field in pb.QueueDepth.DESCRIPTOR.fields} for queue in queues)


def test_a_scheduled_job_is_counted(tool: Tool) -> None:
    before = tool("queues", "--json").document["scheduled"]
    tool.submit("noop", "--at", "+1h")

    after = tool("queues", "--json").document["scheduled"]

    assert isinstance(before, int)
    assert after == before + 1


def test_people_see_a_table(tool: Tool) -> None:
    lines = tool("queues").lines

    assert [line.split()[0] for line in lines[:5]] == ["QUEUE", "CRITICAL", "HIGH", "DEFAULT", "LOW"]
    assert "dead letters" in lines[-1]

"""Which handlers a worker has, and workers that do not start for want of theirs."""

from pathlib import Path

import pytest

from tests.unit.cli.memory_service import memory_service
from tests.unit.cli.tool import Tool, run_program

SHOP = """
from scheduler.handlers import JobContext, handler

@handler("image.resize")
def resize(payload: int, context: JobContext) -> None: ...
"""


@pytest.fixture
def shop(tmp_path: Path) -> dict[str, str]:
    """Write a user's modules; return the environment in which they can be imported."""
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    (tmp_path / "rival.py").write_text(SHOP, "utf-8")
    (tmp_path / "broken.py").write_text("import shop\n1 / 0\n", "utf-8")
    return {"PYTHONPATH": str(tmp_path)}


def test_the_job_types_of_a_worker_are_shown(shop: dict[str, str]) -> None:
    assert "image.resize" in run_program("handlers", "--handlers", "shop", environment=shop).lines
    assert "noop" in run_program("handlers", environment=shop).lines


def test_modules_come_from_the_environment_and_are_replaced_by_the_command_line(shop: dict[str, str]) -> None:
    environment = {**shop, "WORKER_HANDLERS": "nowhere"}

    assert run_program("handlers", environment=environment).code == 1
    assert {"type": "image.resize"} in run_program(
        "handlers", "--json", "--handlers", "shop", environment=environment
    ).documents


@pytest.mark.parametrize(
    "command",
    [
        ["handlers"],
        ["worker"],
        ["worker", "--processes", "2"],
        ["up"],
        ["up", "--backend", "memory"],
    ],
    ids=" ".join,
)
def test_no_worker_starts_without_its_handlers(command: list[str], tmp_path: Path) -> None:
    folder = ["--data-dir", str(tmp_path)] if command[0] == "up" else []
    ran = run_program(*command, *folder, "--handlers", "nowhere")

    assert ran.code == 1
    assert ran.error_line == "scheduler: no handlers from module 'nowhere': No module named 'nowhere'"
    assert list(tmp_path.iterdir()) == []


def test_everything_in_one_process_runs_handlers_too(shop: dict[str, str]) -> None:
    with memory_service("--handlers", "shop", **shop) as address:
        tool = Tool(address)

        assert tool("submit", "image.resize", "--payload", "1", "--watch").code == 0


def test_two_handlers_for_a_job_type_are_named_with_their_places(shop: dict[str, str]) -> None:
    ran = run_program("handlers", "--handlers", "shop", "--handlers", "rival", environment=shop)

    assert ran.code == 1
    assert ran.error_line.startswith("scheduler: job type 'image.resize' has two handlers: shop.resize (")
    assert ":4) and rival.resize (" in ran.error_line


def test_the_traceback_of_a_module_that_raises_is_shown_from_its_own_line_on(shop: dict[str, str]) -> None:
    ran = run_program("worker", "--handlers", "broken", environment=shop)

    assert ran.code == 1
    line, first, place, *_ = ran.stderr.splitlines()
    assert line == "scheduler: no handlers from module 'broken': ZeroDivisionError: division by zero"
    assert first == "Traceback (most recent call last):"
    assert place.endswith('broken.py", line 2, in <module>')

"""The first handler that a reader sees works."""

import re
from types import ModuleType

from scheduler.handlers import HandlerDefinition
from scheduler.testing import run_handler_sync
from tests.architecture.rules import ROOT

SECTION = re.compile(r"## Write a handler\n\n```python\n(.*?)```", re.DOTALL)


def test_the_handler_of_the_readme_runs() -> None:
    found = SECTION.search((ROOT / "README.md").read_text("utf-8"))
    assert found is not None
    tasks = ModuleType("tasks")
    exec(found[1], vars(tasks))
    definition = tasks.resize
    assert isinstance(definition, HandlerDefinition)

    run = run_handler_sync(definition, {"path": "a"})

    assert run.result == {"thumbnail": "a.320.png"}
    assert run.progress == ((50, "halfway"),)

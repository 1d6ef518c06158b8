"""What deploy/compose/compose.yaml says, as the tests read it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.deploy.tools import DEPLOY

COMPOSE = DEPLOY / "compose"
FILE = COMPOSE / "compose.yaml"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Service:
    """One service, with every variable at its default."""

    name: str
    document: Mapping[str, Any]

    @property
    def is_one_shot(self) -> bool:
        """Tell whether it does something once and ends."""
        return bool(self.document["restart"] == "no")

    @property
    def environment(self) -> Mapping[str, str]:
        return dict(self.document.get("environment", {}))

    @property
    def mounts(self) -> Mapping[str, str]:
        """Return what is mounted from the machine: where from, and where to."""
        parts = [volume.split(":") for volume in self.document.get("volumes", [])]
        return {source: target for source, target, *_ in parts if source.startswith(".")}

    @property
    def waits_for(self) -> Mapping[str, str]:
        """Return the services that must come before, and what they must have reached."""
        return {name: rule["condition"] for name, rule in self.document.get("depends_on", {}).items()}


def variables() -> Mapping[str, str]:
    """Return the variables that the file reads, with their defaults."""
    return dict(_VARIABLE.findall(FILE.read_text()))


def services() -> Mapping[str, Service]:
    """Return all services, those of profiles too."""
    document = _with_defaults(yaml.safe_load(FILE.read_text()))
    return {name: Service(name, service) for name, service in document["services"].items()}


def ours() -> Sequence[Service]:
    """Return the services that run the image of the scheduler."""
    return [service for service in services().values() if "build" in service.document]


def _with_defaults(value: Any) -> Any:  # noqa: ANN401 - whatever YAML holds
    if isinstance(value, dict):
        return {key: _with_defaults(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_defaults(each) for each in value]
    return _VARIABLE.sub(lambda found: found[2], value) if isinstance(value, str) else value

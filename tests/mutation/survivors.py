"""The mutants that no suite kills, each with the reason, in survivors.toml."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PATH = Path(__file__).with_name("survivors.toml")


class Kind(StrEnum):
    EQUIVALENT = "equivalent"
    """No input tells it from the original."""
    OPTIMISATION = "optimisation"
    """The answers are the same, only slower."""
    DEFENCE = "defence in depth"
    """Another guard answers first; without that one, this one would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    mutant: str
    kind: Kind
    reason: str


def read_survivors(path: Path = PATH) -> Mapping[str, Survivor]:
    """Return the explained survivors by the names of their mutants."""
    entries: Sequence[Mapping[str, str]] = tomllib.loads(path.read_text()).get("survivor", [])
    found = [
        Survivor(mutant=entry["mutant"], kind=Kind(entry["kind"]), reason=entry["reason"].strip()) for entry in entries
    ]
    return {survivor.mutant: survivor for survivor in found}

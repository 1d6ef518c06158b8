"""Lua scripts, shipped as files beside this module."""

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Self

_PACKAGE = "scheduler.adapters.redis"


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text and the name under which a server remembers it."""

    name: str
    text: str
    sha: str

    @classmethod
    def load(cls, *names: str) -> Self:
        """Read the files lua/<name>.lua, in this order, behind the prelude."""
        folder = files(_PACKAGE) / "lua"
        text = "\n".join((folder / f"{name}.lua").read_text("utf-8") for name in ("prelude", *names))
        return cls(names[-1], text, sha1(text.encode(), usedforsecurity=False).hexdigest())

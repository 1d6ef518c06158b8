"""The SQL texts, read from files of this package."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

PACKAGE: Final = "scheduler.adapters.cockroach"
_COMMENT: Final = re.compile(r"^\s*--.*$\n?", re.MULTILINE)
_INCLUDE: Final = re.compile(r"\{(\w+)\}")


class Statements:
    """The statements of sql/*.sql by name, read once. `{name}` in one of them stands for another file's text."""

    def __init__(self) -> None:
        texts = read_sql("sql")
        self._statements = {name: _assemble(text, texts).encode() for name, text in texts.items()}

    def __getitem__(self, name: str) -> bytes:
        """Return the statement as the driver takes it."""
        return self._statements[name]


def read_sql(folder: str) -> Mapping[str, str]:
    """Return the texts of a folder's .sql files by name, sorted."""
    found = (path for path in files(PACKAGE).joinpath(folder).iterdir() if path.name.endswith(".sql"))
    return {path.name.removesuffix(".sql"): path.read_text("utf-8") for path in sorted(found, key=lambda p: p.name)}


def _assemble(text: str, texts: Mapping[str, str]) -> str:
    """Insert what the text includes; comments go, for the driver caches the parsing of short statements only."""
    whole = _INCLUDE.sub(lambda match: texts[match.group(1)].strip(), text)
    return _COMMENT.sub("", whole).strip()

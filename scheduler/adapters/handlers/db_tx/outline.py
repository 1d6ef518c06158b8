"""What can be said of an SQL text without a server: where it begins, how many statements it holds, what it binds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

KEYWORDS: Final = (
    "CALL",
    "DELETE",
    "DO",
    "INSERT",
    "MERGE",
    "REFRESH",
    "SELECT",
    "TRUNCATE",
    "UPDATE",
    "UPSERT",
    "VALUES",
    "WITH",
)
"""With which a statement may begin. None of them ends a transaction, or opens or sets up a session."""

_ESCAPED: Final = r"'(?:[^'\\]|\\.|'')*+'?"
_SPACE: Final = r"[ \t\r\n\f\v]"
_LETTER: Final = r"(?:[A-Za-z_]|[^\x00-\x7f])"
"""To the servers all that is not ASCII is a letter, a space without break too."""
_NEW_LINE: Final = rf"(?:[ \t\f\v]|--[^\r\n]*+)*+[\r\n](?:{_SPACE}|--[^\r\n]*+(?=[\r\n]))*+"
"""What may stand between two parts of one string: in E'…' the backslash escapes in every part."""
_PIECE: Final = re.compile(
    rf"""
    (?P<space>{_SPACE}++|--[^\r\n]*+)
  | (?P<comment>/\*)
  | (?P<string>[eE]{_ESCAPED}(?:{_NEW_LINE}{_ESCAPED})*+|'(?:[^']|'')*+'?|"(?:[^"]|"")*+"?)
  | (?P<dollars>\$(?P<tag>(?:{_LETTER}(?:{_LETTER}|[0-9])*+)?)\$.*?(?:\$(?P=tag)\$|\Z))
  | \$(?P<parameter>[0-9]{{1,9}})
  | (?P<word>{_LETTER}(?:{_LETTER}|[0-9$])*+)
  | (?P<semicolon>;)
  | (?P<opening>\()
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK: Final = re.compile(r"/\*|\*/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """An SQL text, read as PostgreSQL and CockroachDB read it."""

    keyword: str
    """The first word, in capitals; empty when the text begins with something else."""
    statements: int
    parameters: int
    """The highest n of all $n."""

    def fault(self) -> str | None:
        """Say why the text cannot be a job's statement, or None."""
        if self.statements != 1:
            return f"must be exactly one SQL statement, is {self.statements}"
        if self.keyword not in KEYWORDS:
            return f"must begin with {', '.join(KEYWORDS[:-1])} or {KEYWORDS[-1]}"
        return None


def outline_of(text: str) -> Outline:
    """Read an SQL text, however wrong: what is never closed reaches to the end."""
    statements, parameters, keyword, inside = 0, 0, None, False
    for kind, piece in pieces(text):
        if kind == "semicolon":
            inside = False
            continue
        statements += not inside
        inside = True
        if kind == "parameter":
            parameters = max(parameters, int(piece))
        if keyword is None and kind != "opening":
            keyword = piece.upper() if kind == "word" else ""
    return Outline(keyword=keyword or "", statements=statements, parameters=parameters)


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and text of all that is neither space nor comment."""
    at = 0
    while match := _PIECE.match(text, at):
        kind = match.lastgroup or ""
        at = match.end()
        if kind == "comment":
            at = _end_of_comment(text, at)
        elif kind != "space":
            yield kind, match.group(kind)


def _end_of_comment(text: str, start: int) -> int:
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, start):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)

"""Split a condition of SQL or Lua into the clauses that AND and OR join, at every depth of parentheses."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*)
    | (?P<string>'(?:[^'\\]|\\.|'')*')
    | (?P<parameter>%\(\w+\)s | \{\w+\})
    | (?P<word>[A-Za-z_]\w*)
    | (?P<number>\d+)
    | (?P<sign>::|[<>=~]=|<>|\.\.|\S)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        return self.text.upper()


Tokens = Sequence[Token]


@dataclass(frozen=True, slots=True)
class Cut:
    """Replace the text from `start` to `end`."""

    start: int
    end: int
    replacement: str


def tokens_of(text: str) -> Tokens:
    """Return the tokens of a text without its comments."""
    found = (match for match in TOKEN.finditer(text) if match.lastgroup != "comment")
    return [Token(match.group(), match.start(), match.end()) for match in found]


def replaced(condition: Tokens, replacement: str) -> Cut:
    return Cut(condition[0].start, condition[-1].end, replacement)


def without_clauses(condition: Tokens) -> Iterator[Cut]:
    """Take out one clause at a time: of an AND it becomes true, of an OR false; a single clause becomes true."""
    if not any(_parts(_bare(condition), word) for word in ("OR", "AND")):
        yield replaced(condition, "true")
    yield from joined_clauses(condition)


def joined_clauses(condition: Tokens) -> Iterator[Cut]:
    """Do so where AND or OR join clauses, and else nothing."""
    bare = _bare(condition)
    for word, neutral in (("OR", "false"), ("AND", "true")):
        if parts := _parts(bare, word):
            for part in parts:
                if not _is_literal(part):
                    yield replaced(part, neutral)
                yield from joined_clauses(part)
            return


def until(tokens: Tokens, stops: frozenset[str]) -> Tokens:
    """Return the tokens before the first stop that no parentheses enclose, or before they close."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += _step(token)
        if depth < 0 or (depth == 0 and token.word in stops):
            return tokens[:index]
    return tokens


def _parts(condition: Tokens, word: str) -> Sequence[Tokens]:
    """Cut at each such word outside of parentheses; return nothing where there is none."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in condition:
        depth += _step(token)
        if depth == 0 and token.word == word:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts if len(parts) > 1 else ()


def _bare(condition: Tokens) -> Tokens:
    """Remove NOT, and parentheses around the whole."""
    if condition[0].word == "NOT":
        return _bare(condition[1:])
    if condition[0].text == "(" and len(until(condition[1:], frozenset())) == len(condition) - 2:
        return _bare(condition[1:-1])
    return condition


def _is_literal(part: Tokens) -> bool:
    return len(part) == 1 and (part[0].text[0] == "'" or part[0].text.isdigit())


def _step(token: Token) -> int:
    return (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})

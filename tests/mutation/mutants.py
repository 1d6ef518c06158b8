"""Every mutant of the SQL statements and Lua scripts: one condition less than the original. New files need no entry."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.conditions import Cut, Tokens, joined_clauses, replaced, tokens_of, until, without_clauses

_CLAUSES = "group order limit returning union join cross left inner where on then set having"
SQL_STOPS = frozenset(map(str.upper, _CLAUSES.split(" ")))
CONFLICT_STOPS = frozenset({"RETURNING"})
STATEMENTS = frozenset(["SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "CREATE"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A file of a folder below scheduler/adapters with one cut."""

    folder: str
    file: str
    cut: Cut
    name: str
    """What is cut, unique, and the same wherever in the file it stands."""

    def apply(self, root: Path) -> str:
        """Return the mutated text."""
        text = (root / self.folder / self.file).read_text()
        return text[: self.cut.start] + self.cut.replacement + text[self.cut.end :]


def mutants(root: Path) -> Sequence[Mutant]:
    """Return the mutants of all files, sorted by file and place."""
    return [
        mutant
        for folder, suffix, cuts in (
            ("scheduler/adapters/cockroach/sql", "sql", sql_cuts),
            ("scheduler/adapters/handlers/db_tx/sql", "sql", sql_cuts),
            ("scheduler/adapters/redis/lua", "lua", lua_cuts),
        )
        for path in sorted((root / folder).glob(f"*.{suffix}"))
        for mutant in _of_file(folder, path, cuts)
    ]


def _of_file(folder: str, path: Path, cuts: Callable[[str], Iterator[Cut]]) -> Iterator[Mutant]:
    text = path.read_text()
    names: Counter[str] = Counter()
    for cut in sorted(set(cuts(text)), key=lambda cut: (cut.start, cut.end, cut.replacement)):
        what = " ".join(text[cut.start : cut.end].split())
        name = f"{path.name}: {what} -> {cut.replacement or 'nothing'}"
        names[name] += 1
        number = f" ({names[name]})" if names[name] > 1 else ""
        yield Mutant(folder=folder, file=path.name, cut=cut, name=name + number)


def sql_cuts(text: str) -> Iterator[Cut]:
    """WHERE, ON, HAVING: each clause; CASE: always, and never; ON CONFLICT: the whole."""
    tokens = tokens_of(text)
    if tokens[0].word not in STATEMENTS:  # a part that statements include, perhaps a condition
        yield from joined_clauses(tokens)
    for index, token in enumerate(tokens):
        rest = tokens[index + 1 :]
        if token.word == "ON" and rest[0].word == "CONFLICT":
            yield replaced([token, *until(rest, CONFLICT_STOPS)], "")
        elif token.word in {"WHERE", "ON", "HAVING"}:
            yield from without_clauses(until(rest, SQL_STOPS))
        elif token.word == "WHEN":
            yield from _branch(until(rest, SQL_STOPS))


def lua_cuts(text: str) -> Iterator[Cut]:
    """If and elseif: each clause, always, and never; `return a and b`: each clause; ZADD's NX: gone."""
    tokens = tokens_of(text)
    for index, token in enumerate(tokens):
        rest = tokens[index + 1 :]
        if token.text in {"if", "elseif"}:
            yield from _branch(until(rest, frozenset({"THEN"})))
        elif token.text == "return":
            yield from joined_clauses(until(rest, frozenset({"END", "LOCAL", "FOR", "IF"})))
        elif token.text == "'NX'":
            yield Cut(token.start, rest[0].end, "")


def _branch(condition: Tokens) -> Iterator[Cut]:
    yield from without_clauses(condition)
    yield replaced(condition, "true")
    yield replaced(condition, "false")

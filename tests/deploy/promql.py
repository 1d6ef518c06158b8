"""What a PromQL expression asks for: its metrics, the labels that it matches, and those that it groups by.

The grammar is checked by promtool; this reads names out of expressions that promtool has accepted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[A-Za-z_:][\w:]*|\d[\w.]*|=~|!~|!=|[<>=]=|\S')
_GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
_AGGREGATIONS = {"sum", "min", "max", "avg", "count", "topk", "bottomk", "quantile"}
_OPERATORS = {"and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on a label; `values` are what it may be, or may not be."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric and the conditions on its labels."""

    metric: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(slots=True)
class Expression:
    """All that an expression names."""

    selectors: list[Selector] = field(default_factory=list)
    grouping: set[str] = field(default_factory=set)


def parse(text: str) -> Expression:
    """Read the names out of an expression."""
    found = Expression()
    tokens = _TOKEN.findall(text)
    position = 0
    while position < len(tokens):
        token, rest = tokens[position], tokens[position + 1 :]
        end = 0
        if token in _GROUPING and rest[:1] == ["("]:
            end = rest.index(")")
            found.grouping |= {label for label in rest[1:end] if label != ","}
        elif _is_metric(token, rest):
            end = rest.index("}") if rest[:1] == ["{"] else 0
            found.selectors.append(Selector(token, tuple(_matchers(rest[1:end]))))
        position += 1 + end
    return found


def _is_metric(token: str, rest: list[str]) -> bool:
    is_name = re.fullmatch(r"[A-Za-z_:][\w:]*", token) is not None
    return is_name and rest[:1] != ["("] and token not in _GROUPING | _AGGREGATIONS | _OPERATORS


def _matchers(tokens: list[str]) -> Iterator[Matcher]:
    """Read `label operator "value"`, separated by commas."""
    for start in range(0, len(tokens), 4):
        label, operator, value = tokens[start : start + 3]
        values = value[1:-1].split("|") if "~" in operator else [value[1:-1]]
        yield Matcher(label, tuple(values))

"""Finds words in a text in which characters may be escaped, as JSON, URLs and HTML do it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Final, Self
from urllib.parse import unquote

Span = tuple[int, int]
"""Where something begins and ends in the text as it was written."""

_KNOWN_BY: Final = 4
"""So many of its first characters tell a word where the text ends inside of it."""
_PIECE: Final = re.compile(
    r"""
    (?P<json>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[bfnrt])
  | (?P<backslash>\\(?!&[\#0-9A-Za-z]+;)[^\w\s])     # not that of \&quot;, which is JSON inside HTML
  | (?P<html>&(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][0-9A-Za-z]{1,30});)
  | (?P<url>%[0-7][0-9a-fA-F]|(?:%[89a-fA-F][0-9a-fA-F])+)
  | (?P<plain>[^\\&%]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_MEANINGS: Final[Mapping[str | None, Callable[[str], str]]] = {
    "json": lambda escape: str(json.loads(f'"{escape}"')),
    "backslash": lambda escape: escape[1:],
    "html": unescape,
    "url": unquote,
}
_CUT_ESCAPE: Final = re.compile(
    r"[\ufffd\ud800-\udbff]{0,4}(?:\\(?:u[0-9a-fA-F]{0,3})?|%[0-9a-fA-F]?|&\#?[0-9A-Za-z]{0,31})?\Z"
)
"""What ends a text that was cut inside an escape, or inside a character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text as its reader takes it, and where each of its characters begins and ends as it was written."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str) -> Self:
        """Take each character for itself; only a plus sign is a space, which forms write so."""
        return cls(text=_spaced(text), starts=range(len(text)), ends=range(1, len(text) + 1))

    def decoded(self) -> "Reading":
        """Take each escape for what it means."""
        text, starts, ends = "", list[int](), list[int]()
        for piece in _PIECE.finditer(self.text):
            begin, end = piece.span()
            if piece.lastgroup == "plain":
                meaning = piece.group()
                starts += self.starts[begin:end]
                ends += self.ends[begin:end]
            else:
                meaning = _MEANINGS[piece.lastgroup](piece.group())
                starts += [self.starts[begin]] * len(meaning)
                ends += [self.ends[end - 1]] * len(meaning)
            text += _spaced(meaning)
        return Reading(text=text, starts=starts, ends=ends)

    def spans(self, words: Iterable[str]) -> Iterator[Span]:
        """Find the words, each as another reading's text, and the beginning of one inside of which the text ends."""
        uncut = _CUT_ESCAPE.sub("", self.text, count=1)
        for word in words:
            yield from self._whole(word)
            yield from self._cut(word, len(self.text))
            yield from self._cut(word, len(uncut))

    def _whole(self, word: str) -> Iterator[Span]:
        at = self.text.find(word)
        while at >= 0:
            end = at + len(word)
            yield self.starts[at], self.ends[end - 1]
            at = self.text.find(word, end)

    def _cut(self, word: str, end: int) -> Iterator[Span]:
        beginning = word[:_KNOWN_BY]
        at = self.text.find(beginning, max(0, end - len(word)), end)
        while at >= 0:
            if word.startswith(self.text[at:end]):
                yield self.starts[at], self.ends[-1]
                return
            at = self.text.find(beginning, at + 1, end)


def _spaced(text: str) -> str:
    return text.replace("+", " ")

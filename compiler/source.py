"""Source text, places in it, and what is said about them.

Takes the text of a `.model`; gives `Source` and `Span` (where a thing was written) and `Diagnostic` (one mistake: what
is wrong, where, what the sides are, what to write instead). Every message of the compiler is a `Diagnostic`, and each
is turned into words in one place, `render`, and into data in one place, `to_json`.

A code says what the mistake is about: E01 how it is written, E02 names, E03 axes, E04 values and what the model asks
for, E05 limits, E06 numbers that are not finite.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache

MOST_CHARACTERS = 1_000_000
"""How long a source may be."""

MOST_DIAGNOSTICS = 20
"""How many mistakes are told in one run."""


# --------------------------------------------------------------------------------------------------------------- places


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one file. `name` is what messages and emitted comments call it: never a full path."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (exclusive) of `source.text`."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        """The line on which it starts, from 1."""
        return place(self.source, self.start)[0]

    @property
    def column(self) -> int:
        """The character of its line at which it starts, from 1."""
        return place(self.source, self.start)[1]


@lru_cache(maxsize=8)
def _line_starts(text: str) -> list[int]:
    starts = [0]
    at = text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    return starts


def place(source: Source, offset: int) -> tuple[int, int]:
    """The line and the column of a character, both from 1."""
    starts = _line_starts(source.text)
    line = bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1


def line_text(source: Source, line: int) -> str:
    """A line of the text, from 1, without its end."""
    starts = _line_starts(source.text)
    end = starts[line] - 1 if line < len(starts) else len(source.text)
    return source.text[starts[line - 1] : end].removesuffix("\r")


# ------------------------------------------------------------------------------------------------------------- mistakes


@dataclass(frozen=True, slots=True)
class Note:
    """A second place that a diagnostic points at, such as the call in which the mistake came to be."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake. `sides` are lines that show what the two sides are; `help` is what to write instead."""

    code: str
    message: str
    span: Span
    sides: tuple[str, ...] = ()
    help: str | None = None
    notes: tuple[Note, ...] = ()


@dataclass(eq=False)
class ModelError(Exception):
    """What a compilation that found mistakes raises: all of them, in the order of the source."""

    diagnostics: tuple[Diagnostic, ...] = field(default=())

    def __str__(self) -> str:
        return "\n\n".join(render(diagnostic) for diagnostic in self.diagnostics)


@dataclass
class Diagnostics:
    """The mistakes found so far, until they are raised together."""

    found: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        """Take one up."""
        self.found.append(diagnostic)

    @property
    def full(self) -> bool:
        """Whether there are so many that looking further helps nobody."""
        return len(self.found) >= MOST_DIAGNOSTICS

    def check(self) -> None:
        """Raise ModelError with the first of them in the order of the source, if there are any."""
        if self.found:
            ordered = sorted(self.found, key=lambda diagnostic: (diagnostic.span.start, diagnostic.span.end))
            raise ModelError(tuple(ordered[:MOST_DIAGNOSTICS]))


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that is spelt most like `word`, if one is close; the same for any order of the candidates."""
    others = sorted(set(candidates) - {word})
    folded = {candidate.lower(): candidate for candidate in reversed(others)}
    if word.lower() in folded:
        return folded[word.lower()]
    found = get_close_matches(word, others, n=1, cutoff=0.6)
    return found[0] if found else None


# -------------------------------------------------------------------------------------------------------------- reading


def read_source(path: str | os.PathLike[str]) -> Source:
    """The text of a file, its line ends made `\\n`, under the last part of its path.

    ModelError where it is no regular file, is too long or is not UTF-8. OSError where it cannot be opened.
    """
    name = os.path.basename(os.fspath(path))
    # Without O_NONBLOCK, opening a pipe that nobody writes to would never return.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _unreadable(name, "E0101", "this is not a regular file")
        data = file.read(4 * MOST_CHARACTERS + 1)
    if len(data) > 4 * MOST_CHARACTERS:
        raise _unreadable(name, "E0501", f"this file has more than {MOST_CHARACTERS} characters")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"this file is not UTF-8: the byte {data[error.start]:#04x} on line {line} begins no character"
        raise _unreadable(name, "E0101", message) from None
    return Source(name, text.replace("\r\n", "\n"))


def _unreadable(name: str, code: str, message: str) -> ModelError:
    return ModelError((Diagnostic(code, message, Span(Source(name, ""), 0, 0)),))


# ------------------------------------------------------------------------------------------------------------- in words

_TAB = 4  # columns
_WIDEST = 140  # characters of a source line that are shown
_RED, _BLUE, _BOLD, _PLAIN = "\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"


def render(diagnostic: Diagnostic, color: bool = False) -> str:
    """A diagnostic as a person reads it: no line end at the end, and no control character but the colours."""
    red, blue, bold, plain = (_RED, _BLUE, _BOLD, _PLAIN) if color else ("", "", "", "")
    places = [diagnostic.span, *(note.span for note in diagnostic.notes)]
    margin = " " * max(len(str(span.line)) for span in places)
    bar = f"{margin} {blue}|{plain}"

    def excerpt(span: Span, mark: str) -> list[str]:
        line, column = place(span.source, span.start)
        lines = [f"{margin}{blue}-->{plain} {visible(span.source.name)}:{line}:{column}"]
        text, before, width = _shown(span)
        if not span.source.text:
            return lines
        number = f"{line:>{len(margin)}}"
        source_line = f"{blue}{number} |{plain} {text}".rstrip()
        return [*lines, bar, source_line, f"{bar} {' ' * before}{mark}{'^' * width}{plain}"]

    lines = [f"{red}error{plain}{bold}: {visible(diagnostic.message)}{plain}", *excerpt(diagnostic.span, red)]
    lines += [f"{bar}  {visible(side)}" for side in diagnostic.sides]
    if diagnostic.help is not None:
        first, *rest = diagnostic.help.splitlines() or [""]
        lines.append(f"{margin} {blue}={plain} {bold}help{plain}: {visible(first)}")
        lines += [f"{margin}         {visible(more)}" for more in rest]
    for note in diagnostic.notes:
        lines += [f"{bold}note: {visible(note.message)}{plain}", *excerpt(note.span, blue)]
    return "\n".join(lines)


def _shown(span: Span) -> tuple[str, int, int]:
    """The line of a span as shown, the columns before the span, and the columns of the span itself (at least one).

    Of a very long line only the part around the span is shown.
    """
    line, column = place(span.source, span.start)
    text = line_text(span.source, line)
    start = min(column - 1, len(text))
    end = min(start + span.end - span.start, len(text))
    first = max(start - _WIDEST // 3, 0) if len(text) > _WIDEST else 0
    last = min(first + _WIDEST, len(text))
    shown, edges = _expanded(text[first:last])
    left, right = "... " if first else "", " ..." if last < len(text) else ""
    before = edges[start - first]
    width = max(edges[min(end, last) - first] - before, 1)
    return left + shown + right, len(left) + before, width


def _expanded(text: str) -> tuple[str, list[int]]:
    """A line with its tabs expanded and each character visible, and where each begins, and the last ends."""
    parts: list[str] = []
    edges = [0]
    for character in text:
        if character == "\t":
            width = _TAB - edges[-1] % _TAB
            parts.append(" " * width)
        else:
            glyph = visible(character)
            width = _width(glyph)
            parts.append(glyph)
        edges.append(edges[-1] + width)
    return "".join(parts), edges


def _width(character: str) -> int:
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def visible(text: str) -> str:
    """The text with a glyph of one column for each character that a terminal would obey instead of showing."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_glyph(character) for character in text)


def _glyph(character: str) -> str:
    if character < " ":
        return chr(0x2400 + ord(character))
    if character.isprintable():
        return character
    return {"\x7f": "\u2421", "\xa0": "\u2423"}.get(character, "\ufffd")


# -------------------------------------------------------------------------------------------------------------- as data


def to_json(diagnostic: Diagnostic) -> dict[str, object]:
    """A diagnostic as plain data. Lines and columns count from 1, in characters; the end is exclusive."""
    notes = [{"message": note.message, **_where(note.span)} for note in diagnostic.notes]
    return {
        "code": diagnostic.code,
        "message": diagnostic.message,
        **_where(diagnostic.span),
        "sides": list(diagnostic.sides),
        "help": diagnostic.help,
        "notes": notes,
    }


def _where(span: Span) -> dict[str, object]:
    line, column = place(span.source, span.start)
    end_line, end_column = place(span.source, span.end)
    return {"file": span.source.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column}

"""Source text, places in it, and what is said about them.

Takes the text of a `.model`; gives `Source` and `Span` (where a thing was written) and `Diagnostic` (one mistake: what is
wrong, where, what the sides are, what to write instead). Every message of the compiler is a `Diagnostic`, and each is
turned into words in one place: `render`.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
        return self.source.text.count("\n", 0, self.start) + 1


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

"""Mistakes in a model: how elaboration raises, gathers and words them.

A rule raises `Mistake`; whoever walks catches it, notes the calls that led there, and goes on with the next thing, so
that all independent mistakes are told in one run. Here stand also the few ways in which messages show values and axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..graph import Axis
from ..source import MOST_DIAGNOSTICS, Diagnostic, ModelError, Note, Source, Span, nearest

_NOTES = 4  # calls shown with one mistake, the outermost always among them
_CANDIDATES = 500  # names compared with a misspelt one


class Mistake(Exception):
    """One mistake, on its way to the report."""

    def __init__(
        self,
        code: str,
        message: str,
        span: Span,
        sides: Sequence[str] = (),
        help: str | None = None,
        notes: Sequence[Note] = (),
    ) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(code, message, span, tuple(sides), help, tuple(notes))


class Poisoned(Exception):
    """Something here needs a value whose mistake has been told already."""


class Exhausted(Exception):
    """A budget is used up: elaboration ends with the mistakes told so far."""


@dataclass(frozen=True, slots=True)
class CallSite:
    """A use of a function that is being inlined, or of a layer that is being made; `outer` is the use it stands in."""

    name: str
    span: Span
    outer: CallSite | None
    of: object = None  # what is used


@dataclass
class Report:
    """The mistakes of one model."""

    source: Source
    _found: dict[tuple[str, str, int], tuple[int, Diagnostic]] = field(default_factory=dict)

    def add(self, mistake: Mistake, site: CallSite | None = None) -> None:
        """Take a mistake up, with the calls in which it came to be; the same one in a second call is not told again.

        One in a library is told at the model's own line that uses it. Exhausted where there are so many that no one
        reads on.
        """
        diagnostic = mistake.diagnostic
        notes = list(diagnostic.notes)
        key = (diagnostic.code, f"{diagnostic.span.source.name}:{diagnostic.message}", diagnostic.span.start)
        if diagnostic.span.source is not self.source:
            of = site.name if site is not None else diagnostic.span.source.name
            notes.append(Note(diagnostic.span, f"here in the library, in `{of}`"))
            while site is not None and site.span.source is not self.source:
                site = site.outer
            if site is not None:
                diagnostic = replace(diagnostic, span=site.span)
                site = site.outer
        while site is not None:
            if len(notes) < _NOTES - 1 or site.outer is None:
                notes.append(Note(site.span, f"in this use of `{site.name}`"))
            site = site.outer
        self._found.setdefault(key, (diagnostic.span.start, replace(diagnostic, notes=tuple(notes))))
        if len(self._found) >= MOST_DIAGNOSTICS:
            raise Exhausted

    def found(self) -> bool:
        """Whether there is any mistake."""
        return bool(self._found)

    def check(self) -> None:
        """Raise ModelError with all mistakes, in the order of the source, if there are any."""
        if self._found:
            ordered = sorted(self._found.values(), key=lambda entry: entry[0])
            raise ModelError(tuple(diagnostic for _, diagnostic in ordered))


# ------------------------------------------------------------------------------------------------------------ in words


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """A help line with the nearest name, or None."""
    near = sorted(set(candidates), key=lambda candidate: (abs(len(candidate) - len(name)), candidate))
    found = nearest(name, near[:_CANDIDATES])
    return f"did you mean `{found}`?" if found else None


def written(span: Span) -> str:
    """What stands at `span`, on one line and not too long."""
    text = " ".join(span.text[:200].split())
    return text if len(text) <= 40 else text[:37] + "..."


def names(axes: Iterable[Axis]) -> str:
    """`n, d`."""
    return ", ".join(axis.name for axis in axes)


def shown(axes: Sequence[Axis]) -> str:
    """`[n, d]`, or `[]` for a number."""
    return f"[{names(axes)}]"


def counted(number: int, one: str, many: str) -> str:
    """`one axis`, `two axes`, `no axes`."""
    return f"{'no' if number == 0 else in_words(number)} {one if number == 1 else many}"


def in_words(number: int) -> str:
    """`none`, `one`, `two`, ..., in figures from seven."""
    return ("none", "one", "two", "three", "four", "five", "six")[number] if number < 7 else str(number)

"""The axes of a model: which there are, how long each is, and which one the rows lie along.

Takes the syntax tree; gives `Axes`, which turns a name in brackets into a graph Axis. All declarations are gathered
before anything is elaborated, so that a length may be written at any place where the axis stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any

from sympy import Expr, Integer

from .. import tree
from ..graph import Axis, Graph, data_length
from ..source import Note, Span
from .mistakes import Mistake, Poisoned, Report, did_you_mean

LONGEST = 10**9
"""The greatest length of an axis."""


def split(name: str) -> tuple[str, str]:
    """A name without its primes, and the primes."""
    base = name.rstrip("'")
    return base, name[len(base) :]


@dataclass
class _Known:
    first: Span
    length: int | None = None
    where: Span | None = None  # of the length
    like: str | None = None
    data: bool = False  # an input has it
    derived: Expr | None = None  # its length, where a flatten or a split gives it one
    made: Span | None = None  # where one does
    broken: bool = False  # its mistake has been told


class Axes:
    """The axes of one model, by name without primes. Those in `first` come first in memory, else the row axis."""

    def __init__(self, model: tree.Model, graph: Graph, report: Report, first: Sequence[str] = ()) -> None:
        self._known: dict[str, _Known] = {}
        self._report = report
        self.rows: str | None = None
        for statement in model.statements:
            if isinstance(statement, tree.AxisDeclaration):
                self._try(self._declared, statement)
            elif isinstance(statement, (tree.Input, tree.Parameter, tree.Noise, tree.State)):
                for item in (item for item in statement.axes if not item.rest):
                    known = self._known.setdefault(split(item.name)[0], _Known(item.span))
                    known.data |= isinstance(statement, tree.Input) and not split(item.name)[1]
        for item, formal in _lengths(model):
            self._try(self._in_place, item, formal)
        for item in _made(model):
            known = self._known.setdefault(split(item.name)[0], _Known(item.span))
            known.made = known.made or item.span
        self._try(self._likes_end)
        self._try(self._find_rows, model)
        # A copy stands beside its axis, so that a renaming moves nothing in memory.
        for name in first:
            graph.rank(name)
        for name in [*([self.rows] if self.rows else []), *self._known]:
            for primes in ("", "'", "''"):
                graph.rank(name + primes)

    def _try(self, rule: Any, *arguments: Any) -> None:
        try:
            rule(*arguments)
        except Mistake as mistake:
            self._report.add(mistake)

    # --- gathering

    def _declared(self, statement: tree.AxisDeclaration) -> None:
        base, primes = split(statement.name)
        if primes:
            raise Mistake(
                "E0302",
                f"`{statement.name}` cannot be declared: a primed axis always has the length of `{base}`",
                statement.span,
                help=f"leave it out, or declare a copy under a name of its own: axis {base}2 like {base}",
            )
        known = self._known.setdefault(base, _Known(statement.span))
        if statement.like is not None:
            if known.like not in (None, statement.like) or known.length is not None:
                known.broken = True
                raise Mistake(
                    "E0301",
                    f"axis `{base}` is declared twice, and differently",
                    statement.span,
                    help="declare it once",
                    notes=[Note(known.where or known.first, "declared here first")],
                )
            known.like, known.where = statement.like, statement.span
        if statement.length is not None:
            self._length(base, statement.length, statement.span)

    def _in_place(self, item: tree.AxisName, formal: bool) -> None:
        base, primes = split(item.name)
        if formal or primes:
            kind = (
                "an axis parameter takes its length from the axis given" if formal else f"it has the length of `{base}`"
            )
            raise Mistake(
                "E0302",
                f"no length can be written for `{item.name}`: {kind}",
                item.span,
                help=f"write `{item.name}` alone",
            )
        self._known.setdefault(base, _Known(item.span))
        assert item.length is not None
        self._length(base, item.length, item.span)

    def _length(self, name: str, length: int, span: Span) -> None:
        known = self._known[name]
        if not 1 <= length <= LONGEST:
            known.broken = True
            raise Mistake(
                "E0303",
                f"the length of axis `{name}` must be between 1 and {LONGEST}",
                span,
                help="an axis whose length the data give is declared without one",
            )
        if known.like is not None:
            known.broken = True
            assert known.where is not None
            raise Mistake(
                "E0301",
                f"axis `{name}` has the length of `{known.like}`, and cannot have another",
                span,
                help=f"leave out the length, or `like {known.like}`",
                notes=[Note(known.where, "declared here")],
            )
        if known.length is not None and known.length != length:
            known.broken = True
            assert known.where is not None
            raise Mistake(
                "E0301",
                f"axis `{name}` has two lengths",
                span,
                sides=[f"here {length}   before {known.length}"],
                help="write the length at one place only, or use two axes",
                notes=[Note(known.where, f"here it is {known.length}")],
            )
        if known.length is None:
            known.length, known.where = length, span

    def _likes_end(self) -> None:
        for name, known in self._known.items():
            seen = [name]
            while known.like is not None:
                base = split(known.like)[0]
                if base in seen or base not in self._known:
                    assert known.where is not None
                    known.broken = True
                    where, like = known.where, known.like
                    known.like = None
                    if base in seen:
                        help = "leave one `like` out, and write a length"
                        raise Mistake("E0304", f"axis `{name}` would have its own length", where, help=help)
                    raise unknown_axis(like, where, self.names())
                seen.append(base)
                known = self._known[base]

    def _find_rows(self, model: tree.Model) -> None:
        said = [s for s in model.statements if isinstance(s, tree.BatchAxis)]
        leading: dict[str, Span] = {}
        for statement in model.statements:
            if isinstance(statement, tree.Input) and statement.axes:
                first = split(statement.axes[0].name)[0]
                if self._from_data(first):
                    leading.setdefault(first, statement.axes[0].span)
        if said:
            name = said[0].axis.name
            if len(said) > 1:
                raise Mistake(
                    "E0305",
                    "`batch` is written twice",
                    said[1].span,
                    help="rows lie along one axis",
                    notes=[Note(said[0].span, "written here first")],
                )
            if name not in self._known:
                raise unknown_axis(name, said[0].axis.span, self.names())
            if not self._from_data(name):
                raise Mistake(
                    "E0305",
                    f"`{name}` cannot be the row axis: its length does not come from an input",
                    said[0].axis.span,
                    help="the row axis stands in an input, and no length is written for it",
                )
            self.rows = name
            return
        if len(leading) > 1:
            first, *others = leading
            raise Mistake(
                "E0305",
                f"the rows could lie along {' or '.join(f'`{name}`' for name in leading)}",
                leading[first],
                help=f"say which axis minibatches cut: batch {first}",
                notes=[Note(leading[name], f"`{name}` leads here") for name in others],
            )
        self.rows = next(iter(leading), None)

    def _from_data(self, name: str) -> bool:
        known = self._known.get(name)
        return known is not None and known.data and known.length is None and known.like is None

    # --- asking

    def names(self) -> list[str]:
        """All axes, in the order in which they first stand."""
        return list(self._known)

    def first(self, name: str) -> Span:
        """Where the axis first stands."""
        return self._known[name].first

    def knows(self, name: str) -> bool:
        """Whether the axis stands anywhere in the model's declarations."""
        return split(name)[0] in self._known

    def root(self, name: str) -> str:
        """The axis that `name` is a copy of, or `name` itself."""
        base = split(name)[0]
        while (known := self._known.get(base)) is not None and known.like is not None:
            base = split(known.like)[0]
        return base

    def axis(self, name: str, span: Span) -> Axis:
        """The axis of that name, primes included, with its declared length or the symbol of what the data give."""
        base, _ = split(name)
        if base not in self._known:
            raise unknown_axis(name, span, self.names())
        return Axis(name, self._length_of(base, span))

    def _length_of(self, base: str, span: Span) -> Expr:
        root = self.root(base)
        known = self._known[root]
        if known.length is not None:
            return Integer(known.length)
        if known.derived is not None:
            return known.derived
        if known.broken or (known.made is not None and self._report.found()):
            raise Poisoned
        if not known.data and known.made is not None:
            raise Mistake(
                "E0306",
                f"axis `{root}` has no length yet",
                span,
                help=f"use it below what gives it one, or write its length: axis {root}: 10",
                notes=[Note(known.made, "it gets its length here")],
            )
        if not known.data:
            known.broken = True
            raise Mistake(
                "E0306",
                f"axis `{root}` has no length: none is written, and no input has it",
                span,
                help=f"write it once, for example: axis {root}: 10",
            )
        return data_length(root)

    def waits(self, name: str) -> bool:
        """Whether the axis gets its length from a flatten or a split that has not been reached."""
        known = self._known[self.root(name)]
        return known.made is not None and known.length is None and known.derived is None and not known.data

    def told(self, name: str, span: Span) -> Axis | None:
        """The axis, or None where nothing has told its length yet."""
        if self.knows(name) and self.waits(name):
            return None
        return self.axis(name, span)

    def derive(self, name: str, length: Expr, span: Span) -> tuple[Expr, Span | None] | None:
        """Note the length that a flatten or a split gives to an axis. Where it has another: that, and its place."""
        known = self._known[self.root(name)]
        if self.waits(name):
            known.derived, known.where = length, span
        other = self.axis(name, span).length
        return None if other == length else (other, known.where)

    def all(self) -> Iterator[Axis]:
        """Every axis without primes, in the order in which they first stand, but for those without a length, and
        those whose length follows from what the data give."""
        for name, known in self._known.items():
            if known.broken or self.waits(name):
                continue
            if self._known[self.root(name)].derived is None or self.axis(name, known.first).length.is_Integer:
                yield self.axis(name, known.first)


def unknown_axis(name: str, span: Span, known: list[str]) -> Mistake:
    """The mistake of an axis that nothing declares."""
    suggestion = did_you_mean(split(name)[0], known)
    return Mistake(
        "E0300",
        f"there is no axis `{name}`",
        span,
        sides=[f"axes of this model: {', '.join(known)}"] if known else (),
        help=suggestion or f"declare it: axis {split(name)[0]}: 10",
    )


# ----------------------------------------------------------------------------------------------------- walking the tree


@cache
def _children(kind: type) -> tuple[str, ...] | None:
    """The fields that hold the parts of a construct, the last one first; None of what is no construct."""
    if not is_dataclass(kind) or kind is Span:
        return None
    return tuple(f.name for f in reversed(fields(kind)) if f.name != "span")


def descendants(root: Any) -> Iterator[Any]:
    """Every dataclass of the tree under `root`, in the order of the source."""
    waiting = [root]
    while waiting:
        item = waiting.pop()
        kind: Any = type(item)
        if kind is tuple:
            waiting.extend(reversed(item))
        elif (parts := _children(kind)) is not None:
            yield item
            for name in parts:
                waiting.append(getattr(item, name))


def _lengths(model: tree.Model) -> Iterator[tuple[tree.AxisName, bool]]:
    """Each axis with a length written in place, and whether it is an axis parameter there."""
    formals: Mapping[str, bool]
    numbers: set[int] = set()
    for statement in model.statements:
        formals = {}
        for item in descendants(statement):
            if isinstance(item, tree.Subscript) and item.value == tree.Name(item.value.span, "window"):
                # A number where the axis of the taps should stand: the call tells it.
                numbers |= {id(part) for part in item.items}
            if isinstance(item, (tree.Definition, tree.Layer)):
                formals = {**formals, **{axis.name: True for axis in item.axes}}
            elif isinstance(item, tree.AxisName) and item.length is not None and id(item) not in numbers:
                yield item, split(item.name)[0] in formals


def _made(model: tree.Model) -> Iterator[tree.AxisName]:
    """Axes that flatten and split make: they need no declaration, their lengths follow.

    Where a function makes one that is its axis parameter, the axis of the call is such an axis.
    """
    of_functions: dict[str, list[int]] = {}
    for item in descendants(model.statements):
        if isinstance(item, tree.Definition):
            inner = {axis.name for axis in _targets(item.body)}
            of_functions[item.name] = [i for i, axis in enumerate(item.axes) if axis.name in inner]
    yield from _targets(model.statements)
    for item in descendants(model.statements):
        if isinstance(item, tree.Subscript) and isinstance(item.value, tree.Name):
            for place in of_functions.get(item.value.name, ()):
                if place < len(item.items) and isinstance(axis := item.items[place], tree.AxisName):
                    yield axis


def _targets(root: Any) -> Iterator[tree.AxisName]:
    for item in descendants(root):
        if isinstance(item, tree.Subscript) and isinstance(item.value, tree.Name):
            arrows = [part for part in item.items if isinstance(part, tree.Rename)]
            if item.value.name == "flatten":
                yield from (axis for arrow in arrows for axis in arrow.after[:1])
            elif item.value.name == "split":
                yield from (axis for arrow in arrows for axis in arrow.after)

"""Kinds of nodes that move along axes: windows, arrays end to end, axes merged and taken apart, running totals, order.

Takes a graph and values; gives nodes in it. The adjoint of each kind is made of kinds of this page and of
`graph.py`, so that they can be differentiated any number of times. Positions and lengths are SymPy expressions, as
everywhere; merged axes lie in row-major order: the last one named moves fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import sympy
from sympy import Expr, Integer

from .graph import Axis, Graph, Node


@dataclass(frozen=True, slots=True)
class Sliding:
    """How a window slides along one axis: at position p its tap i stands at `along[p * stride + i * dilation]`."""

    along: Axis  # as the operand has it; the positions go by its name
    positions: Expr
    taps: Axis
    stride: int
    dilation: int

    @property
    def places(self) -> Axis:
        """The axis of the positions."""
        return Axis(self.along.name, self.positions)

    def __str__(self) -> str:
        steps = ((" stride ", self.stride), (" dilation ", self.dilation))
        return f"{self.along.name}: {self.taps.name}" + "".join(f"{name}{n}" for name, n in steps if n != 1)


def positions(length: Expr, taps: Expr, stride: int, dilation: int) -> Expr:
    """How often a window of so many taps fits along a length."""
    return quotient(length - dilation * (taps - 1) - 1 + stride, stride)


def quotient(top: Expr, by: int) -> Expr:
    """The whole part of a length over a number, in a form that is the same for equal ones: n/2 + 3/2 has the whole
    part of n/2 + 1/2 and one more."""
    number, rest = sympy.expand(top).as_coeff_Add()
    whole, left = divmod(int(number), by)
    return sympy.expand(sympy.floor((rest + left) / by) + whole)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Window(Node):
    """The operand at each position and at each tap."""

    keeps_sign: ClassVar[bool] = True
    slidings: tuple[Sliding, ...]

    def attributes(self) -> tuple[Any, ...]:
        return (self.slidings,)

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        return window(graph, operands[0], self.slidings)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PlaceWindow(Node):
    """The adjoint of Window: at each place the sum of all that the positions and taps which stand there hold."""

    slidings: tuple[Sliding, ...]

    def attributes(self) -> tuple[Any, ...]:
        return (self.slidings,)

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        return place_window(graph, operands[0], self.slidings)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Concat(Node):
    """The operands end to end; each has an axis of the name of `along`, and together they have its length."""

    keeps_sign: ClassVar[bool] = True
    along: Axis
    lengths: tuple[Expr, ...]  # of the operands

    def attributes(self) -> tuple[Any, ...]:
        return (self.along, self.lengths)

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        pairs = zip(operands, self.lengths, strict=True)
        return concat(graph, [graph.spread(o, [Axis(self.along.name, n)]) for o, n in pairs], self.along, self.dtype)

    def starts(self) -> list[Expr]:
        """Where each operand begins."""
        return [sympy.expand(sympy.Add(*self.lengths[:i])) for i in range(len(self.lengths))]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Flatten(Node):
    """The axes `merged` of the operand as the one axis `whole`; the last of them moves fastest."""

    keeps_sign: ClassVar[bool] = True
    merged: tuple[Axis, ...]
    whole: Axis

    def attributes(self) -> tuple[Any, ...]:
        return (self.merged, self.whole)

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        return flatten(graph, operands[0], self.merged, self.whole)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Split(Node):
    """The axis `whole` of the operand as the axes `parts`; the adjoint of Flatten, and its inverse."""

    keeps_sign: ClassVar[bool] = True
    whole: Axis
    parts: tuple[Axis, ...]

    def attributes(self) -> tuple[Any, ...]:
        return (self.whole, self.parts)

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        return split(graph, operands[0], self.whole, self.parts)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Accumulate(Node):
    """At each position of an axis the "sum" or the "prod" of all up to it."""

    operator: str
    along: Axis

    def attributes(self) -> tuple[Any, ...]:
        return (self.operator, self.along)

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        return accumulate(graph, self.operator, operands[0], self.along)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Recurrence(Node):
    """A linear recurrence of the factor f and the term b: s[i] = b[i] + f[i] s[i - 1], and s[0] = b[0].

    Where `backward` it is the transpose of that map of b: s[i] = b[i] + f[i + 1] s[i + 1], and s is b at the end.
    """

    along: Axis
    backward: bool

    def attributes(self) -> tuple[Any, ...]:
        return (self.along, self.backward)

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        return recurrence(graph, operands[0], operands[1], self.along, self.backward)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Order(Node):
    """The positions along an axis that put the operand in ascending order; equal ones stay in the order they have."""

    along: Axis

    def attributes(self) -> tuple[Any, ...]:
        return (self.along,)

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        return order(graph, operands[0], self.along)


# ---------------------------------------------------------------------------------------------------------- making them


def _instead(operand: Node, gone: Sequence[str], new: Sequence[Axis]) -> list[Axis]:
    return [*(axis for axis in operand.axes if axis.name not in gone), *new]


def window(graph: Graph, operand: Node, slidings: Sequence[Sliding]) -> Node:
    """The operand's windows. Along an axis that it lacks they are all the same."""
    own = tuple(s for s in slidings if s.along.name in operand.names)
    if not own:
        return operand
    new = [axis for s in own for axis in (s.places, s.taps)]
    axes = graph.ordered(_instead(operand, [s.along.name for s in own], new))
    return graph.node(Window, axes, operand.dtype, (operand,), slidings=own)


def place_window(graph: Graph, operand: Node, slidings: Sequence[Sliding]) -> Node:
    """The adjoint of `window`, into the axis `along` of each sliding."""
    given = tuple(slidings)
    whole = graph.spread(operand, [axis for s in given for axis in (s.places, s.taps)])
    gone = [name for s in given for name in (s.along.name, s.taps.name)]
    axes = graph.ordered(_instead(whole, gone, [s.along for s in given]))
    return graph.node(PlaceWindow, axes, "float", (whole,), slidings=given)


def concat(graph: Graph, operands: Sequence[Node], along: Axis, dtype: str) -> Node:
    """The operands, which have an axis of that name, end to end, broadcast to common other axes."""
    if len(operands) == 1:
        return operands[0]
    others = [axis for operand in operands for axis in operand.axes if axis.name != along.name]
    lengths = tuple(operand.axis(along.name).length for operand in operands)
    return graph.node(Concat, graph.ordered([*others, along]), dtype, tuple(operands), along=along, lengths=lengths)


def flatten(graph: Graph, operand: Node, merged: Sequence[Axis], whole: Axis) -> Node:
    """The axes `merged` as one. A value that is the same along all of them is so along `whole`."""
    names = [axis.name for axis in merged]
    if not set(names) & set(operand.names):
        return operand
    if len(merged) == 1:
        return graph.relabel(operand, {names[0]: whole.name})
    if isinstance(operand, Split) and operand.parts == tuple(merged) and operand.whole == whole:
        return operand.operands[0]
    full = graph.spread(operand, merged)
    axes = graph.ordered(_instead(full, names, [whole]))
    return graph.node(Flatten, axes, full.dtype, (full,), merged=tuple(merged), whole=whole)


def split(graph: Graph, operand: Node, whole: Axis, parts: Sequence[Axis]) -> Node:
    """The axis `whole` as several, whose lengths have its length for product."""
    if whole.name not in operand.names:
        return operand
    if len(parts) == 1:
        return graph.relabel(operand, {whole.name: parts[0].name})
    if isinstance(operand, Flatten) and operand.merged == tuple(parts) and operand.whole == whole:
        return operand.operands[0]
    axes = graph.ordered(_instead(operand, [whole.name], parts))
    return graph.node(Split, axes, operand.dtype, (operand,), whole=whole, parts=tuple(parts))


def accumulate(graph: Graph, operator: str, operand: Node, along: Axis) -> Node:
    """Running sums or products of the operand along the axis."""
    full = graph.spread(operand, [along])
    if along.length == 1:
        return full
    return graph.node(Accumulate, full.axes, "float", (full,), operator=operator, along=along)


def recurrence(graph: Graph, factor: Node, term: Node, along: Axis, backward: bool) -> Node:
    """The linear recurrence along the axis."""
    if along.length == 1:
        return term
    pair = (graph.spread(factor, [along]), graph.spread(term, [along]))
    axes = graph.ordered(axis for operand in pair for axis in operand.axes)
    return graph.node(Recurrence, axes, "float", pair, along=along, backward=backward)


def order(graph: Graph, operand: Node, along: Axis) -> Node:
    """The positions along the axis in the order of what the operand holds there."""
    if along.name not in operand.names:
        return graph.index(along)
    return graph.node(Order, operand.axes, "int", (operand,), along=along)


def turned(graph: Graph, operand: Node, along: str) -> Node:
    """The operand with the order of positions turned round."""
    if along not in operand.names:
        return operand
    length = operand.axis(along).length
    return graph.slice(operand, along, length - 1, -1, length, drop=False)


def shifted(graph: Graph, operand: Node, along: Axis) -> Node:
    """What stands one position before, and 0 at the first."""
    kept = sympy.expand(along.length - 1)
    before = graph.slice(graph.spread(operand, [along]), along.name, Integer(0), 1, kept, drop=False)
    return graph.place_slice(before, along, Integer(1), 1, kept, drop=False)


def first(graph: Graph, along: Axis) -> Node:
    """1 at the first position of the axis, and 0 elsewhere."""
    return graph.place_slice(graph.constant(1), along, Integer(0), 1, Integer(1), drop=True)

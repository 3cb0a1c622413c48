"""The expression graph: what every stage between elaboration and emission speaks.

Immutable, hash-consed nodes: equal expressions are one node, so sharing is found at construction. A node knows its
kind, its operands, its axes, its dtype, the span it came from, and whether it changes from step to step or is surely
positive. Operands always have smaller ids than the node, so the order of ids is a topological order and no pass
recurses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any, ClassVar, TypeVar

import sympy
from sympy import Expr, Integer, Symbol

from . import functions
from .source import Span


@dataclass(frozen=True, slots=True)
class Axis:
    """A named axis of one value. `length` is a SymPy integer, or an expression in the lengths that the data give."""

    name: str
    length: Expr


def data_length(axis: str) -> Symbol:
    """The symbol that stands for the length of an axis that the data give."""
    return Symbol(axis, integer=True, positive=True)


# ------------------------------------------------------------------------------------------------------------ the kinds


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Node:
    """What all kinds share. `axes` stand in the graph's order of axes; `dtype` is "float", "int" or "bool"."""

    id: int
    axes: tuple[Axis, ...]
    dtype: str
    operands: tuple[Node, ...] = ()
    span: Span | None = None
    names: tuple[str, ...] = ()  # of the axes
    trained: bool = False  # depends on a parameter, a state or noise: it changes from step to step
    positive: bool = False  # surely > 0
    free: frozenset[int] = frozenset()  # the local leaves, by id, that stand in it and that no scan in it binds
    keeps_sign: ClassVar[bool] = False  # whether it is positive wherever its operands are

    def axis(self, name: str) -> Axis:
        """The axis of that name; KeyError if the node lacks it."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise KeyError(name)

    def attributes(self) -> tuple[Any, ...]:
        """What distinguishes the node from others of its kind with the same operands."""
        return ()

    def over(self, graph: Graph, operands: Sequence[Node]) -> Node:
        """The same kind of node over other operands, of the same axes or fewer; for kinds that Graph does not make."""
        raise TypeError(f"a {type(self).__name__} has no operands")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Leaf(Node):
    """A value from outside: role "parameter" (the unconstrained one), "state", "noise", "input" or "cotangent"; "local"
    inside a scan."""

    role: str
    name: str

    def attributes(self) -> tuple[Any, ...]:
        return (self.role, self.name)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Constant(Node):
    """A number. `value` is a SymPy Rational (exact) or Float (a double)."""

    value: Expr

    def attributes(self) -> tuple[Any, ...]:
        return (self.value,)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Index(Node):
    """0, 1, ... along its one axis."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Size(Node):
    """A length that is known when data is bound, as a number."""

    length: Expr

    def attributes(self) -> tuple[Any, ...]:
        return (self.length,)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Map(Node):
    """One scalar expression in `placeholder(0)`, `placeholder(1)`, ..., applied at every point of its operands."""

    expression: Expr

    def attributes(self) -> tuple[Any, ...]:
        return (self.expression,)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Contract(Node):
    """The sum over the axes `summed` of the product of the operands; an operand may stand twice."""

    summed: tuple[Axis, ...]

    def attributes(self) -> tuple[Any, ...]:
        return (self.summed,)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Reduce(Node):
    """max, min, prod, argmax, argmin, logsumexp, any or all, over `reduced`."""

    operator: str
    reduced: tuple[Axis, ...]

    def attributes(self) -> tuple[Any, ...]:
        return (self.operator, self.reduced)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Slice(Node):
    """`along[start::step]` to `length` positions; where `drop`, one position is taken and the axis goes."""

    along: Axis  # as the operand has it
    start: Expr
    step: int
    length: Expr
    drop: bool

    def attributes(self) -> tuple[Any, ...]:
        return (self.along, self.start, self.step, self.length, self.drop)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class PlaceSlice(Node):
    """The adjoint of Slice: the operand at those positions of `along`, 0 elsewhere."""

    along: Axis
    start: Expr
    step: int
    length: Expr
    drop: bool

    def attributes(self) -> tuple[Any, ...]:
        return (self.along, self.start, self.step, self.length, self.drop)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Gather(Node):
    """`operands[0]` along `along` at the integer `operands[1]`, aligned by name over all axes they share."""

    along: Axis

    def attributes(self) -> tuple[Any, ...]:
        return (self.along,)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Scatter(Node):
    """The adjoint of Gather: `operands[0]` added at the integer `operands[1]` along `along`, summed over `summed`."""

    along: Axis
    summed: tuple[Axis, ...]

    def attributes(self) -> tuple[Any, ...]:
        return (self.along, self.summed)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Relabel(Node):
    """The operand with axes renamed; `renamed` holds (before, after)."""

    renamed: tuple[tuple[str, str], ...]

    def attributes(self) -> tuple[Any, ...]:
        return (self.renamed,)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Spread(Node):
    """The operand, standing the same at every position of axes that it lacks."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Stack(Node):
    """The operands side by side along an axis that none of them has."""

    along: Axis

    def attributes(self) -> tuple[Any, ...]:
        return (self.along,)


RANK = "0rank"
"""The axis along a factor's rows. No axis of a model has this name: a digit leads."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Factor(Node):
    """The columns `operands[part]` in the triangular factor of all operands, which are columns along `rows`."""

    rows: str
    part: int

    def attributes(self) -> tuple[Any, ...]:
        return (self.rows, self.part)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class LinearAlgebra(Node):
    """solve, inverse, cholesky, logdet or det of the square matrices `operands[0]` over `rows` and `columns`.

    The inverse and the lower Cholesky factor have both axes again; det and log|det| neither. `operands[1]` of solve
    stands along `rows`, and so do the unknowns. All other axes are those of a batch, or of several right sides.
    """

    operator: str
    rows: Axis
    columns: Axis

    def attributes(self) -> tuple[Any, ...]:
        return (self.operator, self.rows, self.columns)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Scan(Node):
    """A recurrence over the positions of `along`, from the last to the first where it is `backward`.

    The operands are the values with which the `carried` leaves start, those that they have after a step, and the arrays
    of which the `stepped` leaves are one position. What depends on these leaves is the body. A scan has no value of its
    own: `Steps` and `Last` read it.
    """

    along: Axis
    backward: bool
    carried: tuple[Leaf, ...]
    stepped: tuple[Leaf, ...]

    def attributes(self) -> tuple[Any, ...]:
        return (self.along, self.backward, self.carried, self.stepped)

    @property
    def initials(self) -> tuple[Node, ...]:
        """What the carried leaves are at the first step."""
        return self.operands[: len(self.carried)]

    @property
    def nexts(self) -> tuple[Node, ...]:
        """What they are at the step after this one."""
        return self.operands[len(self.carried) : 2 * len(self.carried)]

    @property
    def sequences(self) -> tuple[Node, ...]:
        """What the stepped leaves are a position of."""
        return self.operands[2 * len(self.carried) :]

    @property
    def binds(self) -> frozenset[int]:
        """The leaves that have a value inside of the scan only, by id."""
        return frozenset(leaf.id for leaf in (*self.carried, *self.stepped))


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Steps(Node):
    """`operands[1]`, a node of the body of the scan `operands[0]`, at each of its steps: an array along its axis."""

    @property
    def scan(self) -> Scan:
        """The scan that is read."""
        scan = self.operands[0]
        assert isinstance(scan, Scan)
        return scan


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Last(Node):
    """What the carried leaf number `part` of the scan `operands[0]` is behind the last step."""

    part: int

    def attributes(self) -> tuple[Any, ...]:
        return (self.part,)

    @property
    def scan(self) -> Scan:
        """The scan that is read."""
        scan = self.operands[0]
        assert isinstance(scan, Scan)
        return scan


LOOPS = (Scan, Steps, Last)
"""What a recurrence is made of."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Stop(Node):
    """The operand, without a derivative."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What is known of a local leaf: a node's flags follow from its operands, and a leaf has none."""

    trained: bool
    positive: bool


Kind = TypeVar("Kind", bound=Node)
NOTHING: frozenset[int] = frozenset()

CHANGING = ("parameter", "state", "noise", "cotangent")
"""Roles of leaves whose values change while the data stay."""

# ------------------------------------------------------------------------------------------------------------ the graph


@cache
def placeholder(position: int, positive: bool = False) -> Symbol:
    """The symbol by which a Map's expression knows its operand at `position`; the stored ones carry no sign."""
    if positive:
        return Symbol(f"_{position}p", real=True, positive=True)
    return Symbol(f"_{position}", real=True)


def people(leaf: Leaf) -> str:
    """A local leaf's name without the number that sets it apart."""
    return leaf.name.rpartition(".")[0]


def is_positive_number(value: Expr) -> bool:
    """Whether a SymPy number is above 0. Asking SymPy itself deduces all that follows, a hundred times slower."""
    return bool(value.p > 0) if isinstance(value, sympy.Rational) else float(value) > 0


@lru_cache(maxsize=200_000)
def _substituted(expression: Expr, replaced: tuple[tuple[Symbol, Expr], ...]) -> Expr:
    return expression.xreplace(dict(replaced))


@lru_cache(maxsize=200_000)
def _surely_positive(expression: Expr, signs: tuple[bool, ...]) -> bool:
    if not any(signs) and not isinstance(expression, (sympy.exp, functions.sigmoid, functions.softplus)):
        return False
    signed = {placeholder(i): placeholder(i, True) for i, sign in enumerate(signs) if sign}
    return bool(expression.xreplace(signed).is_positive)


class Graph:
    """Makes nodes, and makes each only once. The order in which axes were first named is their order everywhere."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.ranks: dict[str, int] = {}
        self._known: dict[tuple[Any, ...], Node] = {}
        self._span: Span | None = None
        self._locals = 0

    # --- axes

    def rank(self, name: str) -> int:
        """The place of an axis in the order of axes; a name seen first comes last."""
        return self.ranks.setdefault(name, len(self.ranks))

    def ordered(self, axes: Iterable[Axis]) -> tuple[Axis, ...]:
        """The axes, each name once, in the graph's order. ValueError where one name has two lengths."""
        found: dict[str, Axis] = {}
        for axis in axes:
            if found.setdefault(axis.name, axis).length != axis.length:
                raise ValueError(f"axis {axis.name} has lengths {found[axis.name].length} and {axis.length}")
        return tuple(sorted(found.values(), key=lambda axis: self.rank(axis.name)))

    # --- making nodes

    def at(self, span: Span | None) -> Span | None:
        """Nodes made from now on carry this span; gives the one before, to be set back."""
        before, self._span = self._span, span
        return before

    def _make(
        self,
        kind: type[Kind],
        axes: tuple[Axis, ...],
        dtype: str,
        operands: tuple[Node, ...],
        known: Flags | None = None,
        **more: Any,
    ) -> Kind:
        key = (kind, axes, tuple(operand.id for operand in operands), dtype, tuple(more.items()))
        made = self._known.get(key)
        if made is not None:
            assert isinstance(made, kind)
            return made
        trained = more.get("role") in CHANGING or any(operand.trained for operand in operands)
        positive = _positive(kind, operands, more)
        if known is not None:
            trained, positive = known.trained, known.positive
        node = kind(
            id=len(self.nodes),
            axes=axes,
            dtype=dtype,
            operands=operands,
            span=self._span,
            names=tuple(axis.name for axis in axes),
            trained=trained,
            positive=positive,
            free=_free(kind, operands, more, len(self.nodes)),
            **more,
        )
        self.nodes.append(node)
        self._known[key] = node
        return node

    def node(
        self, kind: type[Kind], axes: tuple[Axis, ...], dtype: str, operands: tuple[Node, ...], **attributes: Any
    ) -> Kind:
        """A node of a kind that this page does not know (see `arrays.py`). `axes` stand in the graph's order."""
        return self._make(kind, axes, dtype, operands, **attributes)

    def leaf(self, role: str, name: str, axes: Iterable[Axis], dtype: str = "float") -> Leaf:
        """A parameter, a state, noise, an input, or the cotangent of an output."""
        return self._make(Leaf, self.ordered(axes), dtype, (), role=role, name=name)

    def local(self, name: str, axes: Iterable[Axis], dtype: str, trained: bool, positive: bool = False) -> Leaf:
        """A new leaf of a scan's body, with a name that no other has; `name` says for people what it is."""
        self._locals += 1
        own = f"{name}.{self._locals}"
        flags = Flags(trained, positive)
        return self._make(Leaf, self.ordered(axes), dtype, (), flags, role="local", name=own)

    def constant(self, value: Expr | int | float) -> Constant:
        """A number: exact where it is a SymPy Rational or an int, else the nearest double."""
        number = sympy.sympify(value)
        dtype = "int" if isinstance(number, Integer) else "float"
        return self._make(Constant, (), dtype, (), value=number)

    def index(self, axis: Axis) -> Index:
        """0, 1, ... along the axis."""
        return self._make(Index, self.ordered([axis]), "int", ())

    def size(self, length: Expr) -> Node:
        """A length as a number."""
        if isinstance(length, Integer):
            return self.constant(length)
        return self._make(Size, (), "int", (), length=length)

    def map(self, expression: Expr, operands: Sequence[Node]) -> Node:
        """`expression` in `placeholder(i)`, one for each operand, in canonical form: each operand once, in the order
        of ids, numbers folded in, unused ones left out."""
        replaced: dict[Symbol, Expr] = {}
        used = expression.free_symbols
        kept = sorted(
            {
                o.id: o for i, o in enumerate(operands) if placeholder(i) in used and not isinstance(o, Constant)
            }.values(),
            key=lambda node: node.id,
        )
        position = {node.id: i for i, node in enumerate(kept)}
        for i, operand in enumerate(operands):
            if placeholder(i) in used:
                value = operand.value if isinstance(operand, Constant) else placeholder(position[operand.id])
                if value != placeholder(i):
                    replaced[placeholder(i)] = value
        if replaced:
            expression = _substituted(expression, tuple(sorted(replaced.items(), key=lambda pair: pair[0].name)))
            remaining = expression.free_symbols
            if len(remaining) < len(kept):
                return self.map(expression, kept)
        if isinstance(expression, Symbol):
            return kept[0]
        if expression.is_Number:
            return self.constant(expression)
        axes = self.ordered(axis for operand in kept for axis in operand.axes)
        return self._make(Map, axes, _dtype(expression, kept), tuple(kept), expression=expression)

    def contract(self, operands: Sequence[Node], summed: Iterable[Axis]) -> Node:
        """The sum over `summed` of the product; an axis that no operand has counts as its length."""
        # What is left of a sum may be its operand, and truth values have sums of their own.
        operands = [self.map(functions.as_float(placeholder(0)), [o]) if o.dtype == "bool" else o for o in operands]
        present = {name for operand in operands for name in operand.names}
        inner, factors = [], []
        for axis in self.ordered(summed):
            if axis.name in present:
                inner.append(axis)
            else:
                factors.append(self.size(axis.length))
        if factors:
            return self.product([*factors, self.contract(operands, inner)])
        if not inner:
            return self.product(operands)
        gone = {axis.name for axis in inner}
        axes = self.ordered(a for operand in operands for a in operand.axes)
        ordered = tuple(sorted(operands, key=lambda node: node.id))
        free = tuple(axis for axis in axes if axis.name not in gone)
        return self._make(Contract, free, "float", ordered, summed=tuple(inner))

    def product(self, operands: Sequence[Node]) -> Node:
        """The pointwise product of the operands."""
        if not operands:
            return self.constant(1)
        result = operands[0]
        for operand in operands[1:]:
            result = self.map(placeholder(0) * placeholder(1), [result, operand])
        return result

    def sum(self, operands: Sequence[Node]) -> Node:
        """The pointwise sum of the operands; what stands there more than once is multiplied."""
        if not operands:
            return self.constant(0)
        counts: dict[int, int] = {}
        for operand in operands:
            counts[operand.id] = counts.get(operand.id, 0) + 1
        result: Node | None = None
        for key, count in counts.items():
            term = self.nodes[key]
            if count > 1:
                term = self.map(Integer(count) * placeholder(0), [term])
            result = term if result is None else self.map(placeholder(0) + placeholder(1), [result, term])
        assert result is not None
        return result

    def reduce(self, operator: str, operand: Node, reduced: Iterable[Axis]) -> Node:
        """A reduction over axes that the operand has."""
        over = self.ordered(reduced)
        gone = {axis.name for axis in over}
        axes = tuple(axis for axis in operand.axes if axis.name not in gone)
        dtype = {"argmax": "int", "argmin": "int", "any": "bool", "all": "bool"}.get(operator, "float")
        return self._make(Reduce, axes, dtype, (operand,), operator=operator, reduced=over)

    def slice(self, operand: Node, along: str, start: Expr, step: int, length: Expr, drop: bool) -> Node:
        """`length` positions of the axis from `start` in steps of `step`, which may be negative."""
        axis = operand.axis(along)
        others = [a for a in operand.axes if a.name != along]
        axes = self.ordered(others if drop else [*others, Axis(along, length)])
        attributes = {"along": axis, "start": start, "step": step, "length": length, "drop": drop}
        return self._make(Slice, axes, operand.dtype, (operand,), **attributes)

    def place_slice(self, operand: Node, along: Axis, start: Expr, step: int, length: Expr, drop: bool) -> Node:
        """The adjoint of `slice`, into the axis `along`."""
        axes = self.ordered([*(a for a in operand.axes if a.name != along.name), along])
        attributes = {"along": along, "start": start, "step": step, "length": length, "drop": drop}
        return self._make(PlaceSlice, axes, operand.dtype, (operand,), **attributes)

    def gather(self, operand: Node, index: Node, along: str) -> Node:
        """The operand at `index` along the axis."""
        axis = operand.axis(along)
        axes = self.ordered([*(a for a in operand.axes if a.name != along), *index.axes])
        return self._make(Gather, axes, operand.dtype, (operand, index), along=axis)

    def scatter(self, operand: Node, index: Node, along: Axis, summed: Iterable[Axis]) -> Node:
        """The adjoint of `gather`, into the axis `along`, summed over axes that the gathered value lacks; one that the
        operand alone has is summed before, and one that neither has counts as its length."""
        summed = list(summed)
        alone = [axis for axis in summed if axis.name in operand.names and axis.name not in index.names]
        if alone:
            others = [axis for axis in summed if axis not in alone]
            return self.scatter(self.contract([operand], alone), index, along, others)
        present = {name for node in (operand, index) for name in node.names}
        over = self.ordered(axis for axis in summed if axis.name in present)
        factors = [self.size(axis.length) for axis in self.ordered(summed) if axis.name not in present]
        if factors:
            return self.product([*factors, self.scatter(operand, index, along, over)])
        gone = {axis.name for axis in over}
        axes = self.ordered([*(a for o in (operand, index) for a in o.axes if a.name not in gone), along])
        return self._make(Scatter, axes, "float", (operand, index), along=along, summed=over)

    def relabel(self, operand: Node, renamed: Mapping[str, str]) -> Node:
        """The operand with axes renamed; lengths stay."""
        pairs = tuple(sorted((a, b) for a, b in renamed.items() if a in operand.names and a != b))
        if not pairs:
            return operand
        if isinstance(operand, Relabel):
            inner = dict(operand.renamed)
            back = {b: a for a, b in inner.items()}
            joined = {back.get(name, name): dict(pairs).get(name, name) for name in operand.names}
            return self.relabel(operand.operands[0], joined)
        to = dict(pairs)
        if isinstance(operand, Index):
            return self.index(Axis(to[operand.names[0]], operand.axes[0].length))
        if isinstance(operand, Spread):
            wide = [Axis(to.get(axis.name, axis.name), axis.length) for axis in operand.axes]
            return self.spread(self.relabel(operand.operands[0], renamed), wide)
        axes = self.ordered(Axis(to.get(axis.name, axis.name), axis.length) for axis in operand.axes)
        return self._make(Relabel, axes, operand.dtype, (operand,), renamed=pairs)

    def spread(self, operand: Node, axes: Iterable[Axis]) -> Node:
        """The operand repeated along those of `axes` that it lacks."""
        over = self.ordered([*operand.axes, *axes])
        if over == operand.axes:
            return operand
        return self._make(Spread, over, operand.dtype, (operand,))

    def like(self, value: Node, node: Node) -> Node:
        """The value with the axes and the type of the node."""
        if isinstance(value, Spread) and isinstance(value.operands[0], Constant):
            value = value.operands[0]
        if value.dtype != node.dtype and node.dtype == "float":
            if isinstance(value, Constant):
                value = self._make(Constant, (), "float", (), value=value.value)
            else:
                value = self.map(functions.as_float(placeholder(0)), [value])
        return self.spread(value, node.axes)

    def stack(self, operands: Sequence[Node], along: Axis) -> Node:
        """The operands, broadcast to common axes, side by side along `along`."""
        axes = self.ordered([*(a for operand in operands for a in operand.axes), along])
        return self._make(Stack, axes, "float", tuple(operands), along=along)

    def factor(self, columns: Sequence[Node], part: int, rows: str) -> Node:
        """One of the columns, or sets of them, over the triangular factor of all: one position for each column."""
        count = sympy.expand(sympy.Add(*(sympy.Mul(*(a.length for a in c.axes if a.name != rows)) for c in columns)))
        axes = self.ordered([Axis(RANK, count), *(a for a in columns[part].axes if a.name != rows)])
        return self._make(Factor, axes, "float", tuple(columns), rows=rows, part=part)

    def linear_algebra(self, operator: str, operands: Sequence[Node], rows: Axis, columns: Axis) -> Node:
        """The operation on the matrices over `rows` and `columns`, which are of one length; solve has a right side."""
        matrix = self.spread(operands[0], [rows, columns])
        if operator == "solve":
            right = self.spread(operands[1], [rows])
            axes = self.ordered([*(a for a in matrix.axes if a.name != columns.name), *right.axes])
            pair: tuple[Node, ...] = (matrix, right)
            return self._make(LinearAlgebra, axes, "float", pair, operator=operator, rows=rows, columns=columns)
        gone = () if operator in ("inverse", "cholesky") else (rows.name, columns.name)
        axes = tuple(axis for axis in matrix.axes if axis.name not in gone)
        return self._make(LinearAlgebra, axes, "float", (matrix,), operator=operator, rows=rows, columns=columns)

    def transposed(self, matrix: Node, rows: Axis, columns: Axis) -> Node:
        """The matrix with its two axes exchanged."""
        return self.relabel(matrix, {rows.name: columns.name, columns.name: rows.name})

    def diagonal(self, matrix: Node, rows: Axis, columns: Axis) -> Node:
        """The diagonal, along `rows`."""
        return self.gather(self.spread(matrix, [rows, columns]), self.index(rows), columns.name)

    def stop(self, operand: Node) -> Node:
        """The operand, without a derivative."""
        if isinstance(operand, Constant):
            return operand
        return self._make(Stop, operand.axes, operand.dtype, (operand,))

    def scan(
        self,
        along: Axis,
        backward: bool,
        carried: Sequence[tuple[Leaf, Node, Node]],
        stepped: Sequence[tuple[Leaf, Node]],
    ) -> Scan:
        """Of each carried leaf what it starts with and what comes next, of each stepped one its array."""
        initials = [self.like(initial, leaf) for leaf, initial, _ in carried]
        nexts = [self.like(following, leaf) for leaf, _, following in carried]
        sequences = [self.spread(whole, [*leaf.axes, along]) for leaf, whole in stepped]
        leaves: dict[str, Any] = {
            "carried": tuple(leaf for leaf, _, _ in carried),
            "stepped": tuple(leaf for leaf, _ in stepped),
        }
        return self._make(Scan, (), "loop", (*initials, *nexts, *sequences), along=along, backward=backward, **leaves)

    def steps(self, scan: Scan, value: Node) -> Node:
        """The value at each step of the scan, along its axis: an array that is there already where it is that one's."""
        if not value.free & scan.binds:
            return self.spread(value, [scan.along])
        if value in scan.stepped:
            return scan.sequences[scan.stepped.index(value)]
        return self._make(Steps, self.ordered([*value.axes, scan.along]), value.dtype, (scan, value))

    def last(self, scan: Scan, part: int) -> Node:
        """The carried leaf behind the last step."""
        leaf = scan.carried[part]
        return self._make(Last, leaf.axes, leaf.dtype, (scan,), part=part)

    def remake(self, node: Node, operands: Sequence[Node]) -> Node:
        """The same kind of node over other operands (of the same axes, or fewer)."""
        if all(a is b for a, b in zip(node.operands, operands, strict=True)):
            return node
        before = self.at(node.span)
        try:
            return self._remake(node, operands)
        finally:
            self.at(before)

    def _remake(self, node: Node, operands: Sequence[Node]) -> Node:
        match node:
            case Map():
                return self.map(node.expression, operands)
            case Contract():
                return self.contract(operands, node.summed)
            case Reduce():
                whole = operands[0]
                if node.reduced and any(axis.name not in whole.names for axis in node.reduced):
                    whole = self.spread(whole, node.reduced)
                return self.reduce(node.operator, whole, node.reduced)
            case Slice():
                if node.along.name not in operands[0].names:
                    return operands[0]
                return self.slice(operands[0], node.along.name, node.start, node.step, node.length, node.drop)
            case PlaceSlice():
                whole = operands[0]
                if not node.drop:
                    whole = self.spread(whole, [Axis(node.along.name, node.length)])
                return self.place_slice(whole, node.along, node.start, node.step, node.length, node.drop)
            case Gather():
                if node.along.name not in operands[0].names:
                    return operands[0]
                return self.gather(operands[0], operands[1], node.along.name)
            case Scatter():
                return self.scatter(operands[0], operands[1], node.along, node.summed)
            case Relabel():
                return self.relabel(operands[0], dict(node.renamed))
            case Spread():
                return self.spread(operands[0], node.axes)
            case Factor():
                return self.factor(operands, node.part, node.rows)
            case Stack():
                return self.stack(operands, node.along)
            case LinearAlgebra():
                return self.linear_algebra(node.operator, operands, node.rows, node.columns)
            case Stop():
                return self.stop(operands[0])
            case Scan():
                count = len(node.carried)
                carried = zip(node.carried, operands[:count], operands[count : 2 * count], strict=True)
                stepped = zip(node.stepped, operands[2 * count :], strict=True)
                return self.scan(node.along, node.backward, list(carried), list(stepped))
            case Steps():
                scan = operands[0]
                assert isinstance(scan, Scan)
                return self.steps(scan, operands[1])
            case Last():
                scan = operands[0]
                assert isinstance(scan, Scan)
                return self.last(scan, node.part)
        return node.over(self, operands)


def _free(kind: type[Node], operands: Sequence[Node], more: Mapping[str, Any], own: int) -> frozenset[int]:
    """The local leaves in a node: those of its operands, but for what a scan binds, and what reads the scan with it."""
    if kind is Leaf:
        return frozenset([own]) if more["role"] == "local" else NOTHING
    found = NOTHING
    for operand in operands:
        if operand.free:
            found = found | operand.free
    if not found:
        return found
    if kind is Scan:
        return found - {leaf.id for leaf in (*more["carried"], *more["stepped"])}
    if kind is Steps:
        assert isinstance(operands[0], Scan)
        return found - operands[0].binds
    return found


def _dtype(expression: Expr, operands: Sequence[Node]) -> str:
    if isinstance(expression, functions.TRUTHS):
        return "bool"
    if isinstance(expression, functions.where) and all(o.dtype == "bool" for o in operands):
        return "bool" if all(not a.is_Number for a in expression.args[1:]) else "float"
    whole = expression.is_Add or expression.is_Mul
    if whole and all(o.dtype == "int" for o in operands) and all(n.is_Integer for n in expression.atoms(sympy.Number)):
        return "int" if not expression.has(sympy.Pow, sympy.Function) else "float"
    return "float"


def _positive(kind: Callable[..., Any], operands: tuple[Node, ...], more: Mapping[str, Any]) -> bool:
    if kind is Map:
        return _surely_positive(more["expression"], tuple(operand.positive for operand in operands))
    if kind is Constant:
        return is_positive_number(more["value"])
    if kind is Size:
        return True
    if kind is Contract:
        return all(operand.positive or operands.count(operand) % 2 == 0 for operand in operands) and all(
            operand.positive for operand in operands
        )
    if kind is Reduce:
        return more["operator"] in ("max", "min", "prod") and operands[0].positive
    if getattr(kind, "keeps_sign", False):
        return all(operand.positive for operand in operands)
    return kind in (Slice, Gather, Relabel, Spread, Stop) and operands[0].positive


# ---------------------------------------------------------------------------------------------------------- the program


@dataclass(frozen=True, slots=True)
class Initial:
    """How a parameter starts, or how noise is drawn. `kind` is constant, normal, uniform, glorot, he, bernoulli or
    exponential.

    `arguments` are numbers: the constant; mean and deviation; low and high; the gain; nothing; the share; the rate.
    """

    kind: str
    arguments: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter. `leaf` is the unconstrained vector's part, `value` what the model sees (behind the bound's map).

    `axes` stand as they were written: that is the order in memory. `lower` and `upper` are numbers or None. Nothing is
    differentiated by one that is `frozen`.
    """

    name: str
    axes: tuple[Axis, ...]
    leaf: Leaf
    value: Node
    initial: Initial
    lower: float | None = None
    upper: float | None = None
    span: Span | None = None
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """Data. `axes` as written; `indexes` is the axis along which its integers count, for dtype "int"."""

    name: str
    axes: tuple[Axis, ...]
    leaf: Leaf
    dtype: str
    indexes: Axis | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Noise:
    """What is drawn afresh at each step. `drawn` says how: normal, uniform, bernoulli or exponential, and its numbers.

    `axes` as written.
    """

    name: str
    axes: tuple[Axis, ...]
    leaf: Leaf
    drawn: Initial
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What is kept between steps and not trained: it lies behind the parameters in the vector. `axes` as written."""

    name: str
    axes: tuple[Axis, ...]
    leaf: Leaf
    initial: Initial
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Objective:
    """A scalar to make small. A maximised one stands negated, with `sense` "maximize"; `over` names its parameters.

    `updates` holds what a step of this objective makes of states, by their names.
    """

    name: str
    value: Node
    over: tuple[str, ...]
    sense: str = "minimize"
    span: Span | None = None
    updates: tuple[tuple[str, Node], ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """What one gather gives to the gradient of a parameter: `values` at the positions `index` of its axis `along`.

    There is a row for each position of the axes `over`, which are the index's. `beside` are the parameter's other axes,
    in its order, under the names that they have in `values`. Index and values may lack axes along which they are the
    same.
    """

    along: str
    over: tuple[Axis, ...]
    beside: tuple[Axis, ...]
    index: Node
    values: Node


@dataclass(frozen=True)
class Program:
    """What a stage takes and gives: the graph, and the nodes in it that have a meaning for the user.

    `named` maps each named value of the model (dotted inside layers) to its node; `gradients` maps an objective to the
    gradient for each parameter's leaf; `adjoints` to the adjoint of each named value; `cotangents` and `pullback` hold
    the seeds of the outputs and the gradients that they give. `tangents` are the parts of a direction in which the
    parameters move, in a program that has one: a parameter like each, in the same order. Objectives, and the named
    values that they need, are as in training, outputs and metrics as in prediction; `predicted` has the named values
    that are needed in both ways and differ, as in prediction. `retained` has, of an objective and under None of the
    outputs' cotangents, the gradients by named values that were asked for. `sparse` maps an objective to the parameters
    whose gradients it has by rows, none where it does not reach them; they are 0 in `gradients`.
    """

    graph: Graph
    axes: tuple[Axis, ...]  # every declared axis, in order, with its length
    rows: str | None  # the row axis
    parameters: tuple[Parameter, ...]
    inputs: tuple[Input, ...]
    objectives: tuple[Objective, ...]
    outputs: tuple[tuple[str, Node], ...]
    metrics: tuple[tuple[str, Node], ...]
    named: tuple[tuple[str, Node], ...]
    spans: Mapping[str, Span] = field(default_factory=dict)  # of each named value's statement
    gradients: Mapping[str, Mapping[str, Node]] = field(default_factory=dict)
    adjoints: Mapping[str, Mapping[str, Node]] = field(default_factory=dict)
    cotangents: tuple[Leaf, ...] = ()
    pullback: Mapping[str, Node] = field(default_factory=dict)
    tangents: tuple[Parameter, ...] = ()
    noise: tuple[Noise, ...] = ()
    states: tuple[State, ...] = ()
    predicted: tuple[tuple[str, Node], ...] = ()
    retained: Mapping[str | None, Mapping[str, Node]] = field(default_factory=dict)
    sparse: Mapping[str, Mapping[str, tuple[Rows, ...]]] = field(default_factory=dict)

    def seeded(self) -> tuple[tuple[str, Node], ...]:
        """The outputs that take a cotangent: those that depend on a parameter that is not frozen."""
        leaves = {parameter.leaf.id for parameter in self.parameters if not parameter.frozen}
        found = ((name, node) for name, node in self.outputs if node.dtype == "float")
        return tuple((n, node) for n, node in found if any(below.id in leaves for below in reachable([node])))

    def shown(self, axes: Iterable[Axis]) -> tuple[Axis, ...]:
        """The axes of an output in the order in which users get them: the rows first, the others as declared, copies
        beside their axes. In memory the axis of a scan may come first."""
        place = {axis.name: i for i, axis in enumerate(self.axes)}

        def key(axis: Axis) -> tuple[int, int, int]:
            base = axis.name.rstrip("'")
            return place.get(base, len(place)), len(axis.name) - len(base), self.graph.rank(axis.name)

        return tuple(sorted(axes, key=key))

    def rows_of(self, objective: str) -> list[Node]:
        """The indices and values of the gradients that the objective has by rows."""
        parts = [part for parts in self.sparse.get(objective, {}).values() for part in parts]
        return [node for part in parts for node in (part.index, part.values)]

    def gathered_along(self) -> dict[str, str]:
        """The parameters that have gradients by rows, each with the axis of which these are positions."""
        parts = [(name, part) for table in self.sparse.values() for name, rows in table.items() for part in rows]
        return {name: part.along for name, part in parts}

    def roots(self) -> list[Node]:
        """Every node that has a meaning for the user, the named values left out."""
        found = [objective.value for objective in self.objectives]
        found += [node for objective in self.objectives for _, node in objective.updates]
        found += [node for _, node in (*self.outputs, *self.metrics)]
        found += [node for gradient in self.gradients.values() for node in gradient.values()]
        found += [node for objective in self.sparse for node in self.rows_of(objective)]
        found += list(self.pullback.values())
        found += [node for table in self.retained.values() for node in table.values()]
        return found

    def everything(self) -> list[Node]:
        """All that `mapped` replaces: the roots, the named values, their adjoints, and the parameters' values."""
        found = self.roots()
        found += [node for _, node in (*self.named, *self.predicted)]
        found += [node for table in self.adjoints.values() for node in table.values()]
        found += [p.value for p in self.parameters]
        return found

    def mapped(self, to: Callable[[Node], Node]) -> Program:
        """The same program with each node replaced."""
        return replace(
            self,
            parameters=tuple(replace(p, value=to(p.value)) for p in self.parameters),
            objectives=tuple(
                replace(o, value=to(o.value), updates=tuple((name, to(node)) for name, node in o.updates))
                for o in self.objectives
            ),
            outputs=tuple((name, to(node)) for name, node in self.outputs),
            metrics=tuple((name, to(node)) for name, node in self.metrics),
            named=tuple((name, to(node)) for name, node in self.named),
            predicted=tuple((name, to(node)) for name, node in self.predicted),
            gradients={key: {name: to(node) for name, node in g.items()} for key, g in self.gradients.items()},
            adjoints={key: {name: to(node) for name, node in g.items()} for key, g in self.adjoints.items()},
            pullback={name: to(node) for name, node in self.pullback.items()},
            retained={of: {name: to(node) for name, node in table.items()} for of, table in self.retained.items()},
            sparse={
                key: {
                    name: tuple(replace(part, index=to(part.index), values=to(part.values)) for part in parts)
                    for name, parts in table.items()
                }
                for key, table in self.sparse.items()
            },
        )


def reachable(roots: Iterable[Node]) -> list[Node]:
    """All nodes that the roots need, operands before users."""
    seen: dict[int, Node] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if node.id not in seen:
            seen[node.id] = node
            waiting.extend(node.operands)
    return [seen[key] for key in sorted(seen)]


def depends(node: Node, role: str) -> bool:
    """Whether a leaf of that role stands anywhere below the node."""
    return any(isinstance(below, Leaf) and below.role == role for below in reachable([node]))


def rewrite(program: Program, rule: Callable[[Node, tuple[Node, ...]], Node]) -> Program:
    """The program with each node given to `rule`, operands first; `rule` sees the node and its new operands.

    A rule may give less than the node's axes where the value is the same along them; what is handed out keeps its own.
    """
    new: dict[int, Node] = {}
    for node in reachable(program.everything()):
        before = program.graph.at(node.span)
        try:
            new[node.id] = rule(node, tuple(new[operand.id] for operand in node.operands))
        finally:
            program.graph.at(before)
    found = program.mapped(lambda node: new[node.id])
    outputs = tuple((name, program.graph.like(new[node.id], node)) for name, node in program.outputs)
    retained = {
        of: {name: program.graph.like(new[node.id], node) for name, node in table.items()}
        for of, table in program.retained.items()
    }
    return replace(found, outputs=outputs, retained=retained)

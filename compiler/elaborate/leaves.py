"""What comes from outside: inputs, constants, parameters, noise and states.

Takes their declarations one by one; makes the leaves of the graph, checks axes, bounds and starts, and keeps what the
Program says of each. Names are bound here, and what a name stands for is noted for those who look at it later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from sympy import Expr, Integer

from .. import tree
from ..graph import Axis, Constant, Graph, Initial, Input, Node, Noise, Parameter, Program, State
from ..source import Span
from . import distributions, names, numbers, parameters
from .axes import Axes, split
from .expressions import Walker
from .mistakes import Mistake, Poisoned, Report, did_you_mean, shown, written
from .scope import Bound, Scope, Value

LARGEST = 2**31
"""The most elements of one parameter, of one noise and of one state."""


class Leaves:
    """The leaves of one model, and the names that it binds."""

    def __init__(
        self,
        model: tree.Model,
        constants: Mapping[str, float],
        graph: Graph,
        report: Report,
        training: bool,
        first: Sequence[str],
        prepare: Callable[[Program], Program] | None,
    ) -> None:
        self.source = model.span.source
        self.graph = graph
        self.report = report
        self.table = Axes(model, graph, report, first)
        self.walker = Walker(self.source, graph, self.table, report, training, prepare)
        self.scope = Scope(ahead=_defined_names(model))
        self.overrides = dict(constants)
        self.parameters: dict[str, Parameter | None] = {}
        self.inputs: list[Input] = []
        self.noise: list[Noise] = []
        self.states: list[State] = []
        self.named: dict[str, Node] = {}
        self.spans: dict[str, Span] = {}

    def _bind(self, name: str, bound: Bound, span: Span, scope: Scope) -> None:
        if name in scope.places:
            scope.names[name] = None
            raise names.twice(name, span, scope)
        scope.names[name] = bound
        scope.places[name] = span

    def _name(self, name: str, value: Value, span: Span) -> None:
        before = self.graph.at(span)
        self.named[name] = self._whole(value)
        self.graph.at(before)
        self.spans[name] = span

    def _whole(self, value: Value) -> Node:
        return self.graph.spread(value.node, value.axes)

    def _place(self, span: Span, scope: Scope) -> Span:
        """The span in the model itself: `span`, or that of the use of the library in which it lies."""
        site = scope.site
        while span.source is not self.source and site is not None:
            span, site = site.span, site.outer
        return span

    # --- inputs, constants, parameters

    def _array_axes(self, items: Sequence[tree.AxisName], scope: Scope, what: str) -> tuple[Axis, ...]:
        found: dict[str, Axis] = {}
        for item, axis in [(i, axis) for i in items for axis in self.walker.each(i, scope)]:
            if axis.name in found:
                raise Mistake(
                    "E0334",
                    f"`{what}` has the axis `{axis.name}` twice",
                    item.span,
                    sides=[f"{what} {shown([*found.values(), axis])}"],
                    help=f"a second copy of an axis is written with a prime: {axis.name}'"
                    if scope.site is None
                    else f"give two axes of different names: axis {split(axis.name)[0]}2 like {split(axis.name)[0]}",
                )
            found[axis.name] = axis
        return tuple(found.values())

    def _input(self, statement: tree.Input) -> None:
        axes = self._array_axes(statement.axes, self.scope, statement.name)
        dtype, indexes = "float", None
        if statement.type == "bool":
            dtype = "bool"
        elif statement.type is not None:
            dtype = "int"
            try:
                indexes = self.table.axis(statement.type, statement.span)
            except Mistake as mistake:
                if mistake.diagnostic.code != "E0300":
                    raise
                raise Mistake(
                    "E0307",
                    f"`{statement.type}` is not an axis, and not `bool`",
                    statement.span,
                    help=did_you_mean(statement.type, [*self.table.names(), "bool"])
                    or "after the colon stands the axis along which the input is an index; numbers need nothing there",
                ) from None
        before = self.graph.at(statement.span)
        leaf = self.graph.leaf("input", statement.name, axes, dtype)
        self.graph.at(before)
        value = Value(leaf, self.graph.ordered(axes), dtype, indexes)
        self._bind(statement.name, value, statement.span, self.scope)
        self.inputs.append(Input(statement.name, axes, leaf, dtype, indexes, statement.span))
        self.spans[statement.name] = statement.span

    def _constant(self, statement: tree.Constant) -> None:
        node = self._number(statement.value, self.scope)
        if statement.name in self.overrides:
            try:
                node = self.graph.constant(numbers.literal(repr(float(self.overrides[statement.name]))))
            except (numbers.NoValue, ValueError):
                message = f"the value given for `{statement.name}` is not finite"
                raise Mistake("E0411", message, statement.span, help="give it a number") from None
        assert isinstance(node, Constant)
        self._bind(statement.name, constant_value(node), statement.span, self.scope)
        self.named[statement.name] = node
        self.spans[statement.name] = statement.span

    def _number(self, expression: tree.Expression, scope: Scope) -> Constant:
        """A number that is known when the model is compiled."""
        value = self.walker.value(expression, scope)
        if value is None:
            raise Poisoned
        if not isinstance(value.node, Constant) or value.axes or value.type == "bool":
            raise Mistake(
                "E0412",
                "this must be a number that is known when the model is compiled",
                expression.span,
                sides=[f"{written(expression.span)} {shown(value.axes)}: {value.type}"],
                help="use literals, constants and declared lengths",
            )
        return value.node

    def _bound(self, expression: tree.Expression | None, scope: Scope) -> Expr | None:
        return None if expression is None else self._number(expression, scope).value

    def _parameter(self, statement: tree.Parameter, scope: Scope, prefix: str) -> None:
        axes = self._array_axes(statement.axes, scope, statement.name)
        self._of_size(statement.name, axes, statement.span)
        self._off_rows("a parameter", axes, statement.span)
        lower, upper = self._bound(statement.lower, scope), self._bound(statement.upper, scope)
        if lower is not None and upper is not None and lower >= upper:
            raise Mistake(
                "E0413", f"nothing lies between {lower} and {upper}", statement.span, help="write (low, high)"
            )
        initial = parameters.initial(statement, lambda e: self._number(e, scope).value, lower, upper, axes)
        name = prefix + statement.name
        place = self._place(statement.span, scope)
        before = self.graph.at(place)
        leaf = self.graph.leaf("parameter", name, axes)
        node = parameters.constrained(self.graph, leaf, lower, upper)
        self.graph.at(before)
        value = Value(node, self.graph.ordered(axes), "float")
        self._bind(statement.name, value, statement.span, scope)
        limits = [None if bound is None else float(bound) for bound in (lower, upper)]
        self.parameters[name] = Parameter(name, axes, leaf, node, initial, limits[0], limits[1], place)
        self._name(name, value, place)

    def _of_size(self, name: str, axes: tuple[Axis, ...], span: Span) -> None:
        size = math.prod(int(axis.length) for axis in axes if isinstance(axis.length, Integer))
        if size > LARGEST:
            raise Mistake(
                "E0308",
                f"`{name}` would have {size} elements, and {LARGEST} are the most",
                span,
                sides=["   ".join(f"{axis.name}: {axis.length}" for axis in axes)],
                help="make an axis shorter, or multiply two smaller parameters",
            )

    def _off_rows(self, what: str, axes: tuple[Axis, ...], span: Span) -> None:
        if any(self.table.root(axis.name) == self.table.rows for axis in axes):
            raise Mistake(
                "E0309",
                f"{what} cannot lie along the row axis `{self.table.rows}`: minibatches cut it",
                span,
                help=f"write its length, for example axis {self.table.rows}: 100, and it is an axis like others",
            )
        for axis in axes:
            if not axis.length.is_Integer and not axis.length.is_Symbol:
                raise Mistake(
                    "E0309",
                    f"{what} cannot lie along `{axis.name}`: its length follows from what the data give",
                    span,
                    sides=[f"{axis.name} has length {axis.length}"],
                    help="write the lengths that it is made of, for example axis "
                    + ", ".join(f"{name}: 10" for name in sorted(s.name for s in axis.length.free_symbols)),
                )

    # --- noise and states

    def _noise(self, statement: tree.Noise, scope: Scope, prefix: str) -> None:
        axes = self._array_axes(statement.axes, scope, statement.name)
        self._of_size(statement.name, axes, statement.span)
        kind, values = distributions.drawn(statement.distribution, distributions.NOISE, lambda e: self._drawn(e, scope))
        name, place = prefix + statement.name, self._place(statement.span, scope)
        before = self.graph.at(place)
        leaf = self.graph.leaf("noise", name, axes)
        self.graph.at(before)
        self._bind(statement.name, Value(leaf, self.graph.ordered(axes), "float"), statement.span, scope)
        self.noise.append(Noise(name, axes, leaf, Initial(kind, tuple(float(value) for value in values)), place))
        self.spans[name] = place

    def _drawn(self, expression: tree.Expression, scope: Scope) -> Expr:
        """A number of a distribution."""
        try:
            return self._number(expression, scope).value
        except Mistake as mistake:
            told = mistake.diagnostic
            help = "draw from a fixed distribution and compute with it: mu + sigma * eps, of eps ~ normal(0, 1)"
            raise Mistake(told.code, told.message, told.span, told.sides, help) from None

    def _state(self, statement: tree.State, scope: Scope, prefix: str) -> None:
        axes = self._array_axes(statement.axes, scope, statement.name)
        self._of_size(statement.name, axes, statement.span)
        self._off_rows("a state", axes, statement.span)
        start = 0.0 if statement.initial is None else float(self._number(statement.initial, scope).value)
        name, place = prefix + statement.name, self._place(statement.span, scope)
        before = self.graph.at(place)
        leaf = self.graph.leaf("state", name, axes)
        self.graph.at(before)
        self._bind(statement.name, Value(leaf, self.graph.ordered(axes), "float"), statement.span, scope)
        self.states.append(State(name, axes, leaf, Initial("constant", (start,)), place))
        self.spans[name] = place


def constant_value(node: Constant) -> Value:
    return Value(node, (), "int" if node.value.is_Integer else "float")


def _defined_names(model: tree.Model) -> dict[str, Span]:
    """Where the model defines each name, the first time."""
    found: dict[str, Span] = {}
    for statement in model.statements:
        bare = getattr(statement, "value", True) is None
        if not bare and not isinstance(statement, tree.AxisDeclaration):
            for name, span in names.defined(statement):
                found.setdefault(name, span)
    return found

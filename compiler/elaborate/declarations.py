"""Statements: from a syntax tree to a Program.

One method for each kind of statement. A statement that fails leaves its name bound to nothing, so that its uses say no
more about it, and elaboration goes on with the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from sympy import Expr, Integer

from .. import tree
from ..elementary import as_float
from ..graph import (
    Axis,
    Constant,
    Graph,
    Initial,
    Input,
    Node,
    Noise,
    Objective,
    Parameter,
    Program,
    Scan,
    State,
    depends,
)
from ..source import Note, Span
from . import distributions, library, names, numbers, objectives, operations, parameters
from .arguments import axis_parameters
from .axes import Axes, split
from .expressions import Walker
from .mistakes import CallSite, Exhausted, Mistake, Poisoned, Report, did_you_mean, shown, written
from .scope import Bound, Function, Instance, Scope, Template, Value

LARGEST = 2**31
"""The most elements of one parameter."""

INSTANCES = 20_000
"""The most instances of layers in one model."""

DEPTH = 60
"""How deep layers may hold layers."""


class Elaboration:
    """The elaboration of one model in one mode, training or prediction; `program` is what it gives.

    Mistakes go to the report, which is looked at when every mode has been elaborated. The axes in `first` come first in
    memory.
    """

    def __init__(
        self,
        model: tree.Model,
        constants: Mapping[str, float],
        graph: Graph,
        report: Report,
        training: bool,
        first: Sequence[str] = (),
        prepare: Callable[[Program], Program] | None = None,
    ) -> None:
        self.model = model
        self.first = first
        self.prepare = prepare
        self.source = model.span.source
        self.report = report
        self.graph = graph
        self.training = training
        self.scope = Scope(ahead=_defined_names(model))
        self.overrides = dict(constants)
        self.parameters: dict[str, Parameter | None] = {}
        self.inputs: list[Input] = []
        self.noise: list[Noise] = []
        self.states: list[State] = []
        self.objectives: list[tuple[Objective, tree.Objective]] = []
        self.updates: dict[str, tree.Update] = {}  # those of the model itself
        self.outputs: dict[str, Node | None] = {}
        self.metrics: dict[str, Node | None] = {}
        self.named: dict[str, Node] = {}
        self.spans: dict[str, Span] = {}
        self.instances = 0
        self.failed = False
        self.stated: list[tree.Objective] = []

    def run(self) -> None:
        """Read the whole model. Exhausted where there are too many mistakes to go on."""
        self.table = Axes(self.model, self.graph, self.report, self.first)
        self.walker = Walker(self.source, self.graph, self.table, self.report, self.training, self.prepare)
        self._overridden()
        for statement in self.model.statements:
            self._statement(statement)
        self._finish()

    @property
    def scanned(self) -> tuple[str, ...]:
        """The axes along which there are scans, in the order of the model."""
        return tuple(dict.fromkeys(node.along.name for node in self.graph.nodes if isinstance(node, Scan)))

    def program(self) -> Program:
        """What has been read."""
        assert not self.failed, "a statement failed, and no mistake was told"
        order = sorted(self.table.all(), key=lambda axis: axis.name != self.table.rows)
        return Program(
            graph=self.graph,
            axes=tuple(order),
            rows=self.table.rows,
            parameters=tuple(parameter for parameter in self.parameters.values() if parameter is not None),
            inputs=tuple(self.inputs),
            objectives=tuple(objective for objective, _ in self.objectives),
            outputs=tuple((name, node) for name, node in self.outputs.items() if node is not None),
            metrics=tuple((name, node) for name, node in self.metrics.items() if node is not None),
            named=tuple(self.named.items()),
            spans=self.spans,
            noise=tuple(self.noise),
            states=tuple(self.states),
        )

    # --- statements

    def _statement(self, statement: tree.Statement) -> None:
        """Elaborate one statement of the model; a mistake in it is reported, and its name is bound to nothing."""
        self._guarded(statement, self.scope, partial(self._of_model, statement))

    def _of_model(self, statement: tree.Statement) -> None:
        match statement:
            case tree.AxisDeclaration() | tree.BatchAxis():
                return
            case tree.Input():
                self._input(statement)
            case tree.Update():
                self._update(statement)
            case tree.Constant():
                self._constant(statement)
            case tree.Use():
                self._use(statement)
            case tree.Objective():
                self._minimize(statement)
            case tree.Output():
                self._output(statement)
            case tree.Metric():
                self._metric(statement)
            case tree.Scan():
                self._scan(statement)
            case tree.Return():
                help = "write output and the value that the model gives"
                raise Mistake("E0220", "`return` stands outside a function", statement.span, help=help)
            case tree.Yield():
                help = "write output and the value that the model gives"
                raise Mistake("E0220", "`yield` stands outside a scan", statement.span, help=help)
            case _:
                self._in_scope(statement, self.scope, "")

    def _in_scope(self, statement: tree.Statement, scope: Scope, prefix: str) -> None:
        """What may stand in a model and in a layer alike. `prefix` is the instance's name with its dot."""
        match statement:
            case tree.Parameter():
                self._parameter(statement, scope, prefix)
            case tree.Noise():
                self._noise(statement, scope, prefix)
            case tree.State():
                self._state(statement, scope, prefix)
            case tree.Assignment():
                self._assignment(statement, scope, prefix)
            case tree.Definition():
                self._define(statement, scope, Function(statement, scope))
            case tree.Layer():
                self._define(statement, scope, Template(statement, scope))
            case tree.Constant():
                self._bind(statement.name, _constant_value(self._number(statement.value, scope)), statement.span, scope)
            case _:
                raise names.misplaced(statement, "layer")

    def _guarded(self, statement: tree.Statement, scope: Scope, action: Callable[[], None]) -> None:
        try:
            action()
        except Mistake as mistake:
            self.report.add(mistake, scope.site)
            self._poison(statement, scope)
        except Poisoned:
            self._poison(statement, scope)

    def _poison(self, statement: tree.Statement, scope: Scope) -> None:
        self.failed = True
        for name, _ in names.defined(statement):
            scope.names.setdefault(name, None)

    def _bind(self, name: str, bound: Bound, span: Span, scope: Scope) -> None:
        if name in scope.places:
            scope.names[name] = None
            raise names.twice(name, span, scope)
        scope.names[name] = bound
        scope.places[name] = span

    def _name(self, name: str, value: Value, span: Span) -> None:
        self.named[name] = self._whole(value)
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
        self._bind(statement.name, _constant_value(node), statement.span, self.scope)
        self.named[statement.name] = node
        self.spans[statement.name] = statement.span

    def _overridden(self) -> None:
        declared = [s.name for s in self.model.statements if isinstance(s, tree.Constant)]
        for name in sorted(set(self.overrides) - set(declared)):
            span = Span(self.source, 0, 0)
            help = did_you_mean(name, declared) or (
                f"its constants are {', '.join(declared)}" if declared else "it has none"
            )
            self.report.add(
                Mistake("E0411", f"the model has no constant `{name}` to be given a value", span, help=help)
            )

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

    def _update(self, statement: tree.Update) -> None:
        first = self.updates.setdefault(statement.state.name, statement)
        if first is not statement:
            raise objectives.twice(first, statement)
        value = self.walker.value(statement.value, self.scope)
        self.walker.updates.append(objectives.update(self.graph, statement, value, self.scope))

    # --- named values, functions, layers

    def _assignment(self, statement: tree.Assignment, scope: Scope, prefix: str) -> None:
        template = self._template(statement.value, scope)
        if template is not None:
            first = statement.names[0]
            if len(statement.names) > 1:
                message = f"`{template.layer.name}` makes one layer, and several names stand on the left"
                span = Span(first.span.source, first.span.start, statement.names[-1].span.end)
                help = f"write {first.name} = {written(statement.value.span)}, and a line for each"
                raise Mistake("E0406", message, span, help=help)
            self._bind(first.name, None, first.span, scope)
            scope.names[first.name] = self._instance(statement, template, scope, prefix + first.name)
            return
        values = self.walker.values(statement, scope)
        for name, value in zip(statement.names, values, strict=True):
            self._bind(name.name, value, name.span, scope)
        if None in values:
            raise Poisoned
        for name, value in zip(statement.names, values, strict=True):
            assert value is not None
            self._name(prefix + name.name, value, self._place(statement.span, scope))

    def _scan(self, statement: tree.Scan) -> None:
        for name in statement.names:
            self._bind(name, None, statement.span, self.scope)
        found = self.walker.scan(statement, self.scope)
        if found is None:
            raise Poisoned
        values, inner = found
        for name, value in zip(statement.names, values, strict=True):
            self.scope.names[name] = value
            self._name(name, value, statement.span)
        parts = [part for part in statement.body if isinstance(part, tree.Assignment)]
        places = {name.name: part.span for part in parts for name in part.names}
        for name, span in places.items():
            if inner[name].node.free:
                self._name(f"{statement.names[0]}.{name}", inner[name], span)

    def _template(self, expression: tree.Expression, scope: Scope) -> Template | None:
        """The layer that the expression makes an instance of, if it does."""
        head = expression.value if isinstance(expression, tree.Subscript) else expression
        if not isinstance(head, tree.Name):
            return None
        try:
            bound = scope.find(head.name)
        except KeyError:
            return None
        return bound if isinstance(bound, Template) else None

    def _instance(self, statement: tree.Assignment, template: Template, scope: Scope, name: str) -> Instance:
        layer = template.layer
        expression = statement.value
        items = expression.items if isinstance(expression, tree.Subscript) else ()
        given = self.walker.axes(items, scope, layer.name)
        site = CallSite(layer.name, expression.span, scope.site)
        inner = Scope(outer=template.scope, site=site)
        axis_parameters(layer.name, layer.axes, given, expression.span, inner)
        self.instances += 1
        deep = _depth(site) > DEPTH
        if deep or self.instances > INSTANCES:
            message = "layers hold layers too deep here" if deep else "this model makes too many layers"
            help = f"at most {DEPTH} stand in each other" if deep else f"at most {INSTANCES} are made"
            self.report.add(Mistake("E0480", message, expression.span, help=help), scope.site)
            raise Exhausted
        for part in layer.body:
            self._guarded(part, inner, partial(self._in_scope, part, inner, f"{name}."))
        return Instance(name, template, inner)

    def _define(self, statement: tree.Definition | tree.Layer, scope: Scope, bound: Bound) -> None:
        good = names.check(statement, scope, self.report) if scope.site is None else True
        self._bind(statement.name, bound if good else None, statement.span, scope)

    def _use(self, statement: tree.Use) -> None:
        found = library.scope(statement.library)
        if found is None:
            known = library.libraries()
            help = did_you_mean(statement.library, known) or f"there is {', '.join(known)}"
            self.scope.names.setdefault(statement.name, None)
            raise Mistake("E0203", f"there is no library `{statement.library}`", statement.span, help=help)
        if statement.name not in found.names:
            help = did_you_mean(statement.name, found.names) or f"it has {', '.join(sorted(found.names))}"
            raise Mistake(
                "E0203", f"the library `{statement.library}` has no `{statement.name}`", statement.span, help=help
            )
        self._bind(statement.name, found.names[statement.name], statement.span, self.scope)

    # --- objectives, outputs, metrics

    def _scalar(self, expression: tree.Expression, what: str) -> Value:
        value = self.walker.value(expression, self.scope)
        if value is None:
            raise Poisoned
        return self._is_scalar(value, expression.span, what)

    def _is_scalar(self, value: Value, span: Span, what: str) -> Value:
        if value.axes or value.type == "bool":
            text = written(span)
            raise Mistake(
                "E0420",
                f"{what} is one number, and this has axes"
                if value.axes
                else f"{what} is a number, and this is true or false",
                span,
                sides=[f"{text} {shown(value.axes)}: {value.type}"],
                help=f"write mean({text})",
            )
        return value

    def _minimize(self, statement: tree.Objective) -> None:
        name = statement.name or "loss"
        other = next((o for o in self.stated if (o.name or "loss") == name), statement)
        self.stated.append(statement)
        if other is not statement and None in (statement.name, other.name):
            message = "of several objectives each has a name"
            if statement.name is not None or other.name is not None:
                message = "two objectives are called `loss`, as one without a name is"
            help = f"write {statement.sense} another = ..."
            notes = [Note(other.span, "the other one")]
            raise Mistake("E0424", message, statement.span, help=help, notes=notes)
        value = self._scalar(statement.value, "an objective")
        before = self.graph.at(statement.value.span)
        node = value.node
        if statement.sense == "maximize":
            node = operations.negated(self.graph, node, statement.span)
        self.graph.at(before)
        # In prediction nothing is trained: the value may be a number there.
        if self.training and not depends(node, "parameter"):
            raise Mistake(
                "E0421",
                "there is nothing to train: this depends on no parameter",
                statement.value.span,
                help="declare what is to be found: param w = 0",
            )
        if statement.name is not None:
            self._bind(name, value, statement.span, self.scope)
            self._name(name, value, statement.span)
        self.spans.setdefault(name, statement.span)
        self.objectives.append((Objective(name, node, (), statement.sense, statement.span), statement))

    def _poisoned(self, text: str) -> bool:
        head = text.split(".")[0]
        return head in self.scope.names and self.scope.names[head] is None

    def _named_or_given(self, statement: tree.Output | tree.Metric) -> tuple[Value, Span]:
        """The value of an output or a metric, which is one of its own or a value that has the name already."""
        if statement.value is None:
            bound = self.walker.bound(statement.name, statement.span, self.scope)
            if not isinstance(bound, Value):
                raise Mistake(
                    "E0210", f"`{statement.name}` is not a value", statement.span, help="apply it to an input first"
                )
            return bound, statement.span
        value = self.walker.value(statement.value, self.scope)
        self._bind(statement.name, value, statement.span, self.scope)
        if value is None:
            raise Poisoned
        self._name(statement.name, value, statement.span)
        return value, statement.value.span

    def _output(self, statement: tree.Output) -> None:
        if statement.name in self.outputs:
            help = "name each output once"
            raise Mistake("E0201", f"the output `{statement.name}` stands here twice", statement.span, help=help)
        self.outputs[statement.name] = None
        value, _ = self._named_or_given(statement)
        before = self.graph.at(statement.span)
        whole = self._whole(value)
        self.outputs[statement.name] = as_float(self.graph, whole) if value.type == "float" else whole
        self.graph.at(before)

    def _metric(self, statement: tree.Metric) -> None:
        if statement.name in self.metrics:
            help = "name each metric once"
            raise Mistake("E0201", f"the metric `{statement.name}` stands here twice", statement.span, help=help)
        self.metrics[statement.name] = None
        value, span = self._named_or_given(statement)
        self.metrics[statement.name] = self._is_scalar(value, span, "a metric").node

    def _finish(self) -> None:
        """What can be said only when all has been read."""
        if not self.stated and not self.outputs:
            help = "write minimize and what is to be made small, or output and a value"
            self.report.add(Mistake("E0423", "the model has nothing to compute", Span(self.source, 0, 0), help=help))
        over = [objectives.over(s.over, self.parameters, self._poisoned, self.report) for s in self.stated]
        chosen = {id(statement): names for statement, names in zip(self.stated, over, strict=True)}
        self.objectives = [(self._whole_objective(o, s, chosen[id(s)]), s) for o, s in self.objectives]
        for axis in self.table.names():
            if self.table.waits(axis):
                continue
            try:
                self.table.axis(axis, self.table.first(axis))
            except Mistake as mistake:
                self.report.add(mistake)
            except Poisoned:
                continue

    def _whole_objective(self, objective: Objective, statement: tree.Objective, chosen: tuple[str, ...]) -> Objective:
        """The objective with what it trains, and what its steps update."""
        updates = objectives.updates_of(self.graph, objective.value, self.walker.updates, self.report)
        trained = [p for p in self.parameters.values() if p is not None and p.name in chosen]
        known = self.training and statement.over is not None and len(trained) == len(chosen) > 0
        if known and not objectives.reaches(objective.value, trained):
            message = "there is nothing to train: no derivative of this reaches the parameters behind `over`"
            help = "check their names, and what stands in stop_gradient"
            self.report.add(Mistake("E0421", message, statement.value.span, help=help))
        return replace(objective, over=chosen, updates=updates)


def _constant_value(node: Constant) -> Value:
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


def _depth(site: CallSite | None) -> int:
    depth = 0
    while site is not None:
        depth, site = depth + 1, site.outer
    return depth

"""Statements: from a syntax tree to a Program.

One method for each kind of statement. A statement that fails leaves its name bound to nothing, so that its uses say no
more about it, and elaboration goes on with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from .. import tree
from ..elementary import as_float
from ..graph import (
    Graph,
    Node,
    Objective,
    Program,
    Scan,
    depends,
)
from ..source import Note, Span
from . import library, names, objectives, operations
from .arguments import axis_parameters
from .leaves import Leaves, constant_value
from .mistakes import CallSite, Exhausted, Mistake, Poisoned, Report, did_you_mean, shown, written
from .scope import Bound, Function, Instance, Scope, Template, Value

INSTANCES = 20_000
"""The most instances of layers in one model."""

DEPTH = 60
"""How deep layers may hold layers."""


class Elaboration(Leaves):
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
        super().__init__(model, constants, graph, report, training, first, prepare)
        self.model = model
        self.training = training
        self.objectives: list[tuple[Objective, tree.Objective]] = []
        self.stated: list[tree.Objective] = []  # with those that have no value
        self.updates: dict[str, tree.Update] = {}  # those of the model itself
        self.outputs: dict[str, Node | None] = {}
        self.metrics: dict[str, Node | None] = {}
        self.instances = 0
        self.failed = False

    def run(self) -> None:
        """Read the whole model. Exhausted where there are too many mistakes to go on."""
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
                self._bind(statement.name, constant_value(self._number(statement.value, scope)), statement.span, scope)
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
        self._bind(statement.name, library.taken(statement), statement.span, self.scope)

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


def _depth(site: CallSite | None) -> int:
    depth = 0
    while site is not None:
        depth, site = depth + 1, site.outer
    return depth

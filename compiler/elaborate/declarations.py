"""Statements: from a syntax tree to a Program.

One method for each kind of statement. A statement that fails leaves its name bound to nothing, so that its uses say no
more about it, and elaboration goes on with the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sympy import Expr, Integer

from .. import tree
from ..elementary import as_float
from ..graph import (
    Axis,
    Constant,
    Graph,
    Input,
    Node,
    Objective,
    Parameter,
    Program,
)
from ..source import Note, Span
from . import calls, library, names, numbers, operations, parameters
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
    """The elaboration of one model; `program` is what it gives."""

    def __init__(
        self,
        model: tree.Model,
        constants: Mapping[str, float],
        prepare: Callable[[Program], Program] | None = None,
    ) -> None:
        self.model = model
        self.prepare = prepare
        self.source = model.span.source
        self.report = Report(self.source)
        self.graph = Graph()
        self.scope = Scope(ahead=_defined_names(model))
        self.overrides = dict(constants)
        self.parameters: dict[str, Parameter | None] = {}
        self.inputs: list[Input] = []
        self.objectives: list[Objective] = []
        self.outputs: dict[str, Node | None] = {}
        self.metrics: dict[str, Node | None] = {}
        self.named: dict[str, Node] = {}
        self.spans: dict[str, Span] = {}
        self.instances = 0
        self.failed = False
        self._objective: tree.Objective | None = None

    def program(self) -> Program:
        """The whole model. ModelError where it has mistakes."""
        try:
            self.table = Axes(self.model, self.graph, self.report)
            self.walker = Walker(self.source, self.graph, self.table, self.report, self.prepare)
            self._overridden()
            for statement in self.model.statements:
                self._statement(statement)
            self._finish()
        except Exhausted:
            self.failed = True
        self.report.check()
        assert not self.failed, "a statement failed, and no mistake was told"
        order = sorted(self.table.all(), key=lambda axis: self.graph.rank(axis.name))
        return Program(
            graph=self.graph,
            axes=tuple(order),
            rows=self.table.rows,
            parameters=tuple(parameter for parameter in self.parameters.values() if parameter is not None),
            inputs=tuple(self.inputs),
            objectives=tuple(self.objectives),
            outputs=tuple((name, node) for name, node in self.outputs.items() if node is not None),
            metrics=tuple((name, node) for name, node in self.metrics.items() if node is not None),
            named=tuple(self.named.items()),
            spans=self.spans,
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
            case tree.Noise():
                raise calls.later("`noise`", statement.span)
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
                self.scope.names.update(dict.fromkeys(statement.names))
                raise calls.later("`scan`", statement.axis.span)
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
            case tree.Assignment():
                self._assignment(statement, scope, prefix)
            case tree.Definition():
                self._define(statement, scope, Function(statement, scope))
            case tree.Layer():
                self._define(statement, scope, Template(statement, scope))
            case tree.Constant():
                self._bind(statement.name, _constant_value(self._number(statement.value, scope)), statement, scope)
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
        name = getattr(statement, "name", None)
        if isinstance(name, str):
            scope.names.setdefault(name, None)

    def _bind(self, name: str, bound: Bound, statement: tree.Statement, scope: Scope) -> None:
        if name in scope.places:
            scope.names[name] = None
            raise names.twice(name, statement, scope)
        scope.names[name] = bound
        scope.places[name] = getattr(statement, "name_span", statement.span)

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
        for item in items:
            axis = self.walker.axis(item, scope)
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
        self._bind(statement.name, value, statement, self.scope)
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
        self._bind(statement.name, _constant_value(node), statement, self.scope)
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
        size = math.prod(int(axis.length) for axis in axes if isinstance(axis.length, Integer))
        if size > LARGEST:
            raise Mistake(
                "E0308",
                f"`{statement.name}` would have {size} elements, and {LARGEST} are the most",
                statement.span,
                sides=["   ".join(f"{axis.name}: {axis.length}" for axis in axes)],
                help="make an axis shorter, or multiply two smaller parameters",
            )
        if any(self.table.root(axis.name) == self.table.rows for axis in axes):
            raise Mistake(
                "E0309",
                f"a parameter cannot lie along the row axis `{self.table.rows}`: minibatches cut it",
                statement.span,
                help=f"write its length, for example axis {self.table.rows}: 100, and it is an axis like others",
            )
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
        self._bind(statement.name, value, statement, scope)
        limits = [None if bound is None else float(bound) for bound in (lower, upper)]
        self.parameters[name] = Parameter(name, axes, leaf, node, initial, limits[0], limits[1], place)
        self._name(name, value, place)

    # --- named values, functions, layers

    def _assignment(self, statement: tree.Assignment, scope: Scope, prefix: str) -> None:
        template = self._template(statement.value, scope)
        if template is not None:
            self._bind(statement.name, None, statement, scope)
            scope.names[statement.name] = self._instance(statement, template, scope, prefix + statement.name)
            return
        value = self.walker.value(statement.value, scope)
        self._bind(statement.name, value, statement, scope)
        if value is None:
            raise Poisoned
        self._name(prefix + statement.name, value, self._place(statement.span, scope))

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
        inner.axes.update(axis_parameters(layer.name, layer.axes, given, expression.span))
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
        self._bind(statement.name, bound if good else None, statement, scope)

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
        self._bind(statement.name, found.names[statement.name], statement, self.scope)

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
        if self._objective is not None:
            mistake = calls.later("more than one objective", statement.span)
            note = Note(self._objective.span, "the first one")
            raise Mistake("E0490", mistake.diagnostic.message, statement.span, notes=[note])
        self._objective = statement
        value = self._scalar(statement.value, "an objective")
        name = statement.name or "loss"
        before = self.graph.at(statement.value.span)
        node = value.node
        if statement.sense == "maximize":
            node = operations.negated(self.graph, node, statement.span)
        self.graph.at(before)
        if not node.trained:
            raise Mistake(
                "E0421",
                "there is nothing to train: this depends on no parameter",
                statement.value.span,
                help="declare what is to be found: param w = 0",
            )
        if statement.name is not None:
            self._bind(name, value, statement, self.scope)
            self._name(name, value, statement.span)
        self.spans.setdefault(name, statement.span)
        self.objectives.append(Objective(name, node, (), statement.sense, statement.span))

    def _over(self, patterns: tuple[tree.Pattern, ...] | None) -> tuple[str, ...]:
        if patterns is None:
            return tuple(self.parameters)
        chosen: set[str] = set()
        for pattern in patterns:
            found = [name for name in self.parameters if _matches(name, pattern.text)]
            if not found and not self._poisoned(pattern.text):
                stem = pattern.text.removesuffix(".*")
                heads = {name.rpartition(".")[0] + ".*" for name in self.parameters if "." in name}
                if f"{stem}.*" in heads and stem == pattern.text:
                    help: str | None = f"write {stem}.* for all parameters of `{stem}`"
                else:
                    help = did_you_mean(pattern.text, [*self.parameters, *heads])
                self.report.add(
                    Mistake(
                        "E0422",
                        f"no parameter is called `{pattern.text}`",
                        pattern.span,
                        help=help or f"the parameters are {', '.join(self.parameters)}",
                    )
                )
            chosen.update(found)
        return tuple(name for name in self.parameters if name in chosen)

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
        self._bind(statement.name, value, statement, self.scope)
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
        if self._objective is None and not self.outputs:
            help = "write minimize and what is to be made small, or output and a value"
            self.report.add(Mistake("E0423", "the model has nothing to compute", Span(self.source, 0, 0), help=help))
        if self._objective is not None:
            over = self._over(self._objective.over)
            self.objectives = [Objective(o.name, o.value, over, o.sense, o.span) for o in self.objectives]
        for axis in self.table.names():
            try:
                self.table.axis(axis, self.table.first(axis))
            except Mistake as mistake:
                self.report.add(mistake)
            except Poisoned:
                continue


def _constant_value(node: Constant) -> Value:
    return Value(node, (), "int" if node.value.is_Integer else "float")


def _defined_names(model: tree.Model) -> dict[str, Span]:
    """Where the model defines each name, the first time."""
    found: dict[str, Span] = {}
    for statement in model.statements:
        name = getattr(statement, "name", None)
        bare = getattr(statement, "value", True) is None
        if isinstance(name, str) and not bare and not isinstance(statement, tree.AxisDeclaration):
            found.setdefault(name, getattr(statement, "name_span", statement.span))
    return found


def _matches(name: str, pattern: str) -> bool:
    if pattern.endswith(".*"):
        return name.startswith(pattern[:-1])
    return pattern in ("*", name)


def _depth(site: CallSite | None) -> int:
    depth = 0
    while site is not None:
        depth, site = depth + 1, site.outer
    return depth

"""Expressions: from syntax to nodes.

`Walker.value` walks an expression without recursion: each construct is a generator that yields the parts that it needs
and is sent their values, and one loop runs them all. So neither a sum of 5,000 terms nor a tower of calls can break it,
and the span that new nodes carry, the notes of a mistake and the budgets stand in one place, the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

from .. import functions, tree
from ..graph import Axis, Constant, Graph, Program, data_length, placeholder, reachable
from ..source import Source, Span
from . import calls, derivatives, numbers, objectives, operations, rearrange, scans, selection
from .arguments import assigned, axis_parameters, defined, factors, names_of, not_one, placed, recurring, unknown
from .axes import Axes
from .calls import Applied
from .mistakes import (
    CallSite,
    Exhausted,
    Mistake,
    Poisoned,
    Report,
    in_words,
    names,
    written,
)
from .operations import Operand
from .scope import Bound, Function, Instance, Scope, Several, Template, Value, Word, kind

NODES = 200_000
"""The most nodes that one model may have before simplification."""

STEPS = 60_000
"""The most expressions that are visited inside of functions, each as often as its function is called."""

Walk = Generator[tuple[tree.Expression, Scope], Value | Several | None, Value | Several]
"""A construct on its way: it asks for the value of an expression in a scope, and is sent it; None where it has none."""

OneValue = Generator[tuple[tree.Expression, Scope], Value | Several | None, Value]
"""The same of a construct that gives one value."""
Frame = tuple[Generator[Any, Any, Any], Span | None, CallSite | None, tuple[Scope, str, Span] | None]
"""A walk, where it stands, in which calls, and in which body of a scan under which name its value is seen."""

_0, _1 = placeholder(0), placeholder(1)


class Walker:
    """Elaborates the expressions of one model into `graph`."""

    def __init__(
        self,
        source: Source,
        graph: Graph,
        table: Axes,
        report: Report,
        training: bool,
        prepare: Callable[[Program], Program] | None = None,
    ) -> None:
        self.source = source
        self.graph = graph
        self.table = table
        self.report = report
        self.training = training
        self.asked = False  # whether the model speaks of `training`
        self.updates: list[objectives.Update] = []
        self.prepare = prepare
        self.steps = 0
        self.derived = 0  # nodes that derivatives have made
        self.most = len(graph.nodes) + NODES

    # --- the loop

    def value(self, expression: tree.Expression, scope: Scope) -> Value | None:
        """The value of the expression, or None where it has a mistake, which is then in the report."""
        found: Value | Several | None = self._run(self._frame(expression, scope, None))
        if isinstance(found, Several):
            self.report.add(not_one(found, expression), scope.site)
            return None
        return found

    def values(self, statement: tree.Assignment, scope: Scope) -> tuple[Value | None, ...]:
        """The value of each name on the left; None where it has a mistake, which is then in the report."""
        return self._assigned(statement, self._run(self._frame(statement.value, scope, None)), scope)

    def _assigned(
        self, statement: tree.Assignment, found: Value | Several | None, scope: Scope
    ) -> tuple[Value | None, ...]:
        try:
            return assigned(statement, found)
        except Mistake as mistake:
            self.report.add(mistake, scope.site)
            return (None,) * len(statement.names)

    def scan(self, statement: tree.Scan, scope: Scope) -> tuple[tuple[Value, ...], dict[str, Value]] | None:
        """What the scan yields and the names of its body, or None where it has a mistake."""
        walk = scans.scan(self.graph, self.axis, statement, scope)
        found: tuple[tuple[Value, ...], dict[str, Value]] | None = self._run((walk, statement.span, scope.site, None))
        return found

    def _run(self, first: Frame) -> Any:
        """What the first walk gives in the end, or None where it has a mistake."""
        before = self.graph.at(None)
        stack = [first]
        sent: Any = None
        while stack:
            walk, span, site, seen = stack[-1]
            self.graph.at(span)
            try:
                part, inner = walk.send(sent)
            except StopIteration as done:
                sent = done.value if seen is None else self._seen(done.value, seen, site)
            except Poisoned:
                sent = None
            except Mistake as mistake:
                self.report.add(mistake, site)
                sent = None
            else:
                self._spend(part.span, inner)
                stack.append(self._frame(part, inner, span))
                sent = None
                continue
            stack.pop()
        self.graph.at(before)
        return sent

    def _seen(
        self, value: Value | Several | None, where: tuple[Scope, str, Span], site: CallSite | None
    ) -> Value | Several | None:
        try:
            if isinstance(value, Several):
                seen = (None if each is None else scans.seen(each, *where) for each in value.values)
                return Several(value.name, tuple(seen))
            return None if value is None else scans.seen(value, *where)
        except Mistake as mistake:
            self.report.add(mistake, site)
            return None

    def _frame(self, expression: tree.Expression, scope: Scope, outer: Span | None) -> Frame:
        own = expression.span.source is self.source
        name = expression.name if isinstance(expression, tree.Name) else "value"
        return (
            self._visit(expression, scope),
            expression.span if own else outer or _model_place(scope, self.source),
            scope.site,
            (scope, name, expression.span) if scope.loops else None,
        )

    def _spend(self, span: Span, scope: Scope) -> None:
        self.steps += scope.site is not None
        if self.steps > STEPS or len(self.graph.nodes) > self.most:
            raise self._exhausted(
                "this model is too large once its functions are written out",
                f"at most {STEPS} operations are inlined, and {NODES} kept; name a value instead of calling again",
                span,
                scope,
            )

    def _exhausted(self, message: str, help: str, span: Span, scope: Scope) -> Exhausted:
        """The end of elaboration, with the mistake of what is too large."""
        self.report.add(Mistake("E0480", message, span, help=help), scope.site)
        return Exhausted()

    # --- constructs

    def _visit(self, expression: tree.Expression, scope: Scope) -> Walk:
        match expression:
            case tree.Number():
                return self._number(expression)
            case tree.Boolean():
                return Value(self.graph.constant(int(expression.value)), (), "bool")
            case tree.Text():
                raise _no_value(expression.span)
            case tree.Name():
                return self._name(expression, scope)
            case tree.Unary():
                return (yield from self._unary(expression, scope))
            case tree.Binary():
                return (yield from self._binary(expression, scope))
            case tree.Conditional():
                parts = (expression.condition, expression.yes, expression.no)
                operands = yield from self._operands(parts, scope)
                return operations.conditional(self.graph, operands, expression.span)
            case tree.Pipe():
                argument = tree.Argument(expression.argument.span, None, expression.argument)
                return (yield from self._apply(expression.function, (argument,), expression, scope))
            case tree.Call():
                return (yield from self._apply(expression.function, expression.arguments, expression, scope))
            case tree.Subscript():
                return (yield from self._subscript(expression, scope))

    def _operands(
        self, parts: Sequence[tree.Expression], scope: Scope
    ) -> Generator[tuple[tree.Expression, Scope], Value | Several | None, tuple[Operand, ...]]:
        """The values of the parts; Poisoned, after all have been visited, where one has none."""
        found: list[Operand] = []
        for part in parts:
            value = yield part, scope
            if isinstance(value, Several):
                self.report.add(not_one(value, part), scope.site)
            elif value is not None:
                found.append(Operand(value, part.span))
        if len(found) < len(parts):
            raise Poisoned
        return tuple(found)

    def _number(self, expression: tree.Number) -> Value:
        try:
            number = numbers.literal(expression.text)
        except numbers.NoValue as reason:
            raise operations.no_value(reason, expression.span) from None
        whole = expression.text.isdigit()
        return Value(self.graph.constant(number), (), "int" if whole and number.is_Integer else "float")

    def _name(self, expression: tree.Name, scope: Scope) -> Value:
        bound = self.bound(expression.name, expression.span, scope)
        if isinstance(bound, Value):
            return bound
        if isinstance(bound, Word):
            raise _no_value(expression.span)
        wanted = "x |> " + expression.name if isinstance(bound, (Instance, Function)) else "fc = " + expression.name
        raise Mistake(
            "E0210",
            f"`{expression.name}` is {kind(bound)}, not a value",
            expression.span,
            help=f"apply it: {wanted}" if not isinstance(bound, Template) else f"make one of it first: {wanted}",
        )

    def bound(self, name: str, span: Span, scope: Scope) -> Bound:
        """What the name means here. Mistake where it means nothing, Poisoned where its own mistake has been told."""
        try:
            bound = scope.find(name)
        except KeyError:
            if name == "pi":
                return Value(self.graph.constant(numbers.PI), (), "float")
            if name == "training":
                self.asked = True
                return Value(self.graph.constant(int(self.training)), (), "bool")
            if self.table.knows(scope.axis(name)):
                help = f"index[{name}] counts along it, size[{name}] is its length"
                raise Mistake("E0210", f"`{name}` is an axis, not a value", span, help=help) from None
            raise unknown(name, span, scope) from None
        if bound is None:
            raise Poisoned
        return bound

    def _unary(self, expression: tree.Unary, scope: Scope) -> Walk:
        (operand,) = yield from self._operands([expression.operand], scope)
        if expression.operator == "not":
            value = operations.truth(operand, "`not`")
            return Value(operations.negation(self.graph, value.node), value.axes, "bool")
        value = operations.number(operand, "`-`")
        node = operations.negated(self.graph, value.node, expression.span)
        return Value(node, value.axes, value.type)

    def _binary(self, expression: tree.Binary, scope: Scope) -> Walk:
        operands = yield from self._operands([expression.left, expression.right], scope)
        operator = expression.operator
        if operator == "@":
            return self._matrix_product(operands, expression.span)
        if operator in ("and", "or"):
            left, right = (operations.truth(operand, f"`{operator}`").node for operand in operands)
            node = (
                operations.both(self.graph, left, right)
                if operator == "and"
                else operations.either(self.graph, left, right)
            )
            return Value(node, operations.meet(self.graph, operands, expression.span), "bool")
        if operator in COMPARISONS:
            return self._comparison(operator, operands, expression.span)
        left, right = (operations.number(operand, f"`{operator}`").node for operand in operands)
        axes = operations.meet(self.graph, operands, expression.span)
        node = operations.arithmetic(
            self.graph, operator, left, right, expression.right.span if operator == "/" else expression.span
        )
        whole = operator in "+-*" and all(operand.value.type == "int" for operand in operands)
        return Value(node, axes, "int" if whole else "float")

    def _matrix_product(self, operands: tuple[Operand, ...], span: Span) -> Value:
        left, right = (operations.number(operand, "`@`") for operand in operands)
        axes = operations.meet(self.graph, operands, span)
        shared = tuple(axis for axis in axes if left.axis(axis.name) and right.axis(axis.name))
        if len(shared) != 1:
            texts = [written(operand.span) for operand in operands]
            product = " * ".join(texts)
            if shared:
                help = f"say which to sum over: sum[{shared[-1].name}]({product})"
            else:
                help = f"write {product} for the product without a sum; to sum, both must have the axis"
            raise Mistake(
                "E0321",
                f"`@` needs exactly one shared axis, and these share {in_words(len(shared))}",
                span,
                sides=operations.sides(operands, f"shared: {names(shared) or 'none'}"),
                help=help,
            )
        node = self.graph.contract([left.node, right.node], shared)
        return Value(node, calls.left_over(axes, shared), "float")

    def _comparison(self, operator: str, operands: tuple[Operand, ...], span: Span) -> Value:
        left, right = (operand.value for operand in operands)
        axes = operations.meet(self.graph, operands, span)
        if "bool" in (left.type, right.type):
            if left.type != right.type or operator not in ("==", "!="):
                raise Mistake(
                    "E0403",
                    f"`{operator}` cannot compare these: one is true or false",
                    span,
                    sides=["   ".join(f"{operand.side}: {operand.value.type}" for operand in operands)],
                    help="truth values are compared with each other, by == and !=",
                )
        elif left.index and right.index and self.table.root(left.index.name) != self.table.root(right.index.name):
            raise Mistake(
                "E0342",
                "these count along different axes",
                span,
                sides=[
                    f"{written(operands[0].span)} indexes {left.index.name}   "
                    f"{written(operands[1].span)} indexes {right.index.name}"
                ],
                help="compare positions of one axis",
            )
        if isinstance(left.node, Constant) and isinstance(right.node, Constant):
            holds = numbers.compare(operator, left.node.value, right.node.value)
            return Value(self.graph.constant(int(holds)), axes, "bool")
        nodes = [left.node, right.node]
        if operator in ("==", "!="):
            nodes.sort(key=lambda node: node.id)
        return Value(self.graph.map(COMPARISONS[operator], nodes), axes, "bool")

    # --- brackets

    def axis(self, item: tree.AxisName, scope: Scope) -> Axis:
        """The axis that stands in brackets."""
        if item.rest:
            help = f"name one axis; `*{item.name}` stands for any number of them"
            raise Mistake("E0337", "several axes cannot stand here", item.span, help=help)
        name = scope.axis(item.name)
        if not self.table.knows(name) and defined(name, scope):
            bound = scope.find(name)
            has = f"; its axes are {names(bound.axes)}" if isinstance(bound, Value) and bound.axes else ""
            raise Mistake("E0300", f"`{name}` is not an axis", item.span, help=f"it is {kind(bound)}{has}")
        return self.table.axis(name, item.span)

    def _given(self, item: tree.AxisName, scope: Scope) -> Axis:
        """The axis that is given to a function; its length may be told by what stands inside, as in
        `sum[f](flatten[(h, w) -> f](x))`."""
        name = scope.axis(item.name)
        if self.table.knows(name) and self.table.waits(name):
            return Axis(name, data_length(name))
        return self.axis(item, scope)

    def axes(
        self,
        items: Sequence[tree.SubscriptItem],
        scope: Scope,
        what: str,
        of: Callable[[tree.AxisName, Scope], Axis] | None = None,
    ) -> tuple[Axis, ...]:
        """The axes in the brackets of `what`, each once, as `of` gives them."""
        found: dict[str, Axis] = {}
        for item in items:
            if isinstance(item, tree.ValueName):
                raise _dotted(item, f"{what}[k]")
            if not isinstance(item, tree.AxisName):
                raise Mistake(
                    "E0330", f"the brackets of `{what}` hold axes, and this is none", item.span, help=f"{what}[k]"
                )
            for axis in self.each(item, scope, of):
                if axis.name in found:
                    base = axis.name.rstrip(PRIME)
                    again = what in calls.RULES or what in calls.ARRAYS
                    help = "name each axis once" if again else f"a copy is another axis: axis {base}2 like {base}"
                    raise Mistake("E0334", f"the axis `{axis.name}` stands here twice", item.span, help=help)
                found[axis.name] = axis
        return tuple(found.values())

    def each(
        self, item: tree.AxisName, scope: Scope, of: Callable[[tree.AxisName, Scope], Axis] | None = None
    ) -> tuple[Axis, ...]:
        """The axis that stands in brackets, as `of` gives it, or those that a starred name stands for."""
        if not item.rest:
            return ((of or self.axis)(item, scope),)
        return tuple(self.table.axis(name, item.span) for name in self.names(item, scope))

    def names(self, item: tree.AxisName, scope: Scope) -> tuple[str, ...]:
        """The names of these axes in the model."""
        if not item.rest:
            return (scope.axis(item.name),)
        found = scope.group(item.name)
        if found is None:
            message = f"`*{item.name}` stands for no axes here"
            help = f"the last axis parameter of a layer or a def may have a star: layer Dropout[*{item.name}]:"
            raise Mistake("E0337", message, item.span, help=help)
        return found

    def _subscript(self, expression: tree.Subscript, scope: Scope) -> Walk:
        subject = expression.value
        if isinstance(subject, tree.Name) and not defined(subject.name, scope):
            if subject.name in calls.ARRAYS:
                axes = self.axes(expression.items, scope, subject.name)
                return calls.array(self.graph, subject.name, axes, expression.span)
            if subject.name in calls.LATER:
                raise calls.later(f"`{subject.name}`", expression.span)
            if subject.name in (*calls.RULES, *calls.DERIVATIVES, *rearrange.RULES):
                raise Mistake(
                    "E0210",
                    f"`{subject.name}` is a function, not a value",
                    expression.span,
                    help=f"call it: {written(expression.span)}(...)",
                )
        (operand,) = yield from self._operands([subject], scope)
        renames = [item for item in expression.items if isinstance(item, tree.Rename)]
        for item in expression.items:
            if isinstance(item, tree.Rename):
                continue
            operand = Operand((yield from self._select(operand, item, scope)), expression.span)
        if renames:
            pairs = [self._pair(item, scope) for item in renames]
            value = selection.renamed(self.graph, self.table, operand, pairs, expression.span)
            operand = Operand(value, expression.span)
        return operand.value

    def _select(self, subject: Operand, item: tree.SubscriptItem, scope: Scope) -> OneValue:
        match item:
            case tree.At():
                name = scope.axis(item.axis.name)
                (index,) = yield from self._operands([item.index], scope)
                return selection.at(self.graph, self.table, subject, name, index, item.span)
            case tree.Slice():
                name = scope.axis(item.axis.name)
                parts = [part for part in (item.start, item.stop, item.step) if part is not None]
                found = list((yield from self._operands(parts, scope)))
                bounds = tuple(None if p is None else found.pop(0) for p in (item.start, item.stop, item.step))
                return selection.part(self.graph, subject, name, bounds, item.span)
            case tree.ValueName():
                raise _dotted(item, f"{written(subject.span)}[k = 0]")
            case tree.AxisName():
                raise Mistake(
                    "E0348",
                    f"`{item.name}` alone selects nothing",
                    item.span,
                    sides=[subject.side],
                    help=f"write {item.name} = 0 for a position, {item.name} -> {item.name}' for a renaming",
                )
            case _:
                help = "a window is a function: window[t: r](x); and so is flatten: flatten[(h, w) -> f](x)"
                raise Mistake("E0348", f"`{written(item.span)}` selects nothing", item.span, [subject.side], help)

    def _pair(self, item: tree.Rename, scope: Scope) -> tuple[str, Axis]:
        if len(item.before) != 1 or len(item.after) != 1:
            several = item.before if len(item.before) > 1 else item.after
            name = "flatten" if several is item.before else "split"
            help = f"write {name}[{written(item.span)}](...)"
            raise Mistake("E0348", f"a renaming has one axis on each side, and `{name}` has more", item.span, help=help)
        before, after = item.before[0], item.after[0]
        if before.rest:
            self.axis(before, scope)
        if not self.table.knows(scope.axis(after.name)):
            like = f"axis {after.name.rstrip(PRIME)} like {before.name}"
            help = f"a prime makes a copy: {before.name}'; or declare one: {like}"
            raise Mistake("E0300", f"there is no axis `{after.name}`", after.span, help=help)
        return scope.axis(before.name), self.axis(after, scope)

    # --- calls

    def _apply(
        self,
        function: tree.Expression,
        arguments: tuple[tree.Argument, ...],
        whole: tree.Call | tree.Pipe,
        scope: Scope,
    ) -> Walk:
        items: tuple[tree.SubscriptItem, ...] | None = None
        named = function
        if isinstance(function, tree.Subscript):
            named, items = function.value, function.items
        if not isinstance(named, tree.Name):
            help = None
            if isinstance(whole, tree.Pipe):
                help = "after |> stands the name of a function"
                if isinstance(function, tree.Call):
                    given = [whole.argument, *(argument.value for argument in function.arguments)]
                    help = f"write {written(function.function.span)}({', '.join(written(e.span) for e in given)})"
            raise Mistake("E0211", "this is not a function", function.span, help=help)
        if not defined(named.name, scope):
            if named.name in calls.RULES:
                return (yield from self._rule(named, items, arguments, whole, scope))
            if named.name in rearrange.RULES:
                return (yield from self._rearranged(named.name, items or (), arguments, whole.span, scope))
            if named.name in calls.DERIVATIVES:
                return (yield from self._derivative(named, items, arguments, whole, scope))
            if named.name in calls.LATER:
                raise calls.later(f"`{named.name}`", whole.span)
            if named.name in calls.ARRAYS:
                raise Mistake(
                    "E0211", f"`{named.name}` takes axes, and no arguments", whole.span, help=f"write {named.name}[k]"
                )
        try:
            bound = self.bound(named.name, named.span, scope)
        except (Mistake, Poisoned):
            yield from self._visited(arguments, scope)
            raise
        match bound:
            case Function():
                return (yield from self._inline(bound, named.name, items, arguments, whole.span, scope))
            case Instance():
                method = bound.scope.names.get("call")
                if isinstance(method, Function):
                    return (yield from self._inline(method, named.name, items, arguments, whole.span, scope))
                if "call" in bound.scope.names:
                    raise Poisoned
                help = "give its layer one: def call(x[d]) = ..."
                raise Mistake("E0211", f"`{named.name}` has no `call`", named.span, help=help)
            case Template():
                raise Mistake(
                    "E0212",
                    f"`{named.name}` is a layer, and has no parameters until one is made",
                    function.span,
                    help=f"make one first: fc = {written(function.span)}, then use fc",
                )
        raise Mistake(
            "E0211",
            f"`{named.name}` is a value, not a function",
            named.span,
            help=f"to multiply, write {named.name} * (...)",
        )

    def _visited(
        self, arguments: tuple[tree.Argument, ...], scope: Scope
    ) -> Generator[tuple[tree.Expression, Scope], Value | Several | None, None]:
        """Look at arguments whose function is in error, for mistakes of their own."""
        for argument in arguments:
            yield argument.value, scope

    def _positional(self, function: tree.Name, arguments: tuple[tree.Argument, ...]) -> None:
        """Mistake where an argument of one of the language's functions is given by name."""
        for argument in arguments:
            if argument.name is not None:
                raise Mistake(
                    "E0404", f"`{function.name}` takes no argument by name", argument.span, help="write its value alone"
                )

    def _rule(
        self,
        function: tree.Name,
        items: tuple[tree.SubscriptItem, ...] | None,
        arguments: tuple[tree.Argument, ...],
        whole: tree.Call | tree.Pipe,
        scope: Scope,
    ) -> Walk:
        self._positional(function, arguments)
        parts: Sequence[tree.Expression] = [argument.value for argument in arguments]
        if function.name in calls.CONTRACTIONS:
            if len(parts) != 1:
                raise Mistake(
                    "E0404",
                    f"`{function.name}` takes one argument, and is given {in_words(len(parts))}",
                    whole.span,
                    help="to add values, write a + b",
                )
            parts = factors(parts[0])
        axes = None if items is None else self.axes(items, scope, function.name, self._given)
        operands = yield from self._operands(parts, scope)
        return calls.RULES[function.name](Applied(self.graph, self.table, function.name, whole.span, axes, operands))

    def _rearranged(
        self,
        name: str,
        items: tuple[tree.SubscriptItem, ...],
        arguments: tuple[tree.Argument, ...],
        span: Span,
        scope: Scope,
    ) -> Walk:
        brackets = rearrange.brackets(items, scope, name)
        parts, given = rearrange.arranged(name, arguments)
        words = {option: _word(argument.value, scope) for option, argument in given.items()}
        numbers = {option: argument.value for option, argument in given.items() if words[option] is None}
        operands = yield from self._operands([*parts, *numbers.values()], scope)
        values, rest = operands[: len(parts)], operands[len(parts) :]
        options: dict[str, Operand | Word] = {option: word for option, word in words.items() if word is not None}
        options.update(zip(numbers, rest, strict=True))
        return rearrange.RULES[name](
            rearrange.Rearranging(self.graph, self.table, name, span, brackets, values, options)
        )

    def _derivative(
        self,
        function: tree.Name,
        items: tuple[tree.SubscriptItem, ...] | None,
        arguments: tuple[tree.Argument, ...],
        whole: tree.Call | tree.Pipe,
        scope: Scope,
    ) -> Walk:
        self._positional(function, arguments)
        item = derivatives.item(function, items)
        if not defined(item.name, scope) and self.table.knows(scope.axis(item.name)):
            raise derivatives.by_axis(function.name, item)
        by = derivatives.by(function.name, item, self.bound(item.name, item.span, scope))
        by = replace(by, value=scans.seen(by.value, scope, item.name, item.span))
        operands = yield from self._operands([argument.value for argument in arguments], scope)
        below, before = len(reachable(operand.value.node for operand in operands)), len(self.graph.nodes)
        if self.derived + derivatives.OF_EACH * below > derivatives.MOST:
            raise self._exhausted(*derivatives.too_large(below), whole.span, scope)
        asked = derivatives.Asked(self.graph, function.name, whole.span, by, operands, scope.loops, self.prepare)
        value = derivatives.derivative(asked)
        self.derived += len(self.graph.nodes) - before
        return value

    def _inline(
        self,
        function: Function,
        name: str,
        items: tuple[tree.SubscriptItem, ...] | None,
        arguments: tuple[tree.Argument, ...],
        span: Span,
        scope: Scope,
    ) -> Walk:
        definition = function.definition
        among = () if items is None else self.axes(items, scope, name, self._given)
        site = scope.site
        while site is not None:
            if site.of is function:
                raise recurring("function", name, span)
            site = site.outer
        inner = Scope(outer=function.scope, site=CallSite(name, span, scope.site, function))
        axis_parameters(name, definition.axes, among, span, inner)
        given_to = placed(name, definition, arguments, span)
        words = {formal: _word(argument.value, scope) for formal, argument in given_to.items()}
        valued = [formal for formal in given_to if words[formal] is None]
        operands = yield from self._operands([given_to[formal].value for formal in valued], scope)
        for formal, operand in zip(valued, operands, strict=True):
            self._carries(definition, formal, operand, inner)
            inner.names[formal] = operand.value
        inner.names.update({formal: word for formal, word in words.items() if word is not None})
        for parameter in definition.parameters:
            if parameter.name not in given_to and parameter.default is not None:
                word = _word(parameter.default, inner)
                if word is None:
                    (operand,) = yield from self._operands([parameter.default], inner)
                inner.names[parameter.name] = operand.value if word is None else word
        updates: list[objectives.Update] = []
        for statement in definition.body:
            match statement:
                case tree.Update():
                    (updated,) = yield from self._operands([statement.value], inner)
                    try:
                        updates.append(objectives.update(self.graph, statement, updated.value, inner))
                    except Mistake as mistake:
                        self.report.add(mistake, inner.site)
                case tree.Assignment():
                    found = yield statement.value, inner
                    inner.names.update(zip(names_of(statement), self._assigned(statement, found, inner), strict=True))
                case tree.Scan():
                    values, _ = yield from scans.scan(self.graph, self.axis, statement, inner)
                    inner.names.update(zip(statement.names, values, strict=True))
                case tree.Return():
                    results = yield from self._operands(statement.values, inner)
                    given = tuple(result.value.node for result in results)
                    self.updates += [replace(item, beside=given) for item in updates]
                    if len(results) == 1:
                        return results[0].value
                    return Several(name, tuple(result.value for result in results))
        raise Poisoned

    def _carries(self, definition: tree.Definition, name: str, operand: Operand, inner: Scope) -> None:
        """Mistake where an argument lacks an axis that the definition writes."""
        formal = next(f for f in definition.parameters if f.name == name)
        needed = [axis for item in formal.axes for axis in self.names(item, inner)]
        for axis in needed:
            if operand.value.axis(axis) is None:
                assert inner.site is not None
                raise Mistake(
                    "E0335",
                    f"`{inner.site.name}` needs the axis `{axis}` in `{name}`, and this has none",
                    operand.span,
                    sides=[f"{operand.side}   {name} [{', '.join(needed)}]"],
                    help="an argument may have more axes than are written, and not fewer",
                )


PRIME = "'"

COMPARISONS = {
    "<": functions.less(_0, _1),
    "<=": functions.less_equal(_0, _1),
    ">": functions.less(_1, _0),
    ">=": functions.less_equal(_1, _0),
    "==": functions.equal(_0, _1),
    "!=": functions.unequal(_0, _1),
}


def _no_value(span: Span) -> Mistake:
    help = "a quoted word is an option of a function; a value is written without quotes"
    return Mistake("E0405", "a quoted word has no value here", span, help=help)


def _word(expression: tree.Expression, scope: Scope) -> Word | None:
    """The quoted word that the expression is, or that the name stands for."""
    if isinstance(expression, tree.Text):
        return Word(expression.value, expression.span)
    if isinstance(expression, tree.Name) and defined(expression.name, scope):
        bound = scope.find(expression.name)
        return bound if isinstance(bound, Word) else None
    return None


def _dotted(item: tree.ValueName, example: str) -> Mistake:
    """The mistake of a dotted name where an axis should stand."""
    return Mistake("E0330", f"`{item.name}` is not an axis: its name has no dot", item.span, help=f"write {example}")


def _model_place(scope: Scope, source: Source) -> Span | None:
    site = scope.site
    while site is not None:
        if site.span.source is source:
            return site.span
        site = site.outer
    return None

"""`states = scan t with h = h0: ... yield h`: a recurrence along an axis.

Takes the statement and the scope it stands in; gives the values that it yields, along the axis. The body is elaborated
once, over leaves that stand for one step: of each carried value, and of whatever carries the axis. What a carried value
starts with may have fewer axes than what it becomes: then the body is elaborated again, with the axes that it came to.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from .. import tree
from ..graph import Axis, Graph, Leaf, Node
from ..source import Note, Span
from .arguments import assigned, names_of, not_one
from .derivatives import varying
from .mistakes import Mistake, Poisoned, counted, in_words, shown, written
from .operations import Operand, number
from .scope import Loop, Scope, Several, Value

Sent = Value | Several | None
Parts = Generator[tuple[tree.Expression, Scope], Sent, tuple[tuple[Value, ...], dict[str, Value]]]
"""A scan on its way: it asks for values of expressions; it gives those that it yields and those that its body names."""

AxisOf = Callable[[tree.AxisName, Scope], Axis]
"""What a name in brackets means in a scope."""


@dataclass(frozen=True, slots=True)
class _Carried:
    """A carried value: what it starts with, its axes, and whether it depends on a parameter."""

    carry: tree.Carry
    initial: Value
    axes: tuple[Axis, ...]
    trained: bool


def seen(value: Value, scope: Scope, name: str, span: Span) -> Value:
    """The value as it is seen in a scope, which may be the body of a scan, or of one in another."""
    for loop in scope.loops:
        value = loop.at_step(value, name, span)
    return value


def scan(graph: Graph, axis_of: AxisOf, statement: tree.Scan, scope: Scope) -> Parts:
    """The values that the scan yields, and those that the last pass through its body gave to names."""
    for mistake in faults(statement):
        raise mistake
    axis = axis_of(statement.axis, scope)
    for loop in scope.loops:
        if loop.axis.name == axis.name:
            help = f"inside of a scan along `{axis.name}` one step is seen; scan along another axis"
            message = f"this scan stands in one along the same axis `{axis.name}`"
            raise Mistake("E0430", message, statement.axis.span, help=help)
    carried = []
    for carry in statement.carries:
        value = _start(carry, (yield from _value(carry.initial, scope)), axis)
        carried.append(_Carried(carry, value, value.axes, value.node.trained))
    while True:
        loop = Loop(graph, axis)
        inner = Scope(outer=scope, site=scope.site, loops=(*scope.loops, loop))
        leaves = []
        for each in carried:
            leaf = graph.local(each.carry.name, each.axes, "float", each.trained)
            loop.own.add(leaf.id)
            inner.names[each.carry.name] = Value(leaf, each.axes, "float")
            leaves.append(leaf)
        yielded = yield from _body(graph, axis_of, statement, inner)
        updated = {name: value for name, value in inner.names.items() if isinstance(value, Value)}
        following = [updated[each.carry.name] for each in carried]
        grown = [_grown(graph, each, value) for each, value in zip(carried, following, strict=True)]
        if grown == carried:
            break
        carried = grown
    _complete(loop, leaves, [c.initial.node for c in carried], [value.node for value in following])
    before = graph.at(statement.span)
    triples = [(leaf, c.initial.node, value.node) for leaf, c, value in zip(leaves, carried, following, strict=True)]
    node = graph.scan(axis, False, triples, list(loop.stepped.values()))
    results = tuple(
        Value(graph.steps(node, value.node), (*value.axes, axis), value.type, value.index) for value in yielded
    )
    graph.at(before)
    return results, updated


def _complete(loop: Loop, leaves: Sequence[Leaf], initials: Sequence[Node], following: Sequence[Node]) -> None:
    """Mistake where a derivative in the body leaves out what a carried value depends on."""
    for by, needed, mistake in loop.held:
        vary = {leaf.id for leaf, whole in loop.stepped.values() if by.id in varying(whole)}
        while True:
            more = {
                leaf.id
                for leaf, *roots in zip(leaves, initials, following, strict=True)
                if leaf.id not in vary and any(not varying(root).keys().isdisjoint({by.id, *vary}) for root in roots)
            }
            if not more:
                break
            vary |= more
        if needed.id in vary:
            raise mistake


def _start(carry: tree.Carry, initial: Value, axis: Axis) -> Value:
    value = number(Operand(initial, carry.initial.span), f"the start of `{carry.name}`")
    if value.axis(axis.name) is not None:
        raise Mistake(
            "E0431",
            f"`{carry.name}` starts with one value, and this has one for each `{axis.name}`",
            carry.initial.span,
            sides=[f"{written(carry.initial.span)} {shown(value.axes)}"],
            help=f"take one of them: {written(carry.initial.span)}[{axis.name} = 0]",
        )
    return value


def _grown(graph: Graph, carried: _Carried, following: Value) -> _Carried:
    """The carried value with the axes that it has after a step too."""
    axes = graph.ordered([*carried.axes, *following.axes])
    trained = carried.trained or following.node.trained
    return replace(carried, axes=carried.axes if len(axes) == len(carried.axes) else axes, trained=trained)


def _body(
    graph: Graph, axis_of: AxisOf, statement: tree.Scan, scope: Scope
) -> Generator[tuple[tree.Expression, Scope], Sent, tuple[Value, ...]]:
    """One pass through the body, which binds its names in the scope: what is yielded."""
    carries = {carry.name for carry in statement.carries}
    for part in statement.body:
        match part:
            case tree.Assignment():
                found = yield part.value, scope
                for name, value in zip(names_of(part), assigned(part, found), strict=True):
                    if value is None:
                        raise Poisoned
                    if name in carries:
                        value = number(Operand(value, part.value.span), f"`{name}`")
                        # What is carried has the axes that it started with, whatever it is computed from.
                        carried = scope.names[name]
                        assert isinstance(carried, Value)
                        value = replace(value, axes=graph.ordered([*carried.axes, *value.axes]), type="float")
                    scope.names[name] = value
            case tree.Scan():
                values, _ = yield from scan(graph, axis_of, part, scope)
                scope.names.update(zip(part.names, values, strict=True))
            case tree.Yield():
                values = ()
                for expression in part.values:
                    values = (*values, (yield from _value(expression, scope)))
                return values
    raise Poisoned


def _value(expression: tree.Expression, scope: Scope) -> Generator[tuple[tree.Expression, Scope], Sent, Value]:
    value = yield expression, scope
    if isinstance(value, Several):
        raise not_one(value, expression)
    if value is None:
        raise Poisoned
    return value


# ------------------------------------------------------------------------------------------------------------ its form


def faults(statement: tree.Scan) -> Iterator[Mistake]:
    """What is wrong with the form of a scan, whatever its names mean."""
    places: dict[str, Span] = {}
    for carry in statement.carries:
        if carry.name in places:
            help = "a value is carried once"
            yield Mistake("E0201", f"`{carry.name}` is carried twice", carry.span, help=help)
        places[carry.name] = carry.span
    carries = set(places)
    updated: dict[str, Span] = {}
    for part in statement.body:
        for name, span in _given(part):
            known = updated if name in carries else {**places, **updated}
            if name in known:
                again = name in carries
                yield Mistake(
                    "E0201",
                    f"`{name}` is {'updated' if again else 'defined'} twice in one step",
                    span,
                    help="give what stands between another name" if again else "give the second another name",
                    notes=[Note(known[name], "here first")],
                )
            updated[name] = span
        if not isinstance(part, (tree.Assignment, tree.Scan, tree.Yield)):
            help = "its body holds values, scans, and a yield at the end"
            yield Mistake("E0220", "this cannot stand in a scan", part.span, help=help)
    for carry in statement.carries:
        if carry.name not in updated:
            help = f"say what it is after a step: {carry.name} = ...; what stays as it is need not be carried"
            yield Mistake("E0432", f"`{carry.name}` is carried, and never updated", carry.span, help=help)
    yields = [part for part in statement.body if isinstance(part, tree.Yield)]
    last = statement.body[-1] if statement.body else statement
    if not yields or last is not yields[0]:
        help = f"end its body with: yield {statement.carries[0].name}"
        place = yields[0].span if yields else statement.span
        message = "what stands after this `yield` is never reached" if yields else "this scan yields nothing"
        yield Mistake("E0221", message, place, help=help)
    elif len(yields[0].values) != len(statement.names):
        wanted, given = len(statement.names), len(yields[0].values)
        yield Mistake(
            "E0433",
            f"this yields {counted(given, 'value', 'values')}, and the scan gives names to {in_words(wanted)}",
            yields[0].span,
            help=f"write as many names before the scan: {', '.join('abcdefghij'[:given])} = scan ..."
            if given < 10
            else "write as many names before the scan",
            notes=[Note(statement.span, "the scan")],
        )


def _given(part: tree.Statement) -> list[tuple[str, Span]]:
    """The names that a statement of the body gives to values."""
    if isinstance(part, tree.Scan):
        return [(name, part.span) for name in part.names]
    return [(name.name, name.span) for name in part.names] if isinstance(part, tree.Assignment) else []

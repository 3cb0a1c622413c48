"""Whether every name in a function or a layer means something, looked at where it is defined.

So a mistake in a function that nobody calls is found, and no function can call itself: its own name stands for nothing
until its definition ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import tree
from ..source import Note, Span
from . import calls, objectives, rearrange
from .arguments import recurring, unknown
from .axes import descendants
from .mistakes import Mistake, Report
from .scans import faults
from .scope import Scope

_IN_DEF = (tree.Assignment, tree.Update, tree.Return)
_IN_LAYER = (tree.Parameter, tree.Noise, tree.State, tree.Constant, tree.Assignment, tree.Definition)

_WORDS: dict[type, str] = {
    tree.AxisDeclaration: "axis",
    tree.Input: "input",
    tree.Noise: "noise",
    tree.Parameter: "param",
    tree.State: "state",
    tree.Update: "update",
    tree.Constant: "const",
    tree.Definition: "def",
    tree.Layer: "layer",
    tree.Scan: "scan",
    tree.Yield: "yield",
    tree.Return: "return",
    tree.Output: "output",
    tree.Metric: "metric",
    tree.Use: "use",
    tree.BatchAxis: "batch",
    tree.Objective: "minimize",
}

_ALWAYS = {*calls.RULES, *calls.ARRAYS, *calls.DERIVATIVES, *rearrange.RULES, *calls.LATER, "pi", "training"}


def check(statement: tree.Definition | tree.Layer, scope: Scope, report: Report) -> bool:
    """Report each name of the body that nothing defines; whether there was none."""
    mistakes = list(_block(statement, scope))
    for mistake in mistakes:
        report.add(mistake)
    return not mistakes


def _block(owner: tree.Definition | tree.Layer, scope: Scope) -> Iterator[Mistake]:
    inner = Scope(outer=scope)
    for formal in owner.parameters if isinstance(owner, tree.Definition) else ():
        if formal.name in inner.names:
            yield Mistake("E0201", f"the argument `{formal.name}` stands here twice", formal.span, help="rename one")
        inner.names[formal.name] = None
        inner.places[formal.name] = formal.span
        if formal.default is not None:
            yield from _expression(formal.default, scope, owner)
    for axis in owner.axes[:-1]:
        if axis.rest:
            help = "the axes that are named stand before those that are not"
            yield Mistake("E0337", "a star may stand before the last axis only", axis.span, help=help)
    updated: dict[str, tree.Update] = {}
    allowed, home = (_IN_DEF, "function") if isinstance(owner, tree.Definition) else (_IN_LAYER, "layer")
    for statement in owner.body:
        if not isinstance(statement, (*allowed, tree.Scan)):
            yield misplaced(statement, home)
            inner.names.update((name, None) for name, _ in defined(statement) if name not in inner.names)
            continue
        match statement:
            case tree.Definition() | tree.Layer():
                yield from _block(statement, inner)
            case tree.Parameter():
                parts = (statement.lower, statement.upper, None if statement.drawn else statement.initial)
                yield from _expression(parts, inner, owner)
                if statement.drawn and isinstance(statement.initial, tree.Call):
                    yield from _expression(statement.initial.arguments, inner, owner)
            case tree.Scan():
                yield from _scan(statement, inner, owner)
                inner.names.update(dict.fromkeys(statement.names))
                continue
            case tree.Assignment():
                yield from _expression(statement.value, inner, owner)
            case tree.Noise():
                yield from _expression(statement.distribution.arguments, inner, owner)
            case tree.Update():
                yield from _expression((statement.state, statement.value), inner, owner)
                if statement.state.name in updated:
                    yield objectives.twice(updated[statement.state.name], statement)
                updated[statement.state.name] = statement
            case _:
                yield from _expression(statement, inner, owner)
        for name, span in defined(statement):
            if name in inner.places:
                yield twice(name, span, inner)
            inner.names[name] = None
            inner.places[name] = span

    last = owner.body[-1] if owner.body else owner
    if isinstance(owner, tree.Definition) and not isinstance(last, tree.Return):
        yield Mistake(
            "E0221", f"the function `{owner.name}` returns nothing", owner.span, help="end its body with: return x"
        )
    for statement in owner.body[:-1]:
        if isinstance(statement, tree.Return):
            help = "a function returns once, at its end"
            yield Mistake("E0221", "what stands after this `return` is never reached", statement.span, help=help)


def _scan(statement: tree.Scan, scope: Scope, owner: tree.Definition | tree.Layer) -> Iterator[Mistake]:
    yield from faults(statement)
    for carry in statement.carries:
        yield from _expression(carry.initial, scope, owner)
    inner = Scope(outer=scope)
    inner.names.update(dict.fromkeys(carry.name for carry in statement.carries))
    for part in statement.body:
        if isinstance(part, tree.Scan):
            yield from _scan(part, inner, owner)
        else:
            yield from _expression(part.value if isinstance(part, tree.Assignment) else part, inner, owner)
        inner.names.update((name, None) for name, _ in defined(part))


def misplaced(statement: tree.Statement, home: str) -> Mistake:
    """The mistake of a statement that cannot stand where it does."""
    word = _WORDS.get(type(statement), "this")
    inside = home == "layer" and isinstance(statement, tree.Update)
    help = "write it in a def of the layer" if inside else f"write it outside the {home}"
    return Mistake("E0220", f"`{word}` cannot stand in a {home}", statement.span, help=help)


def defined(statement: tree.Statement) -> list[tuple[str, Span]]:
    """The names that a statement defines, and where."""
    if isinstance(statement, tree.Assignment):
        return [(name.name, name.span) for name in statement.names]
    if isinstance(statement, tree.Scan):
        return [(name, statement.span) for name in statement.names]
    name = getattr(statement, "name", None)
    return [(name, statement.span)] if isinstance(name, str) else []


def twice(name: str, span: Span, scope: Scope) -> Mistake:
    """The mistake of a second definition."""
    return Mistake(
        "E0201",
        f"`{name}` is defined twice",
        span,
        help="each name is defined once; give the second another name",
        notes=[Note(scope.places[name], "defined here first")],
    )


def _expression(root: object, scope: Scope, owner: tree.Definition | tree.Layer) -> Iterator[Mistake]:
    """Names under `root` that mean nothing. A name bound to None is local: what it will be is not known yet."""
    for item in _names(root):
        head, dot, _ = item.name.partition(".")
        if _locally(head, scope):
            continue
        if head == owner.name:
            yield recurring("function" if isinstance(owner, tree.Definition) else "layer", head, item.span)
            continue
        if not dot and head in _ALWAYS:
            continue
        try:
            scope.find(item.name)
        except KeyError:
            yield unknown(item.name, item.span, scope)


def _names(root: object) -> Iterator[tree.Name | tree.AxisName | tree.ValueName]:
    """The names of values under `root`, also in the brackets of derivatives."""
    for item in descendants(root):
        match item:
            case tree.Name():
                yield item
            case tree.Subscript(value=tree.Name(name=name)) if name in calls.DERIVATIVES:
                yield from (part for part in item.items if isinstance(part, tree.AxisName | tree.ValueName))


def _locally(head: str, scope: Scope) -> bool:
    for inner in scope.chain():
        if head in inner.names:
            return inner.names[head] is None
    return False

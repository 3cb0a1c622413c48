"""Whether every name in a function or a layer means something, looked at where it is defined.

So a mistake in a function that nobody calls is found, and no function can call itself: its own name stands for nothing
until its definition ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from .. import tree
from ..source import Note
from . import calls
from .axes import descendants
from .expressions import unknown
from .mistakes import Mistake, Report
from .scope import Scope

_ALWAYS = {*calls.RULES, *calls.ARRAYS, *calls.LATER, "pi"}


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
            yield Mistake("E0201", f"the argument `{formal.name}` stands here twice", formal.span)
        inner.names[formal.name] = None
        if formal.default is not None:
            yield from _expression(formal.default, scope, owner)
    for statement in owner.body:
        match statement:
            case tree.Definition() | tree.Layer():
                yield from _block(statement, inner)
            case tree.Parameter():
                parts = (statement.lower, statement.upper, None if statement.drawn else statement.initial)
                yield from _expression(parts, inner, owner)
                if statement.drawn and isinstance(statement.initial, tree.Call):
                    yield from _expression(statement.initial.arguments, inner, owner)
            case tree.Scan():
                inner.names.update(dict.fromkeys([*statement.names, *(carry.name for carry in statement.carries)]))
                continue
            case _:
                yield from _expression(statement, inner, owner)
        name = getattr(statement, "name", None)
        if isinstance(name, str):
            if name in inner.places:
                yield twice(name, statement, inner)
            inner.names[name] = None
            inner.places[name] = statement.span


def twice(name: str, statement: tree.Statement, scope: Scope) -> Mistake:
    """The mistake of a second definition."""
    return Mistake(
        "E0201",
        f"`{name}` is defined twice",
        getattr(statement, "name_span", statement.span),
        help="each name is defined once; give the second another name",
        notes=[Note(scope.places[name], "defined here first")],
    )


def _expression(root: object, scope: Scope, owner: tree.Definition | tree.Layer) -> Iterator[Mistake]:
    """Names under `root` that mean nothing. A name bound to None is local: what it will be is not known yet."""
    for item in descendants(root):
        if not isinstance(item, tree.Name):
            continue
        head, dot, _ = item.name.partition(".")
        local = _locally(head, scope)
        if local or (not dot and head in _ALWAYS):
            continue
        if head == owner.name:
            kind = "function" if isinstance(owner, tree.Definition) else "layer"
            yield Mistake(
                "E0202",
                f"the {kind} `{head}` uses itself",
                item.span,
                help="a function is written out where it is called, and cannot recur; a recurrence is a scan",
            )
            continue
        try:
            scope.find(item.name)
        except KeyError:
            yield unknown(item.name, item.span, scope)


def _locally(head: str, scope: Scope) -> bool:
    for inner in scope.chain():
        if head in inner.names:
            return inner.names[head] is None
    return False

"""The libraries of the language: reads `grammar/nn.model` and its like, and binds what a `use` names.

A library is a source in the language itself that holds functions, layers, and what it takes from libraries before it,
which is handed on: each thing is defined once, wherever it is asked for. It is parsed once in a process.
"""

from __future__ import annotations

from functools import cache

from ... import grammar
from .. import tree
from ..source import Source
from . import calls
from .mistakes import Mistake, did_you_mean
from .scope import Bound, Function, Scope, Template


@cache
def scope(name: str) -> Scope | None:
    """The names of the library `name`, or None where there is no such library."""
    if name not in grammar.LIBRARIES:
        return None
    from ..syntax import parse

    found = Scope()
    for statement in parse(Source(f"{name}.model", grammar.text(f"{name}.model"))).statements:
        match statement:
            case tree.Definition():
                found.names[statement.name] = Function(statement, found)
            case tree.Layer():
                found.names[statement.name] = Template(statement, found)
            case tree.Use():
                before = grammar.LIBRARIES[: grammar.LIBRARIES.index(name)]
                assert statement.library in before, f"{name}.model uses {statement.library}, which is not before it"
                found.names[statement.name] = taken(statement)
            case _:
                raise AssertionError(f"{name}.model holds what is no function, layer or use: {statement}")
    return found


def taken(statement: tree.Use) -> Bound:
    """What the statement takes. Mistake where there is no such library, or it has no such name."""
    found = scope(statement.library)
    if found is None:
        help = did_you_mean(statement.library, grammar.LIBRARIES) or f"there is {', '.join(grammar.LIBRARIES)}"
        raise Mistake("E0203", f"there is no library `{statement.library}`", statement.span, help=help)
    if statement.name not in found.names:
        message = f"the library `{statement.library}` has no `{statement.name}`"
        raise Mistake("E0203", message, statement.span, help=_instead(statement, found))
    return found.names[statement.name]


def _instead(statement: tree.Use, found: Scope) -> str:
    """What to write where a library has no such name: it may be of the language, or of another library."""
    name = statement.name
    if name in calls.RULES or name in calls.ARRAYS:
        return f"`{name}` is part of the language: leave the `use` out"
    for library in grammar.LIBRARIES:
        other = scope(library)
        if other is not None and name in other.names:
            return f"it is in another library: use {library}.{name}"
    return did_you_mean(name, found.names) or f"its {len(found.names)} names stand in docs/language.md"

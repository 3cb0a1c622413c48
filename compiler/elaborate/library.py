"""The library of the language: reads `grammar/nn.model` and binds what a `use` names.

A library is a source in the language itself that holds functions and layers only. It is parsed once in a process.
"""

from __future__ import annotations

from functools import cache

from ... import grammar
from .. import tree
from ..source import Source
from .scope import Function, Scope, Template


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
    return found


def libraries() -> tuple[str, ...]:
    """The names of all libraries."""
    return grammar.LIBRARIES

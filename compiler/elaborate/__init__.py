"""Elaboration: from a syntax tree to a Program.

Takes a `tree.Model`; gives the graph of its values, with names resolved, layers instantiated, functions inlined, axes
and types checked. It is a package of rooms: `axes` (lengths, primes, rows), `scope` (what a name means), `names` (those
in bodies), `numbers` (arithmetic of the compiler), `calls` (the functions of the language), `selection` (brackets),
`expressions` (the walk), `leaves` (what comes from outside), `declarations` (the other statements), `objectives` (what
is trained and updated), `distributions`, `modes` (training and prediction), `library` (what `use` takes), `mistakes`
(diagnostics).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .. import tree
from ..graph import Program
from .modes import in_both


def elaborate(
    model: tree.Model,
    constants: Mapping[str, float] | None = None,
    prepare: Callable[[Program], Program] | None = None,
) -> Program:
    """The program that the model means; `constants` replaces values of its `const` statements.

    What a `grad` in the model differentiates goes through `prepare` before, which gives a program of the same outputs.
    ModelError with every independent mistake, in the order of the source.
    """
    return in_both(model, constants or {}, prepare)

"""How parameters start, and how bounds are kept.

Takes a `param` statement and its bounds as numbers; gives its Initial, and the node of what the model sees of the
unconstrained leaf. Where no start is written a parameter starts at 0, or where an unconstrained 0 lies: one inside a
single bound, half-way between two.
"""

from __future__ import annotations

import sympy
from sympy import Expr

from .. import functions, tree
from ..graph import Axis, Graph, Initial, Leaf, Node, placeholder
from . import numbers
from .distributions import STARTS, Number, drawn
from .mistakes import Mistake, written

_0 = placeholder(0)


def constrained(graph: Graph, leaf: Leaf, lower: Expr | None, upper: Expr | None) -> Node:
    """What the model sees of an unconstrained leaf: a + exp(u), b - exp(u), a + (b - a) sigmoid(u)."""
    if lower is not None and upper is not None:
        share = graph.map(functions.sigmoid(_0), [leaf])
        width = graph.constant(numbers.arithmetic("-", upper, lower))
        scaled = graph.product([width, share])
        return graph.sum([graph.constant(lower), scaled])
    if lower is not None:
        return graph.sum([graph.constant(lower), graph.map(sympy.exp(_0), [leaf])])
    if upper is not None:
        grown = graph.map(sympy.exp(_0), [leaf])
        return graph.map(_0 - placeholder(1), [graph.constant(upper), grown])
    return leaf


def initial(
    statement: tree.Parameter, number: Number, lower: Expr | None, upper: Expr | None, axes: tuple[Axis, ...]
) -> Initial:
    bounded = lower is not None or upper is not None
    if statement.initial is None:
        return Initial("constant", (_middle(lower, upper),))
    if not statement.drawn:
        start = number(statement.initial)
        if (lower is not None and start <= lower) or (upper is not None and start >= upper):
            raise Mistake(
                "E0413",
                f"`{statement.name}` would start outside its bounds",
                statement.initial.span,
                sides=[f"start {start}   bounds {_interval(lower, upper)}"],
                help="a start lies inside the bounds, not on them",
            )
        return Initial("constant", (float(start),))
    call = statement.initial
    kind, values = drawn(call, STARTS, number)
    if kind in ("glorot", "he") and not axes:
        raise Mistake(
            "E0414", f"`{kind}` needs axes, and `{statement.name}` is a number", call.span, help="~ normal(0, 1)"
        )
    inside = kind == "uniform" and (lower is None or values[0] >= lower) and (upper is None or values[1] <= upper)
    if bounded and not inside:
        raise Mistake(
            "E0413",
            f"`{statement.name}` could be drawn outside its bounds",
            call.span,
            sides=[f"{written(call.span)}   bounds {_interval(lower, upper)}"],
            help="draw it from a uniform distribution inside the bounds, or start it at a number",
        )
    return Initial(kind, tuple(float(value) for value in values))


def _middle(lower: Expr | None, upper: Expr | None) -> float:
    """Where a parameter starts that is given no start: 0, or what an unconstrained 0 stands for."""
    if lower is not None and upper is not None:
        return (float(lower) + float(upper)) / 2
    if lower is not None:
        return float(lower) + 1.0
    return float(upper) - 1.0 if upper is not None else 0.0


def _interval(lower: Expr | None, upper: Expr | None) -> str:
    return f"({'-inf' if lower is None else lower}, {'inf' if upper is None else upper})"

"""How parameters start, and how bounds are kept.

Takes a `param` statement and its bounds as numbers; gives its Initial, and the node of what the model sees of the
unconstrained leaf. Where no start is written a parameter starts at 0, or where an unconstrained 0 lies: one inside a
single bound, half-way between two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import sympy
from sympy import Expr, Integer

from .. import functions, tree
from ..graph import Axis, Graph, Initial, Leaf, Node, placeholder
from ..source import Span
from . import numbers
from .mistakes import Mistake, did_you_mean, written

DISTRIBUTIONS = {"normal": ("mean", "std"), "uniform": ("low", "high"), "glorot": ("gain",), "he": ()}
"""What a parameter can be drawn from, and the names of the arguments."""

_DEFAULTS = {"normal": (Integer(0), Integer(1)), "uniform": (None, None), "glorot": (Integer(1),), "he": ()}

Number = Callable[[tree.Expression], Expr]
"""Gives the number that an expression is when the model is compiled."""

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
    if not isinstance(call, tree.Call) or not isinstance(call.function, tree.Name):
        _no_distribution(call.span, written(call.span))
    kind = call.function.name
    if kind not in DISTRIBUTIONS:
        _no_distribution(call.function.span, kind)
    values = _distribution(call, kind, number)
    if kind in ("glorot", "he") and not axes:
        raise Mistake(
            "E0414", f"`{kind}` needs axes, and `{statement.name}` is a number", call.span, help="~ normal(0, 1)"
        )
    if kind == "normal" and values[1] < 0:
        help = "write normal(mean, std)"
        raise Mistake("E0414", "a standard deviation cannot be negative", call.span, help=help)
    if kind == "uniform" and values[0] >= values[1]:
        raise Mistake(
            "E0414", f"nothing lies between {values[0]} and {values[1]}", call.span, help="uniform(low, high)"
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


def _distribution(call: tree.Call, kind: str, number: Number) -> list[Expr]:
    formals = DISTRIBUTIONS[kind]
    given: dict[str, Expr] = {}
    for position, argument in enumerate(call.arguments):
        if argument.name is None and position >= len(formals):
            takes = f"{kind}({', '.join(formals)})"
            raise Mistake(
                "E0414", f"`{kind}` has {len(call.arguments)} arguments here", call.span, help=f"write {takes}"
            )
        name = argument.name or formals[position]
        if name not in formals or name in given:
            raise Mistake(
                "E0414", f"`{kind}` cannot take `{name}` here", argument.span, help=f"{kind}({', '.join(formals)})"
            )
        given[name] = number(argument.value)
    values = [given.get(name, default) for name, default in zip(formals, _DEFAULTS[kind], strict=True)]
    found = [value for value in values if value is not None]
    if len(found) < len(values):
        raise Mistake("E0414", f"`{kind}` needs its arguments", call.span, help=f"write {kind}({', '.join(formals)})")
    return found


def _middle(lower: Expr | None, upper: Expr | None) -> float:
    """Where a parameter starts that is given no start: 0, or what an unconstrained 0 stands for."""
    if lower is not None and upper is not None:
        return (float(lower) + float(upper)) / 2
    if lower is not None:
        return float(lower) + 1.0
    return float(upper) - 1.0 if upper is not None else 0.0


def _interval(lower: Expr | None, upper: Expr | None) -> str:
    return f"({'-inf' if lower is None else lower}, {'inf' if upper is None else upper})"


def _no_distribution(span: Span, text: str) -> NoReturn:
    known = ", ".join(f"{name}({', '.join(arguments)})" for name, arguments in DISTRIBUTIONS.items())
    help = did_you_mean(text, DISTRIBUTIONS) or f"there are {known}"
    raise Mistake("E0414", f"`{text}` is not a distribution", span, help=help)

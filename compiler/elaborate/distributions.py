"""What a parameter's start and noise can be drawn from.

Takes the call behind `~`; gives its kind and its numbers, which are known when the model is compiled. A Mistake where
the distribution or one of its numbers is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NoReturn

from sympy import Expr, Integer

from .. import tree
from ..source import Span
from .mistakes import Mistake, did_you_mean, written

Table = Mapping[str, tuple[str, ...]]

STARTS: Table = {"normal": ("mean", "std"), "uniform": ("low", "high"), "glorot": ("gain",), "he": ()}
"""What a parameter can start from, and the names of the arguments."""

NOISE: Table = {"normal": ("mean", "std"), "uniform": ("low", "high"), "bernoulli": ("p",), "exponential": ("rate",)}
"""What noise can be drawn from."""

_DEFAULTS: Mapping[str, tuple[Expr | None, ...]] = {
    "normal": (Integer(0), Integer(1)),
    "uniform": (None, None),
    "glorot": (Integer(1),),
    "he": (),
    "bernoulli": (None,),
    "exponential": (Integer(1),),
}

Number = Callable[[tree.Expression], Expr]
"""Gives the number that an expression is when the model is compiled."""


def drawn(call: tree.Expression, table: Table, number: Number) -> tuple[str, tuple[Expr, ...]]:
    """The kind and the numbers of a distribution of the table."""
    if not isinstance(call, tree.Call) or not isinstance(call.function, tree.Name):
        _none(call.span, written(call.span), table)
    kind = call.function.name
    if kind not in table:
        _none(call.function.span, kind, table)
    values = _arguments(call, kind, table[kind], number)
    if kind == "normal" and values[1] < 0:
        help = "write normal(mean, std)"
        raise Mistake("E0414", "a standard deviation cannot be negative", call.span, help=help)
    if kind == "uniform" and values[0] >= values[1]:
        message = f"nothing lies between {values[0]} and {values[1]}"
        raise Mistake("E0414", message, call.span, help="uniform(low, high)")
    if kind == "bernoulli" and not 0 <= values[0] <= 1:
        help = "bernoulli(p) is 1 with the probability p, and else 0"
        raise Mistake("E0414", f"a probability lies between 0 and 1, and this is {values[0]}", call.span, help=help)
    if kind == "exponential" and values[0] <= 0:
        help = "exponential(rate) has the mean 1/rate"
        raise Mistake("E0414", f"a rate is above 0, and this is {values[0]}", call.span, help=help)
    return kind, values


def _arguments(call: tree.Call, kind: str, formals: tuple[str, ...], number: Number) -> tuple[Expr, ...]:
    takes = f"{kind}({', '.join(formals)})"
    given: dict[str, Expr] = {}
    for position, argument in enumerate(call.arguments):
        if argument.name is None and position >= len(formals):
            message = f"`{kind}` has {len(call.arguments)} arguments here"
            raise Mistake("E0414", message, call.span, help=f"write {takes}")
        name = argument.name or formals[position]
        if name not in formals or name in given:
            raise Mistake("E0414", f"`{kind}` cannot take `{name}` here", argument.span, help=takes)
        given[name] = number(argument.value)
    values = [given.get(name, default) for name, default in zip(formals, _DEFAULTS[kind], strict=True)]
    found = tuple(value for value in values if value is not None)
    if len(found) < len(values):
        raise Mistake("E0414", f"`{kind}` needs its arguments", call.span, help=f"write {takes}")
    return found


def _none(span: Span, text: str, table: Table) -> NoReturn:
    known = ", ".join(f"{name}({', '.join(arguments)})" for name, arguments in table.items())
    help = did_you_mean(text, table) or f"there are {known}"
    raise Mistake("E0414", f"`{text}` is not a distribution", span, help=help)

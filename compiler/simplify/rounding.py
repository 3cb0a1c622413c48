"""A scalar expression in doubles, with a bound on what rounding has done to it.

Takes a SymPy expression and the values of its symbols, which count as exact; gives the value and how far the truth may
lie from it. A gate needs both: where the old form of a formula has lost its digits, a new one that differs from it is
no worse. The bound is the running error analysis of Wilkinson (Rounding Errors in Algebraic Processes, 1963): each
operation rounds once, and passes on what its operands have lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import sympy
from sympy import Expr, Symbol

from ..scalar import MEANINGS

EPSILON = 2.0**-52
LEAST = 5e-324
"""What a result that is nearly 0 is rounded by."""

Step = tuple[Callable[..., float], tuple[int, ...]]


def value_and_error(expression: Expr, point: Mapping[Symbol, float]) -> tuple[float, float] | None:
    """The value, and a bound on its error; None where it is infinite, or a value on the way undefined or complex."""
    leaves, steps = _steps(expression)
    values = [point[leaf] if leaf.is_Symbol else float(leaf) for leaf in leaves]
    errors = [0.0] * len(values)
    try:
        for function, places in steps:
            arguments = [values[i] for i in places]
            lost = [errors[i] for i in places]
            value = _applied(function, arguments)
            if math.isinf(value):
                # Beyond the range, as 2/exp(800): what follows may be finite, and is exact then.
                values.append(value)
                errors.append(0.0)
                continue
            if function is _sum:
                # In whatever order it is added up.
                error = sum(map(abs, arguments)) * EPSILON + sum(lost)
            else:
                error = abs(value) * EPSILON + LEAST + _passed_on(function, value, arguments, lost)
            if not (math.isfinite(value) and math.isfinite(error)):
                return None
            values.append(value)
            errors.append(error)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        # A power of what is negative is complex, which has no float.
        return None
    return (values[-1], errors[-1]) if math.isfinite(values[-1]) else None


def _applied(function: Callable[..., float], arguments: Sequence[float]) -> float:
    """The value, infinite where it is too large for a double."""
    try:
        return function(*arguments)
    except OverflowError:
        return -math.inf if function is math.sinh and arguments[0] < 0 else math.inf


def _passed_on(
    function: Callable[..., float], value: float, arguments: Sequence[float], lost: Sequence[float]
) -> float:
    """How far the value moves where each argument moves by what it has lost."""
    error = 0.0
    for i, e in enumerate(lost):
        if e:
            before, after = arguments[:i], arguments[i + 1 :]
            error += max(abs(_applied(function, (*before, arguments[i] + d, *after)) - value) for d in (-e, e))
    return error


@lru_cache(maxsize=10_000)
def _steps(expression: Expr) -> tuple[tuple[Expr, ...], tuple[Step, ...]]:
    """The symbols and numbers, and the operations in order; a place counts through both."""
    nodes = list(dict.fromkeys(sympy.postorder_traversal(expression)))
    leaves = [node for node in nodes if not node.args]
    inner = [node for node in nodes if node.args]
    place = {node: i for i, node in enumerate([*leaves, *inner])}
    return tuple(leaves), tuple((_function(node), tuple(place[part] for part in node.args)) for node in inner)


def _function(expression: Expr) -> Callable[..., float]:
    if expression.is_Add:
        return _sum
    if expression.is_Mul:
        return _product
    if expression.is_Pow:
        return _power
    return MEANINGS.get(expression.func, _unknown)


def _unknown(*_: float) -> float:
    raise ValueError("no meaning in doubles")


def _sum(*terms: float) -> float:
    return sum(terms)


def _product(*factors: float) -> float:
    return math.prod(factors)


def _power(base: float, exponent: float) -> float:
    return float(base**exponent)

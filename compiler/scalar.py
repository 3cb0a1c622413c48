"""One scalar expression at one point, in plain floats.

Takes a SymPy expression and the values of its symbols; gives a float, or None where it has no finite value there. The
gates compare a rewritten expression with its original by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import sympy
from sympy import Expr, Symbol

from . import functions


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _polygamma(n: float, x: float) -> float:
    import mpmath

    with mpmath.workdps(40):
        return float(_precise_polygamma(int(n), mpmath.mpf(x)))


def _precise_polygamma(order: int, x: Any) -> Any:
    """In mpmath's numbers. Below 0 by reflection (DLMF 5.15.6): mpmath walks up from there in steps of 1."""
    import mpmath

    if order == 0 or x > 0:
        return mpmath.polygamma(order, x)
    slope = [0, 1]  # of the cotangent, as a polynomial in it, whose own slope is -(1 + cot^2)
    for _ in range(order):
        rates = [i * c for i, c in enumerate(slope)][1:]
        slope = [-(a + b) for a, b in zip([*rates, 0, 0], [0, 0, *rates], strict=True)]
    reflected = mpmath.polyval(slope[::-1], mpmath.cot(mpmath.pi * (x - mpmath.floor(x))))
    return (-1) ** order * mpmath.polygamma(order, 1 - x) - mpmath.pi ** (order + 1) * reflected


def _lbeta(x: float, y: float) -> float:
    """In so many digits that what cancels leaves those of a double."""
    import mpmath

    with mpmath.workdps(40):
        found = mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(mpmath.mpf(x) + y)
        return float(found.real)


def _polygamma_fall(n: float, x: float, y: float) -> float:
    import mpmath

    with mpmath.workdps(40):
        start = mpmath.mpf(x)
        return float(_precise_polygamma(int(n), start) - _precise_polygamma(int(n), start + y))


def _i0_cumulant(n: float, x: float) -> float:
    """By the derivatives of log(i0), in so many digits that those of a double are left."""
    import mpmath

    with mpmath.workdps(60):
        return float((-1) ** int(n) * mpmath.diff(lambda t: mpmath.log(mpmath.besseli(0, t)) - t, x, int(n)))


def _log_i0e(x: float) -> float:
    import mpmath

    with mpmath.workdps(30):
        return float(mpmath.log(mpmath.besseli(0, abs(x))) - abs(x))


def _moment(n: float, x: float, kind: str) -> float:
    """The nth derivative of (exp(x) - 1)/x, sin(x)/x or log(1 + x)/x."""
    import mpmath

    inside = {
        "exp": lambda t: t**n * mpmath.exp(x * t),
        "cos": lambda t: t**n * mpmath.cos(x * t + n * mpmath.pi / 2),
        "log": lambda t: (-1) ** int(n) * mpmath.factorial(n) * t**n / (1 + x * t) ** (n + 1),
    }[kind]
    return float(mpmath.quad(inside, [0, 1]))


MEANINGS: dict[type, Callable[..., float]] = {
    sympy.exp: math.exp,
    sympy.log: math.log,
    sympy.sin: math.sin,
    sympy.cos: math.cos,
    sympy.tan: math.tan,
    sympy.asin: math.asin,
    sympy.acos: math.acos,
    sympy.atan: math.atan,
    sympy.atan2: math.atan2,
    sympy.sinh: math.sinh,
    sympy.cosh: math.cosh,
    sympy.tanh: math.tanh,
    sympy.sech: lambda x: 1 / math.cosh(x),
    sympy.asinh: math.asinh,
    sympy.acosh: math.acosh,
    sympy.atanh: math.atanh,
    sympy.Abs: abs,
    sympy.sign: lambda x: (x > 0) - (x < 0),
    sympy.floor: math.floor,
    sympy.ceiling: math.ceil,
    functions.sigmoid: _sigmoid,
    functions.softplus: _softplus,
    functions.relu: lambda x: max(x, 0.0),
    functions.step: lambda x: float(x > 0),
    functions.log1p: math.log1p,
    functions.expm1: math.expm1,
    functions.log1mexp: lambda x: math.log(-math.expm1(x)) if x > -0.7 else math.log1p(-math.exp(x)),
    functions.logcosh: lambda x: abs(x) + math.log1p(math.exp(-2 * abs(x))) - math.log(2),
    functions.steep_tanh: math.tanh,
    functions.sigmoid_slope: lambda x: _sigmoid(x) * _sigmoid(-x),
    functions.root1pm1: lambda x: x / (1 + math.sqrt(1 + x)),
    functions.inverse1pm1: lambda x: -x / (1 + x),
    functions.power1pm1: lambda x, y: math.expm1(y * math.log1p(x)) if abs(x) < 0.5 else (1 + x) ** y - 1,
    functions.hypot: math.hypot,
    functions.erf: math.erf,
    functions.erfc: math.erfc,
    functions.erfcx: lambda x: math.exp(x * x) * math.erfc(x),
    functions.ierfcx: lambda x: 1 / math.sqrt(math.pi) - x * math.exp(x * x) * math.erfc(x),
    functions.log_erfc: lambda x: math.log(math.erfc(x)),
    functions.log_half_erfc: lambda x: math.log(math.erfc(x) / 2),
    functions.lgamma: math.lgamma,
    functions.digamma: lambda x: _polygamma(0, x),
    functions.polygamma: _polygamma,
    functions.lbeta: _lbeta,
    functions.polygamma_fall: _polygamma_fall,
    functions.log_i0e: _log_i0e,
    functions.i0_cumulant: _i0_cumulant,
    functions.exp_moment: lambda n, x: _moment(n, x, "exp"),
    functions.cos_moment: lambda n, x: _moment(n, x, "cos"),
    functions.log_moment: lambda n, x: _moment(n, x, "log"),
    functions.xlogy: lambda x, y: 0.0 if x == 0 else x * math.log(y),
    functions.power: lambda x, y: x**y,
    functions.maximum: max,
    functions.minimum: min,
    functions.where: lambda c, a, b: a if c else b,
    functions.less: lambda a, b: float(a < b),
    functions.less_equal: lambda a, b: float(a <= b),
    functions.equal: lambda a, b: float(a == b),
    functions.unequal: lambda a, b: float(a != b),
    functions.both: lambda a, b: float(bool(a) and bool(b)),
    functions.either: lambda a, b: float(bool(a) or bool(b)),
    functions.negation: lambda a: float(not a),
}


def evaluate(expression: Expr, values: Mapping[Symbol, float]) -> float | None:
    """The value, or None where it is undefined, infinite or complex."""
    known: dict[Expr, float] = dict(values)
    waiting = [expression]
    try:
        while waiting:
            current = waiting[-1]
            if current in known:
                waiting.pop()
            elif current.is_Number or current.is_NumberSymbol:
                known[current] = float(current)
            elif missing := [part for part in current.args if part not in known]:
                waiting.extend(missing)
            else:
                known[current] = _apply(current, [known[part] for part in current.args])
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    found = known[expression]
    return found if math.isfinite(found) else None


def _apply(expression: Expr, arguments: list[float]) -> float:
    if expression.is_Add:
        return math.fsum(arguments)
    if expression.is_Mul:
        return math.prod(arguments)
    if expression.is_Pow:
        found = arguments[0] ** arguments[1]
        if isinstance(found, complex):
            raise ValueError("complex")
        return float(found)
    result = MEANINGS[expression.func](*arguments)
    if isinstance(result, complex):
        raise ValueError("complex")
    return float(result)

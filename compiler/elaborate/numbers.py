"""Numbers that the compiler knows: literals, and arithmetic on them.

Exact where that is cheap (SymPy Rationals of a few hundred bits), in doubles beyond; a number too large for a double is
a mistake, found before anything large is computed. SymPy itself is never asked to raise a number to a power.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from sympy import Expr, Float, Integer, Rational

from .. import functions
from ..scalar import MEANINGS

_DIGITS = 30  # significant characters of a literal that is kept exact
_EXPONENT = 40  # decimal exponent of a literal that is kept exact
_BITS = 256  # of a numerator or a denominator that is kept exact
_WHOLE = 2.0**53

PI = Float(math.pi)


class NoValue(Exception):
    """The operation has no value; the argument says why, to stand after `this`."""


def literal(text: str) -> Expr:
    """The value of a literal as written. NoValue where a double cannot hold it."""
    mantissa, _, exponent = text.lower().partition("e")
    digits = mantissa.replace(".", "").replace("_", "").lstrip("0")
    small = len(exponent) <= 4 and abs(int(exponent or "0")) <= _EXPONENT
    if len(digits) <= _DIGITS and small:
        return _rational(Fraction(text.replace("_", "")))
    value = float(text)
    if value == 0.0 and digits.strip("0"):
        raise NoValue("is too small a number: as a double it is 0")
    return from_float(value)


def from_float(value: float) -> Expr:
    """The number that a double is. NoValue for infinity and NaN."""
    if math.isnan(value):
        raise NoValue("has no real value")
    if math.isinf(value):
        raise NoValue("is too large a number: the largest is about 1.8e308")
    if value.is_integer() and abs(value) < _WHOLE:
        return Integer(int(value))
    return Float(value)


def _rational(value: Fraction) -> Expr:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _BITS:
        return from_float(_double(value))
    return Rational(value.numerator, value.denominator)


def _double(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def exact(value: Expr) -> Fraction | None:
    """The value as a fraction, where it is kept exact."""
    return Fraction(int(value.p), int(value.q)) if isinstance(value, Rational) else None


def arithmetic(operator: str, left: Expr, right: Expr) -> Expr:
    """`left operator right` for + - * / ^. NoValue where there is none."""
    if operator == "/" and right == 0:
        raise NoValue("divides by zero")
    if operator == "^":
        return _power(left, right)
    a, b = exact(left), exact(right)
    if a is not None and b is not None:
        return _rational({"+": a + b, "-": a - b, "*": a * b}[operator] if operator != "/" else a / b)
    x, y = float(left), float(right)
    return from_float({"+": x + y, "-": x - y, "*": x * y}[operator] if operator != "/" else x / y)


def _power(base: Expr, exponent: Expr) -> Expr:
    if base == 0 and exponent < 0:
        raise NoValue("divides by zero")
    a, b = exact(base), exact(exponent)
    if a is not None and b is not None and b.denominator == 1:
        bits = max(a.numerator.bit_length(), a.denominator.bit_length())
        if bits * abs(b.numerator) <= _BITS:
            return _rational(a**b.numerator)
    if base < 0 and not float(exponent).is_integer():
        raise NoValue("has no real value")
    try:
        return from_float(math.pow(float(base), float(exponent)))
    except OverflowError:
        return from_float(math.inf)


_EXACT: dict[str, Callable[..., Fraction]] = {
    "abs": abs,
    "sign": lambda x: Fraction((x > 0) - (x < 0)),
    "step": lambda x: Fraction(int(x > 0)),
    "relu": lambda x: max(x, Fraction(0)),
    "floor": lambda x: Fraction(math.floor(x)),
    "ceil": lambda x: Fraction(math.ceil(x)),
    "maximum": max,
    "minimum": min,
}


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


_DOUBLE: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{name: getattr(math, name) for name in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "atan2")},
    **{name: getattr(math, name) for name in ("log1p", "expm1", "erf", "erfc", "floor", "ceil")},
    "abs": abs,
    "sign": lambda x: float((x > 0) - (x < 0)),
    "step": lambda x: float(x > 0),
    "relu": lambda x: max(x, 0.0),
    "sigmoid": _sigmoid,
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    **{name: MEANINGS[getattr(functions, name)] for name in ("lgamma", "digamma", "lbeta", "log_i0e")},
    "trigamma": lambda x: MEANINGS[functions.polygamma](1, x),
    "maximum": max,
    "minimum": min,
    "xlogy": lambda x, y: 0.0 if x == 0 else x * math.log(y),
}


def function(name: str, arguments: list[Expr]) -> Expr:
    """The pointwise function of that name, of numbers. NoValue where there is none."""
    fractions = [exact(argument) for argument in arguments]
    known = [fraction for fraction in fractions if fraction is not None]
    if name in _EXACT and len(known) == len(arguments):
        return _rational(_EXACT[name](*known))
    try:
        return from_float(float(_DOUBLE[name](*map(float, arguments))))
    except ValueError:
        raise NoValue("has no real value") from None
    except OverflowError:
        return from_float(math.inf)


def compare(operator: str, left: Expr, right: Expr) -> bool:
    """`left operator right` for == != < <= > >=."""
    a, b = exact(left), exact(right)
    x: Fraction | float = float(left)
    y: Fraction | float = float(right)
    if a is not None and b is not None:
        x, y = a, b
    table = {"==": x == y, "!=": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}
    return table[operator]

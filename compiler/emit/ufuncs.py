"""The ufunc of each one-operation Map, and all that a module may import from NumPy.

Takes a Map's expression; gives the ufunc's name and its arguments, each a placeholder or a number. What is not in the
tables has been taken apart in `lower`.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Integer

from .. import functions
from ..graph import is_positive_number
from .special import ROUTINES

NAMES: dict[type, str] = {
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tan: "tan",
    sympy.asin: "arcsin",
    sympy.acos: "arccos",
    sympy.atan: "arctan",
    sympy.atan2: "arctan2",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.tanh: "tanh",
    sympy.asinh: "arcsinh",
    sympy.acosh: "arccosh",
    sympy.atanh: "arctanh",
    sympy.Abs: "absolute",
    sympy.sign: "sign",
    sympy.floor: "floor",
    sympy.ceiling: "ceil",
    functions.log1p: "log1p",
    functions.expm1: "expm1",
    functions.hypot: "hypot",
    functions.power: "power",
    functions.maximum: "maximum",
    functions.minimum: "minimum",
    functions.less: "less",
    functions.less_equal: "less_equal",
    functions.equal: "equal",
    functions.unequal: "not_equal",
    functions.both: "logical_and",
    functions.either: "logical_or",
    functions.negation: "logical_not",
}

FUNCTIONS = frozenset(NAMES.values()) | frozenset(
    "add subtract multiply divide negative square sqrt power greater where copyto take dot matmul einsum argmax argmin "
    "argsort arange array asarray ascontiguousarray empty full ones zeros errstate".split()
)
"""What is written `from numpy import ...`: nothing else is imported by a module, whatever its model."""


def ufunc(expression: Expr) -> tuple[str, tuple[Expr, ...]] | None:
    """The name and the arguments, or None where the Map is not one ufunc (`where`, `step`, `as_float`)."""
    if type(expression) in NAMES:
        return NAMES[type(expression)], tuple(expression.args)
    if type(expression) in ROUTINES:
        return ROUTINES[type(expression)], tuple(expression.args)
    if expression.is_Add:
        return _sum(expression)
    if expression.is_Mul:
        return _product(expression)
    if expression.is_Pow:
        base, exponent = expression.base, expression.exp
        if exponent == 2:
            return "square", (base,)
        if exponent == sympy.Rational(1, 2):
            return "sqrt", (base,)
        if exponent == -1:
            return "divide", (Integer(1), base)
        return "power", (base, exponent)
    return None


def _sum(expression: Expr) -> tuple[str, tuple[Expr, ...]]:
    first, second = sorted(expression.args, key=sympy.default_sort_key)
    for a, b in ((first, second), (second, first)):
        if b.is_Number:
            negative = not is_positive_number(b) and not a.could_extract_minus_sign()
            if negative:
                return "subtract", (a, -b)
            return ("subtract", (b, -a)) if a.could_extract_minus_sign() else ("add", (a, b))
    if first.could_extract_minus_sign():
        return "subtract", (second, -first)
    if second.could_extract_minus_sign():
        return "subtract", (first, -second)
    return "add", (first, second)


def _product(expression: Expr) -> tuple[str, tuple[Expr, ...]]:
    first, second = expression.args
    for a, b in ((first, second), (second, first)):
        if b.is_Pow and b.exp == -1:
            return "divide", (a, b.base)
    if first.is_Number:
        return ("negative", (second,)) if first == -1 else ("multiply", (second, first))
    ordered = sorted((first, second), key=sympy.default_sort_key)
    return "multiply", (ordered[0], ordered[1])

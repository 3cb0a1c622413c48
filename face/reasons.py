"""Why an operation on finite numbers gave one that is not, in a sentence, and what helps.

Takes what `compiler.blame` found; gives the two texts. A table by operation, tried from the top.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sympy

from gradc.compiler import functions
from gradc.compiler.graph import Contract, LinearAlgebra, Map

if TYPE_CHECKING:
    from gradc.compiler.blame import Blame

Texts = tuple[str, str]

POSITIVE = "a bound (param a > 0), softplus(...) or max(..., 1e-12) keeps it above 0"
SCALED = "smaller numbers help: scale the data, begin with smaller parameters, or take a smaller learning rate"
STEP = "a smaller learning rate, or a bound on the norm of the gradient, keeps the steps small"
AWAY = "add a small number, as in a / (b + 1e-12), or keep the divisor above 0 by a bound"


def _log(value: float) -> Texts:
    if value == 0:
        return "the logarithm of 0 is -infinity", POSITIVE
    return "a number below 0 has no logarithm", POSITIVE


def _root(value: float) -> Texts:
    return "a number below 0 has no root", "max(..., 0) or a square keeps it from falling below 0"


def _within(what: str, low: float, high: float) -> Callable[[float], Texts]:
    reason = f"{what} is defined from {low:g} to {high:g}"
    return lambda value: (reason, f"clip(..., {low:g}, {high:g}), or tanh(...), keeps it there")


def _pole(what: str) -> Callable[[float], Texts]:
    return lambda value: (f"{what} has a pole at 0 and at each whole number below", POSITIVE)


FUNCTIONS: Mapping[Any, Callable[[float], Texts]] = {
    sympy.log: _log,
    functions.log1p: lambda value: ("log1p is defined above -1", POSITIVE),
    sympy.asin: _within("asin", -1, 1),
    sympy.acos: _within("acos", -1, 1),
    sympy.atanh: _within("atanh", -1, 1),
    sympy.acosh: lambda value: ("acosh is defined from 1", "max(..., 1) keeps it there"),
    functions.lgamma: _pole("lgamma"),
    functions.digamma: _pole("digamma"),
}
"""What is said of functions of one argument that have no value, or an infinite one, there."""

EXPONENTIALS = (sympy.exp, functions.expm1, sympy.sinh, sympy.cosh)

MATRICES: Mapping[str, Texts] = {
    "cholesky": ("the matrix is not positive definite", "add a small number to its diagonal"),
    "logdet": ("the matrix has no determinant above 0", "add a small number to its diagonal"),
    "solve": ("the matrix is singular", "add a small number to its diagonal, or look for rows that are the same"),
    "inverse": ("the matrix is singular", "add a small number to its diagonal, or look for rows that are the same"),
}


def reason(found: Blame, dtype: str) -> Texts:
    """The reason and the help."""
    node = found.point.node
    if isinstance(node, LinearAlgebra) and node.operator in MATRICES:
        return MATRICES[node.operator]
    if isinstance(node, Map):
        part, values, value = _innermost(node.expression, [value for _, value in found.operands])
        told = _of_operation(part, values, value, dtype)
        if told is not None:
            return told
    if math.isinf(found.value):
        what = "the sum" if isinstance(node, Contract) else "it"
        return f"{what} is beyond the largest {dtype}, {_largest(dtype):.2g}", STEP if node.trained else SCALED
    if isinstance(node, Contract):
        return f"its terms are beyond the largest {dtype}, {_largest(dtype):.2g}, with both signs", STEP
    return "it has no value there", SCALED


def matrix(found: Blame) -> tuple[str, ...]:
    """What is to be known of a matrix that was refused."""
    import numpy as np

    node, held = found.point.node, found.matrix
    if held is None or not isinstance(node, LinearAlgebra):
        return ()
    size = f"{len(held)} by {len(held)}"
    if node.operator == "cholesky":
        # As LAPACK reads it: the lower triangle.
        least = float(np.linalg.eigvalsh(held)[0])
        return (f"the matrix is {size}, its smallest eigenvalue {least:.6g}",)
    return (f"the matrix is {size}, its rank {int(np.linalg.matrix_rank(held))}",)


def _largest(dtype: str) -> float:
    import numpy as np

    return float(np.finfo(dtype).max)


def _innermost(expression: Any, operands: Sequence[float]) -> tuple[Any, list[float], float]:
    """The innermost part of an expression that is not finite, its arguments' values, and its own."""
    import numpy as np

    from gradc.compiler.reference import FLOATS, pointwise

    arrays = [np.asarray(value) for value in operands]
    values: list[float] = []
    value = math.nan
    part = expression
    with np.errstate(all="ignore"):
        for part in sympy.postorder_traversal(expression):
            value = float(np.real(pointwise(part, arrays, FLOATS)))
            values = [float(np.real(pointwise(argument, arrays, FLOATS))) for argument in part.args]
            if not math.isfinite(value) and part.args:
                break
    return part, values, value


def _of_operation(part: Any, values: Sequence[float], value: float, dtype: str) -> Texts | None:
    if part.func in FUNCTIONS:
        return FUNCTIONS[part.func](values[0])
    if part.func in EXPONENTIALS:
        most = math.log(_largest(dtype))
        return f"the exponential of a number above {most:.1f} is beyond the largest {dtype}", SCALED
    if part.func is functions.power or part.is_Pow:
        base, exponent = values
        if base == 0 and exponent < 0:
            return "a division by 0", AWAY
        if base < 0 and exponent != math.floor(exponent):
            return _root(base) if exponent == 0.5 else ("a number below 0 has no such power", POSITIVE)
        if exponent == -1:
            return "a division by a number so small that the result is beyond the largest number", AWAY
        return f"the power is beyond the largest {dtype}, {_largest(dtype):.2g}", STEP
    return None

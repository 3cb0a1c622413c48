"""What a node costs on NumPy: nanoseconds, for choosing between forms of the same value.

An operation between scalars is almost free, a pass over an array costs, a transcendental costs several passes. The
table was measured with `benchmarks/operations.py` (float64, `out=`, in cache).
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import sympy

from .. import functions
from ..graph import Axis, Contract, LinearAlgebra, Map, Node, Reduce

PER_ELEMENT: dict[type, float] = {
    sympy.Add: 0.14,
    sympy.Mul: 0.14,
    sympy.exp: 0.66,
    sympy.log: 0.64,
    sympy.tanh: 0.88,
    sympy.sin: 1.6,
    sympy.cos: 1.6,
    sympy.tan: 0.97,
    functions.sigmoid: 1.4,
    functions.softplus: 2.0,
    functions.log1p: 0.8,
    functions.expm1: 1.0,
    functions.where: 0.44,
    functions.maximum: 0.47,
    functions.minimum: 0.47,
    functions.power: 10.0,
}
CALL = 300.0
SCALAR = 30.0
ASSUMED_ROWS = 1000
ASSUMED_LENGTH = 30
LAPACK_CALL = 8000.0
LAPACK_WORK = {"solve": 0.67, "inverse": 2.67, "cholesky": 0.33, "logdet": 0.67, "det": 0.67}
"""Multiplications and additions, as a multiple of the cube of the length."""
FLOP = 0.05
BIND = 0.01  # of a step: what is done once hardly counts


def length(axis: Axis, rows: str | None) -> int:
    """The axis's length, or what is assumed where only the data tell."""
    if isinstance(axis.length, sympy.Integer):
        return int(axis.length)
    return ASSUMED_ROWS if axis.name == rows else ASSUMED_LENGTH


def elements(axes: Iterable[Axis], rows: str | None) -> int:
    """How many elements an array over these axes has."""
    return prod(length(axis, rows) for axis in axes)


def _map_rate(node: Map) -> float:
    head = node.expression
    if head.is_Pow:
        if head.exp == 2:
            return 0.14
        if head.exp == -1:
            return 0.26
        return 0.6 if head.exp == sympy.Rational(1, 2) else 1.5
    if head.is_Mul and head.has(sympy.Pow):
        return 0.26
    return PER_ELEMENT.get(head.func, 1.0)


def _contract_rate(node: Contract) -> float:
    """A matrix product where each side has axes of its own; else one for each position of the axes that both have."""
    both = [name for name in node.names if all(name in operand.names for operand in node.operands)]
    own = [[name for name in operand.names if name in node.names and name not in both] for operand in node.operands]
    if not both:
        return 0.035 if len(own) == 2 and all(own) else 0.1
    return 0.15 if any(own) else 0.4


def cost(node: Node, rows: str | None) -> float:
    """Of one node, its operands left out; nanoseconds."""
    early = 1.0 if node.trained else BIND
    match node:
        case Map():
            count = elements(node.axes, rows)
            return early * (SCALAR if not node.axes else CALL + _map_rate(node) * count)
        case Contract():
            work = elements((*node.axes, *node.summed), rows) * max(1, len(node.operands) - 1)
            return early * (CALL + _contract_rate(node) * work)
        case Reduce():
            return early * (4 * CALL + 0.5 * elements((*node.axes, *node.reduced), rows))
        case LinearAlgebra():
            size = length(node.rows, rows)
            factored = LAPACK_WORK[node.operator] * size * elements(node.operands[0].axes, rows)
            solved = 2.0 * size * elements(node.axes, rows) if node.operator == "solve" else 0.0
            return early * (LAPACK_CALL + FLOP * (factored + solved))
    return 0.0


def total(result: Node, until: Iterable[Node], rows: str | None) -> float:
    """Of all nodes from `result` down to, and without, `until`."""
    seen = {node.id for node in until}
    waiting, whole = [result], 0.0
    while waiting:
        node = waiting.pop()
        if node.id not in seen:
            seen.add(node.id)
            whole += cost(node, rows)
            waiting.extend(node.operands)
    return whole

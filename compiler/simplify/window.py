"""A connected region of Maps as one SymPy expression.

Takes a node and which of the nodes below it to look into; gives the expression over placeholders for what stands at the
border, in the order of ids, with the sign of those that are surely positive. The size is bounded in operations, so the
same source gives the same windows on any machine.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import sympy
from sympy import Expr, Mul

from ..graph import Map, Node, placeholder

_PRODUCT = placeholder(0) * placeholder(1)

LARGEST = 40
"""Operations in one window."""

SMALLEST = 2.2250738585072014e-308
"""Of the numbers that a double holds to its full precision."""


@dataclass(frozen=True, slots=True)
class Window:
    """`expression` over `placeholder(i, operands[i].positive)`."""

    expression: Expr
    operands: tuple[Node, ...]
    inside: int


def region(root: Map, enter: Callable[[Map], bool], largest: int = LARGEST) -> tuple[dict[int, Map], dict[int, Node]]:
    """The window that ends in `root` and holds the Maps below it for which `enter` holds, nearest first; its border."""
    inside: dict[int, Map] = {root.id: root}
    border: dict[int, Node] = {}
    waiting: deque[Node] = deque(root.operands)
    while waiting:
        node = waiting.popleft()
        if node.id in inside or node.id in border:
            continue
        if isinstance(node, Map) and len(inside) < largest and enter(node):
            inside[node.id] = node
            waiting.extend(node.operands)
        else:
            border[node.id] = node
    return inside, border


def window(root: Map, enter: Callable[[Map], bool], largest: int = LARGEST) -> Window:
    """That region as one expression."""
    inside, border = region(root, enter, largest)
    operands = tuple(border[key] for key in sorted(border))
    known: dict[int, Expr] = {o.id: placeholder(i, o.positive) for i, o in enumerate(operands)}
    for key in sorted(inside):
        node = inside[key]
        known[key] = _applied(node.expression, [known[o.id] for o in node.operands])
    if len(inside) > 1 and not of_doubles(known[root.id]):
        return window(root, lambda _: False)
    return Window(known[root.id], operands, len(inside))


def of_doubles(expression: Expr) -> bool:
    """Whether all its numbers are such that doubles hold.

    The root of what is surely negative is none, and SymPy would go on with a complex one; factors that are put
    together, as in (1e200*x)^2, may be too large or too small, where what the model computes is neither.
    """
    if expression.has(sympy.I, sympy.nan, sympy.zoo, sympy.oo):
        return False
    return all(value.is_zero or SMALLEST <= abs(float(value)) < math.inf for value in expression.atoms(sympy.Number))


def _applied(operation: Expr, operands: list[Expr]) -> Expr:
    """One operation on expressions. A number times a sum stays a product, which SymPy would multiply out."""
    number, rest = operation.as_coeff_Mul()
    if rest == placeholder(0) and operands[0].is_Add:
        return Mul(number, operands[0], evaluate=False)
    if operation == _PRODUCT and any(o.is_Number for o in operands):
        number, rest = sorted(operands, key=lambda o: not o.is_Number)
        if rest.is_Add:
            return Mul(number, rest, evaluate=False)
    return operation.xreplace({placeholder(i): o for i, o in enumerate(operands)})

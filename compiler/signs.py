"""What the form of a value shows of its sign, whatever the data are.

Takes a node; says what surely holds of it. The derivative of a root asks it, and the rule that takes a root's square.
"""

from __future__ import annotations

import sympy

from .arrays import Flatten, Split, Window
from .graph import Contract, Gather, Map, Node, Reduce, Relabel, Slice, Spread


def vanishes_flat(node: Node) -> bool:
    """Whether the node is never negative and its derivative is 0 wherever it is 0: squares, and sums of squares."""
    match node:
        case Contract():
            return all(node.operands.count(o) % 2 == 0 or vanishes_flat(o) for o in node.operands)
        case Map(expression=e) if e.is_Pow:
            return bool(e.exp.is_Integer and e.exp.is_even and e.exp > 0)
        case Map(expression=e) if e.is_Add:
            return all(isinstance(t, sympy.Symbol) and vanishes_flat(node.operands[_place(t)]) for t in e.args)
        case Map(expression=e) if e.is_Mul:
            symbols = [f for f in e.args if isinstance(f, sympy.Symbol)]
            numbers = [f for f in e.args if f.is_Number and f.is_positive]
            whole = len(symbols) + len(numbers) == len(e.args)
            parts = [node.operands[_place(s)] for s in symbols]
            return whole and any(map(vanishes_flat, parts)) and all(p.positive or vanishes_flat(p) for p in parts)
        case Reduce(operator="max") | Relabel() | Spread() | Slice() | Gather() | Window() | Flatten() | Split():
            return vanishes_flat(node.operands[0])
    return False


def _place(symbol: sympy.Symbol) -> int:
    return int(symbol.name[1:])

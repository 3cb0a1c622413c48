"""Algebra over arrays: a table of rules on contractions.

Takes a program, gives it with each contraction in a form that costs no more: products inside a sum become its operands,
what lacks the summed axes moves out in front, nested contractions merge, repeated axes and broadcasts cost nothing.
Each rule takes a Contract and gives a node of the same value, or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Expr, Mul

from ..elementary import build, multiply
from ..graph import Axis, Constant, Contract, Graph, Map, Node, PlaceSlice, Program, Scatter, Spread, reachable, rewrite
from .rewrites import Rewrites


def simplify_tensors(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with every rule of the table applied until none fits."""
    graph = program.graph
    uses: dict[int, int] = {}
    other_uses: dict[int, int] = {}
    for node in reachable(program.roots()):
        for operand in node.operands:
            uses[operand.id] = uses.get(operand.id, 0) + 1
            if not isinstance(node, Contract):
                other_uses[operand.id] = other_uses.get(operand.id, 0) + 1
    old_of: dict[int, int] = {}

    def shared(node: Node) -> bool:
        """Whether the contraction is computed anyway, for another user."""
        return uses.get(old_of.get(node.id, node.id), 0) > 1

    def joins(node: Node, factors: list[Node], gone: set[str]) -> bool:
        """Whether a product goes into the sum that uses it: its only use, or a scaling by what leaves the sum."""
        old = old_of.get(node.id, node.id)
        inner = [factor for factor in factors if gone & set(factor.names)]
        return other_uses.get(old, 0) == 0 and (uses.get(old, 0) <= 1 or len(inner) <= 1)

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        new = _remake(graph, node, operands) if operands else node
        new = _scalars_out(graph, _improved(graph, new, shared, joins))
        old_of.setdefault(new.id, node.id)
        return new

    return rewrite(program, rule)


def _remake(graph: Graph, node: Node, operands: tuple[Node, ...]) -> Node:
    """The node over its new operands, broadcasts taken off wherever alignment by name does them."""
    if isinstance(node, Map | Contract) and any(isinstance(o, Spread) for o in operands):
        bare = [o.operands[0] if isinstance(o, Spread) else o for o in operands]
        new = graph.map(node.expression, bare) if isinstance(node, Map) else graph.contract(bare, node.summed)
        return graph.spread(new, node.axes)
    return graph.remake(node, operands)


def _scalars_out(graph: Graph, node: Node) -> Node:
    """A scatter of c*x is c times the scatter of x, so that c can go on outwards."""
    if not isinstance(node, Scatter | PlaceSlice):
        return node
    inner = node.operands[0]
    bare = inner.operands[0] if isinstance(inner, Spread) else inner
    if bare.dtype != "float" or (isinstance(bare, Constant) and bare.value == 1):
        return node
    number: Expr = sympy.Integer(1)
    above: list[Node] = [bare]
    below: list[Node] = []
    if isinstance(bare, Map) and (parts := _as_product(graph, bare)):
        number, above, below = parts
    outside = [factor for factor in above if not factor.axes]
    under = [factor for factor in below if not factor.axes]
    if isinstance(bare, Constant):
        number, outside = bare.value, []
        above = []
    if number == 1 and not outside and not under:
        return node
    rest = multiply(
        graph,
        sympy.Integer(1),
        [factor for factor in above if factor.axes],
        [factor for factor in below if factor.axes],
    )
    placed = graph.remake(node, [graph.spread(rest, inner.axes), *node.operands[1:]])
    return multiply(graph, number, [placed, *outside], under)


def _improved(
    graph: Graph,
    node: Node,
    shared: Callable[[Node], bool],
    joins: Callable[[Node, list[Node], set[str]], bool],
) -> Node:
    """The rules applied to the node, and to the contraction left inside what they give."""
    if not isinstance(node, Contract):
        return node
    numbers: Expr = sympy.Integer(1)
    outside: list[Node] = []
    below: list[Node] = []
    inside: list[Node] = []
    summed: list[Axis] = list(node.summed)
    waiting = list(node.operands)
    while waiting:
        operand = waiting.pop(0)
        gone = {axis.name for axis in summed}
        if isinstance(operand, Constant):
            numbers = numbers * operand.value
        elif not gone & set(operand.names):
            outside.append(operand)
        elif isinstance(operand, Spread):
            waiting.append(operand.operands[0])
        elif isinstance(operand, Map) and (parts := _as_product(graph, operand)) and joins(operand, parts[1], gone):
            number, above, under = parts
            numbers = numbers * number
            loose = [n for n in under if not gone & set(n.names)]
            if len(loose) < len(under):
                stuck = [n for n in under if n not in loose]
                above.append(multiply(graph, sympy.Integer(1), [], stuck))
                # The reciprocal is an operand like any other, and is not taken apart again.
                inside.append(above.pop())
            below.extend(loose)
            waiting = [*above, *waiting]
        elif isinstance(operand, Contract) and not shared(operand) and _may_merge(operand, [*waiting, *inside], gone):
            summed.extend(operand.summed)
            waiting = [*operand.operands, *waiting]
        else:
            inside.append(operand)
    if not outside and not below and numbers == 1 and len(inside) == len(node.operands) and summed == list(node.summed):
        return node
    core = graph.contract(inside, summed) if inside else graph.contract([graph.constant(1)], summed)
    if not outside and not below and numbers == 1:
        return core
    return multiply(graph, numbers, [core, *outside], below)


def _as_product(graph: Graph, node: Map) -> tuple[Expr, list[Node], list[Node]] | None:
    """The number, the factors and the divisors that the node is the product of."""
    head = node.expression
    if head.is_Pow and head.exp.is_Integer and head.exp == 2:
        return sympy.Integer(1), [node.operands[0], node.operands[0]], []
    if not head.is_Mul:
        return None
    number: Expr = sympy.Integer(1)
    above: list[Node] = []
    below: list[Node] = []
    for factor in Mul.make_args(head):
        if factor.is_Number:
            number = number * factor
        elif factor.is_Pow and factor.exp == -1:
            below.append(build(graph, factor.base, node.operands))
        else:
            above.append(build(graph, factor, node.operands))
    return number, above, below


def _may_merge(inner: Contract, others: list[Node], gone: set[str]) -> bool:
    """A nested contraction joins unless an axis of its own sum is also an axis outside it."""
    own = {axis.name for axis in inner.summed}
    return not own & gone and not any(own & set(other.names) for other in others)

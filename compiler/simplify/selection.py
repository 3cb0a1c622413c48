"""Rules for parts of arrays: what is read of a product is the product of what is read.

Takes a node that selects, places or renames, or a contraction over such a node; gives one of the same value in which
less is computed. A diagonal, a row, a delta: none of them needs the whole array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..elementary import MULTIPLY
from ..functions import equal, where
from ..graph import (
    Axis,
    Constant,
    Contract,
    Gather,
    Graph,
    Index,
    Map,
    Node,
    PlaceSlice,
    Reduce,
    Relabel,
    Scatter,
    Slice,
    Spread,
    placeholder,
)
from .cost import elements
from .rewrites import Rule
from .uses import Uses

_0, _1 = placeholder(0), placeholder(1)

MOST_PARTS = 64
"""Parts along an axis that are put side by side."""


def _read(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not isinstance(node, Slice | Gather):
        return None
    whole, *index = node.operands
    if not isinstance(whole, Map | Contract | Reduce) or uses.shared(whole):
        return None
    if 2 * elements(node.axes, uses.rows) > elements(whole.axes, uses.rows):
        return None
    below = {name for operand in whole.operands for name in operand.names}
    if any((below - {node.along.name}) & set(i.names) for i in index):
        return None
    return _over(graph, whole, [graph.remake(node, [operand, *index]) for operand in whole.operands])


def _over(graph: Graph, node: Node, operands: Sequence[Node]) -> Node:
    """The same operation over other operands."""
    match node:
        case Map():
            return graph.map(node.expression, operands)
        case Contract():
            return graph.contract(operands, node.summed)
    return graph.remake(node, operands)


# ------------------------------------------------------------------------------------------------------------ diagonals


def _diagonal(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not (isinstance(node, Gather) and isinstance(node.operands[1], Index)):
        return None
    whole, index = node.operands
    found = _on_diagonal(whole, index.axes[0], node.along, graph, uses)
    return None if found is node else found


def _on_diagonal(node: Node, along: Axis, other: Axis, graph: Graph, uses: Uses) -> Node:
    """The node where its position along `other`, which goes, is that along the axis `along`."""
    if other.name not in node.names:
        return node
    if along.name not in node.names and along.length == other.length:
        return graph.relabel(node, {other.name: along.name})
    inside = {name for operand in node.operands for name in operand.names}
    if isinstance(node, Map | Contract) and not uses.shared(node) and inside >= {along.name, other.name}:
        return _over(graph, node, [_on_diagonal(o, along, other, graph, uses) for o in node.operands])
    return graph.gather(node, graph.index(along), other.name)


def _delta(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not isinstance(node, Contract):
        return None
    gone = {axis.name for axis in node.summed}
    for position, operand in enumerate(node.operands):
        found = _as_delta(operand, graph)
        if found is None or not gone & {axis.name for axis in found[1:]}:
            continue
        value, first, second = found
        if second.name not in gone:
            first, second = second, first
        others = [*node.operands[:position], *node.operands[position + 1 :]]
        kept = [_on_diagonal(o, first, second, graph, uses) for o in (value, *others)]
        kept = [o.operands[0] if isinstance(o, Spread) and isinstance(o.operands[0], Constant) else o for o in kept]
        if first.name not in {name for o in kept for name in o.names}:
            kept.append(graph.spread(graph.constant(1), [first]))
        return graph.contract(kept, [axis for axis in node.summed if axis.name != second.name])
    return None


def _as_delta(node: Node, graph: Graph) -> tuple[Node, Axis, Axis] | None:
    """`(value, i, j)` where the node is the value at i = j, and 0 elsewhere."""
    if isinstance(node, Relabel) and (inner := _as_delta(node.operands[0], graph)) is not None:
        value, *pair = inner
        to = dict(node.renamed)
        first, second = (Axis(to.get(axis.name, axis.name), axis.length) for axis in pair)
        return graph.relabel(value, to), first, second
    if isinstance(node, Scatter) and isinstance(node.operands[1], Index) and not node.summed:
        axis = node.operands[1].axes[0]
        value = node.operands[0]
        if axis.length == node.along.length and axis.name in node.names and node.along.name not in value.names:
            return value, axis, node.along
    if isinstance(node, Map) and isinstance(node.expression, where) and node.expression.args[2] == 0:
        condition, chosen = (graph.map(a, node.operands) for a in node.expression.args[:2])
        masks = isinstance(condition, Map) and condition.expression in (equal(_0, _1), equal(_1, _0))
        if masks and all(isinstance(o, Index) for o in condition.operands):
            first, second = (o.axes[0] for o in condition.operands)
            if first.length == second.length:
                return chosen, first, second
    return None


# ------------------------------------------------------------------------------------------------------- what is placed


def _placed(node: Node, graph: Graph, uses: Uses) -> Node | None:
    is_product = isinstance(node, Map) and node.expression == MULTIPLY
    if not (is_product or isinstance(node, Contract)):
        return None
    for position, operand in enumerate(node.operands):
        if not isinstance(operand, PlaceSlice) or node.operands.count(operand) > 1:
            continue
        others = [*node.operands[:position], *node.operands[position + 1 :]]
        along, bare = operand.along, [o.operands[0] if isinstance(o, Spread) else o for o in others]
        parts = [
            graph.slice(o, along.name, operand.start, operand.step, operand.length, operand.drop)
            if along.name in o.names
            else o
            for o in bare
        ]
        summed = list(node.summed) if isinstance(node, Contract) else []
        whole = along.name not in {axis.name for axis in summed}
        if not whole:
            summed = [axis for axis in summed if axis.name != along.name]
            summed += [] if operand.drop else [Axis(along.name, operand.length)]
        inner = graph.contract([operand.operands[0], *parts], summed)
        if not whole:
            return graph.spread(inner, node.axes)
        kept = [axis for axis in node.axes if axis.name != along.name]
        kept += [] if operand.drop else [Axis(along.name, operand.length)]
        inner = graph.spread(inner, kept)
        return graph.place_slice(inner, along, operand.start, operand.step, operand.length, operand.drop)
    return None


def _side_by_side(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not any(isinstance(operand, PlaceSlice) for operand in node.operands):
        return None
    terms = _terms(node, uses)
    groups: dict[Axis, dict[int, list[Node]]] = {}
    for term in terms:
        if isinstance(term, PlaceSlice) and term.drop and term.start.is_Integer and not uses.shared(term):
            groups.setdefault(term.along, {}).setdefault(int(term.start), []).append(term)
    for along, places in groups.items():
        if len(places) < 2 or along.length != len(places):
            continue
        taken = {term.id for at in places.values() for term in at}
        parts = [graph.sum([term.operands[0] for term in places[i]]) for i in sorted(places)]
        whole = graph.stack(parts, along)
        return graph.spread(graph.sum([whole, *(term for term in terms if term.id not in taken)]), node.axes)
    return None


def _terms(node: Node, uses: Uses) -> list[Node]:
    """What is added up, in the sums that nothing else reads too; nothing where the node is no sum, or a long one."""
    found: list[Node] = []
    waiting = [node]
    while waiting and len(found) + len(waiting) <= MOST_PARTS:
        term = waiting.pop()
        inner = isinstance(term, Map) and term.expression.is_Add and all(t.is_Symbol for t in term.expression.args)
        if inner and (term is node or not uses.shared(term)):
            waiting += reversed(term.operands)
        else:
            found.append(term)
    return [] if waiting or found == [node] else found


SELECTIONS: tuple[tuple[Rule, Callable[[Node, Graph, Uses], Node | None]], ...] = (
    (
        Rule(
            "tensor.read",
            "sum[k](A * B)[i = 2]",
            "sum[k](A[i = 2] * B)",
            "a part of a product needs no whole product",
            "a selection along a free axis goes into each operand",
        ),
        _read,
    ),
    (
        Rule(
            "tensor.diagonal",
            "sum[k](A * B)[j = index[i]]",
            "sum[k](A * B[j -> i])",
            "a trace or a diagonal of a product needs n of its n^2 elements",
            "diag(A B) = rowsum(A * B')",
        ),
        _diagonal,
    ),
    (
        Rule(
            "tensor.delta",
            "sum[j]((if index[i] == index[j] then d else 0) * x)",
            "d * x[j -> i]",
            "a product with a diagonal matrix is a product of vectors",
            "the sum over a Kronecker delta",
        ),
        _delta,
    ),
    (
        Rule(
            "tensor.placed",
            "sum[i](place[i = 2](g) * A)",
            "g * A[i = 2]",
            "what is 0 elsewhere needs no other elements",
            "the adjoint of tensor.read",
        ),
        _placed,
    ),
    (
        Rule(
            "tensor.side_by_side",
            "place[g = 0](a) + place[g = 1](b)",
            "stack[g](a, b)",
            "arrays that are 0 but for one position are filled and added up",
            "a sum of disjoint parts",
        ),
        _side_by_side,
    ),
)
"""Rules over selections, in the order in which they are tried."""

"""Few numbers, one by one: between numbers Python's own arithmetic is faster than a call of NumPy for each array.

Takes a value and gradients over arrays of a few elements each, such as a line over the factor of its columns; gives
the same as operations between numbers, or None where there are too many, or where a kind has no rule here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from sympy import Integer

from ..graph import RANK, Axis, Contract, Factor, Graph, Leaf, Map, Node, Relabel, Slice, Stack, reachable
from .cost import cost

LARGEST = 9
"""Elements of one array."""
MOST = 60
"""Operations between numbers in all."""
ELEMENT = 40.0
"""Nanoseconds for an element of a vector that is read or written singly."""

Place = dict[str, int]  # a position along each axis


def unrolled(graph: Graph, roots: Sequence[Node], rows: str | None) -> list[Node] | None:
    """The roots, numbers and vectors, as operations between numbers, where that costs less."""
    known: dict[tuple[int, tuple[int, ...]], Node] = {}
    nodes = [node for node in reachable(roots) if node.trained]
    if any(len(root.axes) > 1 for root in roots) or sum(_count(node.axes) for node in nodes) > MOST:
        return None

    def at(node: Node, place: Place) -> Node:
        own = tuple(place[name] for name in node.names)
        return known[node.id, own] if node.trained else _known(graph, node, place)

    for node in nodes:
        rule = RULES.get(type(node))
        if rule is None or _count(node.axes) > LARGEST:
            return None
        before = graph.at(node.span)
        for place in _places(node.axes):
            found = rule(graph, node, place, at)
            if found is None:
                return None
            known[node.id, tuple(place.values())] = found
        graph.at(before)
    vectors = [_together(graph, root, known) for root in roots]
    inner = [node for node in reachable(vectors) if node.trained]
    if len(inner) > MOST:
        return None
    elements = sum(_count(node.axes) for node in (*roots, *nodes) if node.axes and (node in roots or not node.operands))
    price = sum(cost(node, rows) for node in inner if not isinstance(node, Stack)) + ELEMENT * elements
    return vectors if price < sum(cost(node, rows) for node in nodes) else None


def _together(graph: Graph, root: Node, known: dict[tuple[int, tuple[int, ...]], Node]) -> Node:
    """The root's number, or its numbers as a vector."""
    if not root.trained:
        return root
    if not root.axes:
        return known[root.id, ()]
    (axis,) = root.axes
    return graph.stack([known[root.id, (i,)] for i in range(int(axis.length))], axis)


def _count(axes: Sequence[Axis]) -> int:
    count = 1
    for axis in axes:
        count *= int(axis.length) if axis.length.is_Integer else MOST + 1
    return count


def _places(axes: Sequence[Axis]) -> list[Place]:
    names = [axis.name for axis in axes]
    return [dict(zip(names, at, strict=True)) for at in product(*(range(int(axis.length)) for axis in axes))]


def _known(graph: Graph, node: Node, place: Place) -> Node:
    """One number of an array that is known when data are bound; 0 below a factor's diagonal."""
    if isinstance(node, Map) and any(isinstance(operand, Factor) for operand in node.operands):
        return graph.map(node.expression, [_known(graph, operand, place) for operand in node.operands])
    if isinstance(node, Factor):
        before = [_count([a for a in c.axes if a.name != node.rows]) for c in node.operands[: node.part]]
        if place[RANK] > sum(before) + sum(place[name] for name in node.names if name != RANK):
            return graph.constant(0)
    for name in node.names:
        node = graph.slice(node, name, Integer(place[name]), 1, Integer(1), True)
    return node


# ------------------------------------------------------------------------------------------------------------ the rules

At = Callable[[Node, Place], Node]


def _leaf(graph: Graph, node: Leaf, place: Place, at: At) -> Node | None:
    if not node.axes:
        return node
    (name, *more) = node.names
    return None if more else graph.slice(node, name, Integer(place[name]), 1, Integer(1), True)


def _map(graph: Graph, node: Map, place: Place, at: At) -> Node | None:
    return graph.map(node.expression, [at(operand, place) for operand in node.operands])


def _contract(graph: Graph, node: Contract, place: Place, at: At) -> Node | None:
    terms = []
    for inner in _places(node.summed):
        terms.append(graph.product([at(operand, {**place, **inner}) for operand in node.operands]))
    return graph.sum(terms)


def _stack(graph: Graph, node: Stack, place: Place, at: At) -> Node | None:
    return at(node.operands[place[node.along.name]], place)


def _slice(graph: Graph, node: Slice, place: Place, at: At) -> Node | None:
    if not node.start.is_Integer:
        return None
    position = int(node.start) + node.step * (0 if node.drop else place[node.along.name])
    return at(node.operands[0], {**place, node.along.name: position})


def _relabel(graph: Graph, node: Relabel, place: Place, at: At) -> Node | None:
    back = {after: before for before, after in node.renamed}
    return at(node.operands[0], {back.get(name, name): position for name, position in place.items()})


RULES: dict[type[Node], Callable[..., Node | None]] = {
    Leaf: _leaf,
    Map: _map,
    Contract: _contract,
    Stack: _stack,
    Slice: _slice,
    Relabel: _relabel,
}

"""Many cotangents at once: how the reverse sweep keeps a Jacobian as a product for as long as it can.

A seed may have axes that its node lacks, and then every adjoint has them beside its own: one cotangent for each
position along them. Such an adjoint is as large as a Jacobian, yet most of it is a product of factors that have few of
the axes each. Each function here takes a cotangent as a node and the axes of the node that it belongs to, and does one
step of a rule to as few factors as the step needs; what is left in front costs nothing. A cotangent without other axes
goes through the step as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set

from .elementary import MULTIPLY, SQUARE
from .graph import Axis, Graph, Map, Node, placeholder

_0 = placeholder(0)


def are_many(cotangent: Node, own: Iterable[Axis]) -> bool:
    """Whether the cotangent of a node with the axes `own` has others beside."""
    return not {axis.name for axis in own}.issuperset(cotangent.names)


def added(graph: Graph, terms: Sequence[Node], own: Sequence[Axis]) -> Node:
    """The sum of cotangents; what all of them have as a factor stands in front."""
    if len(terms) == 1 or not any(are_many(term, own) for term in terms):
        return graph.sum(terms)
    products = [_factors(graph, term, own) for term in terms]
    common = []
    for factor in list(products[0]):
        if all(factor in product for product in products):
            common.append(factor)
            for product in products:
                product.remove(factor)
    return graph.product([*common, graph.sum([graph.product(product) for product in products])])


def contracted(
    graph: Graph, cotangent: Node, others: Sequence[Node], own: Sequence[Axis], over: Sequence[Axis]
) -> Node:
    """The cotangent times the other factors, summed over some of its own axes."""
    if not are_many(cotangent, own):
        return graph.contract([cotangent, *others], over)
    factors = [*_factors(graph, cotangent, own), *others]
    inside, outside = _touched(factors, {axis.name for axis in over})
    return graph.product([*outside, graph.contract(inside or [graph.constant(1)], over)])


def through(
    graph: Graph, cotangent: Node, own: Sequence[Axis], touched: Set[str], step: Callable[[Node], Node]
) -> Node:
    """What a linear step gives that works on the axes `touched` and treats all others point by point."""
    if not are_many(cotangent, own):
        return step(cotangent)
    inside, outside = _touched(_factors(graph, cotangent, own), touched)
    return graph.product([*outside, step(graph.product(inside))])


def _touched(factors: Sequence[Node], names: Set[str]) -> tuple[list[Node], list[Node]]:
    """The factors that have one of the axes, and those that have none."""
    inside = [factor for factor in factors if names & set(factor.names)]
    return inside, [factor for factor in factors if not names & set(factor.names)]


def _factors(graph: Graph, product: Node, own: Sequence[Axis]) -> list[Node]:
    """The factors of a product of many cotangents; those with its own axes alone stay together, but for numbers."""
    found: list[Node] = []
    for node in _taken_apart(graph, product, lambda node: are_many(node, own)):
        parts = _taken_apart(graph, node, lambda node: True)
        if not are_many(node, own) and any(not part.axes for part in parts):
            found += [part for part in parts if not part.axes]
            node = graph.product([part for part in parts if part.axes])
        found.append(node)
    return found


def _taken_apart(graph: Graph, product: Node, inside: Callable[[Node], bool]) -> list[Node]:
    """The factors of a product whose factors are products; `inside` says which of these are looked into."""
    found: list[Node] = []
    waiting = [product]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Map) and inside(node):
            number, rest = node.expression.as_coeff_Mul()
            if rest in (MULTIPLY, SQUARE, _0):
                found += [graph.constant(number)] if number != 1 else []
                waiting += [*reversed(node.operands), *(node.operands if rest == SQUARE else ())]
                continue
        found.append(node)
    return found

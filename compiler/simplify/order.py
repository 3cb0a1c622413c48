"""The order of a contraction: products of several arrays as products of two, in the order that costs the least.

Takes the operands of a sum of products and the axes that are summed; gives nodes of at most two operands each. The
order is `opt_einsum`'s, by the lengths that the compiler knows or assumes.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..elementary import SQUARE, as_float
from ..graph import Axis, Graph, Node
from .cost import length
from .renaming import renamed


def in_pairs(graph: Graph, operands: Sequence[Node], summed: Sequence[Axis], rows: str | None) -> Node:
    """One or two operands at a time, in the order that costs the fewest operations. An axis that no operand has counts
    as its length: a number folded into an operand may have taken it away."""
    present = {name for operand in operands for name in operand.names}
    lacking = [axis for axis in summed if axis.name not in present]
    if lacking:
        whole = in_pairs(graph, operands, [axis for axis in summed if axis.name in present], rows)
        return graph.product([*(graph.size(axis.length) for axis in lacking), whole])
    gone = {axis.name for axis in summed}
    parts = [as_float(graph, operand) for operand in operands]
    parts = _presummed(graph, parts, summed)
    if len(parts) > 2:
        for pair in _order(graph, parts, gone, rows):
            if len(parts) <= 2:
                break
            chosen = [parts[i] for i in pair]
            parts = [part for i, part in enumerate(parts) if i not in pair]
            rest = {name for part in parts for name in part.names}
            inner = [
                a for a in graph.ordered(a for c in chosen for a in c.axes) if a.name in gone and a.name not in rest
            ]
            parts.append(_pair(graph, chosen, inner))
    remaining = {name for part in parts for name in part.names}
    return _pair(graph, parts, [axis for axis in summed if axis.name in remaining])


def _presummed(graph: Graph, parts: list[Node], summed: Sequence[Axis]) -> list[Node]:
    """An axis that only one operand has is summed there first."""
    if len(parts) == 1:
        return parts
    result = []
    for i, part in enumerate(parts):
        others = {name for j, other in enumerate(parts) if j != i for name in other.names}
        alone = [axis for axis in summed if axis.name in part.names and axis.name not in others]
        result.append(graph.contract([part], alone) if alone else part)
    return result


def _pair(graph: Graph, parts: Sequence[Node], inner: Sequence[Axis]) -> Node:
    if not inner:
        return _squared_or_product(graph, parts)
    found = graph.contract(parts, inner)
    return renamed(found, graph) or found


def _squared_or_product(graph: Graph, parts: Sequence[Node]) -> Node:
    if len(parts) == 2 and parts[0] is parts[1]:
        return graph.map(SQUARE, [parts[0]])
    return graph.product(list(parts))


def _order(graph: Graph, parts: Sequence[Node], gone: set[str], rows: str | None) -> list[tuple[int, ...]]:
    """The pairs to contract in turn, as positions in a list from which they go and to whose end the result comes."""
    import opt_einsum

    axes = graph.ordered(axis for part in parts for axis in part.axes)
    letter = {axis.name: opt_einsum.get_symbol(i) for i, axis in enumerate(axes)}
    terms = ",".join("".join(letter[name] for name in part.names) for part in parts)
    result = "".join(letter[axis.name] for axis in axes if axis.name not in gone)
    shapes = [tuple(length(axis, rows) for axis in part.axes) for part in parts]
    method = "optimal" if len(parts) <= 6 else "greedy"
    path, _ = opt_einsum.contract_path(f"{terms}->{result}", *shapes, shapes=True, optimize=method)
    return [tuple(pair) for pair in path]

"""Contractions under other names: a transpose is a name, and what was computed is not computed again for it.

Takes a node; gives the same value seen under other names of its axes, where that is an array that is there already or
can be shared, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..graph import Axis, Contract, Graph, LinearAlgebra, Map, Node, Relabel
from .definite import symmetric
from .rewrites import Rule


def renamed(node: Node, graph: Graph) -> Node | None:
    """The contraction of what its operands are renamed from, renamed; or one that is there already, turned round."""
    if not isinstance(node, Contract):
        return None
    return _all_renamed(node, graph) or _turned(node, graph)


def _all_renamed(node: Contract, graph: Graph) -> Node | None:
    back: dict[str, str] = {}
    for operand in node.operands:
        if isinstance(operand, Relabel):
            back.update({after: before for before, after in operand.renamed})
    if not back or len(set(back.values())) < len(back):
        return None
    if any(not _renamed_by(operand, back) for operand in node.operands):
        return None
    return _seen_as(node, graph, [o.operands[0] if isinstance(o, Relabel) else o for o in node.operands], back)


def _turned(node: Contract, graph: Graph) -> Node | None:
    """The same with a symmetric operand turned round: S x is x' S."""
    for operand in node.operands:
        pair = _symmetric_axes(operand, graph)
        if pair is not None and len(node.operands) > 1:
            to = dict([pair, pair[::-1]])
            others = [o if o is operand else graph.relabel(o, to) for o in node.operands]
            before = len(graph.nodes)
            found = _seen_as(node, graph, others, to)
            held = found.operands[0] if isinstance(found, Relabel) else found
            if held.id < min(before, node.id):
                return found
    return None


def _symmetric_axes(node: Node, graph: Graph) -> tuple[str, str] | None:
    """Two axes by which the matrix may be turned round."""
    if not isinstance(node, Contract | Map | LinearAlgebra) or len(node.axes) != 2:
        return None
    return (node.names[0], node.names[1]) if symmetric(graph, node, *node.axes) else None


def _seen_as(node: Contract, graph: Graph, operands: Sequence[Node], back: Mapping[str, str]) -> Node:
    """The contraction over these operands, `back` the names of the axes there, under the names that the node has."""
    summed = [Axis(back.get(axis.name, axis.name), axis.length) for axis in node.summed]
    inner = graph.contract(operands, summed)
    return graph.relabel(inner, {name: to for to, name in back.items() if name in inner.names})


def _renamed_by(operand: Node, back: Mapping[str, str]) -> bool:
    """Whether the operand renames its axes as `back` undoes it, or has none of them."""
    to = {after: before for before, after in operand.renamed} if isinstance(operand, Relabel) else {}
    for name in operand.names:
        if back.get(name) != to.get(name) or (name in back.values() and name not in back):
            return False
    return True


RENAMINGS: tuple[tuple[Rule, Callable[[Node, Graph], Node | None]], ...] = (
    (
        Rule(
            "tensor.renamed",
            "sum[k](A[i -> j] * B)",
            "sum[k](A * B)[i -> j]",
            "the same contraction under two names would be computed twice",
            "renaming of free axes",
        ),
        renamed,
    ),
)
"""Rules over names, in the order in which they are tried."""

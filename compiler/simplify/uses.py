"""Who uses each node of a program: what is computed anyway, for another user, is not taken apart.

Takes a program; counts its edges. Rules ask with the node that stands before them, which may have been rewritten since.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..graph import Contract, Graph, Node, Program, reachable
from .cost import total
from .order import in_pairs

MOST = 8
"""Users of one node for which its worth is worked out; with more it stays."""


@dataclass
class Uses:
    """Who uses each node of the program as it was; a node that was rewritten goes by the one that it came from."""

    program: Program
    everywhere: dict[int, int] = field(default_factory=dict)
    outside_sums: dict[int, int] = field(default_factory=dict)
    was: dict[int, int] = field(default_factory=dict)
    users: dict[int, list[Node]] = field(default_factory=dict)
    spared: dict[tuple[int, str], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for root in self.program.roots():
            self.everywhere[root.id] = self.everywhere.get(root.id, 0) + 1
        for node in reachable(self.program.roots()):
            for operand in dict.fromkeys(node.operands):
                self.everywhere[operand.id] = self.everywhere.get(operand.id, 0) + 1
                self.users.setdefault(operand.id, []).append(node)
                if not isinstance(node, Contract):
                    self.outside_sums[operand.id] = self.outside_sums.get(operand.id, 0) + 1

    @property
    def rows(self) -> str | None:
        """The row axis."""
        return self.program.rows

    def became(self, old: Node, new: Node) -> None:
        """Notes what a node has been rewritten to."""
        self.was.setdefault(new.id, old.id)

    def shared(self, node: Node) -> bool:
        """Whether the node is computed anyway, for another user."""
        return self.everywhere.get(self.was.get(node.id, node.id), 0) > 1

    def joins(self, node: Node, factors: list[Node], gone: set[str]) -> bool:
        """Whether a product goes into the sum that uses it: its only use, or a scaling by what leaves the sum."""
        old = self.was.get(node.id, node.id)
        inner = [factor for factor in factors if gone & set(factor.names)]
        return self.outside_sums.get(old, 0) == 0 and (self.everywhere.get(old, 0) <= 1 or len(inner) <= 1)

    def spares(self, node: Node, rule: str, apart: Callable[[Contract, Node], Node | None]) -> bool:
        """Whether all who use the node are contractions that together cost less without it.

        `apart` gives such a contraction without the node, or None where it needs it; `rule` tells one from another.
        """
        old = self.program.graph.nodes[self.was.get(node.id, node.id)]
        key = old.id, rule
        if key not in self.spared:
            self.spared[key] = self._spares(old, apart)
        return self.spared[key]

    def _spares(self, old: Node, apart: Callable[[Contract, Node], Node | None]) -> bool:
        users = self.users.get(old.id, [])
        if not users or self.everywhere[old.id] != len(users) or len(users) > MOST:
            return False
        inside = leaves(old)
        kept, spared = total(all_in_pairs(self.program.graph, old, self.rows), inside, self.rows), 0.0
        for user in users:
            found = apart(user, old) if isinstance(user, Contract) else None
            if found is None:
                return False
            others = [operand for operand in user.operands if operand is not old]
            kept += total(all_in_pairs(self.program.graph, user, self.rows), [*others, old], self.rows)
            spared += total(all_in_pairs(self.program.graph, found, self.rows), [*others, *inside], self.rows)
        return spared < kept


def leaves(node: Node) -> list[Node]:
    """What a contraction, or a sum of such, is made of."""
    if isinstance(node, Contract):
        return list(node.operands)
    return [leaf for o in node.operands for leaf in (o.operands if isinstance(o, Contract) else (o,))]


def all_in_pairs(graph: Graph, node: Node, rows: str | None) -> Node:
    """The contraction, or the operation over such, with products of two in the order in which they will be computed."""
    if isinstance(node, Contract):
        return in_pairs(graph, node.operands, node.summed, rows)
    operands: Sequence[Node] = [
        in_pairs(graph, o.operands, o.summed, rows) if isinstance(o, Contract) else o for o in node.operands
    ]
    return graph.remake(node, operands) if operands else node

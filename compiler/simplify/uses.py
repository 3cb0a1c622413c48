"""Who uses each node of a program: what is computed anyway, for another user, is not taken apart.

Takes a program; counts its edges. Rules ask with the node that stands before them, which may have been rewritten since.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..graph import Contract, Node, Program, reachable


@dataclass
class Uses:
    """Who uses each node of the program as it was; a node that was rewritten goes by the one that it came from."""

    program: Program
    everywhere: dict[int, int] = field(default_factory=dict)
    outside_sums: dict[int, int] = field(default_factory=dict)
    was: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for root in self.program.roots():
            self.everywhere[root.id] = self.everywhere.get(root.id, 0) + 1
        for node in reachable(self.program.roots()):
            for operand in node.operands:
                self.everywhere[operand.id] = self.everywhere.get(operand.id, 0) + 1
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

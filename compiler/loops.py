"""What is computed inside of which scan: the regions of a graph.

Takes the roots of a computation; gives its nodes region by region, operands first: those outside of all scans, and for
each scan those of its body, which are computed once a step, with what they read from outside. The body of a scan is not
marked in the graph: it is what depends on the leaves that the scan binds. So what does not is outside by itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .graph import Last, Leaf, Node, Scan, Steps, reachable


@dataclass(frozen=True, slots=True)
class Body:
    """The body of one scan: its nodes, operands first; the outside nodes that they read; the values kept at each step.

    The leaves that the scan binds are among neither.
    """

    nodes: tuple[Node, ...]
    captured: tuple[Node, ...]
    kept: tuple[Steps, ...]


class Regions:
    """The regions of what the roots need. `outside` holds the nodes outside of all scans, operands first, `leaves`
    the parameters, inputs and cotangents, wherever they are read."""

    def __init__(self, roots: Iterable[Node]) -> None:
        wanted = list(roots)
        nodes = reachable(wanted)
        self.leaves = [node for node in nodes if isinstance(node, Leaf) and node.role != "local"]
        self.scans = tuple(node for node in nodes if isinstance(node, Scan))
        self._kept: dict[int, list[Steps]] = {scan.id: [] for scan in self.scans}
        for node in nodes:
            if isinstance(node, Steps):
                self._kept[node.scan.id].append(node)
        self._bodies: dict[int, Body] = {}
        self.outside: tuple[Node, ...] = tuple(nodes)
        if self.scans:
            self.outside = tuple(self._ordered(wanted, lambda node: True))

    def operands(self, node: Node) -> tuple[Node, ...]:
        """What the node reads, as its surroundings see it: of a scan what its body reads, not the body."""
        if isinstance(node, Scan):
            return (*node.initials, *node.sequences, *self.body(node).captured)
        if isinstance(node, Steps | Last):
            return (node.scan,)
        return node.operands

    def body(self, scan: Scan) -> Body:
        """The body of one of the scans."""
        if scan.id not in self._bodies:
            kept = tuple(self._kept[scan.id])
            binds = scan.binds
            roots = [*scan.nexts, *(steps.operands[1] for steps in kept)]
            ordered = self._ordered(roots, lambda node: bool(node.free & binds))
            nodes = tuple(node for node in ordered if node.free & binds and node.id not in binds)
            captured = tuple(node for node in ordered if not node.free & binds)
            self._bodies[scan.id] = Body(nodes, captured, kept)
        return self._bodies[scan.id]

    def _ordered(self, roots: Sequence[Node], enters: Callable[[Node], bool]) -> list[Node]:
        """The nodes that the roots need, operands first, else by id; those that it does not enter end the search.

        A body may read what was made after its scan, so the order of ids will not do.
        """
        users: dict[int, list[Node]] = {}
        lacking: dict[int, int] = {}
        ready: list[tuple[int, Node]] = []
        waiting = list({root.id: root for root in roots}.values())
        seen = {root.id for root in waiting}
        while waiting:
            node = waiting.pop()
            operands = {o.id: o for o in self.operands(node)} if enters(node) else {}
            lacking[node.id] = len(operands)
            if not operands:
                ready.append((node.id, node))
            for operand in operands.values():
                users.setdefault(operand.id, []).append(node)
                if operand.id not in seen:
                    seen.add(operand.id)
                    waiting.append(operand)
        heapq.heapify(ready)
        found: list[Node] = []
        while ready:
            _, node = heapq.heappop(ready)
            found.append(node)
            for user in users.get(node.id, ()):
                lacking[user.id] -= 1
                if lacking[user.id] == 0:
                    heapq.heappush(ready, (user.id, user))
        assert len(found) == len(lacking), "a scan reads what reads the scan"
        return found

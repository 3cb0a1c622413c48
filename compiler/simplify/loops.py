"""What need not be computed step by step is computed for all steps at once, outside of the scan.

Takes a program; gives it with bodies that hold the recurrence alone. Axes have names, so an operation on one step is
the same operation on all of them, with one axis more: what a body computes of arrays alone stands before the scan, what
nothing carried needs stands behind it, and a sum over the steps is one contraction of what is kept of each. The scan
that goes backward needs values of the one that went forward: those that this computes anyway are kept, and the others
computed for all steps at once. The memory is that of a few values for each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import sympy

from ..graph import (
    LOOPS,
    Constant,
    Graph,
    Last,
    Map,
    Node,
    Program,
    Relabel,
    Scan,
    Spread,
    Steps,
    placeholder,
    reachable,
    rewrite,
)
from ..loops import Regions
from .rewrites import Rewrites, Rule

BEFORE = Rule(
    "loops.before",
    "scan t: ... f(x) of a step",
    "f(x), and then the scan over it",
    "a call of NumPy for each step, and thin products",
    "f of a position along t is the position of f",
)
BEHIND = Rule(
    "loops.behind",
    "scan t: yield f(h)",
    "f of all h, behind the scan",
    "a call of NumPy for each step, and thin products",
    "f of a position along t is the position of f",
)
TOTAL = Rule(
    "loops.total",
    "scan t: total = total + g",
    "sum[t](g)",
    "an array of the total's size is passed through at each step",
    "the definition of a sum",
)
KEPT = Rule(
    "loops.kept",
    "scan t backward: f(h), which the scan forward has computed",
    "the f(h) of each step, kept",
    "everything would be computed twice",
    "reverse mode by a tape (Griewank and Walther, Evaluating Derivatives, 4.3)",
)
RULES: tuple[Rule, ...] = (BEFORE, BEHIND, TOTAL, KEPT)


def simplify_loops(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with as little as possible inside of its scans."""
    regions = Regions(program.everything())
    if not regions.scans:
        return program
    passed = _Loops(program.graph, regions, rewrites or Rewrites())
    found = rewrite(program, passed.rule)
    inside = {key: node for scan in passed.found.values() for key, node in scan.inside.items()}
    return replace(found, named=tuple((name, inside.get(node.id, node)) for name, node in found.named))


@dataclass
class _Lighter:
    """What became of a scan. `inside` maps the nodes of its body that are still in it, `totals` the carried leaves that
    are sums, `parts` the others to their numbers; `whole` what is known of all steps.
    """

    scan: Scan
    binds: frozenset[int]
    carried: frozenset[int]
    whole: dict[int, Node]
    inside: dict[int, Node] = field(default_factory=dict)
    totals: dict[int, Node] = field(default_factory=dict)
    parts: dict[int, int] = field(default_factory=dict)


class _Loops:
    """The rewriting of one program's scans. A scan that another one reads comes before it."""

    def __init__(self, graph: Graph, regions: Regions, record: Rewrites) -> None:
        self.graph = graph
        self.regions = regions
        self.record = record
        self.found: dict[int, _Lighter] = {}
        self.carrying: dict[int, _Lighter] = {}  # of each leaf, the scan that carried it first

    def rule(self, node: Node, operands: tuple[Node, ...]) -> Node:
        """What becomes of a node, over what has become of its operands."""
        if isinstance(node, Scan):
            new = self.graph.remake(node, operands)
            assert isinstance(new, Scan)
            kept = [steps.operands[1] for steps in self.regions.body(node).kept]
            self.found[node.id] = self._lighter(new, kept)
            return self.found[node.id].scan
        if isinstance(node, Steps):
            return self._steps(self.found[node.scan.id], operands[1])
        if isinstance(node, Last):
            lighter = self.found[node.scan.id]
            leaf = node.scan.carried[node.part]
            total = lighter.totals.get(leaf.id)
            return total if total is not None else self.graph.last(lighter.scan, lighter.parts[leaf.id])
        return self.graph.remake(node, operands) if operands else node

    # --- one scan

    def _lighter(self, scan: Scan, kept: Sequence[Node]) -> _Lighter:
        """The scan with what its recurrence needs; `kept` are the nodes of its body that are read of all steps."""
        graph = self.graph
        sequences = {leaf.id: whole for leaf, whole in zip(scan.stepped, scan.sequences, strict=True)}
        found = _Lighter(scan, scan.binds, frozenset(leaf.id for leaf in scan.carried), dict(sequences))
        addends = self._addends(scan, kept)
        while True:
            parts = [part for part in range(len(scan.carried)) if part not in addends]
            carried = [(scan.carried[part], scan.initials[part], scan.nexts[part]) for part in parts]
            rest = graph.scan(scan.along, scan.backward, carried, list(zip(scan.stepped, scan.sequences, strict=True)))
            core = Regions([rest]).body(rest).nodes
            found.inside = {node.id: node for node in (*core, *(leaf for leaf, _, _ in carried))}
            stays = [part for part, addend in addends.items() if not self._fits(found, addend)]
            if not stays:
                break
            addends = {part: addend for part, addend in addends.items() if part not in stays}
        alone = _Lighter(rest, found.binds, found.carried, sequences)  # nothing is inside: all is computed of all steps
        moved = self._moved(alone, core)
        inner = {node.id: node for node in reachable(rest.nexts) if node.free & found.binds}
        leaves = dict(zip(rest.stepped, rest.sequences, strict=True))
        for key in sorted(inner):
            node = inner[key]
            if key in moved:
                whole = self._whole(alone, node)
                leaf = graph.local(
                    f"known{len(leaves) - len(rest.stepped) + 1}", node.axes, node.dtype, node.trained, node.positive
                )
                leaves[leaf] = whole
                found.inside[key] = leaf
                self.record.noted(BEFORE.name, node, whole)
            elif node.operands:
                found.inside[key] = graph.remake(node, [found.inside.get(o.id, o) for o in node.operands])
        following = [found.inside.get(node.id, node) for node in rest.nexts]
        needed = set[int]().union(*(node.free for node in following))
        needed |= set[int]().union(*(node.free for node in kept if not self._fits(found, node)))
        found.scan = graph.scan(
            scan.along,
            scan.backward,
            list(zip(rest.carried, rest.initials, following, strict=True)),
            [(leaf, whole) for leaf, whole in leaves.items() if leaf.id in needed],
        )
        read = {leaf.id for leaf in found.scan.carried} | {node.id for node in reachable(found.scan.nexts)}
        found.inside = {key: node for key, node in found.inside.items() if node.id in read}
        found.parts = {leaf.id: part for part, leaf in enumerate(rest.carried)}
        for leaf in scan.carried:
            self.carrying.setdefault(leaf.id, found)
        for part, addend in addends.items():
            whole = self._whole(found, addend)
            total = graph.contract([whole], [scan.along])
            if not _is_zero(scan.initials[part]):
                total = graph.sum([scan.initials[part], total])
            total = graph.spread(total, scan.carried[part].axes)
            found.totals[scan.carried[part].id] = total
            self.record.noted(TOTAL.name, scan.nexts[part], total)
        return found

    def _addends(self, scan: Scan, kept: Sequence[Node]) -> dict[int, Node]:
        """What is added at each step to carried leaves that nothing else reads, by their numbers."""
        if not self.record.allows(TOTAL.name):
            return {}
        found: dict[int, Node] = {}
        for part, (leaf, following) in enumerate(zip(scan.carried, scan.nexts, strict=True)):
            others = [node for i, node in enumerate(scan.nexts) if i != part]
            if any(leaf.id in node.free for node in (*others, *kept)):
                continue
            if following is leaf:
                found[part] = self.graph.constant(0)
            elif isinstance(following, Map) and following.expression.is_Add and leaf in following.operands:
                symbol = placeholder(following.operands.index(leaf))
                rest = sympy.Add(*(term for term in following.expression.args if term != symbol))
                if symbol in following.expression.args and symbol not in rest.free_symbols:
                    addend = self.graph.map(rest, following.operands)
                    if leaf.id not in addend.free:
                        found[part] = addend
        return found

    def _moved(self, alone: _Lighter, core: Sequence[Node]) -> set[int]:
        """The nodes of the recurrence that it does not change, and that what it changes reads."""
        if not self.record.allows(BEFORE.name):
            return set()
        movable: set[int] = set()
        for node in core:
            if not node.free & alone.carried and not _widens(node, alone.binds) and self._fits(alone, node):
                movable.add(node.id)
        nexts = alone.scan.nexts
        users = [node for node in reachable(nexts) if node.id not in movable and node.free & alone.binds]
        read = {operand.id for node in users for operand in node.operands} | {node.id for node in nexts}
        return movable & read

    # --- of all steps at once

    def _steps(self, found: _Lighter, value: Node) -> Node:
        if self.record.allows(BEHIND.name) and self._fits(found, value):
            whole = self._whole(found, value)
            if value.id not in found.inside:
                self.record.noted(BEHIND.name, value, whole)
            return self.graph.spread(whole, [found.scan.along])
        new: dict[int, Node] = dict(found.inside)
        for node in reachable([value]):
            if node.free & found.binds and node.id not in new and node.operands:
                new[node.id] = self.graph.remake(node, [new.get(o.id, o) for o in node.operands])
        return self.graph.steps(found.scan, new.get(value.id, value))

    def _inputs(self, found: _Lighter, node: Node) -> Sequence[Node] | None:
        """What the node of all steps is made of: none where it is there already, None where it has to stay inside."""
        if not node.free & found.binds or not node.operands:
            return ()
        name = found.scan.along.name
        if isinstance(node, Relabel) and name not in (*node.names, *node.operands[0].names):
            # Another name for what is kept needs no memory of its own.
            return node.operands
        if node.id in found.inside:
            return ()
        if self._forward(found, node) is not None:
            return ()
        if isinstance(node, LOOPS) or any(name in operand.names for operand in node.operands):
            return None
        return node.operands

    def _fits(self, found: _Lighter, value: Node) -> bool:
        """Whether the value of all steps can be computed at once."""
        seen: set[int] = set()
        waiting = [value]
        while waiting:
            node = waiting.pop()
            if node.id in seen:
                continue
            seen.add(node.id)
            inputs = self._inputs(found, node)
            if inputs is None:
                return False
            waiting.extend(inputs)
        return True

    def _whole(self, found: _Lighter, value: Node) -> Node:
        """The value of all steps, which fits."""
        below: dict[int, Node] = {}
        waiting = [value]
        while waiting:
            node = waiting.pop()
            if node.id not in below and node.id not in found.whole:
                below[node.id] = node
                waiting.extend(self._inputs(found, node) or ())
        for key in sorted(below):
            node = below[key]
            inputs = self._inputs(found, node)
            forward = self._forward(found, node)
            if inputs:
                found.whole[key] = self.graph.remake(node, [found.whole[operand.id] for operand in inputs])
            elif not node.free & found.binds:
                found.whole[key] = node
            elif forward is not None and node.id not in found.inside:
                found.whole[key] = forward
                self.record.noted(KEPT.name, node, forward)
            else:
                found.whole[key] = self.graph.steps(found.scan, found.inside.get(key, node))
        return found.whole[value.id]

    def _forward(self, found: _Lighter, node: Node) -> Node | None:
        """The node of all steps, where a scan in the other direction computes it at each of its own."""
        if not self.record.allows(KEPT.name):
            return None
        read = [self.carrying[key] for key in sorted(node.free & found.binds) if key in self.carrying]
        if not read or read[0] is found or not node.free & found.binds <= read[0].binds:
            return None
        forward = read[0]
        if node.id in forward.inside:
            return self.graph.steps(forward.scan, forward.inside[node.id])
        if isinstance(node, Steps) and node.scan.id in forward.inside:
            scan, value = forward.inside[node.scan.id], node.operands[1]
            assert isinstance(scan, Scan)
            return self.graph.steps(forward.scan, self.graph.steps(scan, forward.inside.get(value.id, value)))
        return None


def _is_zero(node: Node) -> bool:
    constant = node.operands[0] if isinstance(node, Spread) else node
    return isinstance(constant, Constant) and constant.value == 0


def _widens(node: Node, binds: frozenset[int]) -> bool:
    """Whether the node is larger than what it is made of in one step: of all steps it would take too much memory."""
    local = [operand for operand in node.operands if operand.free & binds]
    return isinstance(node, Map | Spread) and not any(set(node.names) <= set(operand.names) for operand in local)

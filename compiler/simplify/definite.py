"""What the form of a matrix shows: that it is symmetric, or positive definite.

Takes a value and two of its axes; gives what follows from how it was computed, whatever the data are. A value is
symmetric where exchanging the axes at its leaves gives the same nodes again. It is positive definite as a sum of
positive semidefinite terms with at least one definite among them. What is not seen here counts as unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr, Mul

from .. import functions
from ..graph import (
    Axis,
    Constant,
    Contract,
    Graph,
    Index,
    LinearAlgebra,
    Map,
    Node,
    Scatter,
    Spread,
    is_positive_number,
    placeholder,
)

MOST = 200
"""Nodes of one value that are looked at, and"""
DEEPEST = 8
"""products within sums within products."""


def symmetric(graph: Graph, matrix: Node, rows: Axis, columns: Axis) -> bool:
    """Whether the value is surely the same with `rows` and `columns` exchanged."""
    return rows.length == columns.length and _Mirror(graph, rows, columns).sign(matrix) == 1


def definite(graph: Graph, matrix: Node, rows: Axis, columns: Axis) -> bool:
    """Whether each of the matrices over `rows` and `columns` is surely symmetric and positive definite."""
    return _Definiteness(graph, _Mirror(graph, rows, columns)).level(matrix, 0) == DEFINITE


@dataclass
class _Mirror:
    """Values with the two axes exchanged."""

    graph: Graph
    rows: Axis
    columns: Axis

    def has(self, node: Node) -> tuple[bool, bool]:
        """Whether the node has the axis of the rows, and that of the columns."""
        return self.rows.name in node.names, self.columns.name in node.names

    def sign(self, node: Node) -> int:
        """1 where the value stays the same, -1 where it changes its sign, 0 where neither is known."""
        return self._all(node)[node.id][0]

    def image(self, node: Node) -> Node:
        """The value with its axes exchanged."""
        return self._all(node)[node.id][1]

    def _all(self, root: Node) -> dict[int, tuple[int, Node]]:
        """The sign and the image of each node under the root."""
        below: dict[int, Node] = {}
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node.id not in below:
                below[node.id] = node
                if all(self.has(node)) and isinstance(node, Map | Contract | Spread | LinearAlgebra):
                    waiting += node.operands
            if len(below) > MOST:
                return {root.id: (0, self._renamed(root))}
        found: dict[int, tuple[int, Node]] = {}
        for key in sorted(below):
            found[key] = self._one(below[key], found)
        return found

    def _renamed(self, node: Node) -> Node:
        return self.graph.transposed(node, self.rows, self.columns)

    def _one(self, node: Node, known: dict[int, tuple[int, Node]]) -> tuple[int, Node]:
        if not any(self.has(node)):
            return 1, node
        if isinstance(node, Index):
            other = self.columns if node.names[0] == self.rows.name else self.rows
            return 0, self.graph.index(other)
        if self.diagonal(node) is not None:
            return 1, node
        pairs = [known[operand.id] for operand in node.operands if operand.id in known]
        if len(pairs) == len(node.operands) and pairs:
            sign, image = self._of(node, [s for s, _ in pairs], [i for _, i in pairs])
            if sign:
                return sign, node
            if image is not None:
                return (1 if image is node else 0), image
        return 0, self._renamed(node)

    def diagonal(self, node: Node) -> bool | None:
        """Of what is 0 off the diagonal, whether it is surely positive on it; None of any other value.

        A scatter onto the diagonal, `if index[d] == index[d'] then v else 0`, and products with one of these.
        """
        pair = {self.rows.name, self.columns.name}
        match node:
            case Scatter(operands=(values, Index(names=(along,)))) if not node.summed:
                return (
                    values.positive
                    if {along, node.along.name} == pair and node.along.name not in values.names
                    else None
                )
            case Map(expression=functions.where(args=(condition, yes, no))) if condition.is_Symbol and no == 0:
                equal = _operand(node, condition)
                counted = {o.names[0] for o in equal.operands if isinstance(o, Index)}
                if counted != pair or not isinstance(equal, Map) or not isinstance(equal.expression, functions.equal):
                    return None
                return is_positive_number(yes) if yes.is_Number else yes.is_Symbol and _operand(node, yes).positive
            case Map(expression=Mul()):
                parts = _factors(node)
                found = [(part, None if part is node else self.diagonal(part)) for part in parts.above]
                if all(positive is None for _, positive in found):
                    return None
                scales = all(positive or (positive is None and part.positive) for part, positive in found)
                return scales and bool(parts.number > 0) and all(part.positive for part in parts.below)
        return None

    def _of(self, node: Node, signs: Sequence[int], images: Sequence[Node]) -> tuple[int, Node | None]:
        """The sign that follows from the operands', or else the image."""
        pair = {self.rows.name, self.columns.name}
        match node:
            case Map():
                return self._of_map(node, signs, images)
            case Contract() if not pair & {axis.name for axis in node.summed}:
                sign = -1 if signs.count(-1) % 2 else 1
                if sorted(image.id for image in images) == [operand.id for operand in node.operands]:
                    return sign, None
                return 0, self.graph.contract(images, node.summed) if -1 not in signs else None
            case Spread() if signs[0] == 1 and len(pair & set(node.operands[0].names)) != 1:
                return 1, None
            case Spread() if signs[0] != -1:
                return 0, self.graph.spread(images[0], node.axes)
            case LinearAlgebra(operator="inverse") if {node.rows.name, node.columns.name} == pair:
                return signs[0], None
        return 0, None

    def _of_map(self, node: Map, signs: Sequence[int], images: Sequence[Node]) -> tuple[int, Node | None]:
        expression, graph = node.expression, self.graph
        if all(signs):
            odd = {placeholder(i): -placeholder(i) for i, sign in enumerate(signs) if sign == -1}
            turned = expression.xreplace(odd)
            return (1 if turned == expression else -1 if turned == -expression else 0), None
        if -1 in signs:
            return 0, None
        if isinstance(expression, functions.equal | functions.unequal) and set(images) == set(node.operands):
            return 1, None
        image = graph.map(expression, images)
        negative = expression.is_Add and image is graph.map(-expression, node.operands)
        return (-1 if negative else 0), image


UNKNOWN, SEMIDEFINITE, DEFINITE = range(3)


@dataclass
class _Definiteness:
    graph: Graph
    mirror: _Mirror

    def level(self, node: Node, depth: int) -> int:
        """What is known of the value as a matrix."""
        least = DEFINITE
        best = UNKNOWN
        terms = self._terms(node)
        for term in terms or ():
            found = self._term(term, depth)
            least, best = min(least, found), max(best, found)
        return best if least > UNKNOWN else UNKNOWN

    def _terms(self, node: Node) -> list[Node] | None:
        """The terms of a sum, each with a positive factor or none; None where one is subtracted."""
        found: list[Node] = []
        waiting = [node]
        while waiting:
            current = waiting.pop()
            if not isinstance(current, Map) or not current.expression.is_Add:
                found.append(current)
                continue
            for term in current.expression.args:
                factor, rest = term.as_coeff_Mul()
                if not is_positive_number(factor) or not (rest.is_Symbol or rest == 1):
                    return None
                waiting.append(self.graph.constant(factor) if rest == 1 else _operand(current, rest))
            if len(found) + len(waiting) > MOST:
                return None
        return found

    def _term(self, node: Node, depth: int) -> int:
        if depth > DEEPEST:
            return UNKNOWN
        if isinstance(node, Spread):
            inner = node.operands[0]
            # What lacks both axes, or has both; a vector that is repeated is no such matrix.
            return self._term(inner, depth + 1) if len(set(self.mirror.has(inner))) == 1 else UNKNOWN
        if not any(self.mirror.has(node)):
            return SEMIDEFINITE if node.positive else UNKNOWN
        if self.mirror.diagonal(node):
            return DEFINITE
        match node:
            case Contract():
                return min(self._product(list(node.operands), depth), SEMIDEFINITE)
            case Map(expression=e) if e.is_Add:
                return self.level(node, depth + 1)
            case Map(expression=e) if e.is_Mul or (e.is_Pow and e.exp == 2):
                parts = _factors(node)
                if parts.number <= 0 or not all(b.positive and not any(self.mirror.has(b)) for b in parts.below):
                    return UNKNOWN
                return self._product(parts.above, depth)
            case Map(expression=e) if isinstance(e, sympy.exp) and e.args[0].is_Symbol:
                return SEMIDEFINITE if self._is_minus_square_distance(node.operands[0]) else UNKNOWN
        return UNKNOWN

    def _product(self, factors: Sequence[Node], depth: int) -> int:
        """Of x_i x_j, of positive numbers, and of semidefinite matrices point by point (I. Schur, 1911)."""
        left, right, whole = [], [], []
        for factor in factors:
            match self.mirror.has(factor):
                case (True, True):
                    whole.append(self.level(factor, depth + 1))
                case (True, False):
                    left.append(self.mirror.image(factor).id)
                case (False, True):
                    right.append(factor.id)
                case _ if not factor.positive and factors.count(factor) % 2:
                    return UNKNOWN
        if sorted(left) != sorted(right) or UNKNOWN in whole:
            return UNKNOWN
        positive = all(factor.positive for factor in factors if not any(self.mirror.has(factor)))
        return DEFINITE if whole == [DEFINITE] and not left and positive else SEMIDEFINITE

    def _is_minus_square_distance(self, node: Node) -> bool:
        """-c |f(x_i) - f(x_j)|^2 with c > 0, of which the exponential is a positive semidefinite kernel
        (I. Schoenberg, "Metric spaces and positive definite functions", 1938)."""
        parts = _factors(node)
        whole = [part for part in parts.above if any(self.mirror.has(part))]
        if len(whole) == 1 and isinstance(whole[0], Contract):
            parts.above.remove(whole[0])
            inner = _factors(*whole[0].operands)
            parts = _Factors(parts.number * inner.number, parts.above + inner.above, parts.below + inner.below)
        differences = [part for part in parts.above if any(self.mirror.has(part))]
        scales = [part for part in (*parts.above, *parts.below) if part not in differences]
        if not parts.number < 0 or any(any(self.mirror.has(scale)) for scale in scales):
            return False
        if not all(scale.positive or scales.count(scale) % 2 == 0 for scale in scales):
            return False
        return len(differences) == 2 and differences[0] is differences[1] and self._is_difference(differences[0])

    def _is_difference(self, node: Node) -> bool:
        """f(x_i) - f(x_j)."""
        if not isinstance(node, Map) or node.expression not in (_0 - _1, _1 - _0):
            return False
        first, second = node.operands
        return self.mirror.has(first) in ((True, False), (False, True)) and self.mirror.image(first) is second


_0, _1 = placeholder(0), placeholder(1)


@dataclass
class _Factors:
    """number * above / below."""

    number: Expr
    above: list[Node]
    below: list[Node]


def _factors(*nodes: Node) -> _Factors:
    """The factors of the nodes' product, nested products and squares opened."""
    found = _Factors(sympy.Integer(1), [], [])
    waiting = list(nodes)
    while waiting:
        current = waiting.pop()
        opened = isinstance(current, Map) and len(found.above) + len(waiting) < DEEPEST
        if isinstance(current, Constant):
            found.number *= current.value
        elif isinstance(current, Map) and opened and current.expression.is_Mul:
            for factor in Mul.make_args(current.expression):
                if factor.is_Number:
                    found.number *= factor
                elif factor.is_Pow and factor.exp == -1 and factor.base.is_Symbol:
                    found.below.append(_operand(current, factor.base))
                elif factor.is_Symbol:
                    waiting.append(_operand(current, factor))
                else:
                    return _Factors(sympy.Integer(1), list(nodes), [])
        elif isinstance(current, Map) and opened and current.expression == _0**2:
            waiting += [current.operands[0]] * 2
        else:
            found.above.append(current)
    return found


def _operand(node: Map, symbol: Expr) -> Node:
    return node.operands[int(symbol.name[1:])]

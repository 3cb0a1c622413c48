"""Rows that meet the parameters only in products of two linear forms: one small matrix instead of all of them.

Takes a program and gives it with such objectives over the triangular factor of their columns. Where a residual is
`M θ + c`, with `M` and `c` known when data are bound, `[M c] = Q R` (Householder), and products over the rows are those
over the rows of R: `|M θ + c|² = |R (θ, 1)|²`, and likewise for the gradient. A step then costs the same for ten rows
and for a million. Nothing is squared: the error is that of the residual form itself, a few roundings of
`|M| |θ| + |c|`, where the normal equations lose twice as many digits (Golub and Van Loan, Matrix Computations, 5.3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy
from sympy import Expr, Integer

from ..elementary import ADD, DIVIDE, MULTIPLY, build
from ..graph import RANK, Axis, Contract, Graph, Map, Node, Program, Slice, data_length, placeholder, reachable
from .rewrites import Rewrites, Rule
from .unroll import unrolled

_0 = placeholder(0)

ROWS = Rule(
    "factor.rows",
    "sum[n]((M θ + c)^2)",
    "sum[i]((R (θ, 1))^2), [M c] = Q R",
    "each step passes through all rows",
    "QR decomposition (Golub and Van Loan, Matrix Computations, 5.3)",
)
NUMBERS = Rule(
    "factor.numbers",
    "sum[i]((R (θ, 1))^2), of few numbers",
    "(r00 w + r01 b + r02)^2 + ...",
    "a call of NumPy costs more than ten operations of Python",
    "the definition of a sum",
)
RULES: tuple[Rule, ...] = (ROWS, NUMBERS)

LARGEST = 1000
"""Operations of an objective and its gradient above which it stays as it is: it would be written out a second time."""


def factor_rows(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with every objective that allows it over the factor of its columns; else the program itself."""
    record = rewrites or Rewrites()
    if not record.allows(ROWS.name):
        return program
    values: dict[str, Node] = {}
    gradients: dict[str, Mapping[str, Node]] = dict(program.gradients)
    for objective in program.objectives:
        if objective.updates or program.rows_of(objective.name):
            continue  # What a step makes of states, or a gradient by rows, may need the rows themselves.
        gradient = program.gradients[objective.name]
        found = _factored(program, [objective.value, *gradient.values()], record)
        if found is not None:
            values[objective.name] = found[0]
            gradients[objective.name] = dict(zip(gradient, found[1:], strict=True))
    objectives = tuple(replace(o, value=values.get(o.name, o.value)) for o in program.objectives)
    return replace(program, objectives=objectives, gradients=gradients) if values else program


class _Unfit(Exception):
    """The rows are used for something else than products of two linear forms."""


def _factored(program: Program, roots: Sequence[Node], record: Rewrites) -> list[Node] | None:
    rows = program.rows
    nodes = [node for node in reachable(roots) if node.trained]
    if rows is None or len(nodes) > LARGEST or not any(rows in node.names for node in nodes):
        return None
    factoring = _Factoring(program.graph, rows)
    try:
        for node in nodes:
            factoring.look(node)
    except _Unfit:
        return None
    factoring.make_factor(nodes)
    for node in nodes:
        before = program.graph.at(node.span)
        factoring.rewrite(node)
        program.graph.at(before)
    found = [factoring.new.get(root.id, root) for root in roots]
    record.made(ROWS.name, roots[0], found[0])
    numbers = unrolled(program.graph, found, rows) if record.allows(NUMBERS.name) else None
    if numbers is not None:
        record.made(NUMBERS.name, found[0], numbers[0])
    return numbers or found


@dataclass
class _Factoring:
    """Of one objective: the columns that the factor is made of, in the order of their first use, and what each node
    becomes. Products over the rows are `scaled` by the weight that most of them are multiplied by."""

    graph: Graph
    rows: str
    columns: dict[int, Node] = field(default_factory=dict)
    weight: Node | None = None
    new: dict[int, Node] = field(default_factory=dict)
    scaled: dict[int, Node] = field(default_factory=dict)

    @property
    def ones(self) -> Node:
        """The column of what is the same in each row."""
        return self.graph.spread(self.graph.constant(1), [Axis(self.rows, data_length(self.rows))])

    # --- what the rows are used for

    def look(self, node: Node) -> None:
        """Notes the node's columns. Raises _Unfit where it is neither linear in the rows nor a product of two."""
        along = [o for o in node.operands if self.rows in o.names]
        if self.rows in node.names:
            self._look_at_linear(node, along)
        elif along:
            if not isinstance(node, Contract) or len(along) > 2:
                raise _Unfit
            if len(along) == 1:
                self._note(self.ones)
        for operand in along:
            if not operand.trained:
                self._note(operand)

    def _look_at_linear(self, node: Node, along: list[Node]) -> None:
        if node.axis(self.rows).length != data_length(self.rows) or any(o.dtype != "float" for o in along):
            raise _Unfit
        if isinstance(node, Map):
            linear, rest = self._parts(node)
            if linear is None:
                raise _Unfit
            if rest != 0:
                self._note(self.ones)
        elif not (isinstance(node, Contract) and len(along) == 1):
            raise _Unfit

    def _parts(self, node: Map) -> tuple[Expr | None, Expr]:
        """What of a formula is linear in the operands along the rows, or None, and what is the same in each row."""
        expression = node.expression
        if not (expression.is_Add or expression.is_Mul):
            return None, expression
        along = {placeholder(i) for i, o in enumerate(node.operands) if self.rows in o.names}
        rest = expression.xreplace(dict.fromkeys(along, Integer(0)))
        if any(along & sympy.diff(expression, symbol).free_symbols for symbol in sorted(along, key=str)):
            return None, rest
        return expression - rest, rest

    def _note(self, column: Node) -> None:
        if self.rows not in column.names or len(column.axes) > 2:
            raise _Unfit
        self.columns[column.id] = column

    # --- what they become

    def make_factor(self, nodes: Sequence[Node]) -> None:
        """The columns over the factor, times the root of the weight."""
        graph, columns = self.graph, list(self.columns.values())
        self.weight = self._common_weight(nodes)
        for i, column in enumerate(columns):
            part = graph.factor(columns, i, self.rows)
            if self.weight is not None:
                root = graph.map(sympy.sqrt(_0), [self.weight])
                part = graph.map(MULTIPLY, [root, part])
            self.new[column.id] = part

    def _common_weight(self, nodes: Sequence[Node]) -> Node | None:
        """The positive number, known at bind, that the most products over the rows are multiplied by."""
        found = Counter(pair[0] for node in nodes if (pair := self._multiplied(node)) is not None)
        ranked = sorted(found, key=lambda weight: (-found[weight], weight.id))
        return next((weight for weight in ranked if weight.positive), None)

    def _multiplied(self, node: Node) -> tuple[Node, Node] | None:
        """The factor that a product over the rows, or one of several, is multiplied by, and that product."""
        if not isinstance(node, Map) or not node.expression.is_Mul:
            return None
        number, rest = node.expression.as_coeff_Mul()
        products = [o for o in node.operands if self._is_product(o)]
        if len(products) != 1:
            return None
        others = [o for o in node.operands if o is not products[0]]
        if rest == _0 and not others:
            return self.graph.constant(number), products[0]
        if node.expression == MULTIPLY and not others[0].trained and not others[0].axes:
            return others[0], products[0]
        return None

    def _is_product(self, node: Node) -> bool:
        if isinstance(node, Slice):
            return self._is_product(node.operands[0])
        return isinstance(node, Contract) and node.trained and any(self.rows in o.names for o in node.operands)

    def rewrite(self, node: Node) -> None:
        """Sets what the node becomes; its operands have been."""
        graph = self.graph
        along = [o for o in node.operands if self.rows in o.names]
        operands = [self.new.get(o.id, o) for o in node.operands]
        if self.rows in node.names:
            self.new[node.id] = self._linear(node, operands)
        elif along:
            assert isinstance(node, Contract)
            if len(along) == 1:
                operands.append(self.new[self.ones.id])
            rank = next(o for o, old in zip(operands, node.operands, strict=False) if old is along[0]).axis(RANK)
            summed = [rank if axis.name == self.rows else axis for axis in node.summed]
            self._set(node, graph.contract(operands, summed))
        elif isinstance(node, Slice) and node.operands[0].id in self.scaled:
            self._set(node, graph.remake(node, [self.scaled[node.operands[0].id]]))
        else:
            weighted = self._multiplied(node) if self.weight is not None else None
            if weighted is None:
                self.new[node.id] = graph.remake(node, operands) if operands else node
            else:
                self.new[node.id] = self._reweighted(*weighted)

    def _linear(self, node: Node, operands: list[Node]) -> Node:
        if not isinstance(node, Map):
            return self.graph.remake(node, operands)
        linear, rest = self._parts(node)
        assert linear is not None
        found = build(self.graph, linear, operands)
        if rest == 0:
            return found
        same = self.graph.map(MULTIPLY, [build(self.graph, rest, operands), self.new[self.ones.id]])
        return self.graph.map(ADD, [found, same])

    def _set(self, node: Node, scaled: Node) -> None:
        """A product over the rows, known times the weight."""
        self.scaled[node.id] = scaled
        self.new[node.id] = scaled if self.weight is None else self.graph.map(DIVIDE, [scaled, self.weight])

    def _reweighted(self, factor: Node, product: Node) -> Node:
        assert self.weight is not None
        scaled = self.scaled[product.id]
        if factor is self.weight:
            return scaled
        return self.graph.map(MULTIPLY, [self.graph.map(DIVIDE, [factor, self.weight]), scaled])

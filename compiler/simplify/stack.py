"""Linear in several scalar parameters: one matrix product instead of a call for each.

Takes a simplified program; gives it with `w*x + b` as the product of a matrix `[x, 1]`, made once when data is bound,
and the vector `(w, b)`, and with sums over rows of one value against several known columns as one product with the
same matrix. A small model's step is then a handful of calls, whatever the number of its terms.
"""

from __future__ import annotations

import sympy
from sympy import Add, Integer, Mul

from ..elementary import add, build, multiply
from ..graph import Axis, Constant, Contract, Graph, Map, Node, Program, Slice, reachable, rewrite
from .rewrites import Rewrites, Rule
from .window import region, window

MANY = 4
"""Scalars from which on one call of NumPy is faster than Python's own arithmetic with each."""

COLUMNS = Rule(
    "stack.columns",
    "w * x + b",
    "sum[i]([x, 1] * (w, b))",
    "each term is a pass over the rows; a matrix product reads them once",
    "a sum of products is a product of vectors",
)
SUMS = Rule(
    "stack.sums",
    "sum[n](r * x), sum[n](r)",
    "sum[n](r * [x, 1])",
    "each sum is a pass over the rows",
    "several dot products with one vector are a matrix product",
)
ALIKE = Rule(
    "stack.alike",
    "2 * s[i = 0], 2 * s[i = 1], ...",
    "(2 * s)[i = 0], ...",
    "Python's arithmetic takes its time for each number",
    "the same operation at each position",
)
RULES: tuple[Rule, ...] = (COLUMNS, SUMS, ALIKE)

Orders = dict[frozenset[int], tuple[int, ...]]


def stack_terms(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with sums of columns, and sums against columns, as matrix products."""
    if program.rows is None:
        return program
    record = rewrites or Rewrites()
    orders: Orders = {}
    if record.allows(COLUMNS.name):
        program = _sums_of_columns(program, orders, record)
    if record.allows(SUMS.name):
        program = _sums_against_columns(program, orders, record)
    return _scaled_together(program, record) if record.allows(ALIKE.name) else program


def _axis(graph: Graph, count: int) -> Axis:
    # No axis of a model has this name: a digit leads.
    return Axis(f"{count}terms", Integer(count))


def _is_column(node: Node, rows: str) -> bool:
    """Whether the node is known when data is bound, and lies along the rows alone."""
    return not node.trained and node.names == (rows,) and node.dtype == "float"


def _sums_of_columns(program: Program, orders: Orders, record: Rewrites) -> Program:
    graph, rows = program.graph, program.rows
    assert rows is not None
    users: dict[int, list[Node]] = {}
    for node in reachable(program.roots()):
        for operand in node.operands:
            users.setdefault(operand.id, []).append(node)

    def inner(node: Node) -> bool:
        mine = users.get(node.id, [])
        return len(mine) == 1 and isinstance(mine[0], Map) and bool(mine[0].expression.is_Add)

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        new = graph.remake(node, operands) if operands else node
        if not isinstance(new, Map) or not new.expression.is_Add or new.names != (rows,) or inner(node):
            return new
        return record.made(COLUMNS.name, new, _as_product(graph, new, rows, orders) or new)

    return rewrite(program, rule)


def _as_product(graph: Graph, node: Map, rows: str, orders: Orders) -> Node | None:
    """The sum as a matrix product and what is left of it, where at least two terms are a column times a scalar."""

    def linear(inside: Map) -> bool:
        return bool(inside.expression.is_Add or inside.expression.is_Mul)

    _, border = region(node, linear)
    factors_late = sum(1 for operand in border.values() if operand.trained and not operand.axes)
    if factors_late < 2 or not any(_is_column(operand, rows) for operand in border.values()):
        return None
    seen = window(node, linear)
    one = graph.constant(1)
    columns: list[Node] = []
    scalars: list[Node] = []
    rest: list[tuple[bool, Node]] = []
    for term in Add.make_args(seen.expression):
        factors = [build(graph, f, seen.operands) for f in Mul.make_args(term) if not f.is_Number]
        number = Mul(*(f for f in Mul.make_args(term) if f.is_Number))
        along = [f for f in factors if f.axes]
        across = [f for f in factors if not f.axes and f.trained]
        known = [f for f in factors if not f.axes and not f.trained]
        if len(across) == 1 and len(along) <= 1 and all(_is_column(f, rows) for f in along):
            column = multiply(graph, sympy.Integer(1), along, []) if along else one
            columns.append(column)
            scalars.append(across[0] if number == 1 and not known else multiply(graph, number, [*across, *known], []))
        else:
            rest.append((False, build(graph, term, seen.operands)))
    if len(columns) < 2 or len({c.id for c in columns}) < len(columns) or not any(c.axes for c in columns):
        return None
    pairs = sorted(zip(scalars, columns, strict=True), key=lambda pair: pair[0].id)
    chosen = [column for _, column in pairs]
    orders[frozenset(c.id for c in chosen)] = tuple(c.id for c in chosen)
    axis = _axis(graph, len(pairs))
    product = graph.contract(
        [graph.stack(chosen, axis), graph.stack([scalar for scalar, _ in pairs], axis)],
        [axis],
    )
    return add(graph, [(False, product), *rest])


def _sums_against_columns(program: Program, orders: Orders, record: Rewrites) -> Program:
    graph, rows = program.graph, program.rows
    assert rows is not None
    one = graph.constant(1)
    groups: dict[int, dict[int, Node]] = {}
    for node in reachable(program.roots()):
        found = _against(node, rows, one)
        if found is not None:
            value, column = found
            groups.setdefault(value.id, {})[column.id] = column

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        found = _against(node, rows, one)
        if found is None or len(groups.get(found[0].id, {})) < 2:
            return graph.remake(node, operands) if operands else node
        value, column = found
        group = groups[value.id]
        order = orders.get(frozenset(group), tuple(sorted(group)))
        new_value = operands[node.operands.index(value)]
        axis = _axis(graph, len(order))
        matrix = graph.stack([group[key] for key in order], axis)
        sums = graph.contract([matrix, new_value], [value.axis(rows)])
        one_sum = graph.slice(sums, axis.name, Integer(order.index(column.id)), 1, Integer(1), True)
        return record.made(SUMS.name, graph.remake(node, operands), one_sum)

    return rewrite(program, rule)


def _scaled_together(program: Program, record: Rewrites) -> Program:
    """The program with what is done alike to many single sums of one product done to all of them at once."""
    graph = program.graph
    alike: dict[tuple[object, ...], set[int]] = {}

    def key(node: Node) -> tuple[tuple[object, ...], Slice] | None:
        """What is done and to which product, and the sum that it is done to."""
        if not isinstance(node, Map) or node.axes:
            return None
        sums = [o for o in node.operands if isinstance(o, Slice) and o.drop and isinstance(o.operands[0], Contract)]
        if len(sums) != 1 or any(o.trained for o in node.operands if o is not sums[0]):
            return None
        whole = sums[0].operands[0]
        others = tuple(whole.id if o is sums[0] else o.id for o in node.operands)
        return (node.expression, whole.id, others), sums[0]

    for node in reachable(program.roots()):
        found = key(node)
        if found is not None:
            alike.setdefault(found[0], set()).add(node.id)

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        found = key(node)
        if found is None or len(alike.get(found[0], ())) < MANY:
            return graph.remake(node, operands) if operands else node
        one = found[1]
        at = node.operands.index(one)
        new = operands[at]
        assert isinstance(node, Map)
        assert isinstance(new, Slice)
        several = graph.map(node.expression, [*operands[:at], new.operands[0], *operands[at + 1 :]])
        single = graph.slice(several, one.along.name, one.start, one.step, one.length, True)
        return record.made(ALIKE.name, graph.remake(node, operands), single)

    return rewrite(program, rule)


def _against(node: Node, rows: str, one: Constant) -> tuple[Node, Node] | None:
    """`(value, column)` where the node sums over the rows a trained value times a column; the column of ones is 1."""
    if not isinstance(node, Contract) or node.axes or tuple(a.name for a in node.summed) != (rows,):
        return None
    late = [o for o in node.operands if o.trained]
    early = [o for o in node.operands if not o.trained]
    if len(late) != 1 or len(early) > 1 or late[0].names != (rows,) or late[0].dtype != "float":
        return None
    if early and not _is_column(early[0], rows):
        return None
    return late[0], early[0] if early else one

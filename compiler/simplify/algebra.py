"""Rules of linear algebra: no inverse where a system is solved, no factorisation twice.

Takes a program; gives it with every rule of the table applied until none fits. Each rule takes a node and gives one of
the same value, or None where it does not apply. It pays most before differentiation: the adjoint of a solved system is
another one, that of an inverse is three products of matrices. A^T is A with its two axes exchanged.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Mul

from ..elementary import multiply
from ..graph import Axis, Contract, Graph, LinearAlgebra, Map, Node, Program, Relabel, placeholder, rewrite
from .cost import elements
from .definite import definite, symmetric
from .rewrites import Rewrites, Rule

_0 = placeholder(0)

Apply = Callable[[Graph, Node], Node | None]

MOST = 20
"""How often rules may apply to one node in turn."""


def simplify_algebra(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with the rules applied until none fits; before it is differentiated, with those for then."""
    record = rewrites or Rewrites()
    graph = program.graph
    if not any(isinstance(node, LinearAlgebra | Relabel) for node in graph.nodes):
        return program
    table = TABLE if program.gradients or program.pullback else TABLE[:BEFORE]
    allowed = [(rule, apply) for rule, apply in table if record.allows(rule.name)]

    def settle(node: Node, operands: tuple[Node, ...]) -> Node:
        new = graph.remake(node, operands) if operands else node
        for _ in range(MOST):
            for rule, apply in allowed:
                found = apply(graph, new)
                if found is not None and (found := record.made(rule.name, new, found)) is not new:
                    new = found
                    break
            else:
                break
        return new

    return rewrite(program, settle)


def _operation(node: Node, *operators: str) -> LinearAlgebra | None:
    return node if isinstance(node, LinearAlgebra) and node.operator in operators else None


def _of_inverse(graph: Graph, node: Node) -> tuple[Node, Axis, Axis] | None:
    """The matrix of which the node is the inverse, with its rows and columns, the axes renamed as the node has them."""
    to: dict[str, str] = {}
    if isinstance(node, Relabel):
        to, node = dict(node.renamed), node.operands[0]
    inverse = _operation(node, "inverse")
    if inverse is None:
        return None
    rows, columns = (Axis(to.get(axis.name, axis.name), axis.length) for axis in (inverse.rows, inverse.columns))
    return graph.relabel(inverse.operands[0], to), rows, columns


# ------------------------------------------------------------------------------------------------- inverses and systems


def log_of_determinant(graph: Graph, node: Node) -> Node | None:
    """log(det A) = logdet A, which overflows nowhere; log|det A| too, where A is positive definite.

    Where det A <= 0 the logarithm has no value, and logdet says so. NumPy's manual, `slogdet`.
    """
    if not isinstance(node, Map) or node.expression != sympy.log(_0):
        return None
    inner = node.operands[0]
    sized = isinstance(inner, Map) and inner.expression == sympy.Abs(_0)
    found = _operation(inner.operands[0] if sized else inner, "det")
    if found is None:
        return None
    if sized and not definite(graph, found.operands[0], found.rows, found.columns):
        return None
    return graph.linear_algebra("logdet", found.operands, found.rows, found.columns)


def product_with_inverse(graph: Graph, node: Node) -> Node | None:
    """A^-1 b = solve(A, b) and b^T A^-1 = solve(A^T, b)^T inside a sum of a product, also between b and c.

    Where one factor alone has the axis that is summed, lacks the other, and has fewer elements than A: a solved system
    costs a third of an inverse, and loses fewer digits. N. Higham, "Accuracy and Stability", section 14.1.
    """
    if not isinstance(node, Contract):
        return None
    gone = {axis.name for axis in node.summed}
    for place, operand in enumerate(node.operands):
        inverse = _of_inverse(graph, operand)
        if inverse is None:
            continue
        matrix, *pair = inverse
        others = [*node.operands[:place], *node.operands[place + 1 :]]
        for own, across in (pair, pair[::-1]):
            with_across = [other for other in others if across.name in other.names]
            if across.name not in gone or len(with_across) != 1:
                continue
            (right,) = with_across
            if own.name in right.names or elements(right.axes, None) >= elements(matrix.axes, None):
                continue
            # Over [d', d] the inverse is the same array, so one form serves both sides.
            turned = graph.relabel(right, {across.name: own.name})
            found = graph.linear_algebra("solve", [matrix, turned], own, across)
            rest = [other for other in others if other is not right]
            return graph.contract([found, *rest], [axis for axis in node.summed if axis.name != across.name])
    return None


def inverse_of_inverse(graph: Graph, node: Node) -> Node | None:
    """(A^-1)^-1 = A, over the same two axes."""
    outer = _operation(node, "inverse")
    inner = None if outer is None else _of_inverse(graph, outer.operands[0])
    if outer is None or inner is None or {outer.rows, outer.columns} != {inner[1], inner[2]}:
        return None
    return inner[0]


def determinant_of_inverse(graph: Graph, node: Node) -> Node | None:
    """det(A^-1) = 1 / det A, and log det(A^-1) = -log det A, over the same two axes."""
    outer = _operation(node, "det", "logdet")
    inner = None if outer is None else _of_inverse(graph, outer.operands[0])
    if outer is None or inner is None or {outer.rows, outer.columns} != {inner[1], inner[2]}:
        return None
    found = graph.linear_algebra(outer.operator, [inner[0]], outer.rows, outer.columns)
    return graph.map(1 / _0 if outer.operator == "det" else -_0, [found])


def system_of_inverse(graph: Graph, node: Node) -> Node | None:
    """solve(A^-1, b) = A b, over the same two axes."""
    outer = _operation(node, "solve")
    inner = None if outer is None else _of_inverse(graph, outer.operands[0])
    if outer is None or inner is None or {outer.rows, outer.columns} != {inner[1], inner[2]}:
        return None
    right = graph.relabel(outer.operands[1], {outer.rows.name: outer.columns.name})
    return graph.contract([inner[0], right], [outer.columns])


def system_of_product(graph: Graph, node: Node) -> Node | None:
    """solve(A, A c) = c."""
    outer = _operation(node, "solve")
    if outer is None or not isinstance(outer.operands[1], Contract):
        return None
    matrix, product = outer.operands
    others = [operand for operand in product.operands if operand is not matrix]
    if len(product.operands) != 2 or len(others) != 1 or outer.rows.name in others[0].names:
        return None
    if [axis.name for axis in getattr(product, "summed", ())] != [outer.columns.name]:
        return None
    return graph.relabel(others[0], {outer.columns.name: outer.rows.name})


def number_out_of_system(graph: Graph, node: Node) -> Node | None:
    """solve(A, c b) = c solve(A, b) for a factor c that has no axis: so equal systems are seen to be equal."""
    outer = _operation(node, "solve")
    if outer is None or not isinstance(outer.operands[1], Map) or not outer.operands[1].expression.is_Mul:
        return None
    matrix, right = outer.operands
    number: sympy.Expr = sympy.Integer(1)
    outside: dict[str, list[Node]] = {"above": [], "below": []}
    inside: dict[str, list[Node]] = {"above": [], "below": []}
    for factor in Mul.make_args(getattr(right, "expression", number)):
        base, side = (factor.base, "below") if factor.is_Pow and factor.exp == -1 else (factor, "above")
        if factor.is_Number:
            number *= factor
        elif not base.is_Symbol:
            return None
        else:
            operand = right.operands[int(base.name[1:])]
            (inside if operand.axes else outside)[side].append(operand)
    if number == 1 and not any(outside.values()):
        return None
    rest = multiply(graph, sympy.Integer(1), inside["above"], inside["below"])
    found = graph.linear_algebra("solve", [matrix, rest], outer.rows, outer.columns)
    return multiply(graph, number, [found, *outside["above"]], outside["below"])


# ---------------------------------------------------------------------------------------------------- one form for each


def axes_in_order(graph: Graph, node: Node) -> Node | None:
    """inverse, det and logdet over [d', d] are those over [d, d']: the transposed inverse is the inverse of A^T."""
    found = _operation(node, "inverse", "det", "logdet")
    if found is None or graph.rank(found.rows.name) < graph.rank(found.columns.name):
        return None
    return graph.linear_algebra(found.operator, found.operands, found.columns, found.rows)


def renaming_outside(graph: Graph, node: Node) -> Node | None:
    """f(A[d -> e]) = f(A)[d -> e] for inverse, cholesky, det and logdet: so a matrix is factorised under one name."""
    found = _operation(node, "inverse", "cholesky", "det", "logdet")
    if found is None or not isinstance(found.operands[0], Relabel):
        return None
    renamed = found.operands[0]
    back = {after: before for before, after in renamed.renamed}
    rows, columns = (Axis(back.get(a.name, a.name), a.length) for a in (found.rows, found.columns))
    inner = graph.linear_algebra(found.operator, renamed.operands, rows, columns)
    return graph.relabel(axes_in_order(graph, inner) or inner, dict(renamed.renamed))


def transpose_of_symmetric(graph: Graph, node: Node) -> Node | None:
    """A^T = A where the form of A shows that it is symmetric: kernels, Gram matrices, diagonals, their inverses."""
    if not isinstance(node, Relabel) or len(node.renamed) != 2:
        return None
    (first, second), (third, fourth) = node.renamed
    if (first, second) != (fourth, third):
        return None
    matrix = node.operands[0]
    return matrix if symmetric(graph, matrix, matrix.axis(first), matrix.axis(second)) else None


def transpose_of_system(graph: Graph, node: Node) -> Node | None:
    """solve(A^T, b) over [d, d'] is solve(A, b) over [d', d], with b and the unknowns along the other axis."""
    outer = _operation(node, "solve")
    if outer is None or not isinstance(outer.operands[0], Relabel):
        return None
    matrix, right = outer.operands
    names = {outer.rows.name: outer.columns.name, outer.columns.name: outer.rows.name}
    if dict(getattr(matrix, "renamed", ())) != names:
        return None
    turned = graph.relabel(right, {outer.rows.name: outer.columns.name})
    found = graph.linear_algebra("solve", [matrix.operands[0], turned], outer.columns, outer.rows)
    return graph.relabel(found, {outer.columns.name: outer.rows.name})


# ------------------------------------------------------------------------------------------------------------- definite


def determinant_of_definite(graph: Graph, node: Node) -> Node | None:
    """log det A = 2 sum log diag L, L the Cholesky factor of A, where the form of A shows that it is positive definite.

    It costs half of the elimination that `slogdet` makes. Golub and Van Loan, "Matrix Computations", section 4.2. A
    system of A stays one: NumPy solves none with a triangle, and two eliminations of L cost twice the one of A.
    """
    found = _operation(node, "logdet")
    if found is None or not definite(graph, found.operands[0], found.rows, found.columns):
        return None
    factor = graph.linear_algebra("cholesky", found.operands, found.rows, found.columns)
    logarithms = graph.map(sympy.log(_0), [graph.diagonal(factor, found.rows, found.columns)])
    return graph.map(2 * _0, [graph.contract([logarithms], [found.rows])])


def _row(name: str, before: str, after: str, why: str, source: str, apply: Apply) -> tuple[Rule, Apply]:
    return Rule(f"algebra.{name}", before, after, why, source), apply


TABLE: tuple[tuple[Rule, Apply], ...] = (
    _row("symmetric", "A^T", "A", "a transpose that is none", "A = A^T by its form", transpose_of_symmetric),
    _row(
        "log_det",
        "log(det(A))",
        "logdet(A)",
        "the determinant of 400 rows overflows",
        "NumPy's manual, slogdet",
        log_of_determinant,
    ),
    _row("inverse_inverse", "inverse(inverse(A))", "A", "two inverses", "its definition", inverse_of_inverse),
    _row(
        "det_inverse",
        "logdet(inverse(A))",
        "-logdet(A)",
        "the inverse is not needed",
        "det(A^-1) = 1 / det A",
        determinant_of_inverse,
    ),
    _row(
        "solve_inverse",
        "solve(inverse(A), b)",
        "A @ b",
        "the inverse is not needed",
        "its definition",
        system_of_inverse,
    ),
    _row(
        "solve_product", "solve(A, A @ c)", "c", "a system whose answer is known", "its definition", system_of_product
    ),
    _row(
        "renamed",
        "inverse(A[d -> e])",
        "inverse(A)[d -> e]",
        "a matrix is factorised under one name",
        "renaming of axes",
        renaming_outside,
    ),
    _row(
        "in_order",
        "inverse[d', d](A)",
        "inverse[d, d'](A)",
        "a matrix is factorised one way round",
        "(A^T)^-1 = (A^-1)^T",
        axes_in_order,
    ),
    _row(
        "transposed",
        "solve[d, d'](A^T, b)",
        "solve[d', d](A, b)",
        "a matrix is factorised one way round",
        "the same equations",
        transpose_of_system,
    ),
    _row(
        "scaled",
        "solve(A, 2 * b)",
        "2 * solve(A, b)",
        "equal systems are seen to be equal",
        "linearity",
        number_out_of_system,
    ),
    _row(
        "solved",
        "inverse(A) @ b",
        "solve(A, b)",
        "an inverse costs three times as much and loses digits",
        "Higham, Accuracy and Stability of Numerical Algorithms, 14.1",
        product_with_inverse,
    ),
    _row(
        "definite",
        "logdet(A)",
        "2 * sum(log(diag(cholesky(A))))",
        "elimination costs twice a Cholesky factor",
        "Golub and Van Loan, Matrix Computations, 4.2",
        determinant_of_definite,
    ),
)
"""The rules, in the order in which they are tried."""

BEFORE = len(TABLE) - 1
"""The rules that run before differentiation too. The adjoint of log det A is the inverse, and not that of a factor."""

RULES: tuple[Rule, ...] = tuple(rule for rule, _ in TABLE)

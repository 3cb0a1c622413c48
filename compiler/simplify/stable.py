"""Stable forms: formulas that overflow or cancel when computed as written, recognised and replaced.

Takes a program, gives it with `log(1 + exp(x))`, `1/(1 + exp(-x))`, `log(sum[k](exp(x)))`, `exp(x)/sum[k](exp(x))`
and their relatives as functions of their own. It runs before differentiation, so that gradients are stable by
construction, and again after. A rule looks through named values: a formula is found across statements too. The rows
about scalar formulas stand in `stable_forms`, those about sums over axes in `stable_axes`.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Expr, exp, log

from .. import functions
from ..elementary import NEGATE, build
from ..functions import xlogy
from ..graph import Contract, Graph, Map, Node, Program, rewrite
from .rewrites import Rewrites, Rule
from .stable_axes import AXES_RULES, over_axes, sum_of_entropies
from .stable_forms import EXPONENTS, HALF, LOG_EXP, POINTWISE_RULES, ROOT_OF_SQUARE, SECH, recognise
from .window import of_doubles, window

RULES: tuple[Rule, ...] = (*POINTWISE_RULES, *AXES_RULES)
"""The table: every rule by its name."""

DEPTH = 8
"""How many operations below a node are looked through."""

ROUNDS = 4
"""How many rules may fit the root of a formula one after the other."""

STARTS = (exp, functions.sigmoid, log, functions.log1p, functions.expm1, sympy.tanh, sympy.cos, functions.erf)
STARTS += (functions.erfc, sympy.sin, sympy.tan, sympy.sinh, sympy.cosh, sympy.sech, sympy.Abs, functions.power)
"""Functions in the sums and products at which a rule starts."""


def stabilise(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with every formula of the table in its stable form."""
    graph = program.graph
    record = rewrites or Rewrites()
    # The derivative of tanh has this form too, and there a pass over the array more would be paid by every layer.
    left = frozenset({SECH} if program.gradients else ())

    def allows(rule: str) -> bool:
        return rule not in left and record.allows(rule)

    memo: dict[tuple[Expr, tuple[bool, ...]], tuple[str, Expr] | None] = {}

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        new = graph.remake(node, operands) if operands else node
        if isinstance(new, Contract):
            return sum_of_entropies(graph, new, record)
        for _ in range(ROUNDS):
            if not isinstance(new, Map):
                break
            better = over_axes(graph, new, record)
            if better is new and _promising(new):
                better = _pointwise(graph, new, allows, record, memo)
            if better is new:
                break
            new = better
        return new

    return rewrite(program, rule)


def _pointwise(
    graph: Graph,
    node: Map,
    allows: Callable[[str], bool],
    record: Rewrites,
    memo: dict[tuple[Expr, tuple[bool, ...]], tuple[str, Expr] | None],
) -> Node:
    seen = window(node, lambda inner: True, DEPTH)
    key = (seen.expression, tuple(operand.positive for operand in seen.operands))
    if key not in memo:
        found = recognise(seen.expression, allows)
        # The logarithm of a product of which a factor is negative is taken apart into no real number.
        memo[key] = found if found is not None and of_doubles(found[1]) else None
    found = memo[key] or _seen_by_sympy(node, seen.expression, allows)
    if found is None:
        return node
    return record.made(found[0], node, build(graph, found[1], seen.operands))


def _seen_by_sympy(node: Map, expression: Expr, allows: Callable[[str], bool]) -> tuple[str, Expr] | None:
    """What SymPy alone has made of the window: exp(a)*exp(b) is exp(a + b), log(exp(x)) is x, sqrt(x^2) is |x|."""
    head = node.expression
    if isinstance(head, log):
        rule = LOG_EXP if not isinstance(expression, log) else None
    elif head.is_Pow:
        rule = ROOT_OF_SQUARE if head.exp == HALF and isinstance(expression, sympy.Abs) else None
    elif head.is_Mul:
        factors = sum(isinstance(factor, exp) for factor in sympy.Mul.make_args(expression))
        rule = EXPONENTS if _exponentials(node) > factors else None
    else:
        rule = None
    return (rule.name, expression) if rule is not None and allows(rule.name) else None


def _exponentials(node: Node, depth: int = 3) -> int:
    """How many exponentials over all of the node's axes are factors of it, where one of them has all its axes."""
    found = 0
    todo: list[tuple[Node, int]] = [(node, depth)]
    whole = False
    while todo:
        part, left = todo.pop()
        if not isinstance(part, Map):
            continue
        if isinstance(part.expression, exp):
            found += 1
            whole = whole or part.names == node.names
        elif part.expression.is_Mul and left:
            todo.extend((operand, left - 1) for operand in part.operands)
    return found if whole else 0


def _promising(node: Map) -> bool:
    """Whether the node's operation is one at which a rule of the table starts."""
    head = node.expression
    if isinstance(head, log | xlogy | functions.power) or head.is_Pow:
        return True
    if isinstance(head, exp):
        inner = node.operands[0]
        return isinstance(inner, Map) and inner.expression == NEGATE and _is_softplus(inner.operands[0])
    return bool((head.is_Add or head.is_Mul) and any(_starts(o) for o in node.operands))


def _is_softplus(node: Node) -> bool:
    return isinstance(node, Map) and isinstance(node.expression, functions.softplus)


def _starts(node: Node, depth: int = 2) -> bool:
    """Whether a function of `STARTS` or a power stands in the node or near below it, as in 2 + 4*exp(x)."""
    if not isinstance(node, Map):
        return False
    head = node.expression
    if head.is_Pow or isinstance(head, STARTS):
        return True
    return depth > 0 and (head.is_Add or head.is_Mul) and any(_starts(o, depth - 1) for o in node.operands)

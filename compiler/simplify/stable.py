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
from ..elementary import SQRT, build
from ..functions import xlogy
from ..graph import Contract, Graph, Map, Node, Program, placeholder, rewrite
from ..signs import vanishes_flat
from .rewrites import Rewrites, Rule
from .stable_axes import AXES_RULES, over_axes, sum_of_entropies
from .stable_forms import (
    EXPONENTS,
    HALF,
    LOG_EXP,
    POINTWISE_RULES,
    ROOT_OF_SQUARE,
    SQUARE_OF_ROOT,
    WRITTEN_ONLY,
    recognise,
)
from .window import of_doubles, window

RULES: tuple[Rule, ...] = (*POINTWISE_RULES, *AXES_RULES)
"""The table: every rule by its name."""

DEPTH = 12
"""How many operations below a node are looked through."""

FACTORS = 6
"""How many products in each other are looked through for factors."""

ROUNDS = 4
"""How many rules may fit the root of a formula one after the other."""

GROWING = (
    *(exp, functions.sigmoid, functions.expm1, functions.erfc, sympy.sinh, sympy.cosh, sympy.sech),
    *(functions.erfcx, functions.ierfcx),
)
"""Of which two in one product may be inf*0."""
VANISHING = (sympy.sin, sympy.tan, functions.expm1, functions.log1p, sympy.Abs)
"""Of which one in a quotient may be 0/0."""
CANCELLING = (functions.sigmoid, sympy.tanh, exp, sympy.cos, functions.erf, functions.erfc, functions.power)
"""Of which one may cancel with a number."""


def stabilise(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with every formula of the table in its stable form."""
    graph = program.graph
    record = rewrites or Rewrites()
    left = WRITTEN_ONLY if program.gradients else frozenset()

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
    elif isinstance(expression, exp) and head.is_Pow:
        rule = EXPONENTS
    elif head.is_Pow and head.exp == 2:
        rule = SQUARE_OF_ROOT if _is_root_of_squares(node.operands[0]) else None
    elif head.is_Pow:
        rule = ROOT_OF_SQUARE if head.exp == HALF and isinstance(expression.as_coeff_Mul()[1], sympy.Abs) else None
    elif head.is_Mul:
        factors = sum(isinstance(factor, exp) for factor in sympy.Mul.make_args(expression))
        rule = EXPONENTS if _exponentials(node) > factors else None
    else:
        rule = None
    return (rule.name, expression) if rule is not None and allows(rule.name) else None


def _is_root_of_squares(node: Node) -> bool:
    return isinstance(node, Map) and node.expression == SQRT and vanishes_flat(node.operands[0])


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
    """Whether the node's operation is one at which a rule of the table starts: its window is costly to make."""
    head = node.expression
    if not node.operands:
        return False
    if isinstance(head, log | xlogy | functions.power):
        return True
    if isinstance(head, exp):
        inner = node.operands[0]
        return _is(inner, sympy.Mul) and any(_is(o, functions.softplus) for o in inner.operands)
    if isinstance(head, sympy.tanh):
        return _is(node.operands[0], functions.softplus)
    if head.is_Add:
        parts = [_bare(o) for o in node.operands]
        if any(term.is_Number for term in head.args):
            return any(_is(part, (*CANCELLING, sympy.Pow)) for part in parts)
        return len(parts) == 2 and all(_is(part, (sympy.Pow, exp, log, functions.log1p)) for part in parts)
    if head.is_Pow and head.exp == HALF:
        return _is(node.operands[0], (sympy.Add, sympy.Pow, exp))
    if head.is_Pow and head.exp == 2 and _is_root_of_squares(node.operands[0]):
        return True
    return bool(head.is_Mul or head.is_Pow) and _may_overflow(node)


def _may_overflow(node: Map) -> bool:
    """Whether a product has factors that a rule asks for."""
    found: list[Node] = []
    quotient = False
    waiting: list[tuple[Node, int]] = [(node, FACTORS)]
    while waiting:
        part, left = waiting.pop()
        if isinstance(part, Map) and left and (part.expression.is_Mul or part.expression.is_Pow):
            quotient = quotient or any(p.exp == -1 for p in part.expression.atoms(sympy.Pow))
            waiting.extend((operand, left - 1) for operand in part.operands)
        else:
            found.append(part)
    if node.expression.is_Pow and node.expression.exp != -1 and any(_is(part, exp) for part in found):
        return True
    growing = sum(_is(part, GROWING) for part in found)
    if growing > 1 or any(_is(part, log) for part in found):
        return True
    return quotient and any(_is(part, VANISHING) or _has_exponential(part) for part in found)


def _has_exponential(node: Node, depth: int = DEPTH // 2) -> bool:
    """Whether the node is a sum with an exponential in it, not too deep."""
    if not depth or not _is(node, sympy.Add):
        return False
    return any(_has_exponential(o, depth - 1) or _is(_bare(o), exp) for o in node.operands)


def _bare(node: Node) -> Node:
    """The node without the number that it is multiplied by."""
    while isinstance(node, Map) and node.expression.is_Mul and len(node.operands) == 1:
        if placeholder(0) not in node.expression.args:
            break
        node = node.operands[0]
    return node


def _is(node: Node, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(node, Map) and isinstance(node.expression, kinds)

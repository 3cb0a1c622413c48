"""Stable forms: formulas that overflow or cancel when computed as written, recognised and replaced.

Takes a program, gives it with `log(1 + exp(x))`, `1/(1 + exp(-x))`, `log(sum[k](exp(x)))`, `exp(x)/sum[k](exp(x))`
and their relatives as functions of their own. It runs before differentiation, so that gradients are stable by
construction, and again after. Each rule names the input on which the naive form fails. A rule looks through named
values: a formula is found across statements too.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Add, Expr, Integer, Mul, Pow, exp, log

from ..elementary import MULTIPLY, build
from ..functions import expm1, less, log1p, sigmoid, softplus, where, xlogy
from ..graph import (
    Constant,
    Contract,
    Gather,
    Graph,
    Map,
    Node,
    Program,
    Relabel,
    Slice,
    placeholder,
    rewrite,
)
from .rewrites import Rewrites, Rule
from .window import of_doubles, window

DEPTH = 8
"""How many operations below a node are looked through."""

_0, _1 = placeholder(0), placeholder(1)
_LN2 = sympy.Float(float(sympy.log(2).evalf(20)))


def stabilise(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with every formula of the table in its stable form."""
    graph = program.graph
    memo: dict[tuple[Expr, tuple[bool, ...]], Expr] = {}

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        new = graph.remake(node, operands) if operands else node
        if isinstance(new, Contract):
            return _sum_of_entropies(graph, new)
        if not isinstance(new, Map):
            return new
        found = _over_axes(graph, new)
        if found is not None:
            return found
        if not _promising(new):
            return new
        seen = window(new, lambda inner: True, DEPTH)
        key = (seen.expression, tuple(operand.positive for operand in seen.operands))
        if key not in memo:
            form = recognise(seen.expression)
            # The logarithm of a product of which a factor is negative is taken apart into no real number.
            memo[key] = form if of_doubles(form) else seen.expression
        # SymPy alone may have seen through the window, as in log(exp(x)).
        if memo[key] == seen.expression and seen.expression.func is new.expression.func:
            return new
        return build(graph, memo[key], seen.operands)

    return rewrite(program, rule)


def _promising(node: Map) -> bool:
    """Whether the node's operation is one at which a rule of the table starts."""
    head = node.expression
    if isinstance(head, log | xlogy) or head.is_Pow:
        return True
    if head.is_Mul:
        return any(isinstance(o, Map) and _has_exponential(o) for o in node.operands)
    return bool(head.is_Add and any(isinstance(o, Map) and _is_complement_of(o) for o in node.operands))


def _has_exponential(node: Map, depth: int = 2) -> bool:
    """Whether an exponential or its like stands in the node or near below it, as in 2 + 4*exp(x)."""
    if node.expression.is_Pow or node.expression.func in (exp, sigmoid, log):
        return True
    return depth > 0 and any(isinstance(o, Map) and _has_exponential(o, depth - 1) for o in node.operands)


def _is_complement_of(node: Map) -> bool:
    return node.expression.func in (sigmoid, exp) or (
        node.expression.is_Mul and any(isinstance(o, Map) and o.expression.func is sigmoid for o in node.operands)
    )


# --------------------------------------------------------------------------------------------------- pointwise formulas


def recognise(expression: Expr) -> Expr:
    """The expression with the first rule of the table that fits applied at its root; itself where none fits."""
    for fit in (_logarithm, _fraction, _difference, _entropy, _log_times):
        found = fit(expression)
        if found is not None:
            return found
    return expression


def _logarithm(expression: Expr) -> Expr | None:
    if not isinstance(expression, log):
        return None
    for fit in LOGARITHMS:
        found = fit(expression.args[0])
        if found is not None:
            return found
    return None


def _log_one_minus_exp(x: Expr) -> Expr:
    return where(less(-_LN2, x), x + log(expm1(-x)), log1p(-exp(x)))


def _log_of_expm1(inside: Expr) -> Expr | None:
    """log(1 - exp(x)) is 0 at x = -40 where the truth is -4e-18; the difference itself has become an expm1."""
    coefficient, factor = inside.as_coeff_Mul()
    return _log_one_minus_exp(factor.args[0]) if coefficient == -1 and isinstance(factor, expm1) else None


def _log_one_plus(inside: Expr) -> Expr | None:
    """log(1 + exp(x)) overflows at x = 710; log(1 + x) loses x below 1e-16."""
    number, rest = inside.as_coeff_Add()
    if number == 1 and rest != 0:
        coefficient, factor = rest.as_coeff_Mul()
        if isinstance(factor, exp):
            if coefficient == 1:
                return softplus(factor.args[0])
            if coefficient == -1:
                return _log_one_minus_exp(factor.args[0])
            if coefficient.is_positive:
                return softplus(factor.args[0] + log(coefficient).evalf(17))
        return log1p(rest)
    if isinstance(number, sympy.Number) and number.is_positive and number != 1 and rest != 0:
        coefficient, factor = rest.as_coeff_Mul()
        if isinstance(factor, exp) and coefficient.is_positive:
            shift = log(coefficient / number)
            shift = shift.evalf(17) if shift != 0 else shift
            return softplus(factor.args[0] + shift) + log(number).evalf(17)
    return None


def _log_of_two_exponentials(inside: Expr) -> Expr | None:
    """log(exp(a) + exp(b)) overflows where a or b is 710."""
    if inside.is_Add and len(inside.args) == 2 and all(isinstance(t, exp) for t in inside.args):
        a, b = (t.args[0] for t in inside.args)
        return a + softplus(b - a)
    return None


def _log_of_sigmoid(inside: Expr) -> Expr | None:
    """log(sigmoid(x)) is -inf at x = -750 where the truth is -750."""
    return -softplus(-inside.args[0]) if isinstance(inside, sigmoid) else None


def _log_of_product(inside: Expr) -> Expr | None:
    """log(exp(x)*y) overflows at x = 710; it is x + log(y) where y is positive."""
    if not inside.is_Mul:
        return None
    tame = [f for f in inside.args if isinstance(f, exp | sigmoid)]
    rest = Mul(*(f for f in inside.args if not isinstance(f, exp | sigmoid)))
    if not tame or not (rest.is_positive or len(tame) == 1):
        return None
    logs = [f.args[0] if isinstance(f, exp) else -softplus(-f.args[0]) for f in tame]
    return Add(*logs, log(rest)) if rest != 1 else Add(*logs)


def _log_of_power(inside: Expr) -> Expr | None:
    """log(x^k) overflows long before k*log(x) does; it needs x > 0."""
    if inside.is_Pow and inside.exp.is_Number and inside.base.is_positive:
        return inside.exp * log(inside.base)
    return None


LOGARITHMS: tuple[Callable[[Expr], Expr | None], ...] = (
    _log_of_expm1,
    _log_one_plus,
    _log_of_two_exponentials,
    _log_of_sigmoid,
    _log_of_product,
    _log_of_power,
)


def _logistic(base: Expr) -> tuple[Expr, Expr] | None:
    """`(u, c)` where 1/base is sigmoid(-u)/c: base is c*(1 + exp(u)) for a positive number c."""
    number, rest = base.as_coeff_Add()
    if not (number.is_positive and rest != 0):
        return None
    coefficient, factor = rest.as_coeff_Mul()
    if not (isinstance(factor, exp) and coefficient.is_positive):
        return None
    shift = coefficient / number
    return (factor.args[0] if shift == 1 else factor.args[0] + log(shift).evalf(17)), number


def _fraction(expression: Expr) -> Expr | None:
    """exp(x)/(1 + exp(x)) is inf/inf at x = 710; sigmoid(-x)*exp(x) is inf*0."""
    factors = list(Mul.make_args(expression))
    changed = False
    for i, factor in enumerate(factors):
        if factor.is_Pow and factor.exp.is_Integer and factor.exp.is_negative:
            logistic = _logistic(factor.base)
            if logistic is not None:
                u, number = logistic
                factors[i] = (sigmoid(-u) / number) ** (-factor.exp)
                changed = True
    flat = list(Mul.make_args(Mul(*factors)))
    for i, factor in enumerate(flat):
        if not isinstance(factor, sigmoid):
            continue
        for j, other in enumerate(flat):
            if isinstance(other, exp):
                remaining = sympy.expand(other.args[0] + factor.args[0])
                if remaining == 0:
                    flat[i], flat[j] = sigmoid(-factor.args[0]), Integer(1)
                    changed = True
                    break
    return Mul(*flat) if changed else None


def _difference(expression: Expr) -> Expr | None:
    """1 - sigmoid(x) is 0 at x = 40 where the truth is 4e-18; exp(x) - 1 loses x below 1e-16."""
    number, rest = expression.as_coeff_Add()
    if number == 1:
        coefficient, factor = rest.as_coeff_Mul()
        if coefficient == -1 and isinstance(factor, sigmoid):
            return sigmoid(-factor.args[0])
        if coefficient == -1 and isinstance(factor, exp):
            return -expm1(factor.args[0])
    if number == -1 and isinstance(rest, exp):
        return expm1(rest.args[0])
    return None


def _entropy(expression: Expr) -> Expr | None:
    """x*log(x) is 0*inf at x = 0, where its limit is 0."""
    if not expression.is_Mul:
        return None
    for factor in expression.args:
        if isinstance(factor, log):
            x = factor.args[0]
            rest = [f for f in expression.args if f != factor]
            if all(part in rest for part in Mul.make_args(x)):
                return Mul(xlogy(x, x), *(f for f in rest if f not in Mul.make_args(x)))
    return None


def _log_times(expression: Expr) -> Expr | None:
    """xlogy(y, sigmoid(x)) is -inf at x = -750; where log(p) has a stable form and p > 0, it is y times that."""
    if not isinstance(expression, xlogy) or not expression.args[1].is_positive:
        return None
    logarithm = _logarithm(log(expression.args[1]))
    return None if logarithm is None else expression.args[0] * logarithm


# --------------------------------------------------------------------------------------------------- formulas over axes


def _over_axes(graph: Graph, node: Map) -> Node | None:
    head = node.expression
    if isinstance(head, log) and isinstance(head.args[0], sympy.Symbol):
        return _log_of_sum(graph, node.operands[0]) or _log_of_selection(graph, node.operands[0])
    if head.is_Mul:
        return _softmax(graph, node)
    return None


def _log_of_sum(graph: Graph, inside: Node) -> Node | None:
    """log(sum(exp(x))) overflows at x = 710; it is logsumexp(x), and a number before the sum adds its logarithm."""
    found = _sum_of_exponentials(graph, inside)
    if found is not None:
        return found
    if isinstance(inside, Map) and inside.expression.is_Mul:
        for operand in inside.operands:
            found = _sum_of_exponentials(graph, operand)
            if found is None:
                continue
            symbol = placeholder(inside.operands.index(operand))
            rest = inside.expression.xreplace({symbol: Integer(1)})
            others = build(graph, rest, inside.operands)
            if others.positive:
                logarithm = (
                    graph.constant(log(others.value).evalf(17))
                    if isinstance(others, Constant)
                    else graph.map(log(_0), [others])
                )
                return graph.sum([found, logarithm])
    return None


def _sum_of_exponentials(graph: Graph, node: Node) -> Node | None:
    """logsumexp(x) where the node is sum(exp(x))."""
    if not (isinstance(node, Contract) and len(node.operands) == 1):
        return None
    inner = node.operands[0]
    if not (isinstance(inner, Map) and isinstance(inner.expression, exp)):
        return None
    return graph.reduce("logsumexp", build(graph, inner.expression.args[0], inner.operands), node.summed)


def _sum_of_entropies(graph: Graph, node: Contract) -> Node:
    """x*log(x) where a sum over it has made its factors operands."""
    for operand in node.operands:
        if not (isinstance(operand, Map) and operand.expression == log(_0)):
            continue
        x = operand.operands[0]
        factors = x.operands if isinstance(x, Map) and x.expression == MULTIPLY else (x,)
        if all(factor in node.operands for factor in factors):
            rest = list(node.operands)
            for factor in (operand, *factors):
                rest.remove(factor)
            return graph.contract([*rest, graph.map(xlogy(_0, _0), [x])], node.summed)
    return node


def _log_of_selection(graph: Graph, inside: Node) -> Node | None:
    """log(p[k = label]) is -inf where p underflows; where log(p) has a stable form, that is selected from."""
    selections: list[Node] = []
    base = inside
    while isinstance(base, Gather | Slice | Relabel):
        selections.append(base)
        base = base.operands[0]
    if not (selections and isinstance(base, Map)):
        return None
    whole = graph.map(log(_0), [base])
    if not isinstance(whole, Map):
        return None
    seen = window(whole, lambda inner: True, DEPTH)
    found = recognise(seen.expression)
    if isinstance(found, log):
        return None
    operands = list(seen.operands)
    for selection in reversed(selections):
        operands = [graph.remake(selection, [operand, *selection.operands[1:]]) for operand in operands]
    return build(graph, found, operands)


def _softmax(graph: Graph, node: Map) -> Node | None:
    """exp(x)/sum(exp(x)) is inf/inf at x = 710; it is exp(x - logsumexp(x))."""
    for bottom in node.operands:
        symbol = placeholder(node.operands.index(bottom))
        if Pow(symbol, -1) not in Mul.make_args(node.expression):
            continue
        total = _sum_of_exponentials(graph, bottom)
        if total is None:
            continue
        for top in node.operands:
            if isinstance(top, Map) and isinstance(top.expression, exp) and top.id != bottom.id:
                x = build(graph, top.expression.args[0], top.operands)
                share = graph.map(exp(_0), [build(graph, _0 - _1, [x, total])])
                rest = node.expression / (placeholder(node.operands.index(top)) / symbol)
                return graph.product([share, build(graph, rest, node.operands)])
    return None


RULES: tuple[Rule, ...] = ()

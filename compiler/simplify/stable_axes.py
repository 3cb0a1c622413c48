"""Stable forms of formulas over axes: sums of exponentials, their shares and logarithms, products and variances.

Takes a node and the record of rewritings; gives the node in its stable form, or the node itself where no rule fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import sympy
from sympy import Integer, Mul, Pow, exp, log

from ..elementary import MULTIPLY, SQUARE, SUBTRACT, build, multiply
from ..functions import softplus, xlogy
from ..graph import (
    Constant,
    Contract,
    Gather,
    Graph,
    Map,
    Node,
    Reduce,
    Relabel,
    Size,
    Slice,
    Stop,
    placeholder,
)
from .rewrites import Rewrites, Rule
from .stable_forms import BLANCHARD, DLMF, HIGHAM, recognise
from .window import of_doubles, window

_0, _1 = placeholder(0), placeholder(1)
_SOFTPLUS_OF_DIFFERENCE = softplus(_0 - _1)
DEPTH = 8
"""How many operations below a selection are looked through."""

CHAN = "Chan, Golub, LeVeque, Algorithms for computing the sample variance, 1983"

LOGSUMEXP = Rule(
    "stable.logsumexp", "log(c*sum[k](w*exp(x)) + d)", "logsumexp[k](x + log(w))", "overflows at x = 710", BLANCHARD
)
LOG_SELECTION = Rule(
    "stable.log_selection", "log(p[k = label])", "log(p)[k = label]", "is -inf where p underflows", BLANCHARD
)
LOG_PRODUCT = Rule(
    "stable.log_product_axis", "log(prod[k](x)), x > 0", "sum[k](log(x))", "overflows where the product does", HIGHAM
)
SOFTMAX = Rule(
    "stable.softmax", "exp(x)/sum[k](exp(x))", "exp(x - logsumexp[k](x))", "is inf/inf at x = 710", BLANCHARD
)
SOFTMAX_MEAN = Rule(
    "stable.softmax_mean",
    "sum[k](w*exp(x))/sum[k](exp(x))",
    "sum[k](w*softmax[k](x))",
    "is inf/inf at x = 710",
    BLANCHARD,
)
ENTROPY_SUM = Rule(
    "stable.entropy_sum", "sum[k](x*log(x))", "sum[k](xlogy(x, x))", "is NaN at 0", DLMF.format("4.4.14")
)
COVARIANCE = Rule(
    "stable.covariance",
    "mean(x*y) - mean(x)*mean(y)",
    "mean((x - mean(x))*(y - mean(y)))",
    "cancels where the mean is large",
    CHAN,
)

AXES_RULES: tuple[Rule, ...] = (
    LOGSUMEXP,
    LOG_SELECTION,
    LOG_PRODUCT,
    SOFTMAX,
    SOFTMAX_MEAN,
    ENTROPY_SUM,
    COVARIANCE,
)


def over_axes(graph: Graph, node: Map, record: Rewrites) -> Node:
    """The node in the form that the first rule gives it; the node where none fits."""
    head = node.expression
    rules: tuple[tuple[Rule, Callable[[Graph, Map], Node | None]], ...]
    if isinstance(head, log) and isinstance(head.args[0], sympy.Symbol):
        rules = ((LOGSUMEXP, _log_of_sum), (LOG_PRODUCT, _log_of_product), (LOG_SELECTION, _log_of_selection))
    elif head.is_Mul:
        rules = ((SOFTMAX, _softmax), (SOFTMAX_MEAN, _softmax_mean))
    elif head == SUBTRACT:
        rules = ((COVARIANCE, _covariance),)
    else:
        return node
    for rule, fit in rules:
        if record.allows(rule.name):
            found = fit(graph, node)
            if found is not None:
                return record.made(rule.name, node, found)
    return node


def sum_of_entropies(graph: Graph, node: Contract, record: Rewrites) -> Node:
    """x*log(x) where a sum over it has made its factors operands."""
    if not record.allows(ENTROPY_SUM.name):
        return node
    for operand in node.operands:
        if not (isinstance(operand, Map) and operand.expression == log(_0)):
            continue
        x = operand.operands[0]
        factors = x.operands if isinstance(x, Map) and x.expression == MULTIPLY else (x,)
        if all(factor in node.operands for factor in factors):
            rest = list(node.operands)
            for factor in (operand, *factors):
                rest.remove(factor)
            found = graph.contract([*rest, graph.map(xlogy(_0, _0), [x])], node.summed)
            return record.made(ENTROPY_SUM.name, node, found)
    return node


# -------------------------------------------------------------------------------------------------------- sums of exp


def _log(graph: Graph, node: Node) -> Node:
    return graph.constant(log(node.value).evalf(17)) if isinstance(node, Constant) else graph.map(log(_0), [node])


def _log_total(graph: Graph, node: Node, depth: int = 3) -> Node | None:
    """log(node) where the node is a sum of exponentials over an axis, scaled by what is positive, with other
    exponentials and positive numbers added. A sum of a few terms alone is a scalar formula."""
    if isinstance(node, Contract):
        return _logsumexp(graph, node)
    if not isinstance(node, Map) or depth == 0:
        return None
    head = node.expression
    if head.is_Mul:
        for i, operand in enumerate(node.operands):
            if placeholder(i) in head.args:
                total = _log_total(graph, operand, depth - 1)
                rest = build(graph, head.xreplace({placeholder(i): Integer(1)}), node.operands)
                if total is not None and rest.positive:
                    return graph.sum([total, _log(graph, rest)])
    if head.is_Add and all(isinstance(term, sympy.Symbol) or term.is_Number for term in head.args):
        found, over = None, False
        for term in sorted(head.args, key=sympy.default_sort_key):
            part = build(graph, term, node.operands)
            inner = _log_total(graph, part, depth - 1)
            over = over or inner is not None
            if inner is None and isinstance(part, Map) and isinstance(part.expression, exp):
                inner = build(graph, part.expression.args[0], part.operands)
            if inner is None and isinstance(part, Constant) and part.positive:
                inner = _log(graph, part)
            if inner is None:
                return None
            found = inner if found is None else _logaddexp(graph, found, inner)
        return found if over else None
    return None


def _logaddexp(graph: Graph, a: Node, b: Node) -> Node:
    return graph.sum([a, build(graph, _SOFTPLUS_OF_DIFFERENCE, [b, a])])


def _logsumexp(graph: Graph, node: Contract) -> Node | None:
    """logsumexp(x + log(w)) where the node is sum(w*exp(x)) and w > 0."""
    terms: list[Node] = []
    exponentials = 0
    for operand in node.operands:
        if isinstance(operand, Map) and isinstance(operand.expression, exp):
            terms.append(build(graph, operand.expression.args[0], operand.operands))
            exponentials += 1
        elif operand.positive:
            terms.append(_log(graph, operand))
        else:
            return None
    return graph.reduce("logsumexp", graph.sum(terms), node.summed) if exponentials else None


def _log_of_sum(graph: Graph, node: Map) -> Node | None:
    return _log_total(graph, node.operands[0])


def _log_of_product(graph: Graph, node: Map) -> Node | None:
    inside = node.operands[0]
    if isinstance(inside, Reduce) and inside.operator == "prod" and inside.operands[0].positive:
        return graph.contract([graph.map(log(_0), [inside.operands[0]])], inside.reduced)
    return None


def _log_of_selection(graph: Graph, node: Map) -> Node | None:
    """log(p[k = label]), where log(p) has a stable form: that is selected from."""
    selections: list[Node] = []
    base = node.operands[0]
    while isinstance(base, Gather | Slice | Relabel | Stop):
        selections.append(base)
        base = base.operands[0]
    if not (selections and isinstance(base, Map)):
        return None
    whole = graph.map(log(_0), [base])
    if not isinstance(whole, Map):
        return None
    seen = window(whole, lambda inner: True, DEPTH)
    found = seen.expression if not isinstance(seen.expression, log) else None
    if found is None:
        recognised = recognise(seen.expression)
        found = None if recognised is None else recognised[1]
    if found is None or not of_doubles(found):
        return None
    operands = list(seen.operands)
    for selection in reversed(selections):
        operands = [graph.remake(selection, [operand, *selection.operands[1:]]) for operand in operands]
    return build(graph, found, operands)


def _softmax(graph: Graph, node: Map) -> Node | None:
    for bottom, total in _totals(graph, node):
        for top in node.operands:
            if isinstance(top, Map) and isinstance(top.expression, exp) and top.id != bottom.id:
                x = build(graph, top.expression.args[0], top.operands)
                share = graph.map(exp(_0), [build(graph, SUBTRACT, [x, total])])
                return _instead(graph, node, top, bottom, share)
    return None


def _softmax_mean(graph: Graph, node: Map) -> Node | None:
    for bottom, total in _totals(graph, node):
        for top in node.operands:
            if not isinstance(top, Contract) or top.id == bottom.id:
                continue
            for i, factor in enumerate(top.operands):
                if isinstance(factor, Map) and isinstance(factor.expression, exp):
                    x = build(graph, factor.expression.args[0], factor.operands)
                    share = graph.map(exp(_0), [build(graph, SUBTRACT, [x, total])])
                    others = [*top.operands[:i], share, *top.operands[i + 1 :]]
                    return _instead(graph, node, top, bottom, graph.contract(others, top.summed))
    return None


def _totals(graph: Graph, node: Map) -> list[tuple[Node, Node]]:
    """The divisors of a quotient that are sums of exponentials over an axis, and their logarithms."""
    factors = Mul.make_args(node.expression)
    found = []
    for i, bottom in enumerate(node.operands):
        if Pow(placeholder(i), -1) in factors and (total := _log_total(graph, bottom)) is not None:
            found.append((bottom, total))
    return found


def _instead(graph: Graph, node: Map, top: Node, bottom: Node, share: Node) -> Node:
    """The quotient with `share` for top/bottom."""
    above, below = (placeholder(node.operands.index(part)) for part in (top, bottom))
    return graph.product([share, build(graph, node.expression / (above / below), node.operands)])


# ---------------------------------------------------------------------------------------------------------- covariances


def _mean(node: Node) -> Contract | None:
    """The sum, where the node is a sum over axes divided by their length."""
    if not isinstance(node, Map) or not node.expression.is_Mul or not node.operands:
        return None
    total = node.operands[0]
    if not isinstance(total, Contract):
        return None
    length = _length(total)
    if len(node.operands) == 2:
        divisor = node.operands[1]
        fits = node.expression == _0 / _1 and isinstance(divisor, Size) and divisor.length == length
    else:
        fits = node.expression == _0 / length
    return total if fits else None


def _length(node: Contract) -> sympy.Expr:
    """How many terms the sum has."""
    return Mul(*(axis.length for axis in node.summed))


def _factors(nodes: tuple[Node, ...]) -> Counter[int]:
    found: Counter[int] = Counter()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Map) and node.expression == MULTIPLY:
            waiting.extend(node.operands)
        elif isinstance(node, Map) and node.expression == SQUARE:
            waiting.extend((node.operands[0], node.operands[0]))
        else:
            found[node.id] += 1
    return found


def _covariance(graph: Graph, node: Map) -> Node | None:
    average, product = node.operands
    joint = _mean(average)
    if joint is None or not isinstance(average, Map) or not isinstance(product, Map):
        return None
    if product.expression == SQUARE:
        means = (product.operands[0], product.operands[0])
    elif product.expression == MULTIPLY:
        means = (product.operands[0], product.operands[1])
    else:
        return None
    centred = []
    factors: Counter[int] = Counter()
    for mean in means:
        total = _mean(mean)
        if total is None or total.summed != joint.summed:
            return None
        factors += _factors(total.operands)
        centred.append(graph.map(SUBTRACT, [multiply(graph, Integer(1), total.operands, []), mean]))
    if factors != _factors(joint.operands):
        return None
    whole = graph.contract(centred, joint.summed)
    return build(graph, average.expression, [whole, *average.operands[1:]])

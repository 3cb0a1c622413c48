"""From mathematics to array operations: what NumPy has no single call for is taken apart.

Takes a simplified program, gives one of the same values in which every Map is one ufunc, every Contract has one or two
operands and a matrix product's shape, and log-sum-exp, softmax, softplus and sigmoid stand as the passes that compute
them, with what they share computed once. The order of contractions is `opt_einsum`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy
from sympy import Expr, Integer, Rational

from . import functions
from .elementary import DIVIDE, MULTIPLY, SUBTRACT, as_float, build
from .graph import Axis, Contract, Graph, Index, LinearAlgebra, Map, Node, Program, Reduce, placeholder, rewrite
from .simplify.order import in_pairs

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)
_LN2 = sympy.Float(float(sympy.log(2).evalf(20)))
LONGEST_CHAIN = 64
"""The largest whole power that is written as multiplications."""
LEAST = {"float64": sympy.Float(-1.7976931348623157e308), "float32": sympy.Float(-3.4028234663852886e38)}
"""The least number of each type."""


def lower(program: Program, dtype: str) -> Program:
    """The program in NumPy's operations. In float64 sine and cosine are rational functions of a half-angle tangent."""
    graph = program.graph

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        match node:
            case Map():
                share = _softmax(graph, node, operands, dtype)
                if share is not None:
                    return share
                return _map(graph, node, operands, dtype)
            case Contract():
                return in_pairs(graph, operands, node.summed, program.rows)
            case Reduce(operator="logsumexp"):
                # A number folded into the operand may have taken axes away, along which it is the same.
                whole = graph.spread(operands[0], node.reduced)
                top, _, total = _exponentials(graph, whole, node.reduced, program.rows, dtype)
                return graph.sum([top, graph.map(sympy.log(_0), [total])])
            case Reduce(operator="prod") if (others := _others(graph, node, operands[0], program.rows)) is not None:
                return others
            case Reduce(operator="prod" | "max" | "min") if operands[0].dtype != "float":
                return graph.remake(node, [as_float(graph, operands[0])])
            case LinearAlgebra():
                return graph.remake(node, [as_float(graph, operand) for operand in operands])
        return graph.remake(node, operands) if operands else node

    return rewrite(program, rule)


# ---------------------------------------------------------------------------------------------------------- log-sum-exp


def _exponentials(graph: Graph, x: Node, over: Sequence[Axis], rows: str | None, dtype: str) -> tuple[Node, Node, Node]:
    """The largest x, exp(x - largest), and the sum of those: none overflows, and the sum is at least 1.

    Where every x is -inf the least double stands for the largest, so that nothing is inf - inf.
    """
    top = graph.map(functions.maximum(_0, LEAST[dtype]), [graph.reduce("max", x, over)])
    shifted = graph.map(sympy.exp(_0), [graph.map(SUBTRACT, [x, top])])
    return top, shifted, in_pairs(graph, [shifted], over, rows)


def _softmax(graph: Graph, node: Map, operands: tuple[Node, ...], dtype: str) -> Node | None:
    """exp(x - logsumexp(x)) shares its exponentials with the log-sum-exp. Where every x is -inf it is 0."""
    if not isinstance(node.expression, sympy.exp) or not isinstance(node.operands[0], Map):
        return None
    difference = node.operands[0]
    if len(difference.operands) != 2 or not difference.expression.is_Add:
        return None
    for position in (0, 1):
        total, x = difference.operands[position], difference.operands[1 - position]
        matches = difference.expression == placeholder(1 - position) - placeholder(position)
        if matches and isinstance(total, Reduce) and total.operator == "logsumexp" and total.operands[0] is x:
            lowered = operands[0].operands if isinstance(operands[0], Map) else ()
            if len(lowered) != 2:
                return None
            new_x = _lowered_operand(operands[0], x)
            if new_x is None:
                return None
            _, shifted, whole = _exponentials(graph, new_x, total.reduced, None, dtype)
            least = graph.map(functions.maximum(_0, Integer(1)), [whole])
            return graph.map(DIVIDE, [shifted, least])
    return None


def _lowered_operand(difference: Node, x: Node) -> Node | None:
    """Of the two operands of the lowered difference, the one that x became: it has the axes of x."""
    found = [operand for operand in difference.operands if operand.names == x.names]
    return found[0] if len(found) == 1 else None


# --------------------------------------------------------------------------------------------------- products of others


def _others(graph: Graph, node: Reduce, operand: Node, rows: str | None) -> Node | None:
    """`prod[k'](if index[k] == index[k'] then 1 else x[k -> k'])` in time and memory that are linear in the length: at
    each position the product over all others, a quotient where nothing is 0, and exact where something is."""
    if not isinstance(operand, Map) or operand.expression != _OTHERS:
        return None
    same, x = operand.operands
    pairs = _pairs(same)
    to = {second: first for first, second in pairs}
    if set(to) != {axis.name for axis in node.reduced} or {first for first, _ in pairs} & set(x.names):
        return None
    x = graph.spread(as_float(graph, x), node.reduced)
    zero = graph.map(functions.equal(_0, Integer(0)), [x])
    ones = graph.map(functions.where(_0, Integer(1), Integer(0)), [zero])
    zeros = in_pairs(graph, [ones], node.reduced, rows)
    nonzero = graph.map(functions.where(_0, Integer(1), _1), [zero, x])
    product = graph.reduce("prod", nonzero, node.reduced)
    alone = graph.map(functions.both(_0, _1), [zero, graph.map(functions.equal(_0, Integer(1)), [zeros])])
    at_zero = graph.map(functions.where(_0, _1, Integer(0)), [alone, product])
    none = graph.map(functions.equal(_0, Integer(0)), [zeros])
    quotient = graph.map(DIVIDE, [product, nonzero])
    return graph.relabel(graph.map(functions.where(_0, _1, _2), [none, quotient, at_zero]), to)


_OTHERS = functions.where(_0, Integer(1), _1)


def _pairs(same: Node) -> list[tuple[str, str]]:
    """The axes whose positions are compared, where the node says that all pairs of positions are equal."""
    match same:
        case Map(expression=functions.both()):
            return [pair for part in same.operands for pair in _pairs(part)]
        case Map(expression=functions.equal(), operands=(Index(names=(first,)), Index(names=(second,)))):
            return [(first, second)]
    return []


# ------------------------------------------------------------------------------------------------------------ pointwise


_SLOPE = _1 / (1 + _1) ** 2
_ONE_OR_NONE = functions.where(_0, Integer(1), Integer(0))

REPLACED: dict[type, Expr] = {
    functions.relu: functions.maximum(_0, Integer(0)),
    functions.softplus: functions.maximum(_0, Integer(0)) + functions.log1p(sympy.exp(-sympy.Abs(_0))),
    functions.log1mexp: functions.where(
        functions.less(-_LN2, _0), sympy.log(-functions.expm1(_0)), functions.log1p(-sympy.exp(_0))
    ),
    functions.logcosh: functions.where(
        functions.less(sympy.Abs(_0), 1),
        functions.log1p(2 * sympy.sinh(_0 / 2) ** 2),
        sympy.Abs(_0) + functions.log1p(sympy.exp(-2 * sympy.Abs(_0))) - _LN2,
    ),
    functions.steep_tanh: sympy.tanh(_0),
    functions.sigmoid_slope: _SLOPE.xreplace({_1: sympy.exp(-sympy.Abs(_0))}),
    functions.root1pm1: _0 / (1 + sympy.sqrt(1 + _0)),
    functions.inverse1pm1: -_0 / (1 + _0),
    functions.power1pm1: functions.where(
        functions.less(sympy.Abs(_0), Rational(1, 2)),
        functions.expm1(_1 * functions.log1p(_0)),
        functions.power(1 + _0, _1) - 1,
    ),
    functions.xlogy: _0 * sympy.log(functions.where(functions.equal(_0, Integer(0)), Integer(1), _1)),
    functions.sigmoid: 1 / (1 + sympy.exp(-_0)),
    sympy.sec: 1 / sympy.cos(_0),
    sympy.csc: 1 / sympy.sin(_0),
    sympy.cot: 1 / sympy.tan(_0),
    sympy.sech: 1 / sympy.cosh(_0),
    sympy.csch: 1 / sympy.sinh(_0),
    sympy.coth: 1 / sympy.tanh(_0),
}
"""Functions in terms of ufuncs, exact where NumPy has none of that name."""

_SAFE = functions.where(functions.equal(_0, Integer(0)), Integer(1), _0)
QUOTIENTS: dict[type, Expr] = {
    functions.exp_moment: functions.expm1(_SAFE) / _SAFE,
    functions.cos_moment: sympy.sin(_SAFE) / _SAFE,
    functions.log_moment: functions.log1p(_SAFE) / _SAFE,
}
"""What the moments of order 0 are where x is not 0; at 0 they are 1. Those of other orders have a routine."""


def _map(graph: Graph, node: Map, operands: tuple[Node, ...], dtype: str) -> Node:
    head = node.expression
    arguments = head.args
    if not (head.is_Add or head.is_Mul or head.is_Pow) and any(argument.args for argument in arguments):
        # A number that was folded in may leave two operations: atan2(x, 2) is atan(x/2).
        return build(graph, head, operands)
    if head == _ONE_OR_NONE and operands[0].dtype == "bool":
        return graph.map(functions.as_float(_0), operands)
    if type(head) in REPLACED:
        plain = [build(graph, argument, operands) for argument in arguments]
        if isinstance(head, functions.sigmoid) and isinstance(plain[0], Map) and plain[0].expression == -_0:
            return build(graph, 1 / (1 + sympy.exp(_0)), plain[0].operands)
        return build(graph, REPLACED[type(head)], plain)
    if type(head) in QUOTIENTS and arguments[0] == 0:
        x = build(graph, arguments[1], operands)
        at_0 = functions.equal(_0, Integer(0))
        return build(graph, functions.where(at_0, Integer(1), QUOTIENTS[type(head)]), [x])
    if isinstance(head, sympy.sin | sympy.cos) and dtype == "float64" and node.axes and node.trained:
        return _half_angle(graph, isinstance(head, sympy.sin), build(graph, arguments[0], operands))
    if head.is_Pow and head.exp.is_Number and operands:
        return _power(graph, operands[0], head.exp)
    return graph.map(head, operands)


def _half_angle(graph: Graph, sine: bool, x: Node) -> Node:
    """With t = tan(x/2) and h = 2/(1 + t^2), sin is t*h and cos is h - 1: a tangent costs a tenth of a sine.

    Where cos is near 0, t is near 1 and has an absolute error of a rounding of 1, which h - 1 does not make worse.
    """
    t = graph.map(sympy.tan(_0), [graph.map(_0 / 2, [x])])
    h = graph.map(2 / _0, [graph.map(1 + _0, [graph.map(_0**2, [t])])])
    return graph.map(MULTIPLY, [t, h]) if sine else graph.map(_0 - 1, [h])


def _power(graph: Graph, base: Node, exponent: Expr) -> Node:
    """Whole and half powers by multiplication and roots; `x**3` as a power costs five times as much."""
    if exponent.is_negative:
        return graph.map(1 / _0, [_power(graph, base, -exponent)]) if exponent != -1 else graph.map(1 / _0, [base])
    if exponent == Rational(1, 2):
        return graph.map(sympy.sqrt(_0), [base])
    if isinstance(exponent, Rational) and exponent.q == 2 and exponent.p <= LONGEST_CHAIN:
        root = graph.map(sympy.sqrt(_0), [base])
        return graph.map(MULTIPLY, [_power(graph, base, Integer(exponent.p // 2)), root])
    if isinstance(exponent, Integer) and exponent <= LONGEST_CHAIN:
        return _whole_power(graph, base, int(exponent))
    return graph.map(functions.power(_0, exponent), [base])


def _whole_power(graph: Graph, base: Node, exponent: int) -> Node:
    if exponent == 1:
        return base
    half = _whole_power(graph, base, exponent // 2)
    squared = graph.map(_0**2, [half])
    return graph.map(MULTIPLY, [squared, base]) if exponent % 2 else squared

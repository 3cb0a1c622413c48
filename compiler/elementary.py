"""A scalar expression, built as a graph of one-operation Maps.

Takes a SymPy expression in placeholders and the nodes that they stand for; gives the node that computes it. Every Map
in the graph is one operation, so equal subexpressions are found by hash-consing, and differentiation sees one
operation at a time. Sums and products are grouped here: what is known earlier and has fewer axes is combined first,
so that `2*w*x/n` is one pass over `x`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import sympy
from sympy import Expr, Mul, Pow, Rational, Symbol

from . import functions
from .graph import Constant, Graph, Node, is_positive_number, placeholder

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)

ADD = _0 + _1
SUBTRACT = _0 - _1
MULTIPLY = _0 * _1
DIVIDE = _0 / _1
NEGATE = -_0
RECIPROCAL = 1 / _0
SQUARE = _0**2
SQRT = sympy.sqrt(_0)


def build(graph: Graph, expression: Expr, operands: Sequence[Node]) -> Node:
    """The node that computes `expression`, where `placeholder(i)`, with or without a sign, is `operands[i]`.

    An explicit stack stands for recursion, since the depth of an expression is the user's.
    """
    known: dict[Expr, Node] = {}
    for i, operand in enumerate(operands):
        known[placeholder(i)] = known[placeholder(i, True)] = operand
    waiting = [expression]
    while waiting:
        current = waiting[-1]
        if current in known:
            waiting.pop()
            continue
        missing = [part for part in _parts(current) if part not in known]
        if missing:
            waiting.extend(reversed(missing))
            continue
        waiting.pop()
        known[current] = _one(graph, current, known)
    return known[expression]


def _parts(expression: Expr) -> tuple[Expr, ...]:
    """The subexpressions whose nodes `_one` asks for."""
    if expression.is_Number or expression.is_NumberSymbol:
        return ()
    if isinstance(expression, Symbol):
        raise KeyError(f"no operand for {expression}")
    if expression.is_Add:
        return tuple(abs_term for term in expression.args for abs_term in [_without_sign(term)[1]])
    if expression.is_Mul:
        _, above, below = _factors(expression)
        return (*above, *below)
    if expression.is_Pow and expression.exp.is_Number:
        base, exponent = expression.base, expression.exp
        if exponent == -1 or exponent == Rational(1, 2) or exponent == 2:
            return (base,)
        if exponent.is_negative:
            return (Pow(base, -exponent),)
        return (base,)
    return tuple(expression.args)


def _without_sign(term: Expr) -> tuple[bool, Expr]:
    """Whether the term is subtracted, and the term without its sign."""
    if term.is_Number:
        return (False, term) if is_positive_number(term) else (True, -term)
    coefficient, rest = term.as_coeff_Mul()
    if not is_positive_number(coefficient):
        return True, Mul(-coefficient, rest, evaluate=False) if coefficient != -1 else rest
    return False, term


def _factors(product: Expr) -> tuple[Expr, list[Expr], list[Expr]]:
    """The number, the factors above the fraction line, and those below it (without the minus of their exponents)."""
    number: Expr = sympy.Integer(1)
    above: list[Expr] = []
    below: list[Expr] = []
    for factor in Mul.make_args(product):
        if factor.is_Number:
            number = number * factor
        elif factor.is_Pow and factor.exp.is_Number and factor.exp.is_negative:
            below.append(Pow(factor.base, -factor.exp))
        else:
            above.append(factor)
    return number, above, below


def _one(graph: Graph, expression: Expr, known: dict[Expr, Node]) -> Node:
    if expression.is_Number:
        return graph.constant(expression)
    if expression.is_NumberSymbol:
        return graph.constant(sympy.Float(expression.evalf(17)))
    if expression.is_Add:
        signed = [_without_sign(term) for term in expression.args]
        return add(graph, [(negative, known[term]) for negative, term in signed])
    if expression.is_Mul:
        number, above, below = _factors(expression)
        return multiply(graph, number, [known[f] for f in above], [known[f] for f in below])
    if expression.is_Pow and expression.exp.is_Number:
        return _power(graph, expression, known)
    arguments = [known[argument] for argument in expression.args]
    template = expression.func(*(placeholder(i) for i in range(len(arguments))))
    return graph.map(template, arguments)


def _power(graph: Graph, expression: Expr, known: dict[Expr, Node]) -> Node:
    base, exponent = expression.base, expression.exp
    if exponent == -1:
        return multiply(graph, sympy.Integer(1), [], [known[base]])
    if exponent.is_negative and exponent != -1:
        return multiply(graph, sympy.Integer(1), [], [known[Pow(base, -exponent)]])
    return graph.map(Pow(_0, exponent), [known[base]])


# ------------------------------------------------------------------------------------------------------ sums, products


def _order(node: Node) -> tuple[int, tuple[str, ...], int, int]:
    """Fewer axes first; along the same axes, what is known at bind first; then as made."""
    return (len(node.axes), node.names, int(node.trained), node.id)


def _grouped(nodes: Sequence[Node]) -> list[list[Node]]:
    ordered = sorted(nodes, key=_order)
    return [list(group) for _, group in groupby(ordered, key=lambda n: n.names)]


def multiply(graph: Graph, number: Expr, above: Sequence[Node], below: Sequence[Node]) -> Node:
    """number * product(above) / product(below), grouped so that the small and the early come first."""
    numerators = list(above)
    denominators: list[Node] = []
    for node in below:
        if isinstance(node, Constant):
            number = number / node.value
        elif node.axes:
            denominators.append(node)
        else:
            numerators.append(graph.map(RECIPROCAL, [node]))
    factors: list[Node] = []
    for node in numerators:
        if isinstance(node, Constant):
            number = number * node.value
        else:
            factors.append(node)
    if number == 0:
        return graph.constant(0)
    early = [node for node in factors if not node.trained]
    late = [node for node in factors if node.trained]
    known = any(not node.axes for node in early) and not any(node.axes for node in early)
    if number == -1 and known and late:
        # The sign of a number that is known costs nothing.
        early.insert(0, graph.constant(number))
        number = sympy.Integer(1)
    elif number != 1 and number != -1:
        early.insert(0, graph.constant(number))
    chain: Node | None = None
    scalars_late = [node for node in late if not node.axes]
    arrays_late = [node for node in late if node.axes]
    arrays_early = [node for node in early if node.axes]
    scalars_early = [node for node in early if not node.axes]
    if arrays_early:
        chain = _product(graph, [*scalars_early, *arrays_early])
        scalar = _product(graph, scalars_late)
    else:
        scalar = _product(graph, [*scalars_early, *scalars_late])
    arrays = [*([chain] if chain is not None else []), *arrays_late]
    if not arrays:
        top = scalar
    else:
        groups = _grouped(arrays)
        products = [_product(graph, group) for group in groups]
        first = products[0]
        assert first is not None
        if scalar is not None:
            first = _times(graph, scalar, first)
        top = first
        for other in products[1:]:
            assert other is not None
            top = _times(graph, top, other)
    if denominators:
        bottom = _product(graph, [n for group in _grouped(denominators) for n in group])
        assert bottom is not None
        top = graph.map(RECIPROCAL, [bottom]) if top is None else graph.map(DIVIDE, [top, bottom])
    if top is None:
        return graph.constant(number)
    return graph.map(NEGATE, [top]) if number == -1 else top


def as_float(graph: Graph, node: Node) -> Node:
    """The node as a number of the working precision."""
    return node if node.dtype == "float" else graph.map(functions.as_float(_0), [node])


def _times(graph: Graph, a: Node, b: Node) -> Node:
    if a is b:
        return graph.map(SQUARE, [a])
    return graph.map(MULTIPLY, [a, b])


def _product(graph: Graph, nodes: Sequence[Node]) -> Node | None:
    result: Node | None = None
    for node in nodes:
        result = node if result is None else _times(graph, result, node)
    return result


def add(graph: Graph, terms: Sequence[tuple[bool, Node]]) -> Node:
    """The sum of the terms, each with whether it is subtracted; the small and the early come first."""
    ordered = sorted(terms, key=lambda term: (*_order(term[1])[:3], term[0], term[1].id))
    # What is known at bind along the same axes is one term; then the axes grow.
    result: Node | None = None
    negative = False
    for minus, node in ordered:
        if result is None:
            result, negative = node, minus
        elif negative and not minus:
            result, negative = graph.map(SUBTRACT, [node, result]), False
        elif negative == minus:
            result = graph.map(ADD, [result, node])
        else:
            result = graph.map(SUBTRACT, [result, node])
    if result is None:
        return graph.constant(0)
    return graph.map(NEGATE, [result]) if negative else result

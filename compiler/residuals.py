"""Objectives that are sums of squares: the residuals of which they are, as nodes of the same graph.

Takes an objective; gives terms so that the objective is `scale * sum(residual^2)` up to a number that no parameter
changes. A fit by least squares needs the residuals and their Jacobian, where a gradient has only their product. What
is looked through: sums, means, weights and other factors that the data give, `if` with a condition of the data, and
products in which each factor stands an even number of times. Whatever else an objective is made of has no residuals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import sympy
from sympy import Expr, Integer

from . import functions
from .elementary import DIVIDE, SQRT, SQUARE, build
from .graph import (
    Axis,
    Constant,
    Contract,
    Graph,
    Map,
    Node,
    Objective,
    Program,
    Spread,
    is_positive_number,
    placeholder,
    reachable,
)

_0, _1 = placeholder(0), placeholder(1)

MOST = 100
"""Terms above which an objective is not looked at as a sum of squares."""


@dataclass(frozen=True)
class Residual:
    """One term: `value` is `observed` minus what the model says, times the root of `weight`.

    `observed` and `weight` follow from the data alone. `observed` is None where the term is no such difference.
    """

    value: Node
    observed: Node | None
    weight: Node


@dataclass(frozen=True)
class Residuals:
    """The objective is `scale` times the sum of the squares of all residuals, and a number.

    `data` are those along the rows; `penalties` are the others, as of a ridge penalty, or none.
    """

    scale: Node
    data: tuple[Residual, ...]
    penalties: tuple[Residual, ...]

    @property
    def all(self) -> tuple[Residual, ...]:
        """Those along the rows, then the penalties."""
        return self.data + self.penalties


@dataclass(frozen=True)
class _Term:
    """`number * factor * sum[summed](weight * root^2)`; the factor has no axes, and neither it nor the weight is
    trained. What number is known stands in none of the three nodes."""

    factor: Node
    weight: Node
    root: Node
    summed: tuple[Axis, ...] = ()
    number: Expr = sympy.S.One


def residuals(program: Program, objective: Objective) -> Residuals | None:
    """The residuals of an objective, or None where it is no sum of squares."""
    graph = program.graph
    found = _Squares(graph).of(objective.value)
    if not found:
        return None
    terms = [_peeled(graph, term) for term in found]
    if any(_is_negative(term) for term in terms):
        return None
    rows = [term for term in terms if program.rows in {*term.root.names, *term.weight.names}] or terms
    scale = _scale(graph, rows[0])
    made = {id(term): _residual(graph, term, scale) for term in terms}
    penalties = tuple(made[id(term)] for term in terms if term not in rows)
    return Residuals(scale, tuple(made[id(term)] for term in rows), penalties)


def _scale(graph: Graph, term: _Term) -> Node:
    return graph.product([graph.constant(term.number), term.factor])


def _is_negative(term: _Term) -> bool:
    return term.factor.positive and not is_positive_number(term.number)


def _peeled(graph: Graph, term: _Term) -> _Term:
    """The term with what the data give taken out of the root, and with a factor of known sign."""
    weights, base = _stripped(graph, term.root)
    term = replace(term, root=base)
    for node in weights:
        term = _times(graph, term, graph.map(SQUARE, [node]))
    if term.factor.positive:
        return term
    weight = graph.product([_scale(graph, term), term.weight])
    return replace(term, factor=graph.constant(1), number=Integer(1), weight=weight)


def _residual(graph: Graph, term: _Term, scale: Node) -> Residual:
    root, observed = _oriented(graph, term.root)
    weight = term.weight
    own = _scale(graph, term)
    if own is not scale:
        weight = graph.product([graph.map(DIVIDE, [own, scale]), weight])
    if isinstance(weight, Constant) and weight.value == 1:
        value = root
    else:
        value = graph.product([graph.map(sympy.sqrt(_0), [weight]), root])
    axes = value.axes
    seen = None if observed is None else graph.spread(observed, axes)
    return Residual(value, seen, graph.spread(graph.like(term.weight, value), axes))


def _oriented(graph: Graph, root: Node) -> tuple[Node, Node | None]:
    """The root as observed minus fitted, and what is observed: what in a sum no parameter changes."""
    if isinstance(root, Map) and isinstance(root.expression, functions.where):
        places = [i for i, operand in enumerate(root.operands) if operand.trained]
        if len(places) != 1:
            return root, None
        inner, observed = _oriented(graph, root.operands[places[0]])
        operands = [inner if i == places[0] else operand for i, operand in enumerate(root.operands)]
        return build(graph, root.expression, operands), observed
    if not isinstance(root, Map) or not root.expression.is_Add:
        return root, None
    trained = {placeholder(i) for i, operand in enumerate(root.operands) if operand.trained}
    fixed = [term for term in root.expression.args if not term.free_symbols & trained]
    moved = [term for term in root.expression.args if term.free_symbols & trained]
    if not fixed:
        return root, None
    expression, seen = root.expression, sympy.Add(*fixed)
    if not any(term.could_extract_minus_sign() for term in moved):
        expression, seen = -expression, -seen
    observed = build(graph, seen, root.operands)
    return build(graph, expression, root.operands), observed if observed.axes else None


def _times(graph: Graph, term: _Term, node: Node) -> _Term:
    """The term times what the data give."""
    while isinstance(node, Map):
        number, rest = node.expression.as_coeff_Mul()
        if number == 1:
            break
        term = replace(term, number=term.number * number)
        node = build(graph, rest, node.operands)
    if isinstance(node, Constant):
        return replace(term, number=term.number * node.value)
    if node.axes:
        return replace(term, weight=graph.product([term.weight, node]))
    return replace(term, factor=graph.product([term.factor, node]))


def _stripped(graph: Graph, node: Node) -> tuple[list[Node], Node]:
    """What the data give of a product with one trained factor, and that factor."""
    weights: list[Node] = []
    while isinstance(node, Map):
        number, rest = node.expression.as_coeff_Mul()
        powers = rest.as_powers_dict()
        trained = [s for s in powers if s.is_Symbol and node.operands[_position(s)].trained]
        plain = all(s.is_Symbol and p.is_Integer for s, p in powers.items())
        if not plain or len(trained) != 1 or powers[trained[0]] != 1 or (number == 1 and len(powers) == 1):
            break
        given = number * sympy.Mul(*(s**p for s, p in powers.items() if s != trained[0]))
        weights.append(build(graph, given, node.operands))
        node = node.operands[_position(trained[0])]
    return weights, node


def _position(symbol: Expr) -> int:
    return int(str(symbol)[1:])


class _Squares:
    """Terms of nodes, each looked at once, operands first: an objective may be as deep as its author likes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.one: Node = graph.constant(1)
        self.known: dict[int, tuple[_Term, ...] | None] = {}

    def of(self, value: Node) -> tuple[_Term, ...] | None:
        """The terms of the node, none where no parameter changes it, or None where it is no sum of squares."""
        for node in reachable([value]):
            before = self.graph.at(node.span)
            found = self._of(node) if node.trained else ()
            self.known[node.id] = found if found is None or len(found) <= MOST else None
            self.graph.at(before)
        return self.known[value.id]

    def _of(self, node: Node) -> tuple[_Term, ...] | None:
        if node.dtype != "float":
            return None
        match node:
            case Map():
                return self._of_map(node)
            case Contract():
                found = self._of_product([(operand, 1) for operand in node.operands])
                return found and self._summed(found, node.summed)
            case Spread():
                return self.known[node.operands[0].id]
        return None

    def _of_map(self, node: Map) -> tuple[_Term, ...] | None:
        expression = node.expression
        if expression.is_Add:
            return self._of_sum(node)
        if isinstance(expression, functions.where):
            return self._of_choice(node)
        number, rest = expression.as_coeff_Mul()
        powers = rest.as_powers_dict()
        if not all(base.is_Symbol and power.is_Integer for base, power in powers.items()):
            return None
        factors = [(node.operands[_position(base)], int(power)) for base, power in powers.items()]
        return self._of_product([(self.graph.constant(number), 1), *factors])

    def _of_sum(self, node: Map) -> tuple[_Term, ...] | None:
        found: list[_Term] = []
        for part in node.expression.args:
            number, rest = part.as_coeff_Mul()
            if rest.is_Number:
                continue
            terms = self.known[node.operands[_position(rest)].id] if rest.is_Symbol else None
            if terms is None:
                return None
            found += [_times(self.graph, term, self.graph.constant(number)) for term in terms]
        return tuple(found)

    def _of_choice(self, node: Map) -> tuple[_Term, ...] | None:
        """What is not chosen is 0 before it is squared, whatever it evaluates to."""
        condition, *branches = node.expression.args
        chosen = build(self.graph, condition, node.operands)
        if chosen.trained:
            return None
        found: list[_Term] = []
        forms = (functions.where(_0, _1, Integer(0)), functions.where(_0, Integer(0), _1))
        for branch, form in zip(branches, forms, strict=True):
            if branch.is_Number:
                continue
            terms = self.known[node.operands[_position(branch)].id] if branch.is_Symbol else None
            if terms is None or any(term.summed for term in terms):
                return None
            # The weight says which rows count, and the root that nothing else of them does.
            mask = build(self.graph, form, [chosen, self.one])
            for term in terms:
                weight = self.graph.product([term.weight, mask])
                found.append(replace(term, root=build(self.graph, form, [chosen, term.root]), weight=weight))
        return tuple(found)

    def _of_product(self, factors: Sequence[tuple[Node, int]]) -> tuple[_Term, ...] | None:
        """The terms of a product of powers: a factor that stands an even number of times is a square."""
        graph = self.graph
        term = _Term(self.one, self.one, self.one)
        powers: dict[int, int] = {}
        bases: dict[int, Node] = {}
        for node, power in factors:
            if not node.trained:
                term = _times(graph, term, build(graph, _0**power, [node]))
                continue
            given, base = _stripped(graph, node)
            if power == 2 and isinstance(base, Map) and base.expression == SQRT and not given:
                base, power = base.operands[0], 1  # as of a norm
            bases[base.id] = base
            powers[base.id] = powers.get(base.id, 0) + power
            for weight in given:
                term = _times(graph, term, build(graph, _0**power, [weight]))
        roots = [build(graph, _0 ** (p // 2), [bases[key]]) for key, p in powers.items() if p % 2 == 0]
        left = [(bases[key], p) for key, p in powers.items() if p % 2]
        sums: tuple[_Term, ...] | None = None
        for base, power in left:
            terms = self.known[base.id]
            if terms is None or not terms:
                return None
            if len(terms) == 1 and not terms[0].summed:
                roots.append(build(graph, _0**power, [terms[0].root]))
                for node in (graph.constant(terms[0].number), terms[0].factor, terms[0].weight):
                    term = _times(graph, term, build(graph, _0**power, [node]))
            elif power == 1 and sums is None:
                sums = terms
            else:
                return None
        term = replace(term, root=graph.product(roots))
        if sums is None:
            return (term,)
        return self._each(sums, term)

    def _each(self, sums: Iterable[_Term], by: _Term) -> tuple[_Term, ...] | None:
        """Each of the terms times one that is summed over nothing."""
        found = []
        present = {*by.weight.names, *by.root.names}
        for term in sums:
            if any(axis.name in present for axis in term.summed):
                return None
            root = term.root if by.root is self.one else self.graph.product([term.root, by.root])
            weight = self.graph.product([term.weight, by.weight])
            factor = self.graph.product([term.factor, by.factor])
            found.append(_Term(factor, weight, root, term.summed, term.number * by.number))
        return tuple(found)

    def _summed(self, terms: Iterable[_Term], over: Sequence[Axis]) -> tuple[_Term, ...] | None:
        found = []
        for term in terms:
            present = {*term.weight.names, *term.root.names}
            if {axis.name for axis in term.summed} & {axis.name for axis in over}:
                return None
            inner = [axis for axis in over if axis.name in present]
            repeated = [self.graph.size(axis.length) for axis in over if axis.name not in present]
            factor = self.graph.product([term.factor, *repeated])
            found.append(replace(term, factor=factor, summed=(*term.summed, *inner)))
        return tuple(found)

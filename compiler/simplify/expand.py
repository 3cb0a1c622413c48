"""Polynomials of data and parameters as products with statistics of the data: `--fast-algebra`.

Takes a program as it was written, before differentiation; gives it with each value along the rows that is a polynomial
in the data multiplied out, where that costs less. The exponent of a Gaussian, `|Q (x - mu)|^2`, becomes
`x' P x + q' x + s`: the products `x x'` are known when data are bound, and what is left for a step is one matrix
product with few columns, whatever the number of operations before it.

Multiplying out cancels: where the data spread S times as far as a row's `x - mu`, digits are lost as in S^2. The data
are centred first, the statistics are float64, and the module takes this form only where the columns are well
conditioned (see `bind`). It is never a default: no bound on the error holds for all parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import sympy
from sympy import Expr

from ..elementary import SUBTRACT
from ..graph import (
    Axis,
    Contract,
    Graph,
    Map,
    Node,
    Program,
    Relabel,
    Spread,
    data_length,
    placeholder,
    reachable,
    rewrite,
)
from .cost import total
from .rewrites import Rewrites, Rule

MOST_TERMS = 32
"""Terms of one polynomial above which it stays as it is."""

MULTIPLIED = Rule(
    "expand.multiplied",
    "sum[d]((sum[d'](Q * (x - mu)))^2)",
    "sum[d', d''](P * x * x'') + sum[d'](q * x) + s",
    "each row passes through every operation; of the data alone, products are computed once",
    "distributivity; digits are lost where the data spread further than what is left of them",
)
RULES: tuple[Rule, ...] = (MULTIPLIED,)


def expand_rows(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with polynomials along the rows multiplied out, where that costs less; else the program itself."""
    record = rewrites or Rewrites()
    rows = program.rows
    if rows is None or not record.allows(MULTIPLIED.name):
        return program
    expansion = _Expansion(program.graph, rows)
    found: dict[int, Node] = {}
    inside: set[int] = set()
    for node in reversed(reachable(o.value for o in program.objectives)):
        if node.id in inside or not (node.trained and rows in node.names and node.dtype == "float"):
            continue
        new = expansion.of(node)
        if new is not None and (new := record.made(MULTIPLIED.name, node, new)) is not node:
            found[node.id] = new
            inside.update(below.id for below in reachable([node]))
    if not found:
        return program
    graph = program.graph
    return rewrite(
        program, lambda node, operands: found.get(node.id) or (graph.remake(node, operands) if operands else node)
    )


class _Unfit(Exception):
    """The value is no polynomial in the data, or one of too many terms."""


@dataclass(frozen=True, slots=True)
class _Term:
    """The sum over `summed` of the product of all factors: `steps` lack the rows, `data` are known and along them."""

    steps: tuple[Node, ...] = ()
    data: tuple[Node, ...] = ()
    summed: tuple[Axis, ...] = ()

    @property
    def names(self) -> set[str]:
        return {name for node in (*self.steps, *self.data) for name in node.names}


@dataclass
class _Expansion:
    graph: Graph
    rows: str
    known: dict[int, list[_Term] | None] = field(default_factory=dict)
    lengths: dict[str, Expr] = field(default_factory=dict)
    fresh: int = 0

    def of(self, node: Node) -> Node | None:
        """The node multiplied out, if it is a polynomial and that costs less."""
        before = self.graph.at(node.span)
        try:
            terms = self.collected([self._canonical(term) for term in self.terms(node)])
            if max((len(term.data) for term in terms), default=0) < 2:
                return None
            new = self.graph.spread(self.sum_of(terms), node.axes)
        except _Unfit:
            return None
        finally:
            self.graph.at(before)
        border = [n for n in reachable([node, new]) if not n.trained or self.rows not in n.names]
        atoms = [n for n in border if not self._sums(n)]
        return new if total(new, atoms, self.rows) < total(node, atoms, self.rows) else None

    def _sums(self, node: Node) -> bool:
        """Whether the node is one that multiplying out has made: a sum of products that belongs to its price."""
        return isinstance(node, Contract) and node.trained and self.rows not in node.names

    # --- polynomials

    def terms(self, node: Node) -> list[_Term]:
        """The node's terms. _Unfit where it is no polynomial."""
        if node.id not in self.known:
            try:
                self.known[node.id] = self.collected(self._terms(node))
            except _Unfit:
                self.known[node.id] = None
        found = self.known[node.id]
        if found is None or len(found) > MOST_TERMS:
            raise _Unfit
        return found

    def _terms(self, node: Node) -> list[_Term]:
        if node.dtype != "float" or (self.rows in node.names and node.axis(self.rows).length != data_length(self.rows)):
            raise _Unfit
        if self.rows not in node.names:
            return [_Term(steps=(node,))]
        if not node.trained and not isinstance(node, Relabel):
            return self._centred(node)
        match node:
            case Map():
                return self._of_map(node)
            case Contract():
                terms = self._product([self.terms(operand) for operand in node.operands])
                return [replace(term, summed=(*term.summed, *node.summed)) for term in terms]
            case Relabel() if self.rows not in {name for pair in node.renamed for name in pair}:
                return [self._renamed(term, dict(node.renamed)) for term in self.terms(node.operands[0])]
            case Spread():
                return self.terms(node.operands[0])
        raise _Unfit

    def _centred(self, node: Node) -> list[_Term]:
        """The known value as its mean over the rows and what is left of it, which keeps more digits when multiplied."""
        graph = self.graph
        along = node.axis(self.rows)
        mean = graph.map(placeholder(0) / placeholder(1), [graph.contract([node], [along]), graph.size(along.length)])
        return [_Term(steps=(mean,)), _Term(data=(graph.map(SUBTRACT, [node, mean]),))]

    def _of_map(self, node: Map) -> list[_Term]:
        expression = node.expression
        if expression.is_Add:
            return [term for part in expression.args for term in self._monomial(part, node)]
        if expression.is_Mul or expression.is_Pow:
            return self._monomial(expression, node)
        raise _Unfit

    def _monomial(self, expression: Expr, node: Map) -> list[_Term]:
        """A product of the node's operands, of a number, and of reciprocals of what lacks the rows."""
        factors: list[list[_Term]] = []
        for factor in sympy.Mul.make_args(expression):
            base, exponent = factor.as_base_exp()
            if factor.is_Number:
                factors.append([_Term(steps=(self.graph.constant(factor),))])
                continue
            if not base.is_Symbol:
                raise _Unfit
            operand = node.operands[int(base.name[1:])]
            if self.rows not in operand.names:
                factors.append([_Term(steps=(self.graph.map(placeholder(0) ** exponent, [operand]),))])
            elif exponent in (1, 2):
                factors += [self.terms(operand)] * int(exponent)
            else:
                raise _Unfit
        return self._product(factors)

    def _product(self, factors: Sequence[list[_Term]]) -> list[_Term]:
        found = [_Term()]
        for terms in factors:
            if len(found) * len(terms) > 4 * MOST_TERMS:
                raise _Unfit
            found = self.collected([self._times(a, b) for a in found for b in terms])
        return found

    def _times(self, first: _Term, second: _Term) -> _Term:
        taken = first.names | {axis.name for axis in first.summed}
        other = self._apart(second, taken)
        mine = self._apart(first, other.names | {axis.name for axis in other.summed})
        return _Term((*mine.steps, *other.steps), (*mine.data, *other.data), (*mine.summed, *other.summed))

    def _apart(self, term: _Term, taken: set[str]) -> _Term:
        """The term with summed axes of names that no other has."""
        clashing = [axis.name for axis in term.summed if axis.name in taken]
        to = {}
        for name in clashing:
            self.fresh += 1
            to[name] = f"0{self.fresh}{_base(name)}"
        return self._relabelled(term, to) if to else term

    def _renamed(self, term: _Term, to: dict[str, str]) -> _Term:
        return self._relabelled(self._apart(term, {*to, *to.values()}), to)

    def _relabelled(self, term: _Term, to: dict[str, str]) -> _Term:
        graph = self.graph
        return _Term(
            tuple(graph.relabel(node, to) for node in term.steps),
            tuple(graph.relabel(node, to) for node in term.data),
            tuple(Axis(to.get(axis.name, axis.name), axis.length) for axis in term.summed),
        )

    # --- what they become

    def collected(self, terms: Sequence[_Term]) -> list[_Term]:
        """The terms with those of the same data along the same axes as one, whose factor is the sum of theirs."""
        found: dict[tuple[object, ...], tuple[_Term, list[Node]]] = {}
        for term in terms:
            inner = {name for node in term.data for name in node.names}
            shared = self.graph.ordered(axis for axis in term.summed if axis.name in inner)
            step = self.graph.contract(
                list(term.steps) or [self.graph.constant(1)], [axis for axis in term.summed if axis not in shared]
            )
            key = (tuple(node.id for node in term.data), shared)
            found.setdefault(key, (_Term((), term.data, shared), []))[1].append(step)
        return [replace(term, steps=(self.graph.sum(steps),)) for term, steps in found.values()]

    def _canonical(self, term: _Term) -> _Term:
        """The data in the order of ids, their summed axes numbered in that order, so that equal products are one."""
        data = sorted(term.data, key=lambda node: node.operands[0].id if isinstance(node, Relabel) else node.id)
        summed = {axis.name: axis for axis in term.summed}
        to: dict[str, str] = {}
        for node in data:
            for name in node.names:
                if name in summed and name not in to:
                    to[name] = self._place(len(to) + 1, name, summed[name].length)
        return self._relabelled(replace(term, data=tuple(data)), to)

    def _place(self, number: int, name: str, length: Expr) -> str:
        """The name of a statistic's axis: of one name, one length."""
        found = f"{number}{_base(name)}"
        while self.lengths.setdefault(found, length) != length:
            found += "x"
        return found

    def sum_of(self, terms: Sequence[_Term]) -> Node:
        """The polynomial: each step factor times its statistic of the data, summed over the axes they share."""
        graph = self.graph
        parts: list[Node] = []
        for term in terms:
            (step,) = term.steps
            if not term.data:
                parts.append(step)
                continue
            alone = [axis for axis in term.summed if axis.name not in step.names]
            shared = [axis for axis in term.summed if axis.name in step.names]
            statistic = graph.contract(term.data, alone)
            parts.append(graph.contract([step, statistic], shared))
        return graph.sum(parts)


def _base(name: str) -> str:
    """The model's name of an axis, without primes and our own digits."""
    return name.rstrip("'").lstrip("0123456789")

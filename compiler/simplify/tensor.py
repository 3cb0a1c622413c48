"""Rules over arrays: contractions merged, reordered and shared, and what needs no array made without one.

Takes a program, gives it with every node in a form that costs no more: products inside a sum become its operands, what
lacks the summed axes moves out in front, nested contractions merge, a part of a product is the product of parts,
renamed axes and broadcasts cost nothing. Each rule takes a node and gives one of the same value, or None where it does
not apply; the table is `TABLE`, and a rule is tried until none fits.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Expr, Mul

from ..elementary import ADD, RECIPROCAL, SUBTRACT, build, multiply
from ..graph import Constant, Contract, Graph, Map, Node, PlaceSlice, Program, Relabel, Scatter, Spread, rewrite
from .cost import total
from .renaming import RENAMINGS
from .rewrites import Rewrites, Rule
from .selection import SELECTIONS
from .uses import Uses

Apply = Callable[[Node, Graph, Uses], Node | None]

MOST_FACTORS = 16
"""Operands of one contraction: the order of more is not looked for."""

MOST = 64
"""Rewritings of one node, one after the other: far more than any formula needs, so that a wrong rule cannot run on."""


def simplify_tensors(program: Program, rewrites: Rewrites | None = None) -> Program:
    """The program with every rule of the table applied until none fits."""
    record = rewrites or Rewrites()
    graph = program.graph
    uses = Uses(program)
    table = [(rule, apply) for rule, apply in TABLE if record.allows(rule.name)]

    def rule(node: Node, operands: tuple[Node, ...]) -> Node:
        new = _remake(graph, node, operands) if operands else node
        for _ in range(MOST):
            for known, apply in table:
                found = apply(new, graph, uses)
                if found is not None and (found := record.made(known.name, new, found)) is not new:
                    new = found
                    break
            else:
                break
        uses.became(node, new)
        return new

    return rewrite(program, rule)


def _remake(graph: Graph, node: Node, operands: tuple[Node, ...]) -> Node:
    """The node over its new operands, broadcasts taken off wherever alignment by name does them."""
    if isinstance(node, Map | Contract) and any(isinstance(o, Spread) for o in operands):
        bare = [o.operands[0] if isinstance(o, Spread) else o for o in operands]
        new = graph.map(node.expression, bare) if isinstance(node, Map) else graph.contract(bare, node.summed)
        return graph.spread(new, node.axes)
    return graph.remake(node, operands)


# ----------------------------------------------------------------------------------------------- inside one contraction


def _bare(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not isinstance(node, Contract):
        return None
    gone = {axis.name for axis in node.summed}
    bare = [o.operands[0] if isinstance(o, Spread) and gone & set(o.names) else o for o in node.operands]
    return None if all(a is b for a, b in zip(bare, node.operands, strict=True)) else graph.contract(bare, node.summed)


def _joined(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not isinstance(node, Contract):
        return None
    gone = {axis.name for axis in node.summed}
    for position, operand in enumerate(node.operands):
        if not (isinstance(operand, Map) and gone & set(operand.names)):
            continue
        parts = _as_product(graph, operand)
        if parts is None or not uses.joins(operand, parts[1], gone):
            continue
        number, above, below = parts
        loose = [n for n in below if not gone & set(n.names)]
        stuck = [n for n in below if n not in loose]
        factors = [*above, *(graph.map(RECIPROCAL, [n]) for n in loose)]
        factors += [multiply(graph, sympy.Integer(1), [], stuck)] if stuck else []
        factors += [graph.constant(number)] if number != 1 else []
        if factors != [operand] and len(node.operands) + len(factors) <= MOST_FACTORS:
            return graph.contract([*node.operands[:position], *factors, *node.operands[position + 1 :]], node.summed)
    return None


def _merged(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not isinstance(node, Contract):
        return None
    for operand in node.operands:
        if uses.shared(operand) and not (
            isinstance(operand, Contract) and uses.spares(operand, "merged", lambda user, o: _without(user, o, graph))
        ):
            continue
        found = _without(node, operand, graph)
        if found is not None:
            return found
    return None


def _without(node: Contract, operand: Node, graph: Graph) -> Node | None:
    """The contraction with the operand's own operands in its place."""
    gone = {axis.name for axis in node.summed}
    others = [o for o in node.operands if o is not operand]
    inner = _inside(operand, graph, {n for o in others for n in o.names})
    if inner is None or not gone & set(operand.names) or len(others) != len(node.operands) - 1:
        return None
    if len(others) + len(inner.operands) > MOST_FACTORS:
        return None
    own = {axis.name for axis in inner.summed}
    if own & gone or any(own & set(other.names) for other in others):
        return None
    return graph.contract([*others, *inner.operands], [*node.summed, *inner.summed])


def _inside(node: Node, graph: Graph, taken: set[str]) -> Contract | None:
    """The contraction that the node is, its axes renamed where it is seen under other names."""
    if isinstance(node, Contract):
        return node
    if not (isinstance(node, Relabel) and isinstance(node.operands[0], Contract)):
        return None
    inner, to = node.operands[0], dict(node.renamed)
    if {axis.name for axis in inner.summed} & ({*to.values()} | taken):
        return None
    found = graph.contract([graph.relabel(o, to) for o in inner.operands], inner.summed)
    return found if isinstance(found, Contract) else None


def _moved_out(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not isinstance(node, Contract):
        return None
    gone = {axis.name for axis in node.summed}
    inside = [o for o in node.operands if gone & set(o.names)]
    outside = [o for o in node.operands if not gone & set(o.names)]
    if not outside:
        return None
    below = [o for o in outside if isinstance(o, Map) and o.expression == RECIPROCAL]
    above = [o for o in outside if o not in below]
    core = graph.contract(inside or [graph.constant(1)], node.summed)
    return multiply(graph, sympy.Integer(1), [core, *above], [o.operands[0] for o in below])


def _scaled(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not isinstance(node, Scatter | PlaceSlice):
        return None
    inner = node.operands[0]
    bare = inner.operands[0] if isinstance(inner, Spread) else inner
    if bare.dtype != "float" or (isinstance(bare, Constant) and bare.value == 1):
        return None
    number: Expr = sympy.Integer(1)
    above: list[Node] = [bare]
    below: list[Node] = []
    if isinstance(bare, Map) and (parts := _as_product(graph, bare)):
        number, above, below = parts
    outside = [factor for factor in above if not factor.axes]
    under = [factor for factor in below if not factor.axes]
    if isinstance(bare, Constant):
        number, above, outside = bare.value, [], []
    if number == 1 and not outside and not under:
        return None
    array, divisor = [f for f in above if f.axes], [f for f in below if f.axes]
    rest = multiply(graph, sympy.Integer(1), array, divisor)
    placed = graph.remake(node, [graph.spread(rest, inner.axes), *node.operands[1:]])
    return multiply(graph, number, [placed, *outside], under)


def _as_product(graph: Graph, node: Map) -> tuple[Expr, list[Node], list[Node]] | None:
    """The number, the factors and the divisors that the node is the product of."""
    head = node.expression
    if head.is_Pow and head.exp.is_Integer and head.exp == 2:
        return sympy.Integer(1), [node.operands[0], node.operands[0]], []
    if not head.is_Mul:
        return None
    number: Expr = sympy.Integer(1)
    above: list[Node] = []
    below: list[Node] = []
    for factor in Mul.make_args(head):
        if factor.is_Number:
            number = number * factor
        elif factor.is_Pow and factor.exp == -1:
            below.append(build(graph, factor.base, node.operands))
        else:
            above.append(build(graph, factor, node.operands))
    return number, above, below


# ------------------------------------------------------------------------------------------------- sums of contractions


def _collected(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not (isinstance(node, Map) and node.expression in (ADD, SUBTRACT, -SUBTRACT)):
        return None
    first, second = node.operands
    if not (isinstance(first, Contract) and isinstance(second, Contract)) or first.summed != second.summed:
        return None
    if uses.shared(first) or uses.shared(second):
        return None
    common, rest, other = _common(first.operands, second.operands)
    if not common or len(rest) != 1 or len(other) != 1 or rest[0].names != other[0].names:
        return None
    inner = graph.map(node.expression, [rest[0], other[0]])
    if rest[0].id > other[0].id:
        inner = build(graph, node.expression, [rest[0], other[0]])
    found = graph.contract([*common, inner], first.summed)
    border = [*common, *rest, *other]
    return found if total(found, border, uses.rows) < total(node, border, uses.rows) else None


def _common(first: tuple[Node, ...], second: tuple[Node, ...]) -> tuple[list[Node], list[Node], list[Node]]:
    """What stands in both, what in the first alone, what in the second alone."""
    common, other = [], list(second)
    rest = []
    for node in first:
        if node in other:
            other.remove(node)
            common.append(node)
        else:
            rest.append(node)
    return common, rest, other


def _distributed(node: Node, graph: Graph, uses: Uses) -> Node | None:
    if not (isinstance(node, Contract) and len(node.operands) == 2):
        return None
    for whole in node.operands:
        found = _terms(node, whole, graph)
        if found is not None and uses.spares(whole, "distributed", lambda user, o: _terms(user, o, graph)):
            return found
    return None


def _terms(node: Contract, whole: Node, graph: Graph) -> Node | None:
    """The contraction of a sum as a sum of contractions, where a term of it is one already.

    That term is rounded as it is, so that no digits are lost; those of a bare difference of two arrays might be.
    """
    if not (isinstance(whole, Map) and whole.expression in (ADD, SUBTRACT, -SUBTRACT)):
        return None
    if not any(isinstance(term, Contract) for term in whole.operands) or node.operands.count(whole) > 1:
        return None
    others = [o for o in node.operands if o is not whole]
    terms = [graph.contract([term, *others], node.summed) for term in whole.operands]
    merged = [
        (_without(term, inner, graph) if isinstance(term, Contract) and isinstance(inner, Contract) else None) or term
        for term, inner in zip(terms, whole.operands, strict=True)
    ]
    found = build(graph, whole.expression, merged)
    return found if found.names == node.names else None


def _alone(apply: Callable[[Node, Graph], Node | None]) -> Apply:
    """A rule that asks nothing of the node's users."""
    return lambda node, graph, uses: apply(node, graph)


TABLE: tuple[tuple[Rule, Apply], ...] = (
    (
        Rule(
            "tensor.bare",
            "sum[k](x * (b, the same along k))",
            "sum[k](x * b)",
            "a broadcast makes an array of what is one number",
            "axes are aligned by name",
        ),
        _bare,
    ),
    (
        Rule(
            "tensor.joined",
            "sum[k](w * (x * b / 3))",
            "sum[k](w * x * b * 1/3)",
            "the product would be an array of its own",
            "associativity",
        ),
        _joined,
    ),
    (
        Rule(
            "tensor.merged",
            "sum[k](w * sum[j](A * v))",
            "sum[k, j](w * A * v)",
            "the order of the products is chosen for all of them: a chain of matrices ends in a vector first",
            "Fubini; order by opt_einsum",
        ),
        _merged,
    ),
    *SELECTIONS,
    (
        Rule(
            "tensor.distributed",
            "sum[j]((A - sum[k](H * H')) * x)",
            "sum[j](A * x) - sum[k](H * sum[j](H' * x))",
            "the product of two matrices costs more than two products with a vector",
            "distributivity, where the cost falls and a term is a contraction",
        ),
        _distributed,
    ),
    (
        Rule(
            "tensor.collected",
            "sum[k](A * B) + sum[k](A * C)",
            "sum[k](A * (B + C))",
            "one product instead of two",
            "distributivity, where the cost falls",
        ),
        _collected,
    ),
    (
        Rule(
            "tensor.moved_out",
            "sum[k](b * x)",
            "b * sum[k](x)",
            "a factor is multiplied in for each position",
            "linearity",
        ),
        _moved_out,
    ),
    (
        Rule(
            "tensor.scaled",
            "the scatter of b * x",
            "b * the scatter of x",
            "the factor can go on outwards",
            "linearity",
        ),
        _scaled,
    ),
    *((rule, _alone(apply)) for rule, apply in RENAMINGS),
)

RULES: tuple[Rule, ...] = tuple(rule for rule, _ in TABLE)
"""The rules of the pass, in the order in which they are tried."""

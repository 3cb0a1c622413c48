"""Reverse mode: a program in, the same program with its gradients out.

One joint sweep for all parameters of an objective visits each node once, users before operands; adjoints are nodes of
the same graph. The rule for Map is all of scalar calculus: the partial is SymPy's derivative of one operation,
memoised, times the cotangent, summed over the axes that the operand lacks. The rule for a scan is a scan in the other
direction. A cotangent travels with the mask of the branches it came through: its true value is `where(mask, raw, 0)`,
and the `where` is written only where cotangents of different masks meet or a sum would mix what is masked with what is
not. So a branch not taken contributes exactly zero, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache, singledispatch

import sympy
from sympy import Expr, Integer

from . import arrays, functions
from .arrays import Accumulate, Concat, Flatten, Order, PlaceWindow, Recurrence, Split, Window
from .cotangents import added, are_many, contracted, through
from .elementary import DIVIDE, SQRT, build
from .graph import (
    Axis,
    Constant,
    Contract,
    Gather,
    Graph,
    Last,
    Leaf,
    LinearAlgebra,
    Map,
    Node,
    PlaceSlice,
    Program,
    Reduce,
    Relabel,
    Scan,
    Scatter,
    Slice,
    Spread,
    Stack,
    Steps,
    Stop,
    people,
    placeholder,
)
from .loops import Regions
from .signs import vanishes_flat

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)
_WHERE = functions.where(_0, _1, _2)
_MASKED = functions.where(_0, _1, Integer(0))


@dataclass(frozen=True, slots=True)
class Cotangent:
    """`raw` where `mask` holds (everywhere, where it is None), else 0. Either may lack axes of its node."""

    mask: Node | None
    raw: Node


def differentiate(program: Program, written: Program | None = None) -> Program:
    """Adds `gradients` and `adjoints` of every objective, and the `pullback` of the outputs' `cotangents`.

    An output takes a cotangent if, as it was `written`, it depends on a parameter that is not frozen, even where a pass
    has seen that its derivative is 0.
    """
    graph = program.graph
    gradients, adjoints = {}, {}
    for objective in program.objectives:
        leaves = [p.leaf for p in program.parameters if p.name in objective.over]
        found = sweep(graph, [(objective.value, graph.constant(1))], leaves)
        gradients[objective.name] = _of_parameters(program, found)
        adjoints[objective.name] = {name: found[node.id] for name, node in program.named if node.id in found}
    depending = {name for name, _ in (written or program).seeded()}
    seeded = [(name, node) for name, node in program.outputs if name in depending]
    cotangents = tuple(graph.leaf("cotangent", name, node.axes) for name, node in seeded)
    pairs = [(node, leaf) for (_, node), leaf in zip(seeded, cotangents, strict=True)]
    found = sweep(graph, pairs, [p.leaf for p in program.parameters if not p.frozen])
    pullback = _of_parameters(program, found) if pairs else {}
    return replace(program, gradients=gradients, adjoints=adjoints, cotangents=cotangents, pullback=pullback)


def _of_parameters(program: Program, found: dict[int, Node]) -> dict[str, Node]:
    zero = program.graph.constant(0)
    return {p.name: found.get(p.leaf.id, zero) for p in program.parameters}


def sweep(graph: Graph, seeds: Sequence[tuple[Node, Node]], leaves: Iterable[Node]) -> dict[int, Node]:
    """The adjoint of each node between the seeded ones and the leaves, by the node's id; masks are applied.

    Any node may be a leaf; what it is made of is then looked at only for other leaves. A seed may have axes that its
    node lacks, of names that no node between has: every adjoint then has them too.
    """
    regions = Regions(node for node, _ in seeds)
    return _pulled(graph, regions, regions.outside, seeds, {leaf.id for leaf in leaves})


def _pulled(
    graph: Graph, regions: Regions, nodes: Sequence[Node], seeds: Sequence[tuple[Node, Node]], leaves: Iterable[int]
) -> dict[int, Node]:
    """The adjoints of the nodes of one region, operands first, and of the leaves, which may stand outside of it."""
    wanted = set(leaves)
    for node in nodes:
        if not isinstance(node, Stop) and any(operand.id in wanted for operand in regions.operands(node)):
            wanted.add(node.id)
    arriving: dict[int, list[Cotangent]] = {}
    for node, seed in seeds:
        arriving.setdefault(node.id, []).append(Cotangent(None, seed))
    read: dict[int, list[tuple[Steps | Last, Node]]] = {}  # of each scan
    result: dict[int, Node] = {}
    for node in reversed(nodes):
        if node.id not in wanted or not (node.id in arriving or node.id in read):
            continue
        before = graph.at(node.span)
        given: Iterable[tuple[Node, Cotangent]] = ()
        if isinstance(node, Scan):
            given = _scan(node, graph, regions, read.pop(node.id), wanted)
        else:
            cotangent = _joined(graph, arriving.pop(node.id), node)
            result[node.id] = _applied(graph, cotangent)
            if isinstance(node, Steps | Last):
                if node.scan.id in wanted:
                    read.setdefault(node.scan.id, []).append((node, result[node.id]))
            elif any(operand.id in wanted for operand in node.operands):
                # The partials by what leads to no leaf would be most of the work.
                given = _map(node, graph, cotangent, wanted) if isinstance(node, Map) else rule(node, graph, cotangent)
        for operand, more in given:
            if operand.id in wanted:
                arriving.setdefault(operand.id, []).append(more)
        graph.at(before)
    for key in sorted(arriving.keys() & set(leaves)):
        result[key] = _applied(graph, _joined(graph, arriving[key], graph.nodes[key]))
    return result


def _applied(graph: Graph, cotangent: Cotangent) -> Node:
    if cotangent.mask is None:
        return cotangent.raw
    return graph.map(_MASKED, [cotangent.mask, cotangent.raw])


def _joined(graph: Graph, arriving: Sequence[Cotangent], node: Node) -> Cotangent:
    """The sum of the node's cotangents; those of one mask are summed under it."""
    by_mask: dict[int, list[Cotangent]] = {}
    for cotangent in arriving:
        by_mask.setdefault(-1 if cotangent.mask is None else cotangent.mask.id, []).append(cotangent)
    parts = [Cotangent(group[0].mask, added(graph, [c.raw for c in group], node.axes)) for group in by_mask.values()]
    if len(parts) == 1:
        return parts[0]
    mask: Node | None = parts[0].mask
    for part in parts[1:]:
        mask = None if mask is None or part.mask is None else graph.map(functions.either(_0, _1), [mask, part.mask])
    return Cotangent(mask, graph.sum([_applied(graph, part) for part in parts]))


def _narrowed(
    graph: Graph, cotangent: Cotangent, factors: Sequence[Node], total: Iterable[Axis], to: Node
) -> Cotangent:
    """raw * factors, summed over the axes in `total` that the operand lacks."""
    own = graph.ordered(total)
    lacking = [axis for axis in own if axis.name not in to.names]
    mask = cotangent.mask
    if mask is None or all(name in to.names for name in mask.names):
        if not lacking:
            return Cotangent(mask, graph.product([*factors, cotangent.raw]) if factors else cotangent.raw)
        return Cotangent(mask, contracted(graph, cotangent.raw, factors, own, lacking))
    safe = [graph.map(_MASKED, [mask, factor]) for factor in (cotangent.raw, *factors)]
    gone = [axis for axis in mask.axes if axis.name not in to.names]
    outer = None if isinstance(to, Leaf) else graph.reduce("any", mask, gone)
    return Cotangent(outer, graph.contract(safe, lacking))


# ------------------------------------------------------------------------------------------------------------ the rules


@singledispatch
def rule(node: Node, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    """What the node's cotangent gives to each of its operands.

    The cotangent may have axes that the node lacks (see `cotangents.py`): what a rule sums over is named by the axes
    of the node and of its operands, never by those of the cotangent.
    """
    raise TypeError(f"no adjoint for {type(node).__name__}")


@cache
def partial(expression: Expr, position: int) -> Expr:
    """The derivative of a Map's expression by one placeholder."""
    number, rest = expression.as_coeff_Mul()
    if rest == placeholder(position):
        return number
    if expression.is_Add and placeholder(position) in expression.args:
        rest = sympy.Add(*(term for term in expression.args if term != placeholder(position)))
        if placeholder(position) not in rest.free_symbols:
            return Integer(1)
    derivative = sympy.diff(expression, placeholder(position))
    # sign and floor are constant between their jumps, and the convention at a jump is 0.
    return derivative.replace(lambda e: isinstance(e, sympy.DiracDelta | sympy.Derivative), lambda e: Integer(0))


def _map(node: Map, graph: Graph, cotangent: Cotangent, wanted: Set[int]) -> Iterator[tuple[Node, Cotangent]]:
    if isinstance(node.expression, functions.where):
        yield from _branches(node, graph, cotangent)
        return
    for position, operand in enumerate(node.operands):
        if operand.id not in wanted or operand.dtype != "float":
            continue
        if node.expression == SQRT and vanishes_flat(operand):
            # The gradient of a norm at 0: 0 is a subgradient, and the limit of every even function under the root.
            factor = build(graph, functions.where(functions.less(0, _0), 1 / _0, Integer(0)) / 2, [node])
        else:
            factor = build(graph, partial(node.expression, position), node.operands)
        if _is_number(factor, 0):
            continue
        factors = [] if _is_number(factor, 1) else [factor]
        yield operand, _narrowed(graph, cotangent, factors, node.axes, operand)


def _branches(node: Map, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    condition, yes, no = node.expression.args
    chosen = build(graph, condition, node.operands)
    for value, holds in ((yes, chosen), (no, graph.map(functions.negation(_0), [chosen]))):
        if not isinstance(value, sympy.Symbol):
            continue
        operand = build(graph, value, node.operands)
        mask = cotangent.mask
        inner = holds if mask is None else graph.map(functions.both(_0, _1), [mask, holds])
        yield operand, _narrowed(graph, Cotangent(inner, cotangent.raw), [], node.axes, operand)


def _is_number(node: Node, number: int) -> bool:
    return getattr(node, "value", None) == number


@rule.register
def _contract(node: Contract, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    total = [*node.axes, *node.summed]
    for position, operand in enumerate(node.operands):
        others = [*node.operands[:position], *node.operands[position + 1 :]]
        yield operand, _narrowed(graph, cotangent, others, total, operand)


@rule.register
def _reduce(node: Reduce, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    (operand,) = node.operands
    if node.operator == "logsumexp":
        factor = graph.map(sympy.exp(_0), [build(graph, _0 - _1, [operand, node])])
    elif node.operator in ("max", "min"):
        ties = graph.map(functions.equal(_0, _1), [operand, node])
        factor = build(graph, functions.where(_0, Integer(1), Integer(0)), [ties])
        # Divided before it meets the operand's axes, of which it has fewer.
        share = graph.map(DIVIDE, [cotangent.raw, graph.contract([factor], node.reduced)])
        cotangent = replace(cotangent, raw=share)
    elif node.operator == "prod":
        factor = _product_of_others(graph, operand, node.reduced)
    else:
        return
    yield operand, _narrowed(graph, cotangent, [factor], operand.axes, operand)


def _product_of_others(graph: Graph, operand: Node, reduced: tuple[Axis, ...]) -> Node:
    """At each position the product over all others, in a form that has every derivative, also where something is 0.

    `lower` computes it without an array over all pairs of positions.
    """
    to: dict[str, str] = {}
    same: Node | None = None
    for axis in reduced:
        copy = axis.name + "'"
        while copy in {*operand.names, *to.values()}:
            copy += "'"
        to[axis.name] = copy
        equal = graph.map(functions.equal(_0, _1), [graph.index(axis), graph.index(Axis(copy, axis.length))])
        same = equal if same is None else graph.map(functions.both(_0, _1), [same, equal])
    assert same is not None
    others = graph.map(functions.where(_0, Integer(1), _1), [same, graph.relabel(operand, to)])
    return graph.reduce("prod", others, [Axis(to[axis.name], axis.length) for axis in reduced])


@rule.register
def _slice(node: Slice, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    (operand,) = node.operands

    def placed(value: Node) -> Node:
        whole = value if node.drop else graph.spread(value, [Axis(node.along.name, node.length)])
        return graph.place_slice(whole, node.along, node.start, node.step, node.length, node.drop)

    mask = cotangent.mask
    raw = through(graph, cotangent.raw, node.axes, {node.along.name}, placed)
    if mask is None or node.along.name not in mask.names:
        yield operand, Cotangent(mask, raw)
    else:
        yield operand, Cotangent(placed(mask), raw)


@rule.register
def _place_slice(node: PlaceSlice, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    def read(value: Node) -> Node:
        whole = graph.spread(value, [node.along])
        return graph.slice(whole, node.along.name, node.start, node.step, node.length, node.drop)

    mask = cotangent.mask
    raw = through(graph, _applied(graph, cotangent), node.axes, {node.along.name}, read)
    here = mask is not None and node.along.name in mask.names
    yield node.operands[0], Cotangent(read(mask) if mask is not None and here else mask, raw)


@rule.register
def _stack(node: Stack, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    along = node.along
    others = [axis for axis in node.axes if axis != along]
    mask = cotangent.mask
    here = mask is not None and along.name in mask.names
    for position, operand in enumerate(node.operands):
        if operand.dtype != "float" or isinstance(operand, Constant):
            continue

        def read(value: Node, position: int = position) -> Node:
            return graph.slice(graph.spread(value, [along]), along.name, Integer(position), 1, Integer(1), True)

        raw = through(graph, _applied(graph, cotangent), node.axes, {along.name}, read)
        inner = Cotangent(read(mask) if mask is not None and here else mask, raw)
        yield operand, _narrowed(graph, inner, [], others, operand)


def _sorted_back(graph: Graph, order: Order, cotangent: Cotangent) -> Cotangent:
    """Of a permutation the adjoint is its inverse, which is the order of its positions."""
    inverse = arrays.order(graph, order, order.along)
    mask, raw = _held(graph, cotangent, [order.along])
    if mask is not None and order.along.name in mask.names:
        mask = graph.gather(mask, inverse, order.along.name)
    return Cotangent(mask, graph.gather(raw, inverse, order.along.name))


@rule.register
def _gather(node: Gather, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    operand, index = node.operands
    if isinstance(index, Order) and index.along == node.along:
        yield operand, _narrowed(graph, _sorted_back(graph, index, cotangent), [], node.axes, operand)
        return
    lacking = [axis for axis in node.axes if axis.name not in operand.names]
    mask = cotangent.mask
    if mask is not None and any(name in {a.name for a in lacking} or name == node.along.name for name in mask.names):
        cotangent, mask = Cotangent(None, _applied(graph, cotangent)), None
    touched = {node.along.name, *index.names}
    many = are_many(cotangent.raw, node.axes)
    wide = [axis for axis in node.axes if axis.name in touched] if many else node.axes

    def scattered(value: Node) -> Node:
        return graph.scatter(graph.spread(value, wide), index, node.along, lacking)

    yield operand, Cotangent(mask, through(graph, cotangent.raw, node.axes, touched, scattered))


@rule.register
def _scatter(node: Scatter, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    operand, index = node.operands

    def gathered(value: Node) -> Node:
        return graph.gather(graph.spread(value, [node.along]), index, node.along.name)

    raw = through(graph, _applied(graph, cotangent), node.axes, {node.along.name}, gathered)
    own = [*(axis for axis in node.axes if axis.name != node.along.name), *index.axes, *operand.axes]
    yield operand, _narrowed(graph, Cotangent(None, raw), [], own, operand)


@rule.register
def _relabel(node: Relabel, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    back = {after: before for before, after in node.renamed}
    mask = None if cotangent.mask is None else graph.relabel(cotangent.mask, back)
    yield node.operands[0], Cotangent(mask, graph.relabel(cotangent.raw, back))


@rule.register
def _spread(node: Spread, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    yield node.operands[0], _narrowed(graph, cotangent, [], node.axes, node.operands[0])


def _held(graph: Graph, cotangent: Cotangent, axes: Iterable[Axis]) -> tuple[Node | None, Node]:
    """The mask, and the cotangent with 0 where it does not hold: both along all of the axes, if along any of them."""
    raw, mask = _applied(graph, cotangent), cotangent.mask
    over = list(axes)
    if mask is not None and any(axis.name in mask.names for axis in over):
        mask = graph.spread(mask, over)
    return mask, graph.spread(raw, over)


def _ones(graph: Graph, mask: Node) -> Node:
    return build(graph, functions.where(_0, Integer(1), Integer(0)), [mask])


@rule.register
def _window(node: Window, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    over = [axis for s in node.slidings for axis in (s.places, s.taps)]
    mask, raw = _held(graph, cotangent, over)
    if mask is not None and any(axis.name in mask.names for axis in over):
        # A place counts if any of the positions and taps that stand there does.
        reached = arrays.place_window(graph, _ones(graph, mask), node.slidings)
        mask = graph.map(functions.less(Integer(0), _0), [reached])
    yield node.operands[0], Cotangent(mask, arrays.place_window(graph, raw, node.slidings))


@rule.register
def _place_window(node: PlaceWindow, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    mask, raw = _held(graph, cotangent, [s.along for s in node.slidings])
    mask = None if mask is None else arrays.window(graph, mask, node.slidings)
    yield node.operands[0], Cotangent(mask, arrays.window(graph, raw, node.slidings))


@rule.register
def _concat(node: Concat, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    along = node.along.name
    mask, raw = _held(graph, cotangent, [node.along])
    for operand, start, length in zip(node.operands, node.starts(), node.lengths, strict=True):
        own = mask
        if own is not None and along in own.names:
            own = graph.slice(own, along, start, 1, length, drop=False)
        part = graph.slice(raw, along, start, 1, length, drop=False)
        others = [axis for axis in node.axes if axis.name != along]
        yield operand, _narrowed(graph, Cotangent(own, part), [], [*others, *operand.axes], operand)


@rule.register
def _flatten(node: Flatten, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    mask, raw = _held(graph, cotangent, [node.whole])
    mask = None if mask is None else arrays.split(graph, mask, node.whole, node.merged)
    yield node.operands[0], Cotangent(mask, arrays.split(graph, raw, node.whole, node.merged))


@rule.register
def _split(node: Split, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    mask, raw = _held(graph, cotangent, node.parts)
    mask = None if mask is None else arrays.flatten(graph, mask, node.parts, node.whole)
    yield node.operands[0], Cotangent(mask, arrays.flatten(graph, raw, node.parts, node.whole))


@rule.register
def _accumulate(node: Accumulate, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    """Of a running product no factor is divided by, so that it is right where some are 0, and so are its own
    derivatives: what stands before a position times what follows it, which a linear recurrence sums up."""
    (operand,), along = node.operands, node.along
    mask, raw = _held(graph, cotangent, [along])
    if mask is not None and along.name in mask.names:
        # A position counts if any that follow it, or itself, does.
        mask = graph.map(functions.less(Integer(0), _0), [_totals_behind(graph, _ones(graph, mask), along)])
    if node.operator == "sum":
        yield operand, Cotangent(mask, _totals_behind(graph, raw, along))
        return
    before = graph.sum([arrays.shifted(graph, node, along), arrays.first(graph, along)])
    following = arrays.recurrence(graph, operand, raw, along, backward=True)
    yield operand, Cotangent(mask, graph.product([before, following]))


def _totals_behind(graph: Graph, value: Node, along: Axis) -> Node:
    """At each position the sum of what stands there and behind it."""
    turned = arrays.turned(graph, graph.spread(value, [along]), along.name)
    return arrays.turned(graph, arrays.accumulate(graph, "sum", turned, along), along.name)


@rule.register
def _recurrence(node: Recurrence, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    """The recurrence is linear in its term: its adjoint is the transposed one. Of s[i] = b[i] + f[i] s[i - 1] the
    derivative by f[i] is the adjoint of b[i] times s[i - 1]; of the transpose, that of b[i - 1] times s[i]."""
    factor, term = node.operands
    _, raw = _held(graph, cotangent, [node.along])
    found = arrays.recurrence(graph, factor, raw, node.along, not node.backward)
    yield term, _narrowed(graph, Cotangent(None, found), [], node.axes, term)
    here, before = (node, found) if node.backward else (found, node)
    factors = [arrays.shifted(graph, before, node.along)]
    yield factor, _narrowed(graph, Cotangent(None, here), factors, node.axes, factor)


@rule.register
def _linear_algebra(node: LinearAlgebra, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    """M. Giles, "An extended collection of matrix derivative results" (2008); of the Cholesky factor I. Murray,
    "Differentiation of the Cholesky decomposition" (arXiv:1602.07527), the symmetric form."""
    matrix, rows, columns = node.operands[0], node.rows, node.columns
    raw = _applied(graph, cotangent)
    if node.operator == "solve":
        right = graph.linear_algebra("solve", [graph.transposed(matrix, rows, columns), raw], rows, columns)
        yield node.operands[1], _narrowed(graph, Cotangent(None, right), [], node.axes, node.operands[1])
        unknowns = graph.relabel(node, {rows.name: columns.name})
        negative = Cotangent(None, graph.map(-_0, [right]))
        yield matrix, _narrowed(graph, negative, [unknowns], [*node.axes, *unknowns.axes], matrix)
    elif node.operator in ("logdet", "det"):
        inverse = graph.linear_algebra("inverse", [matrix], rows, columns)
        factors = [graph.transposed(inverse, rows, columns), *([node] if node.operator == "det" else [])]
        yield matrix, _narrowed(graph, Cotangent(None, raw), factors, matrix.axes, matrix)
    elif node.operator == "inverse":
        back = graph.transposed(node, rows, columns)
        inner = _matrix_product(graph, _matrix_product(graph, back, raw, rows, columns), back, rows, columns)
        yield matrix, Cotangent(None, graph.map(-_0, [inner]))
    else:
        inverse = graph.linear_algebra("inverse", [node], rows, columns)
        back = graph.transposed(inverse, rows, columns)
        product = _matrix_product(graph, graph.transposed(node, rows, columns), raw, rows, columns)
        middle = _lower_half(graph, product, rows, columns)
        symmetric = graph.sum([middle, graph.transposed(middle, rows, columns)])
        inner = _matrix_product(graph, _matrix_product(graph, back, symmetric, rows, columns), inverse, rows, columns)
        yield matrix, Cotangent(None, graph.map(_0 / 2, [inner]))


def _matrix_product(graph: Graph, left: Node, right: Node, rows: Axis, columns: Axis) -> Node:
    """left @ right, all three over the same rows and columns."""
    between = columns.name + "'"
    while between in {*left.names, *right.names}:
        between += "'"
    factors = [graph.relabel(left, {columns.name: between}), graph.relabel(right, {rows.name: between})]
    return graph.contract(factors, [Axis(between, columns.length)])


def _lower_half(graph: Graph, matrix: Node, rows: Axis, columns: Axis) -> Node:
    """What stands below the diagonal, and half of what stands on it."""
    row, column = graph.index(rows), graph.index(columns)
    below = graph.map(_MASKED, [graph.map(functions.less(_0, _1), [column, row]), matrix])
    half = graph.map(_0 / 2, [matrix])
    return graph.map(_WHERE, [graph.map(functions.equal(_0, _1), [row, column]), half, below])


def _scan(
    node: Scan, graph: Graph, regions: Regions, read: Sequence[tuple[Steps | Last, Node]], wanted: set[int]
) -> Iterator[tuple[Node, Cotangent]]:
    """A scan in the other direction. `read` holds the cotangents of what was read of the first.

    It carries the adjoints of what the first carried, and the sums of those of what its body reads from outside. What
    the first carried it reads step by step, so that the nodes of the first body have their values in the second too.
    """
    body = regions.body(node)
    found = {leaf.id for leaf, whole in zip(node.stepped, node.sequences, strict=True) if whole.id in wanted}
    found |= {outside.id for outside in body.captured if outside.id in wanted}
    active = _active(node, regions, found, wanted)
    # Of many cotangents each adjoint has the axes.
    many = [axis for steps, cotangent in read for axis in cotangent.axes if axis.name not in steps.names]
    adjoints = {leaf.id: graph.local(f"d_{people(leaf)}", [*leaf.axes, *many], "float", True) for leaf in node.carried}
    seeds: list[tuple[Node, Node]] = [
        (following, adjoints[leaf.id])
        for leaf, following in zip(node.carried, node.nexts, strict=True)
        if leaf.id in active
    ]
    stepped = [(leaf, graph.steps(node, leaf)) for leaf in node.carried]
    stepped += zip(node.stepped, node.sequences, strict=True)
    for steps, cotangent in read:
        if isinstance(steps, Steps):
            value = steps.operands[1]
            own = [axis for axis in cotangent.axes if axis.name not in (*steps.names, node.along.name)]
            seed = graph.local("d_step", [*value.axes, *own], "float", True)
            seeds.append((value, seed))
            stepped.append((seed, cotangent))
    pulled = _pulled(graph, regions, body.nodes, seeds, active | found)

    zero = graph.constant(0)
    lasts = {steps.part: cotangent for steps, cotangent in read if isinstance(steps, Last)}
    carried: list[tuple[Leaf, Node, Node]] = []
    starts: list[Node] = []
    for part, (leaf, initial) in enumerate(zip(node.carried, node.initials, strict=True)):
        if leaf.id in active:
            carried.append((adjoints[leaf.id], lasts.get(part, zero), pulled.get(leaf.id, zero)))
            starts.append(initial)
    for outside in body.captured:
        if outside.id in pulled:
            total = graph.local("d_sum", pulled[outside.id].axes, "float", True)
            carried.append((total, zero, graph.sum([total, pulled[outside.id]])))
            starts.append(outside)
    arrays = [(w, pulled[s.id]) for s, w in zip(node.stepped, node.sequences, strict=True) if s.id in pulled]
    read_here = frozenset[int]().union(*(n.free for _, _, n in carried), *(value.free for _, value in arrays))
    back = graph.scan(node.along, not node.backward, carried, [(s, w) for s, w in stepped if s.id in read_here])
    for whole, value in arrays:
        yield whole, Cotangent(None, graph.steps(back, value))
    for part, start in enumerate(starts):
        yield start, Cotangent(None, graph.last(back, part))


def _active(node: Scan, regions: Regions, found: set[int], wanted: set[int]) -> set[int]:
    """The carried leaves that start with something wanted, or come to vary with it or with what is `found`."""
    active = {leaf.id for leaf, initial in zip(node.carried, node.initials, strict=True) if initial.id in wanted}
    while True:
        varying = found | active
        for inner in regions.body(node).nodes:
            if not isinstance(inner, Stop) and any(operand.id in varying for operand in regions.operands(inner)):
                varying.add(inner.id)
        more = {leaf.id for leaf, following in zip(node.carried, node.nexts, strict=True) if following.id in varying}
        if more <= active:
            return active
        active |= more


@rule.register
def _stop(node: Stop, graph: Graph, cotangent: Cotangent) -> Iterator[tuple[Node, Cotangent]]:
    yield from ()

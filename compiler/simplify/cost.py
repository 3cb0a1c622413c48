"""What a node costs on NumPy: nanoseconds, for choosing between forms of the same value.

The figures are in `measured.py`: of a call, of an element in the cache and of one beyond it, and of the same operation
on one number, which the module leaves to Python. An operation between numbers is almost free, a pass over an array
costs, a transcendental costs several; sin and cos, which NumPy has no fast way for, stand with the passes that `lower`
makes of them. The row axis is cut into blocks that fit the cache, so only arrays without it may lie beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from math import prod

import sympy
from sympy import Expr, Rational

from .. import functions
from ..arrays import Accumulate, Concat, Order, PlaceWindow, Recurrence, Window
from ..graph import (
    Axis,
    Contract,
    Gather,
    Leaf,
    LinearAlgebra,
    Map,
    Node,
    PlaceSlice,
    Reduce,
    Scatter,
    Spread,
    Stack,
)
from .measured import MEASURED

ASSUMED_ROWS = 1000
ASSUMED_LENGTH = 30
BIND = 0.01  # of a step: what is done once hardly counts
CACHE = 1 << 17
"""Elements that fit the cache: a MiB of doubles."""
LONGEST_CHAIN = 64
"""The largest whole power that is written as multiplications."""

LAPACK_CALL = 8000.0
LAPACK_WORK = {"solve": 0.67, "inverse": 2.67, "cholesky": 0.33, "logdet": 0.67, "det": 0.67}
"""Multiplications and additions, as a multiple of the cube of the length, and"""
FLOP = 0.05
"""nanoseconds for one of them."""

PASSES: Mapping[type, tuple[str, ...]] = {
    sympy.Abs: ("abs",),
    sympy.sign: ("other",),
    sympy.floor: ("other",),
    sympy.ceiling: ("other",),
    sympy.exp: ("exp",),
    sympy.log: ("log",),
    sympy.sin: ("half_angle", "multiply"),
    sympy.cos: ("half_angle", "add"),
    sympy.tan: ("tan",),
    sympy.tanh: ("tanh",),
    functions.sigmoid: ("sigmoid",),
    functions.softplus: ("softplus",),
    functions.log1p: ("log1p",),
    functions.expm1: ("expm1",),
    functions.xlogy: ("compare", "where", "log", "multiply"),
    functions.power: ("power",),
    functions.maximum: ("maximum",),
    functions.minimum: ("maximum",),
    functions.relu: ("maximum",),
    functions.step: ("compare",),
    functions.where: ("where",),
    functions.as_float: ("copy",),
    **dict.fromkeys(functions.TRUTHS, ("compare",)),
    **dict.fromkeys((functions.erf, functions.erfc, functions.erfcx, functions.log_erfc), ("erf",)),
    **dict.fromkeys((functions.log_half_erfc, functions.log_i0e, functions.i0_cumulant), ("erf",)),
    **dict.fromkeys((functions.lgamma, functions.digamma, functions.polygamma), ("lgamma",)),
    **dict.fromkeys((functions.lbeta, functions.polygamma_fall), ("lgamma",) * 3),
}
"""The measured operations that compute a function; one that is not here counts as "other"."""


def length(axis: Axis, rows: str | None) -> int:
    """The axis's length, or what is assumed where only the data tell."""
    if isinstance(axis.length, sympy.Integer):
        return int(axis.length)
    return ASSUMED_ROWS if axis.name == rows else ASSUMED_LENGTH


def elements(axes: Iterable[Axis], rows: str | None) -> int:
    """How many elements an array over these axes has."""
    return prod(length(axis, rows) for axis in axes)


def cost(node: Node, rows: str | None) -> float:
    """Of one node, its operands left out; nanoseconds."""
    of = KINDS.get(type(node))
    if of is None:
        return 0.0
    return (1.0 if node.trained else BIND) * of(node, rows)


def total(result: Node, until: Iterable[Node], rows: str | None) -> float:
    """Of all nodes from `result` down to, and without, `until`."""
    seen = {node.id for node in until}
    halved: set[Node] = set()
    waiting, whole = [result], 0.0
    while waiting:
        node = waiting.pop()
        if node.id in seen:
            continue
        seen.add(node.id)
        waiting.extend(node.operands)
        whole += cost(node, rows)
        if node.axes and isinstance(node, Map) and isinstance(node.expression, sympy.sin | sympy.cos):
            # The sine and the cosine of one value share its tangent.
            if node.operands[0] in halved:
                whole -= (1.0 if node.trained else BIND) * _passes(
                    "half_angle", elements(node.axes, rows), node.axes, rows
                )
            halved.add(node.operands[0])
    return whole


def _passes(operation: str, count: int, axes: Iterable[Axis], rows: str | None) -> float:
    """One call over an array of these axes, in which `count` elements are worked on."""
    call, cached, beyond, _ = MEASURED[operation]
    names = [axis.name for axis in axes]
    return call + count * (beyond if rows not in names and count > CACHE else cached)


# ------------------------------------------------------------------------------------------------------------ pointwise


def _of_map(node: Node, rows: str | None) -> float:
    assert isinstance(node, Map)
    operations, numbers = _operations(node.expression)
    if not node.axes:
        return sum(MEASURED[operation][3] for operation in operations)
    # A number that Python holds becomes an array at each call; a parameter and what bind knows are arrays already.
    numbers += sum(1 for o in node.operands if not o.axes and o.trained and not isinstance(o, Leaf))
    count = elements(node.axes, rows)
    return sum(_passes(operation, count, node.axes, rows) for operation in operations) + numbers * MEASURED["number"][0]


@lru_cache(maxsize=100_000)
def _operations(expression: Expr) -> tuple[tuple[str, ...], int]:
    """The measured operations that compute the expression, and how many numbers they take."""
    found: list[str] = []
    numbers = 0
    waiting = [expression]
    while waiting:
        current = waiting.pop()
        if current.is_Number:
            numbers += 1
            continue
        operations, parts = _at_root(current)
        found += operations
        waiting += parts
    return tuple(found), numbers


def _at_root(expression: Expr) -> tuple[tuple[str, ...], Iterable[Expr]]:
    """The operations at the expression's root, and what they are done to."""
    if not expression.args:
        return (), ()
    if expression.is_Add:
        # A term is added or subtracted: its sign costs nothing, unless all have one.
        terms = [-t if t.could_extract_minus_sign() else t for t in expression.args]
        signs = ("negate",) if all(t.could_extract_minus_sign() for t in expression.args) else ()
        return (*signs, *("add",) * (len(terms) - 1)), terms
    if expression.is_Mul:
        return _product(expression)
    if expression.is_Pow:
        return _power(expression.exp), (expression.base,) if expression.exp.is_Number else expression.args
    return PASSES.get(expression.func, ("other",)), expression.args


def _product(expression: Expr) -> tuple[tuple[str, ...], Iterable[Expr]]:
    below = [f for f in expression.args if f.is_Pow and f.exp.is_Number and f.exp.is_negative]
    above = [f for f in expression.args if f not in below]
    divisors = [sympy.Pow(f.base, -f.exp) for f in below]
    signs = ("negate",) if above and above[0] == -1 else ()
    above = above[len(signs) :]
    products = max(0, len(above) - 1) + max(0, len(below) - 1)
    division = (("divide",) if above else ("reciprocal",)) if below else ()
    return (*signs, *("multiply",) * products, *division), (*above, *divisors)


def _power(exponent: Expr) -> tuple[str, ...]:
    """Whole and half powers are multiplications and roots, as `lower` has them."""
    if not exponent.is_Number:
        return ("power",)
    if exponent.is_negative:
        return (*_power(-exponent), "reciprocal")
    if isinstance(exponent, Rational) and exponent.q <= 2 and exponent.p <= LONGEST_CHAIN:
        whole = int(exponent)
        chain = ("square",) * max(0, whole.bit_length() - 1) + ("multiply",) * max(0, whole.bit_count() - 1)
        root = (("multiply",) if whole else ()) + ("sqrt",) if exponent.q == 2 else ()
        return (*chain, *root)
    return ("power",)


# --------------------------------------------------------------------------------------------------------- other kinds


def _of_contract(node: Node, rows: str | None) -> float:
    """Of two operands at a time, the pair that makes the fewest elements first, as `lower` will nearly order them."""
    assert isinstance(node, Contract)
    parts = [operand.axes for operand in node.operands]
    gone = {axis.name for axis in node.summed}
    if len(parts) == 1:
        return _of_pair(parts[0], (), gone, rows)
    # BLAS reads no rows that overlap: of a window it gets a copy.
    whole = sum(_of_copy(operand, rows) for operand in node.operands if isinstance(operand, Window))
    while len(parts) > 1:
        pairs = [(i, j) for j in range(len(parts)) for i in range(j)]
        i, j = min(pairs, key=lambda pair: elements({*parts[pair[0]], *parts[pair[1]]}, rows))
        left, right = parts[i], parts[j]
        rest = [part for k, part in enumerate(parts) if k not in (i, j)]
        inner = gone - {axis.name for part in rest for axis in part}
        whole += _of_pair(left, right, inner, rows)
        joined = dict.fromkeys([*left, *right])
        parts = [*rest, tuple(axis for axis in joined if axis.name not in inner)]
    return whole


def _of_pair(left: tuple[Axis, ...], right: tuple[Axis, ...], gone: set[str], rows: str | None) -> float:
    """The sum over `gone` of the product of two arrays of these axes."""
    axes = tuple(dict.fromkeys([*left, *right]))
    if not gone & {axis.name for axis in axes}:
        return _passes("multiply", elements(axes, rows), axes, rows)
    across = [axis for axis in left if axis not in right and axis.name not in gone]
    down = [axis for axis in right if axis not in left and axis.name not in gone]
    both = [axis for axis in left if axis in right and axis.name not in gone]
    scalar = all(axis.name in gone for axis in axes)
    if both:
        kind = "batched" if across or down else "elementwise"
    else:
        kind = "matmul" if across and down else "dot" if scalar else "matvec"
    call, cached, beyond, _ = MEASURED[kind]
    largest = max(left, right, key=lambda part: elements(part, rows))
    far = all(axis.name != rows for axis in largest) and elements(largest, rows) > CACHE
    return call + elements(axes, rows) * (beyond if far else cached)


def _of_reduce(node: Node, rows: str | None) -> float:
    assert isinstance(node, Reduce)
    inner = node.operands[0].axes
    count = elements(inner, rows)
    if node.operator != "logsumexp":
        return _passes("reduce", count, inner, rows)
    over = sum(_passes(operation, count, inner, rows) for operation in ("reduce", "add", "exp", "matvec"))
    few = elements(node.axes, rows)
    if not node.axes:
        return over + sum(MEASURED[operation][3] for operation in ("maximum", "log", "add"))
    return over + sum(_passes(operation, few, node.axes, rows) for operation in ("maximum", "log", "add"))


def _of_scatter(node: Node, rows: str | None) -> float:
    """Into zeros, one element after another."""
    assert isinstance(node, Scatter)
    axes = {axis.name: axis for operand in node.operands for axis in operand.axes}
    return _of_copy(node, rows) + _passes("scatter", elements(axes.values(), rows), axes.values(), rows)


def _of_gather(node: Node, rows: str | None) -> float:
    return _passes("gather", elements(node.axes, rows), node.axes, rows)


def _of_copy(node: Node, rows: str | None) -> float:
    return _passes("copy", elements(node.axes, rows), node.axes, rows)


def _of_stack(node: Node, rows: str | None) -> float:
    """A copy of each operand into its place."""
    return _of_copy(node, rows) + (len(node.operands) - 1) * MEASURED["copy"][0]


def _of_place_window(node: Node, rows: str | None) -> float:
    """For each tap one addition to where it stands."""
    assert isinstance(node, PlaceWindow)
    inner = node.operands[0].axes
    taps = prod(length(s.taps, rows) for s in node.slidings)
    return _of_copy(node, rows) + (taps - 1) * MEASURED["add"][0] + _passes("add", elements(inner, rows), inner, rows)


def _of_concat(node: Node, rows: str | None) -> float:
    """A copy of each operand into its place."""
    return _of_copy(node, rows) + (len(node.operands) - 1) * MEASURED["copy"][0]


def _of_accumulate(node: Node, rows: str | None) -> float:
    """One element after another: as a scatter adds them."""
    return _passes("scatter", elements(node.axes, rows), node.axes, rows)


def _of_recurrence(node: Node, rows: str | None) -> float:
    """A product and a sum for each step, over all other positions."""
    assert isinstance(node, Recurrence)
    calls = (length(node.along, rows) - 1) * (MEASURED["add"][0] + MEASURED["multiply"][0])
    return calls + 2 * _of_copy(node, rows)


def _of_order(node: Node, rows: str | None) -> float:
    """A sort compares each element with as many others as the length has binary digits."""
    assert isinstance(node, Order)
    digits = length(node.along, rows).bit_length()
    return digits * _passes("gather", elements(node.axes, rows), node.axes, rows)


def _of_linear_algebra(node: Node, rows: str | None) -> float:
    assert isinstance(node, LinearAlgebra)
    size = length(node.rows, rows)
    work = LAPACK_WORK[node.operator] * size * elements(node.operands[0].axes, rows)
    if node.operator == "solve":
        work += 2.0 * size * elements(node.axes, rows)
    return LAPACK_CALL + FLOP * work


KINDS: Mapping[type, Callable[[Node, str | None], float]] = {
    Map: _of_map,
    Contract: _of_contract,
    Reduce: _of_reduce,
    Gather: _of_gather,
    Scatter: _of_scatter,
    PlaceSlice: _of_copy,
    Spread: _of_copy,
    Stack: _of_stack,
    PlaceWindow: _of_place_window,
    Concat: _of_concat,
    Accumulate: _of_accumulate,
    Recurrence: _of_recurrence,
    Order: _of_order,
    LinearAlgebra: _of_linear_algebra,
}
"""A row for each kind that a step computes; leaves, lengths, views and what bind factors cost nothing."""

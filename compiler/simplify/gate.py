"""The gate: whether a rewriting keeps the value, found by computing both sides.

Takes two nodes of one graph; gives False where they differ at random values of what both are made of. The comparison is
exact first, modulo a prime, with every function a random atom of its arguments; where that tells them apart, as it must
for `exp(a)*exp(b)` and `exp(a + b)`, it is repeated in floating point. What is too large to compute by the way is let
through: tests hold every rule to account on small arrays.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy
from sympy import Expr, Symbol

from .. import functions
from ..arrays import Split
from ..graph import LOOPS, RANK, Constant, Factor, Index, Node, Size
from ..reference import FLOATS, Arithmetic, Setting, value_of

Array = npt.NDArray[Any]

PRIME = 2**61 - 1
MOST_NODES = 100
"""Nodes between the two and what both are made of, and"""
MOST_ELEMENTS = 4096
"""elements of one of them, up to which the sides are computed."""
TRIES = 12
"""Sets of lengths that are tried for a model whose slices, windows and splits do not fit all."""
LARGEST_POWER = 64
NEAR = 1e-8
"""Relative to the largest element, and"""
ROUNDED = 1e-13
"""relative to the largest number on the way, since a sum may cancel."""


def agree(before: Node, after: Node) -> bool:
    """Whether both have the same value; True too where finding out would take too long, or there is no rule for it."""
    # What both need is an atom at first; where a rule knows more of it, as that it is symmetric, only leaves are.
    return _agree(before, after, False) or _agree(before, after, True)


def _agree(before: Node, after: Node, to_the_leaves: bool) -> bool:
    inside, border = between(before, after, to_the_leaves)
    if len(inside) >= MOST_NODES:
        return True
    lengths = _lengths([*inside, *border])
    for arithmetic, draw in ((MODULAR, _integers), (FLOATS, _normal)):
        setting = Setting({}, lengths, arithmetic)
        try:
            with np.errstate(all="ignore"):
                sides = _computed(inside, border, setting, draw, (before, after))
        except (TypeError, ValueError, IndexError, ArithmeticError):
            sides = None
        if sides is not None and _same(*sides):
            return True
    # In floating point the last word is said, where it can be.
    return sides is None


def between(before: Node, after: Node, to_the_leaves: bool = False) -> tuple[list[Node], list[Node]]:
    """The nodes that one side alone needs (or both, `to_the_leaves`), operands first, and those below them.

    At most MOST_NODES of the former; what stands below counts among the latter then.
    """
    sides = {before.id: 1}
    sides[after.id] = sides.get(after.id, 0) | 2
    known = {before.id: before, after.id: after}
    waiting = [-key for key in sides]
    heapq.heapify(waiting)
    inside: list[Node] = []
    border: list[Node] = []
    while waiting:
        node = known[-heapq.heappop(waiting)]
        # What both need is an atom; users have larger ids, so that all of them have been seen.
        both = sides[node.id] == 3 and node is not after and not to_the_leaves
        if both or not node.operands or isinstance(node, LOOPS) or len(inside) == MOST_NODES:
            (inside if isinstance(node, Constant | Size | Index) else border).append(node)
            continue
        inside.append(node)
        for operand in node.operands:
            if operand.id not in sides:
                known[operand.id] = operand
                sides[operand.id] = 0
                heapq.heappush(waiting, -operand.id)
            sides[operand.id] |= sides[node.id]
    return inside[::-1], border


def _lengths(nodes: Sequence[Node]) -> Mapping[Symbol, int]:
    """A small length for each that the data give: different ones, so that axes are not mistaken for each other, and
    such that every slice and window holds something and every split is even, where a few tries find them."""
    symbols = {s for node in nodes for axis in node.axes for s in axis.length.free_symbols}
    symbols |= {s for node in nodes if isinstance(node, Size) for s in node.length.free_symbols}
    ordered = sorted(symbols, key=lambda s: s.name)
    made = {axis.length for node in nodes for axis in node.axes if not axis.length.is_Atom}
    even = {
        (sympy.Mul(*(axis.length for axis in node.parts)), node.whole.length)
        for node in nodes
        if isinstance(node, Split)
    }
    found = [{symbol: 3 + i % 3 + more for i, symbol in enumerate(ordered)} for more in range(TRIES)]
    for lengths in found if made or even else ():
        if all(length.xreplace(lengths) >= 1 for length in made) and all(
            product.xreplace(lengths) == whole.xreplace(lengths) for product, whole in even
        ):
            return lengths
    return found[0]


def _computed(
    inside: Sequence[Node],
    border: Sequence[Node],
    setting: Setting,
    draw: Callable[[Node, tuple[int, ...]], Array],
    sides: tuple[Node, Node],
) -> tuple[Array, Array, float] | None:
    """Both sides, and the largest number on the way to them. None where an array is too large."""
    state: dict[int, Array] = {}
    for node in border:
        shape = setting.shape(node)
        if math.prod(shape) > MOST_ELEMENTS:
            return None
        state[node.id] = draw(node, shape)
        if isinstance(node, Factor):
            state[node.id] = _triangular(node, state[node.id], setting)
    for node in inside:
        over = {axis.name: setting.length(axis.length) for o in (node, *node.operands) for axis in o.axes}
        if math.prod(over.values()) > MOST_ELEMENTS:
            return None
        state[node.id] = value_of(node, [state[operand.id] for operand in node.operands], setting)
    before, after = (state[node.id] for node in sides)
    names = [node.names for node in sides]
    if not set(names[1]) <= set(names[0]):
        return before, np.full(before.shape, np.nan), 0.0
    # A rule may give less than the axes of its node where the value is the same along them.
    wide = after.transpose([names[1].index(n) for n in names[0] if n in names[1]])
    wide = wide.reshape([size if n in names[1] else 1 for n, size in zip(names[0], before.shape, strict=True)])
    largest = max((_largest(state[node.id]) for node in inside), default=0.0)
    return before, np.broadcast_to(wide, before.shape), largest


def _triangular(node: Factor, array: Array, setting: Setting) -> Array:
    """The array with zeros below the diagonal of the factor that it is a part of."""
    widths = [math.prod(setting.length(a.length) for a in c.axes if a.name != node.rows) for c in node.operands]
    at = node.names.index(RANK)
    flat = np.moveaxis(array, at, 0).reshape(array.shape[at], -1)
    below = np.arange(len(flat))[:, None] > sum(widths[: node.part]) + np.arange(flat.shape[1])
    shape = (array.shape[at], *(size for i, size in enumerate(array.shape) if i != at))
    return np.moveaxis(np.where(below, 0, flat).reshape(shape), 0, at)


def _largest(array: Array) -> float:
    if array.dtype.kind != "f":
        return 0.0
    return float(np.max(np.abs(array), initial=0.0, where=np.isfinite(array)))


def _same(before: Array, after: Array, largest: float) -> bool:
    if before.dtype == object or before.dtype.kind in "bi":
        return bool(np.all(before == after))
    allowed = NEAR * _largest(before) + ROUNDED * largest
    finite = np.isfinite(before)
    return bool(np.all(np.abs(before[finite] - after[finite]) <= allowed))


# --------------------------------------------------------------------------------------------------------------- values


def _mixed(number: int) -> int:
    """A number that looks random, and is the same on every machine (the finaliser of SplitMix64)."""
    number = (number + 0x9E3779B97F4A7C15) % 2**64
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB % 2**64
    return number ^ (number >> 31)


def _integers(node: Node, shape: tuple[int, ...]) -> Array:
    flat = [_mixed(1000 * node.id + i) for i in range(math.prod(shape))]
    if node.dtype == "float":
        return np.array([number % PRIME for number in flat], dtype=object).reshape(shape)
    return np.array([number % 2 for number in flat], dtype=bool if node.dtype == "bool" else np.int64).reshape(shape)


def _normal(node: Node, shape: tuple[int, ...]) -> Array:
    if node.dtype != "float":
        return _integers(node, shape)
    flat = [_mixed(1000 * node.id + i) / 2**64 for i in range(math.prod(shape))]
    found = np.array(flat, dtype=np.float64).reshape(shape)
    return found + 0.3 if node.positive else 2.5 * found - 1.2


# ---------------------------------------------------------------------------------------------------- modulo the prime


def _held(array: Array) -> Array:
    if array.dtype == object:
        return np.asarray(array % PRIME, dtype=object)
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise TypeError("a double in exact arithmetic")
    exact = np.array([int(x) for x in array.flat], dtype=object).reshape(array.shape)
    return np.asarray(exact % PRIME, dtype=object)


@lru_cache(maxsize=10_000)
def _number(number: Expr) -> int:
    exact = Fraction(int(number.p), int(number.q)) if number.is_Rational else Fraction(float(number))
    return exact.numerator * pow(exact.denominator, -1, PRIME) % PRIME


def _power(base: Array, exponent: Array) -> Array:
    return np.asarray(np.frompyfunc(_one_power, 2, 1)(base, exponent), dtype=object)


def _one_power(base: int, exponent: int) -> int:
    if exponent <= LARGEST_POWER:
        return pow(base, exponent, PRIME)
    if PRIME - exponent <= LARGEST_POWER and base:
        return pow(base, exponent - PRIME, PRIME)
    return _mixed(_mixed(base) + exponent) % PRIME


def _atom(head: str) -> Callable[..., Array]:
    """A function as a random atom of its arguments."""
    start = zlib.crc32(head.encode())

    def one(*arguments: int) -> int:
        found = start
        for argument in arguments:
            found = _mixed(found + int(argument))
        return found % PRIME

    def several(*arguments: Array) -> Array:
        return np.asarray(np.frompyfunc(one, len(arguments), 1)(*arguments), dtype=object)

    return several


class _Atoms(dict[Any, Callable[..., Any]]):
    """The meaning of every function: an atom; of a condition, an atom that is true or false."""

    def __missing__(self, head: Any) -> Callable[..., Any]:
        atom = _atom(head.__name__)
        if head in functions.TRUTHS:
            self[head] = lambda *arguments: np.asarray(atom(*arguments) % 2 == 1, dtype=bool)
        else:
            self[head] = atom
        return self[head]


MODULAR = Arithmetic(
    held=_held,
    number=_number,
    power=_power,
    meanings=_Atoms(
        {
            functions.where: lambda condition, yes, no: np.where(condition != 0, _held(yes), _held(no)),
            functions.as_float: lambda x: x,
            functions.negation: lambda x: x == 0,
            functions.power: _atom("power"),
            sympy.Pow: _power,
        }
    ),
)

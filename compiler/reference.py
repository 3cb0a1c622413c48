"""The reference: what a program means in numbers, computed in the plainest way there is.

Takes a program, nodes of its graph and values for its leaves; gives the nodes' values, one node at a time, without any
rewriting. It is slow, and it shares no code with the simplifier, the lowering or the emitter, which is why it exists:
the emitted module is compared with it. It also differentiates numerically, by a complex step or by extrapolated
differences, which is a third way to the same gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import singledispatch
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import sympy
from sympy import Expr, Symbol

from . import functions
from .arrays import Accumulate, Concat, Flatten, Order, PlaceWindow, Recurrence, Sliding, Split, Window
from .graph import (
    Constant,
    Contract,
    Gather,
    Index,
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
    Size,
    Slice,
    Spread,
    Stack,
    Steps,
    Stop,
    placeholder,
)
from .loops import Regions
from .scalar import MEANINGS

Array = npt.NDArray[Any]
Values = Mapping[str, npt.ArrayLike]


@dataclass(eq=False)
class ShapeMismatch(ValueError):
    """A given value does not fit its leaf. `expected` holds lengths or the expressions that stand for them."""

    name: str
    expected: tuple[str, ...]
    found: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name}: expected shape ({', '.join(self.expected)}), found {self.found}"


@dataclass(eq=False)
class MissingValue(KeyError):
    """A leaf that the roots need was given no value. `role` is that of the leaf."""

    role: str
    name: str

    def __str__(self) -> str:
        return f"no value for the {self.role} {self.name}"


def evaluate(
    program: Program, roots: Sequence[Node], values: Values, parameters: Values, digits: int | None = None
) -> list[Array]:
    """The value of each root, with its axes in the order of `root.axes`.

    `values` holds inputs, noise and cotangents by name, `parameters` the states and the *unconstrained* values of the
    parameters; each with its axes as the model writes them. float64, or complex128 where a value is complex; with
    `digits`, arrays of mpmath numbers of that many digits. Only what the roots need has to be there. Raises
    ShapeMismatch and MissingValue; IndexError where an index lies outside its axis.
    """
    with np.errstate(all="ignore"), mpmath.workdps(digits or mpmath.mp.dps):
        regions = Regions(roots)
        setting = setting_of(program, regions.leaves, values, parameters, FLOATS if digits is None else _MULTIPRECISION)
        run = Run(regions, setting)
        run.compute(regions.outside)
        return [run.state[root.id] for root in roots]


# ----------------------------------------------------------------------------------------------------------- arithmetic


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How numbers are held: their arrays, a SymPy number as one, and the meaning of each head of an expression."""

    held: Callable[[Array], Array]
    number: Callable[[Expr], Any]
    power: Callable[[Array, Array], Array]
    meanings: Mapping[Any, Callable[..., Any]]


def _floats(array: Array) -> Array:
    return array if np.iscomplexobj(array) else array.astype(np.float64)


def _float(number: Expr) -> float:
    return float(Fraction(int(number.p), int(number.q))) if number.is_Rational else float(number)


def _nearer_zero(x: Array) -> Array:
    """-|x|, by its real part, so that the complex step passes through."""
    return np.where(x.real >= 0, -x, x)


def _sigmoid(x: Array) -> Array:
    small = np.exp(_nearer_zero(x))
    return np.where(x.real >= 0, 1 / (1 + small), small / (1 + small))


def _log1p(x: Array) -> Array:
    if not np.iscomplexobj(x):
        return np.log1p(x)
    size = 0.5 * np.log1p(x.real * (2 + x.real) + x.imag**2)
    return np.asarray(size + 1j * np.arctan2(x.imag, 1 + x.real))


def _softplus(x: Array) -> Array:
    return np.where(x.real >= 0, x, 0) + _log1p(np.exp(_nearer_zero(x)))


def _erf(x: Array) -> Array:
    """By its first derivative for complex numbers, which are those of the complex step, near the real line."""
    real = np.asarray(np.vectorize(math.erf, otypes=[float])(x.real))
    return real if not np.iscomplexobj(x) else real + 1j * x.imag * 2 / math.sqrt(math.pi) * np.exp(-(x.real**2))


def _erfc(x: Array) -> Array:
    real = np.asarray(np.vectorize(math.erfc, otypes=[float])(x.real))
    return real if not np.iscomplexobj(x) else real - 1j * _erf(x).imag


def _by_floats(function: Callable[..., float]) -> Callable[..., Array]:
    """A function of floats, for arrays; where it has no value, NaN."""

    def at_point(*arguments: float) -> float:
        try:
            return function(*arguments)
        except (ValueError, ZeroDivisionError, OverflowError):
            return math.nan

    return lambda *arguments: np.asarray(np.vectorize(at_point, otypes=[float])(*arguments))


def _stepped(value: Any, *slopes: Callable[..., float]) -> Callable[..., Array]:
    """A function of floats, for arrays; by its first derivatives for complex numbers, those of the complex step."""

    def at(*given: Array) -> Array:
        real = [np.real(x) for x in given]
        found = _by_floats(value)(*real)
        steps = [np.imag(x) * _by_floats(slope)(*real) for x, slope in zip(given, slopes, strict=True)]
        return np.asarray(found + 1j * sum(steps)) if any(np.iscomplexobj(x) for x in given) else found

    return at


def _polygamma(n: Array, x: Array) -> Array:
    of, order = MEANINGS[functions.polygamma], int(n.real)
    return _stepped(lambda x: of(order, x), lambda x: of(order + 1, x))(x)


def _xlogy(x: Array, y: Array) -> Array:
    return np.where(x == 0, 0, x * np.log(np.where(x == 0, 1, y)))


def _truth(x: Array) -> Array:
    return np.not_equal(x, 0)


TRUTHS: dict[Any, Callable[..., Any]] = {
    functions.less: lambda x, y: x.real < y.real,
    functions.less_equal: lambda x, y: x.real <= y.real,
    functions.equal: lambda x, y: x.real == y.real,
    functions.unequal: lambda x, y: x.real != y.real,
    functions.both: lambda x, y: _truth(x) & _truth(y),
    functions.either: lambda x, y: _truth(x) | _truth(y),
    functions.negation: lambda x: ~_truth(x),
}

CHOICES: dict[Any, Callable[..., Any]] = {
    functions.where: lambda condition, yes, no: np.where(_truth(condition), yes, no),
    functions.relu: lambda x: np.where(x.real > 0, x, x * 0),
    functions.step: lambda x: np.where(x.real > 0, 1.0, 0.0),
    functions.maximum: lambda x, y: np.where((x.real >= y.real) | (x != x), x, y),
    functions.minimum: lambda x, y: np.where((x.real <= y.real) | (x != x), x, y),
    functions.as_float: lambda x: x,
}

FLOATS = Arithmetic(
    held=_floats,
    number=_float,
    power=lambda x, y: np.power(x, y),
    meanings={
        **TRUTHS,
        **CHOICES,
        sympy.exp: np.exp,
        sympy.log: np.log,
        sympy.sin: np.sin,
        sympy.cos: np.cos,
        sympy.tan: np.tan,
        sympy.sec: lambda x: 1 / np.cos(x),
        sympy.csc: lambda x: 1 / np.sin(x),
        sympy.cot: lambda x: 1 / np.tan(x),
        sympy.asin: np.arcsin,
        sympy.acos: np.arccos,
        sympy.atan: np.arctan,
        sympy.atan2: np.arctan2,
        sympy.sinh: np.sinh,
        sympy.cosh: np.cosh,
        sympy.tanh: np.tanh,
        sympy.sech: lambda x: 1 / np.cosh(x),
        sympy.csch: lambda x: 1 / np.sinh(x),
        sympy.coth: lambda x: 1 / np.tanh(x),
        sympy.asinh: np.arcsinh,
        sympy.acosh: np.arccosh,
        sympy.atanh: np.arctanh,
        sympy.Abs: lambda x: np.where(x.real < 0, -x, x),
        sympy.sign: lambda x: np.sign(x.real),
        sympy.floor: lambda x: np.floor(x.real),
        sympy.ceiling: lambda x: np.ceil(x.real),
        functions.sigmoid: _sigmoid,
        functions.softplus: _softplus,
        functions.log1p: _log1p,
        functions.expm1: np.expm1,
        functions.erf: _erf,
        functions.erfc: _erfc,
        **{kind: _by_floats(MEANINGS[kind]) for kind in functions.STABLE},
        functions.lgamma: _stepped(MEANINGS[functions.lgamma], MEANINGS[functions.digamma]),
        functions.digamma: _stepped(MEANINGS[functions.digamma], lambda x: MEANINGS[functions.polygamma](1, x)),
        functions.polygamma: _polygamma,
        functions.lbeta: _stepped(
            MEANINGS[functions.lbeta],
            lambda x, y: MEANINGS[functions.polygamma_fall](0, x, y),
            lambda x, y: MEANINGS[functions.polygamma_fall](0, y, x),
        ),
        functions.log_i0e: _stepped(
            MEANINGS[functions.log_i0e],
            lambda x: -math.copysign(1, x) * MEANINGS[functions.i0_cumulant](1, abs(x)) if x else 0.0,
        ),
        functions.xlogy: _xlogy,
        functions.power: lambda x, y: np.power(x, y),
    },
)


def _exactly(value: Any) -> Any:
    return mpmath.mpf(float(value)) if isinstance(value, float | np.floating) else mpmath.mpf(int(value))


def _real_or_nan(compute: Callable[..., Any]) -> Callable[..., Array]:
    """The function point by point; where it has no real value, NaN."""

    def at_point(*arguments: Any) -> Any:
        try:
            found = compute(*arguments)
        except (ZeroDivisionError, ValueError):
            return mpmath.nan
        return found if isinstance(found, mpmath.mpf) else mpmath.nan

    over_arrays = np.frompyfunc(at_point, compute.__code__.co_argcount, 1)
    return lambda *arguments: np.asarray(over_arrays(*arguments), dtype=object)


_MULTIPRECISION = Arithmetic(
    held=lambda array: np.asarray(
        np.frompyfunc(lambda v: v if isinstance(v, mpmath.mpf) else _exactly(v), 1, 1)(array)
    ),
    number=lambda number: (
        mpmath.mpf(int(number.p)) / int(number.q) if number.is_Rational else number._to_mpmath(mpmath.mp.prec)
    ),
    power=_real_or_nan(lambda x, y: x**y),
    meanings={
        **TRUTHS,
        **CHOICES,
        sympy.exp: _real_or_nan(lambda x: mpmath.exp(x)),
        sympy.log: _real_or_nan(lambda x: mpmath.log(x)),
        sympy.sin: _real_or_nan(lambda x: mpmath.sin(x)),
        sympy.cos: _real_or_nan(lambda x: mpmath.cos(x)),
        sympy.tan: _real_or_nan(lambda x: mpmath.tan(x)),
        sympy.sec: _real_or_nan(lambda x: mpmath.sec(x)),
        sympy.csc: _real_or_nan(lambda x: mpmath.csc(x)),
        sympy.cot: _real_or_nan(lambda x: mpmath.cot(x)),
        sympy.asin: _real_or_nan(lambda x: mpmath.asin(x)),
        sympy.acos: _real_or_nan(lambda x: mpmath.acos(x)),
        sympy.atan: _real_or_nan(lambda x: mpmath.atan(x)),
        sympy.atan2: _real_or_nan(lambda y, x: mpmath.atan2(y, x)),
        sympy.sinh: _real_or_nan(lambda x: mpmath.sinh(x)),
        sympy.cosh: _real_or_nan(lambda x: mpmath.cosh(x)),
        sympy.tanh: _real_or_nan(lambda x: mpmath.tanh(x)),
        sympy.sech: _real_or_nan(lambda x: mpmath.sech(x)),
        sympy.csch: _real_or_nan(lambda x: mpmath.csch(x)),
        sympy.coth: _real_or_nan(lambda x: mpmath.coth(x)),
        sympy.asinh: _real_or_nan(lambda x: mpmath.asinh(x)),
        sympy.acosh: _real_or_nan(lambda x: mpmath.acosh(x)),
        sympy.atanh: _real_or_nan(lambda x: mpmath.atanh(x)),
        sympy.Abs: _real_or_nan(lambda x: abs(x)),
        sympy.sign: _real_or_nan(lambda x: mpmath.sign(x)),
        sympy.floor: _real_or_nan(lambda x: mpmath.floor(x)),
        sympy.ceiling: _real_or_nan(lambda x: mpmath.ceil(x)),
        functions.sigmoid: _real_or_nan(lambda x: 1 / (1 + mpmath.exp(-x))),
        functions.softplus: _real_or_nan(lambda x: mpmath.log1p(mpmath.exp(x))),
        functions.log1p: _real_or_nan(lambda x: mpmath.log1p(x)),
        functions.expm1: _real_or_nan(lambda x: mpmath.expm1(x)),
        functions.erf: _real_or_nan(lambda x: mpmath.erf(x)),
        functions.erfc: _real_or_nan(lambda x: mpmath.erfc(x)),
        functions.lgamma: _real_or_nan(lambda x: mpmath.loggamma(x).real),
        functions.digamma: _real_or_nan(lambda x: mpmath.digamma(x)),
        functions.polygamma: _real_or_nan(lambda n, x: mpmath.polygamma(int(n), x)),
        functions.polygamma_fall: _real_or_nan(
            lambda n, x, y: mpmath.polygamma(int(n), x) - mpmath.polygamma(int(n), x + y)
        ),
        functions.lbeta: _real_or_nan(
            lambda x, y: (mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y)).real
        ),
        functions.log_i0e: _real_or_nan(lambda x: mpmath.log(mpmath.besseli(0, abs(x))) - abs(x)),
        functions.i0_cumulant: _real_or_nan(
            lambda n, x: (-1) ** int(n) * mpmath.diff(lambda t: mpmath.log(mpmath.besseli(0, t)) - t, x, int(n))
        ),
        functions.xlogy: _real_or_nan(lambda x, y: x * mpmath.log(y) if x else mpmath.mpf(0)),
        functions.power: _real_or_nan(lambda x, y: x**y),
    },
)


def pointwise(expression: Expr, operands: Sequence[Array], arithmetic: Arithmetic) -> Array:
    """The expression at every point of operands that broadcast; an explicit stack stands for recursion."""
    known: dict[Expr, Array] = {placeholder(i): operand for i, operand in enumerate(operands)}
    waiting = [expression]
    while waiting:
        current = waiting[-1]
        if current in known:
            waiting.pop()
        elif current.is_Number or current.is_NumberSymbol:
            known[current] = np.asarray(arithmetic.number(current))
        elif missing := [part for part in current.args if part not in known]:
            waiting.extend(missing)
        else:
            known[current] = np.asarray(_operation(current, [known[part] for part in current.args], arithmetic))
    return known[expression]


def _operation(expression: Expr, arguments: list[Array], arithmetic: Arithmetic) -> Array:
    if expression.func in TRUTHS or expression.func is functions.where:
        found: Array = arithmetic.meanings[expression.func](*arguments)
        return found
    numbers = [arithmetic.held(argument) for argument in arguments]
    if expression.is_Add:
        return sum(numbers[1:], numbers[0])
    if expression.is_Mul:
        return math.prod(numbers[1:], start=numbers[0])
    if expression.is_Pow:
        exponent = expression.args[1]
        if exponent == sympy.Rational(1, 2) and arithmetic is FLOATS:
            return np.asarray(np.sqrt(numbers[0]))
        return 1 / numbers[0] if exponent == -1 and arithmetic is FLOATS else arithmetic.power(*numbers)
    try:
        meaning = arithmetic.meanings[expression.func]
    except KeyError:
        raise TypeError(f"the reference has no meaning for {expression.func.__name__}") from None
    result: Array = meaning(*numbers)
    return result


# ----------------------------------------------------------------------------------------------------------- the leaves


@dataclass(frozen=True, slots=True)
class Setting:
    """What every rule needs: the leaves' values with axes in the graph's order, the lengths, the arithmetic."""

    leaves: Mapping[int, Array]
    lengths: Mapping[Symbol, int]
    arithmetic: Arithmetic

    def length(self, expression: Expr) -> int:
        """A length, or a position, as a number."""
        return int(sympy.sympify(expression).xreplace(self.lengths))

    def shape(self, node: Node) -> tuple[int, ...]:
        """The node's shape, axes in its order."""
        return tuple(self.length(axis.length) for axis in node.axes)


def setting_of(program: Program, leaves: Sequence[Leaf], values: Values, parameters: Values, of: Arithmetic) -> Setting:
    bordering = [(p.leaf, p.axes) for p in (*program.parameters, *program.tangents)]
    bordering += [(s.leaf, s.axes) for s in program.states]
    bordering += [(i.leaf, i.axes) for i in program.inputs] + [(n.leaf, n.axes) for n in program.noise]
    written = {leaf.id: axes for leaf, axes in bordering}
    given: dict[int, Array] = {}
    lengths: dict[Symbol, int] = {}
    # Data that the roots do not need still tell lengths, where they were given.
    telling = list({leaf.id: leaf for leaf in (*leaves, *(leaf for leaf, _ in bordering))}.values())
    for leaf in telling:
        table = parameters if leaf.role in ("parameter", "state") else values
        if leaf.name not in table and leaf not in leaves:
            continue
        if leaf.name not in table:
            raise MissingValue(leaf.role, leaf.name)
        axes = written.get(leaf.id, leaf.axes)
        array = np.asarray(table[leaf.name])
        if array.ndim != len(axes):
            raise ShapeMismatch(leaf.name, tuple(str(axis.length) for axis in axes), array.shape)
        for axis, length in zip(axes, array.shape, strict=True):
            if isinstance(axis.length, Symbol):
                lengths.setdefault(axis.length, length)
        given[leaf.id] = array
    for leaf in telling:
        if leaf.id not in given:
            continue
        axes = written.get(leaf.id, leaf.axes)
        expected = tuple(sympy.sympify(axis.length).xreplace(lengths) for axis in axes)
        if expected != given[leaf.id].shape:
            raise ShapeMismatch(leaf.name, tuple(map(str, expected)), given[leaf.id].shape)
        order = [axis.name for axis in axes]
        aligned = given[leaf.id].transpose([order.index(name) for name in leaf.names])
        given[leaf.id] = _as(leaf.dtype, aligned, of)
    return Setting(given, lengths, of)


def _as(dtype: str, array: Array, arithmetic: Arithmetic) -> Array:
    if dtype == "bool":
        return _truth(array)
    if dtype == "int":
        return array.astype(np.int64)
    return arithmetic.held(array)


@dataclass
class Run:
    """One evaluation. `state` holds the value of each node, inside of scans that at the step where it is; `lasts` what
    a scan's carried leaves are at the end. With `held`, what stands behind a `stop_gradient` is as it was in that run.
    """

    regions: Regions
    setting: Setting
    held: Mapping[tuple[int, tuple[int, ...]], Array] | None = None
    state: dict[int, Array] = field(default_factory=dict)
    lasts: dict[int, list[Array]] = field(default_factory=dict)
    stopped: dict[tuple[int, tuple[int, ...]], Array] = field(default_factory=dict)
    place: tuple[int, ...] = ()  # the positions of the scans around

    def compute(self, nodes: Iterable[Node]) -> None:
        """The value of each of the nodes of one region, which stand operands first."""
        for node in nodes:
            match node:
                case Scan():
                    self._scan(node)
                case Steps():
                    pass
                case Last():
                    self.state[node.id] = self.lasts[node.scan.id][node.part]
                case Stop() if self.held is not None:
                    self.state[node.id] = self.held[node.id, self.place]
                case _:
                    operands = [self.state[operand.id] for operand in node.operands]
                    self.state[node.id] = value_of(node, operands, self.setting)
            if isinstance(node, Stop):
                self.stopped[node.id, self.place] = self.state[node.id]

    def _scan(self, scan: Scan) -> None:
        body = self.regions.body(scan)
        positions = list(range(self.setting.length(scan.along.length)))
        whole = [np.moveaxis(self.state[s.id], s.names.index(scan.along.name), 0) for s in scan.sequences]
        carried = [self.state[initial.id] for initial in scan.initials]
        kept: dict[int, dict[int, Array]] = {steps.id: {} for steps in body.kept}
        outer = self.place
        for position in reversed(positions) if scan.backward else positions:
            self.place = (*outer, position)
            seen = [np.asarray(array[position]) for array in whole]
            for leaf, value in zip((*scan.carried, *scan.stepped), (*carried, *seen), strict=True):
                self.state[leaf.id] = value
            self.compute(body.nodes)
            for steps in body.kept:
                kept[steps.id][position] = self.state[steps.operands[1].id]
            carried = [self.state[following.id] for following in scan.nexts]
        self.place = outer
        self.lasts[scan.id] = carried
        for steps in body.kept:
            shape = self.setting.shape(steps)
            at = steps.names.index(scan.along.name)
            rows = [kept[steps.id][position] for position in positions]
            empty = np.zeros(shape, object if self.setting.arithmetic is _MULTIPRECISION else float)
            self.state[steps.id] = np.stack(rows, axis=at) if rows else empty


# ------------------------------------------------------------------------------------------------------------ the rules


def value_of(node: Node, operands: Sequence[Array], setting: Setting) -> Array:
    """The node's value in its shape and dtype."""
    found = np.broadcast_to(rule(node, operands, setting), setting.shape(node))
    # A whole number may be too large for an int64, and a double holds it as well as anything else does.
    return setting.arithmetic.held(found) if isinstance(node, Constant) else _as(node.dtype, found, setting.arithmetic)


def lined_up(array: Array, names: Sequence[str], to: Sequence[str]) -> Array:
    """The array with axes `names` transposed into the order of `to`, length 1 along those that it lacks."""
    kept = [name for name in to if name in names]
    moved = array.transpose([list(names).index(name) for name in kept])
    return moved.reshape([moved.shape[kept.index(name)] if name in kept else 1 for name in to])


@singledispatch
def rule(node: Node, operands: Sequence[Array], setting: Setting) -> Array:
    """The node's value from its operands', which have axes as their nodes do; it may broadcast to the node's shape."""
    raise TypeError(f"the reference has no rule for {type(node).__name__}")


@rule.register
def _leaf(node: Leaf, operands: Sequence[Array], setting: Setting) -> Array:
    return setting.leaves[node.id]


@rule.register
def _constant(node: Constant, operands: Sequence[Array], setting: Setting) -> Array:
    return np.asarray(setting.arithmetic.number(node.value))


@rule.register
def _index(node: Index, operands: Sequence[Array], setting: Setting) -> Array:
    return np.arange(setting.length(node.axes[0].length))


@rule.register
def _size(node: Size, operands: Sequence[Array], setting: Setting) -> Array:
    return np.asarray(setting.length(node.length))


@rule.register
def _map(node: Map, operands: Sequence[Array], setting: Setting) -> Array:
    aligned = [lined_up(o, n.names, node.names) for o, n in zip(operands, node.operands, strict=True)]
    return pointwise(node.expression, aligned, setting.arithmetic)


@rule.register
def _contract(node: Contract, operands: Sequence[Array], setting: Setting) -> Array:
    summed = tuple(axis.name for axis in node.summed)
    names = (*node.names, *summed)
    held = [setting.arithmetic.held(operand) for operand in operands]
    if any(operand.dtype == object for operand in held):
        aligned = [lined_up(o, n.names, names) for o, n in zip(held, node.operands, strict=True)]
        product: Array = math.prod(aligned[1:], start=aligned[0])
        return np.asarray(product.sum(axis=tuple(range(len(node.names), len(names)))))
    # The same sum of the same products, without an array of them all: an attention's would have five million.
    parts = [p for o, n in zip(held, node.operands, strict=True) for p in (o, [names.index(name) for name in n.names])]
    return np.asarray(np.einsum(*parts, range(len(node.names)), optimize="greedy"))


def _logsumexp(x: Array, axis: int, arithmetic: Arithmetic) -> Array:
    top = np.asarray(x.real.max(axis=axis, keepdims=True))
    finite = np.where((top > -math.inf) & (top < math.inf), top, top * 0 if top.dtype == object else 0.0)
    total = np.asarray(arithmetic.meanings[sympy.exp](x - finite)).sum(axis=axis)
    return np.asarray(arithmetic.meanings[sympy.log](np.asarray(total)) + finite.squeeze(axis))


@rule.register
def _reduce(node: Reduce, operands: Sequence[Array], setting: Setting) -> Array:
    over = [axis.name for axis in node.reduced]
    (whole,) = operands
    # The reduced axes, in their order, become one, which stands last.
    moved = lined_up(whole, node.operands[0].names, (*node.names, *over))
    flat = moved.reshape((*moved.shape[: len(node.names)], -1))
    match node.operator:
        case "any":
            return np.asarray(_truth(flat).any(axis=-1))
        case "all":
            return np.asarray(_truth(flat).all(axis=-1))
        case "argmax":
            return np.asarray(flat.real.argmax(axis=-1))
        case "argmin":
            return np.asarray(flat.real.argmin(axis=-1))
    numbers = setting.arithmetic.held(flat)
    match node.operator:
        case "prod":
            return np.asarray(numbers.prod(axis=-1))
        case "logsumexp":
            return _logsumexp(numbers, -1, setting.arithmetic)
        case "max" | "min":
            place = numbers.real.argmax(axis=-1) if node.operator == "max" else numbers.real.argmin(axis=-1)
            return np.take_along_axis(numbers, np.asarray(place)[..., None], axis=-1)[..., 0]
    raise TypeError(f"the reference has no rule for {node.operator}")


def _positions(node: Slice | PlaceSlice, setting: Setting) -> list[int]:
    start, length = setting.length(node.start), setting.length(node.length)
    whole = setting.length(node.along.length)
    positions = [start + node.step * i for i in range(length)]
    if any(not 0 <= position < whole for position in positions):
        raise IndexError(f"positions {positions[0]} to {positions[-1]} lie outside {node.along.name} of length {whole}")
    return positions


@rule.register
def _slice(node: Slice, operands: Sequence[Array], setting: Setting) -> Array:
    names = node.operands[0].names
    positions = np.asarray(_positions(node, setting), dtype=np.int64)
    taken = np.take(operands[0], positions, axis=names.index(node.along.name))
    if node.drop:
        return np.asarray(taken.squeeze(names.index(node.along.name)))
    return lined_up(taken, names, node.names)


@rule.register
def _place_slice(node: PlaceSlice, operands: Sequence[Array], setting: Setting) -> Array:
    source = lined_up(operands[0], node.operands[0].names, node.names)
    result = np.zeros(setting.shape(node), dtype=source.dtype)
    place = node.names.index(node.along.name)
    for i, position in enumerate(_positions(node, setting)):
        at: list[slice | int] = [slice(None)] * place
        result[(*at, position)] = np.take(source, 0 if node.drop else i, axis=place)
    return result


def _coordinates(names: Sequence[str], shape: Sequence[int]) -> dict[str, Array]:
    """For each axis its positions, in an array that broadcasts over all axes."""
    grid = np.ogrid[tuple(slice(length) for length in shape)]
    return dict(zip(names, grid, strict=True))


def _checked(index: Array, along: str, length: int) -> Array:
    index = index.astype(np.int64)
    if index.size and not (index.min() >= 0 and index.max() < length):
        raise IndexError(f"indices {index.min()} to {index.max()} lie outside {along} of length {length}")
    return index


@rule.register
def _gather(node: Gather, operands: Sequence[Array], setting: Setting) -> Array:
    whole, index = node.operands
    at = _coordinates(node.names, setting.shape(node))
    index_value = _checked(operands[1], node.along.name, setting.length(node.along.length))
    at[node.along.name] = lined_up(index_value, index.names, node.names)
    return np.asarray(operands[0][tuple(at[name] for name in whole.names)])


@rule.register
def _scatter(node: Scatter, operands: Sequence[Array], setting: Setting) -> Array:
    added, index = node.operands
    axes = {axis.name: axis for axis in (*added.axes, *index.axes, *node.summed)}
    shape = tuple(setting.length(axis.length) for axis in axes.values())
    source = np.broadcast_to(lined_up(operands[0], added.names, tuple(axes)), shape)
    at = _coordinates(tuple(axes), shape)
    index_value = _checked(operands[1], node.along.name, setting.length(node.along.length))
    at[node.along.name] = lined_up(index_value, index.names, tuple(axes))
    result = setting.arithmetic.held(np.zeros(setting.shape(node), dtype=source.dtype))
    np.add.at(result, tuple(np.broadcast_to(at[name], shape) for name in node.names), source)
    return result


@rule.register
def _relabel(node: Relabel, operands: Sequence[Array], setting: Setting) -> Array:
    to = dict(node.renamed)
    return lined_up(operands[0], [to.get(name, name) for name in node.operands[0].names], node.names)


@rule.register
def _spread(node: Spread, operands: Sequence[Array], setting: Setting) -> Array:
    return lined_up(operands[0], node.operands[0].names, node.names)


@rule.register
def _stack(node: Stack, operands: Sequence[Array], setting: Setting) -> Array:
    others, shape = node.names[:-1], setting.shape(node)[:-1]
    aligned = [lined_up(o, n.names, others) for o, n in zip(operands, node.operands, strict=True)]
    return np.stack([np.broadcast_to(setting.arithmetic.held(array), shape) for array in aligned], axis=-1)


@rule.register
def _linear_algebra(node: LinearAlgebra, operands: Sequence[Array], setting: Setting) -> Array:
    """One matrix after the other; what has no value is NaN."""
    matrix, *right = node.operands
    pair = (node.rows.name, node.columns.name)
    batch = tuple(name for name in matrix.names if name not in pair)
    matrices = setting.arithmetic.held(lined_up(operands[0], matrix.names, (*batch, *pair)))
    *cases, size, _ = matrices.shape
    names: tuple[str, ...] = batch
    behind: tuple[int, ...] = ()
    sides = np.broadcast_to(setting.arithmetic.held(np.eye(size)), matrices.shape)
    if node.operator in ("inverse", "cholesky"):
        names, behind = (*batch, *pair), (size, size)
    elif node.operator == "solve":
        names = (*batch, pair[0], *(name for name in right[0].names if name not in (*batch, pair[0])))
        aligned = setting.arithmetic.held(lined_up(operands[1], right[0].names, names))
        behind = aligned.shape[len(batch) :]
        sides = np.broadcast_to(aligned, (*cases, *behind)).reshape(*cases, size, -1)
    places = list(np.ndindex(*cases))
    found = [_of_matrix(node.operator, matrices[at], sides[at], setting.arithmetic) for at in places]
    return lined_up(np.stack(found).reshape((*cases, *behind)), names, node.names)


def _of_matrix(operator: str, matrix: Array, right: Array, arithmetic: Arithmetic) -> Array:
    if operator == "cholesky":
        return _cholesky(matrix, arithmetic)
    unknowns, pivots = _eliminated(matrix, right)
    if operator in ("solve", "inverse"):
        return unknowns
    if operator == "det":
        return np.asarray(math.prod(pivots[1:], start=pivots[0]))
    sizes = [-pivot if pivot.real < 0 else pivot for pivot in pivots]
    below = sum(bool(pivot.real < 0) for pivot in pivots) % 2 == 1 or any(size == 0 for size in sizes)
    logarithm = arithmetic.meanings[sympy.log](np.array(sizes, dtype=matrix.dtype)).sum()
    return np.asarray(logarithm + math.nan if below else logarithm)


def _eliminated(matrix: Array, right: Array) -> tuple[Array, list[Any]]:
    """The unknowns, by elimination of Gauss and Jordan with the largest pivots; and the pivots, the sign turned with
    each exchange of rows. The unknowns are NaN where a pivot is 0."""
    whole = np.concatenate([matrix, right], axis=1).astype(np.result_type(matrix, right))
    size = len(matrix)
    pivots: list[Any] = []
    for i in range(size):
        best = max(range(i, size), key=lambda row: abs(whole[row, i].real))
        sign = 1
        if best != i:
            whole[[i, best]] = whole[[best, i]]
            sign = -1
        pivots.append(sign * whole[i, i])
        if whole[i, i] == 0:
            return np.full(right.shape, math.nan), [*pivots, *([whole[i, i]] * (size - i - 1))]
        whole[i] = whole[i] / whole[i, i]
        for row in range(size):
            if row != i:
                whole[row] = whole[row] - whole[row, i] * whole[i]
    return whole[:, size:], pivots


def _cholesky(matrix: Array, arithmetic: Arithmetic) -> Array:
    """The lower factor, from the lower triangle, column by column."""
    half = np.asarray(arithmetic.number(sympy.Rational(1, 2)))
    found = matrix * 0
    for i in range(len(matrix)):
        left = matrix[i:, i] - (found[i:, :i] * found[i, :i]).sum(axis=1)
        if not left[0].real > 0:
            return matrix * math.nan
        found[i:, i] = left / arithmetic.power(np.asarray(left[0]), half)[()]
    return found


def _reached(sliding: Sliding, setting: Setting) -> Array:
    """Where along its axis each position's taps stand: an array over positions and taps."""
    count, taps = setting.length(sliding.positions), setting.length(sliding.taps.length)
    return np.arange(count)[:, None] * sliding.stride + np.arange(taps) * sliding.dilation


@rule.register
def _window(node: Window, operands: Sequence[Array], setting: Setting) -> Array:
    (found,), names = operands, list(node.operands[0].names)
    for sliding in node.slidings:
        place = names.index(sliding.along.name)
        found = np.take(found, _reached(sliding, setting), axis=place)
        names.insert(place + 1, sliding.taps.name)
    return lined_up(found, names, node.names)


@rule.register
def _place_window(node: PlaceWindow, operands: Sequence[Array], setting: Setting) -> Array:
    (found,), names = operands, list(node.operands[0].names)
    for sliding in node.slidings:
        pair = (sliding.along.name, sliding.taps.name)
        others = [name for name in names if name not in pair]
        source = lined_up(found, names, (*pair, *others))
        found = np.zeros((setting.length(sliding.along.length), *source.shape[2:]), dtype=source.dtype)
        for at, place in np.ndenumerate(_reached(sliding, setting)):
            found[place] += source[at]
        names = [sliding.along.name, *others]
    return lined_up(setting.arithmetic.held(found), names, node.names)


@rule.register
def _concat(node: Concat, operands: Sequence[Array], setting: Setting) -> Array:
    place = node.names.index(node.along.name)
    parts = []
    for operand, array, length in zip(node.operands, operands, node.lengths, strict=True):
        shape = list(setting.shape(node))
        shape[place] = setting.length(length)
        parts.append(
            np.broadcast_to(_as(node.dtype, lined_up(array, operand.names, node.names), setting.arithmetic), shape)
        )
    return np.concatenate(parts, axis=place)


@rule.register
def _flatten(node: Flatten, operands: Sequence[Array], setting: Setting) -> Array:
    merged = [axis.name for axis in node.merged]
    others = [name for name in node.names if name != node.whole.name]
    moved = lined_up(operands[0], node.operands[0].names, (*others, *merged))
    flat = moved.reshape((*moved.shape[: len(others)], math.prod(moved.shape[len(others) :])))
    return lined_up(flat, [*others, node.whole.name], node.names)


@rule.register
def _split(node: Split, operands: Sequence[Array], setting: Setting) -> Array:
    parts = [axis.name for axis in node.parts]
    others = [name for name in node.names if name not in parts]
    moved = lined_up(operands[0], node.operands[0].names, (*others, node.whole.name))
    shape = (*moved.shape[:-1], *(setting.length(axis.length) for axis in node.parts))
    return lined_up(moved.reshape(shape), [*others, *parts], node.names)


@rule.register
def _accumulate(node: Accumulate, operands: Sequence[Array], setting: Setting) -> Array:
    place = node.names.index(node.along.name)
    numbers = setting.arithmetic.held(operands[0])
    return np.asarray(numbers.cumsum(axis=place) if node.operator == "sum" else numbers.cumprod(axis=place))


@rule.register
def _recurrence(node: Recurrence, operands: Sequence[Array], setting: Setting) -> Array:
    names = (node.along.name, *(name for name in node.names if name != node.along.name))
    factor, term = (
        setting.arithmetic.held(lined_up(o, n.names, names)) for o, n in zip(operands, node.operands, strict=True)
    )
    found = [term[-1]] if node.backward else [term[0]]
    for i in range(1, len(term)):
        # Backward the factor of a position is used in the step that leaves it.
        found.append(term[-1 - i] + factor[-i] * found[-1] if node.backward else term[i] + factor[i] * found[-1])
    whole = np.broadcast_arrays(*(found[::-1] if node.backward else found))
    return lined_up(np.stack(whole), names, node.names)


@rule.register
def _order(node: Order, operands: Sequence[Array], setting: Setting) -> Array:
    numbers = setting.arithmetic.held(operands[0])
    return np.asarray(np.argsort(numbers.real, axis=node.names.index(node.along.name), kind="stable"))


@rule.register
def _stop(node: Stop, operands: Sequence[Array], setting: Setting) -> Array:
    return operands[0]


# -------------------------------------------------------------------------------------------- numerical differentiation

COMPLEX_STEP = 1e-20
FIRST_STEP = 2.0**-5
BESIDE = 1e-9
"""How far on each side of a point its derivative is taken, where there may be corners: at a corner the two differ."""
STEPS = 10
"""Differences are taken at FIRST_STEP * 2^-i for i < STEPS, relative to the parameter where it is above 1."""

CORNERS = (
    sympy.Abs,
    sympy.sign,
    sympy.floor,
    sympy.ceiling,
    sympy.atan2,
    functions.relu,
    functions.step,
    functions.maximum,
    functions.minimum,
    *functions.TRUTHS,
)
"""Functions that are not analytic, or that NumPy does not have for complex numbers."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A numerical gradient by one parameter.

    `coordinates` are positions in the flattened parameter, axes as written; `gradient` and `error` are one number for
    each. `error` is how far the estimate may lie from the derivative of the function as it is computed.
    """

    method: str  # "complex step", "differences", "complex step beside corners", "multiprecision differences"
    coordinates: npt.NDArray[np.int64]
    gradient: npt.NDArray[np.float64]
    error: npt.NDArray[np.float64]


def numeric_gradient(
    program: Program,
    objective: Node,
    values: Values,
    parameters: Values,
    names: Sequence[str] | None = None,
    most: int | None = None,
    digits: int | None = None,
) -> dict[str, Estimate]:
    """The gradient of a scalar by the unconstrained parameters, without a single rule of calculus.

    A complex step where the path from the parameter is analytic, else central differences extrapolated to step 0, but
    for those that reach over corners, where a complex step is taken on both sides of the point; with `digits`,
    differences of numbers of that many digits over a step so small that nothing is left to extrapolate. What stands
    behind a `stop_gradient` is held. `names` picks parameters; of each, at most `most` evenly spread elements.
    Raises ValueError where the objective has axes.
    """
    if objective.axes:
        raise ValueError(f"the objective must be a scalar, and has axes {', '.join(objective.names)}")
    with np.errstate(all="ignore"), mpmath.workdps(digits or mpmath.mp.dps):
        regions = Regions([objective])
        arithmetic = FLOATS if digits is None else _MULTIPRECISION
        setting = setting_of(program, regions.leaves, values, parameters, arithmetic)
        base = Run(regions, setting)
        base.compute(regions.outside)
        found = {}
        for parameter in program.parameters:
            if names is None or parameter.name in names:
                path = _path(regions, parameter.leaf)
                if objective.id not in {node.id for node in path}:
                    path = []
                order = [axis.name for axis in parameter.axes]
                start = np.asarray(parameters[parameter.name])

                def at(
                    value: Array, leaf: Leaf = parameter.leaf, path: list[Node] = path, order: list[str] = order
                ) -> Any:
                    moved = Run(regions, setting, base.stopped, dict(base.state), dict(base.lasts))
                    moved.state[leaf.id] = value.transpose([order.index(name) for name in leaf.names])
                    moved.compute(node for node in path if node is not leaf)
                    return moved.state[objective.id][()]

                places = _places(start.size, most)
                if digits is None:
                    smooth = _analytic(regions, path), _piecewise(regions, path)
                    found[parameter.name] = _estimate(at, start.astype(np.float64), smooth, places)
                else:
                    found[parameter.name] = _precisely(at, arithmetic.held(start), places)
        return found


def _path(regions: Regions, leaf: Leaf) -> list[Node]:
    """The nodes outside of scans that vary with the leaf, itself among them."""
    varying = {leaf.id}
    for node in regions.outside:
        if not isinstance(node, Stop) and any(operand.id in varying for operand in regions.operands(node)):
            varying.add(node.id)
    return [node for node in regions.outside if node.id in varying]


def _analytic(regions: Regions, path: Sequence[Node]) -> bool:
    varying = {node.id for node in path}
    for node in path:
        match node:
            case Map():
                symbols = {placeholder(i) for i, o in enumerate(node.operands) if o.id in varying}
                if any(head.free_symbols & symbols for head in node.expression.atoms(*CORNERS)):
                    return False
            case Reduce(operator=operator) if operator not in ("prod", "logsumexp"):
                return False
            case Scan():
                body = regions.body(node)
                if not _analytic(regions, [*body.captured, *node.carried, *node.stepped, *body.nodes]):
                    return False
    return True


def _piecewise(regions: Regions, path: Sequence[Node]) -> bool:
    """Whether the path is analytic between corners, and NumPy has all of it for complex numbers."""
    for node in path:
        if isinstance(node, Map) and node.expression.atoms(sympy.atan2):
            return False
        if isinstance(node, Scan) and not _piecewise(regions, regions.body(node).nodes):
            return False
    return True


def _places(size: int, most: int | None) -> list[int]:
    count = size if most is None else min(most, size)
    return [i * size // count for i in range(count)]


def _estimate(at: Callable[[Array], Any], start: Array, smooth: tuple[bool, bool], places: list[int]) -> Estimate:
    coordinates = np.array(places, dtype=np.int64)
    analytic, piecewise = smooth
    if analytic:
        gradient = np.array([_complex(at, start, c, COMPLEX_STEP) for c in places], dtype=np.float64)
        other = np.array([_complex(at, start, c, COMPLEX_STEP * -1e-10) for c in places], dtype=np.float64)
        error = np.abs(gradient - other) + 16 * np.finfo(float).eps * np.abs(gradient)
        # At a branch point, such as a root at 0, the two sides differ, or have no limit.
        if np.all(error <= 1e-8 * np.maximum(np.abs(gradient), 1)):
            return Estimate("complex step", coordinates, gradient, error)
    table = np.array([_differences(at, start, c) for c in places], dtype=np.float64).reshape(len(places), 2)
    method = "differences"
    for row, place in zip(table, places, strict=True) if piecewise else ():
        value, apart = _on_both_sides(at, start, place)
        if apart <= 1e-6 * max(abs(value), 1e-6) and not abs(row[0] - value) <= row[1] + apart:
            # Among many corners a difference reaches over some, and does not see that it does.
            row[:] = value, apart
            method = "complex step beside corners"
    return Estimate(method, coordinates, table[:, 0], table[:, 1])


def _precisely(at: Callable[[Array], Any], start: Array, places: list[int]) -> Estimate:
    """Differences to both sides by a step of a third of the digits. At a corner they differ, and that is the error."""
    step = mpmath.mpf(10) ** (-mpmath.mp.dps // 3)
    here = at(start)
    table = np.zeros((len(places), 2))
    for i, place in enumerate(places):
        above = (at(_moved(start, place, step)) - here) / step
        below = (here - at(_moved(start, place, -step))) / step
        table[i] = float((above + below) / 2), float(abs(above - below))
    return Estimate("multiprecision differences", np.array(places, dtype=np.int64), table[:, 0], table[:, 1])


def _moved(start: Array, coordinate: int, by: Any) -> Array:
    value = start.astype(np.result_type(start, type(by)))
    value.flat[coordinate] += by
    return value


def _complex(at: Callable[[Array], Any], start: Array, coordinate: int, step: float) -> float:
    return float(np.imag(at(_moved(start, coordinate, 1j * step))) / step)


def _on_both_sides(at: Callable[[Array], Any], start: Array, coordinate: int) -> tuple[float, float]:
    """The mean of the derivatives right beside the point, and how far they are apart: at a corner they are."""
    above, below = (
        _complex(at, _moved(start, coordinate, side * BESIDE), coordinate, COMPLEX_STEP) for side in (1, -1)
    )
    return (above + below) / 2, abs(above - below)


def _differences(at: Callable[[Array], Any], start: Array, coordinate: int) -> tuple[float, float]:
    """Ridders' table: row i starts with the difference at the i-th step; the entry with the least error stands."""
    size = FIRST_STEP * max(1.0, abs(float(start.flat[coordinate])))
    best, least = math.nan, math.inf
    above: list[float] = []
    for i in range(STEPS):
        step = size / 2**i
        high, low = float(at(_moved(start, coordinate, step))), float(at(_moved(start, coordinate, -step)))
        row = [(high - low) / (2 * step)]
        rounding = np.finfo(float).eps * (abs(high) + abs(low)) / step
        for j in range(1, i + 1):
            row.append(row[-1] + (row[-1] - above[j - 1]) / (4**j - 1))
            error = max(abs(row[j] - row[j - 1]), abs(row[j] - above[j - 1])) + rounding
            if error < least:
                best, least = row[j], error
        above = row
    return best, least

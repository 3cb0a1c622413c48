"""Formulas as a person would write them: a small tree, and the algebra that keeps it tidy.

The graph holds one operation a node and has no names; a formula is what is printed of it. Sums and products are flat,
signs and numbers stand in one place, and division is division. `text` and `latex` only walk this tree. Its depth is
bounded by `write`, which cuts what grows too deep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr, Integer


@dataclass(frozen=True, slots=True)
class Number:
    """A SymPy Rational or Float, or pi."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Named:
    """A value that has a name in the model."""

    name: str
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Free:
    """The unconstrained number behind a bounded parameter."""

    name: str
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Adjoint:
    """The derivative of the objective by the named value; `negated` where the objective is maximised."""

    objective: str
    negated: bool
    of: Named | Free


@dataclass(frozen=True, slots=True)
class Reference:
    """A part that has a line of its own; `key` finds its name."""

    key: int
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Length:
    """The length of an axis that the data give."""

    axis: str


@dataclass(frozen=True, slots=True)
class Count:
    """0, 1, ... along an axis."""

    axis: str


@dataclass(frozen=True, slots=True)
class Ones:
    """1 at every position of the axes, whose lengths stand beside them."""

    axes: tuple[str, ...]
    lengths: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms, each with whether it is subtracted."""

    terms: tuple[tuple[bool, Formula], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """number * above / below."""

    number: Expr
    above: tuple[Formula, ...]
    below: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Power:
    base: Formula
    exponent: Formula


@dataclass(frozen=True, slots=True)
class Apply:
    """A pointwise function of the language."""

    name: str
    arguments: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    operator: str  # < <= == !=
    left: Formula
    right: Formula


@dataclass(frozen=True, slots=True)
class Logic:
    operator: str  # and, or, not
    arguments: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    condition: Formula
    yes: Formula
    no: Formula


@dataclass(frozen=True, slots=True)
class Over:
    """sum, max, logsumexp, ... over axes."""

    operator: str
    over: tuple[str, ...]
    body: Formula


@dataclass(frozen=True, slots=True)
class Matrix:
    """left @ right: the sum over the one axis that both have."""

    left: Formula
    right: Formula
    axis: str


@dataclass(frozen=True, slots=True)
class Algebra:
    """solve, inverse, cholesky, logdet, det or trace of the matrix that is the first argument."""

    operator: str
    rows: str
    columns: str
    arguments: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Select:
    """Positions along an axis: `start:stop:step` where `part`, else the one at `start`; None where the end is meant."""

    body: Formula
    axis: str
    part: bool
    start: Formula | None
    stop: Formula | None
    step: int


@dataclass(frozen=True, slots=True)
class Place:
    """The adjoint of Select: the body at those positions of an axis, 0 elsewhere."""

    body: Formula
    at: Select


@dataclass(frozen=True, slots=True)
class Arrange:
    """A function whose brackets say how axes change: `window[h: r](x, stride=2)`, `flatten[(c, h) -> f](x)`.

    A bracket holds axes, a sign ("", ":" or "->") and axes; `axes` are those of the result.
    """

    operator: str
    brackets: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...]
    arguments: tuple[Formula, ...]
    options: tuple[tuple[str, str], ...]
    axes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rename:
    body: Formula
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scan along an axis: what is carried with what it starts with and what comes next, and what is seen of one step
    with the array that it is a step of."""

    axis: str
    backward: bool
    carried: tuple[tuple[Named, Formula, Formula], ...]
    stepped: tuple[tuple[Named, Formula], ...]


@dataclass(frozen=True, slots=True)
class AllSteps:
    """A value of a scan's body at each of its steps."""

    axis: str
    scan: Formula
    value: Formula


Formula = (
    Number
    | Named
    | Free
    | Adjoint
    | Reference
    | Length
    | Count
    | Ones
    | Sum
    | Product
    | Power
    | Apply
    | Compare
    | Logic
    | Choice
    | Over
    | Matrix
    | Algebra
    | Select
    | Place
    | Arrange
    | Rename
    | Scanned
    | AllSteps
)

ATOMS = (Number, Named, Free, Adjoint, Reference, Length, Count, Ones)
MOST_IN_BRACKETS = 4
"""Names and numbers in a sum that stands in brackets beside `@`."""

ZERO, ONE = Number(Integer(0)), Number(Integer(1))


def plain(formula: Formula) -> bool:
    """Whether it is a name or a number, with axes renamed or not."""
    return isinstance(formula.body if isinstance(formula, Rename) else formula, ATOMS)


def decimal(value: Expr, above: int = 1) -> str | None:
    """A fraction as a decimal, where that is exact and short; only where the denominator is larger than `above`."""
    if not value.is_Rational or value.q <= above:
        return None
    rest = int(value.q)
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    written = repr(int(value.p) / int(value.q))
    return written if rest == 1 and len(written) <= 9 else None


def parts(formula: Formula) -> tuple[Formula, ...]:
    """The formulas that it is made of."""
    match formula:
        case Sum():
            return tuple(term for _, term in formula.terms)
        case Product():
            return (*formula.above, *formula.below)
        case Power():
            return (formula.base, formula.exponent)
        case Apply() | Logic() | Algebra() | Arrange():
            return formula.arguments
        case Compare() | Matrix():
            return (formula.left, formula.right)
        case Choice():
            return (formula.condition, formula.yes, formula.no)
        case Over() | Rename():
            return (formula.body,)
        case Select():
            found = (formula.body, formula.start, formula.stop)
            return tuple(part for part in found if part is not None)
        case Place():
            return (formula.body,)
        case Scanned():
            return (
                *(part for _, *both in formula.carried for part in both),
                *(whole for _, whole in formula.stepped),
            )
        case AllSteps():
            return (formula.scan, formula.value)
    return ()


def walk(formula: Formula) -> list[Formula]:
    """The formula and all that it holds, from left to right."""
    found: list[Formula] = []
    waiting = [formula]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting.extend(reversed(parts(current)))
    return found


def size(formula: Formula) -> int:
    """How much there is to read: names and numbers."""
    numbers = sum(1 for part in walk(formula) if isinstance(part, Product) and abs(part.number) != 1)
    return numbers + sum(1 for part in walk(formula) if isinstance(part, ATOMS))


def depth(formula: Formula) -> int:
    """How deep parts are nested."""
    deepest, level = 0, [formula]
    while level:
        deepest += 1
        level = [inner for part in level for inner in parts(part)]
    return deepest


# ---------------------------------------------------------------------------------------------------------- the algebra


def add(terms: Iterable[tuple[bool, Formula]]) -> Formula:
    """The sum: nested sums opened, numbers added up, what is added before what is subtracted, and arrays first."""
    number: Expr = Integer(0)
    kept: list[tuple[bool, Formula]] = []
    for negative, term in terms:
        inner = term.terms if isinstance(term, Sum) else ((False, term),)
        for sign, part in inner:
            minus = negative != sign
            if isinstance(part, Number):
                number = number - part.value if minus else number + part.value
            elif isinstance(part, Product) and part.number.is_negative:
                kept.append((not minus, multiply(-part.number, part.above, part.below)))
            else:
                kept.append((minus, part))
    if any(isinstance(part, Ones) for _, term in kept for part in (term, *parts(term))):
        every = [term for _, term in kept]
        kept = [(minus, _broadcast(term, every[:i] + every[i + 1 :])) for i, (minus, term) in enumerate(kept)]
    kept.sort(key=lambda pair: (pair[0], -len(axes(pair[1]))))
    if number.is_negative and kept:
        kept.append((True, Number(-number)))
    elif number != 0 or not kept:
        kept.insert(0, (False, Number(number)))
    if len(kept) > 1:
        return Sum(tuple(kept))
    negative, only = kept[0]
    return multiply(Integer(-1), [only]) if negative else only


def multiply(number: Expr, above: Sequence[Formula], below: Sequence[Formula] = ()) -> Formula:
    """number * above / below: nested products opened, equal factors a power, names first, and scalars before arrays."""
    top: list[Formula] = []
    bottom: list[Formula] = []
    waiting = [(part, False) for part in above] + [(part, True) for part in below]
    while waiting:
        part, under = waiting.pop(0)
        if isinstance(part, Number):
            number = number / part.value if under else number * part.value
        elif isinstance(part, Product):
            number = number / part.number if under else number * part.number
            waiting[:0] = [(p, under) for p in part.above] + [(p, not under) for p in part.below]
        elif isinstance(part, Power) and isinstance(part.exponent, Number) and part.exponent.value.is_negative:
            top, bottom = (top, [*bottom, _inverted(part)]) if not under else ([*top, _inverted(part)], bottom)
        else:
            (bottom if under else top).append(part)
    if number == 0:
        return ZERO
    top, bottom = _covered(_powers(top), bottom), _powers(bottom)
    if not top and not bottom:
        return Number(number)
    if number == 1 and len(top) == 1 and not bottom:
        return top[0]
    if number == -1 and len(top) == 1 and not bottom and isinstance(top[0], Sum):
        return add((not negative, term) for negative, term in top[0].terms)
    return Product(number, tuple(sorted(top, key=_rank)), tuple(sorted(bottom, key=_rank)))


def choose(condition: Formula, yes: Formula, no: Formula) -> Formula:
    """`if condition then yes else no`."""
    yes = _broadcast(yes, [condition, no])
    return Choice(condition, yes, _broadcast(no, [condition, yes]))


def _broadcast(formula: Formula, others: Sequence[Formula]) -> Formula:
    """Without factors of ones along axes that it meets in the others anyway."""
    if isinstance(formula, Product) and any(isinstance(factor, Ones) for factor in formula.above):
        factors = _covered(list(formula.above), [*formula.below, *others])
        return multiply(formula.number, factors, formula.below)
    if isinstance(formula, Ones):
        return multiply(Integer(1), _covered([formula], others))
    return formula


def _inverted(power: Power) -> Formula:
    assert isinstance(power.exponent, Number)
    return power.base if power.exponent.value == -1 else Power(power.base, Number(-power.exponent.value))


def _powers(factors: Sequence[Formula]) -> list[Formula]:
    exponents: dict[Formula, Expr] = {}
    for factor in factors:
        base, exponent = factor, Integer(1)
        if isinstance(factor, Power) and isinstance(factor.exponent, Number) and factor.exponent.value.is_Integer:
            base, exponent = factor.base, factor.exponent.value
        exponents[base] = exponents.get(base, Integer(0)) + exponent
    return [base if e == 1 or isinstance(base, Ones) else Power(base, Number(e)) for base, e in exponents.items()]


def _covered(factors: list[Formula], others: Sequence[Formula]) -> list[Formula]:
    """Without the ones along axes that some other factor has."""
    kept: list[Formula] = [factor for factor in factors if not isinstance(factor, Ones)]
    have = {axis for factor in (*kept, *others) for axis in axes(factor)}
    for ones in factors:
        if isinstance(ones, Ones):
            left = [i for i, axis in enumerate(ones.axes) if axis not in have]
            if left:
                kept.append(Ones(tuple(ones.axes[i] for i in left), tuple(ones.lengths[i] for i in left)))
                have.update(ones.axes)
    return kept


def _rank(factor: Formula) -> tuple[int, int]:
    ranks: list[tuple[type, ...]] = [(Length,), (Named, Free, Count, Reference), (Power,), (Adjoint,)]
    return next((i for i, kinds in enumerate(ranks) if isinstance(factor, kinds)), len(ranks)), len(axes(factor))


def total(summed: Sequence[tuple[str, Formula]], factors: Sequence[Formula], order: Sequence[str] = ()) -> Formula:
    """The sum over axes (each with its length) of the product; what lacks the axes stands in front.

    `order` holds the axes of the result: of a matrix product the factor with the first of them stands on the left.
    """
    whole = multiply(Integer(1), factors)
    if not isinstance(whole, Product):
        whole = Product(Integer(1), (whole,), ())
    names = {name for name, _ in summed}
    inner = [factor for factor in whole.above if names & axes(factor)]
    under = [factor for factor in whole.below if names & axes(factor)]
    outer = [factor for factor in whole.above if not names & axes(factor)]
    below = [factor for factor in whole.below if not names & axes(factor)]
    present = {axis for factor in (*inner, *under) for axis in axes(factor)}
    # A factor of ones is all that has some axis: the sum is its length.
    for ones in [factor for factor in inner if isinstance(factor, Ones)]:
        rest = {axis for factor in (*inner, *under) if factor is not ones for axis in axes(factor)}
        if names <= set(ones.axes) and not names & rest:
            outer += [length for name, length in summed]
            inner.remove(ones)
            left = [i for i, axis in enumerate(ones.axes) if axis not in names]
            if left:
                outer.append(Ones(tuple(ones.axes[i] for i in left), tuple(ones.lengths[i] for i in left)))
            return multiply(whole.number, [*outer, *inner], [*below, *under])
    over = tuple(name for name, _ in summed if name in present)
    outer += [length for name, length in summed if name not in present]
    if not over:
        return multiply(whole.number, outer, below)
    return multiply(whole.number, [*outer, _contraction(over, inner, under, order)], below)


def _contraction(over: tuple[str, ...], inner: list[Formula], under: list[Formula], order: Sequence[str]) -> Formula:
    if len(over) == 1 and len(inner) == 1 and not under and (trace := _trace(over[0], inner[0])) is not None:
        return trace
    chain = None if under else _chain(over, inner, order)
    return Over("sum", over, multiply(Integer(1), inner, under)) if chain is None else chain


def _trace(along: str, factor: Formula) -> Formula | None:
    """The sum of a diagonal."""
    if isinstance(factor, Select) and not factor.part and factor.start == Count(along):
        return Algebra("trace", along, factor.axis, (factor.body,))
    return None


def _chain(over: tuple[str, ...], factors: list[Formula], order: Sequence[str]) -> Formula | None:
    """`A @ B @ c`: each `@` sums the one axis that its sides share. None where the factors are no such chain."""
    if len(factors) != len(over) + 1 or not all(_is_closed(factor, len(factors) > 2) for factor in factors):
        return None
    if len(factors) == 2 and axes(factors[0]) == axes(factors[1]):
        return None
    holders: dict[str, list[Formula]] = {}
    for factor in factors:
        for axis in axes(factor):
            holders.setdefault(axis, []).append(factor)
    if any(len(held) != (2 if axis in over else 1) for axis, held in holders.items()):
        return None
    ends = [factor for factor in factors if len(axes(factor) & set(over)) == 1]
    if len(ends) != 2:
        return None
    first = min(ends, key=lambda end: min((order.index(axis) for axis in axes(end) - set(over)), default=len(order)))
    chain, left, waiting = first, first, [factor for factor in factors if factor is not first]
    while waiting:
        following = [factor for factor in waiting if axes(factor) & axes(left)]
        if len(following) != 1:
            return None
        (right,) = following
        (axis,) = axes(left) & axes(right)
        chain = Matrix(chain, right, axis)
        waiting.remove(right)
        left = right
    return chain


def _is_closed(formula: Formula, sums: bool = False) -> bool:
    """Whether it can stand beside `@` and be taken in at a glance; `sums` in brackets can, in a longer chain."""
    if isinstance(formula, Sum):
        return sums and size(formula) <= MOST_IN_BRACKETS and all(_is_closed(term) for _, term in formula.terms)
    inner = formula.body if isinstance(formula, Rename) else formula
    return plain(formula) or isinstance(inner, (Apply, Algebra, Select, Matrix))


def power(base: Formula, exponent: Formula) -> Formula:
    """base^exponent; a root where it is one, a quotient where it is negative."""
    if isinstance(exponent, Number):
        value = exponent.value
        if value.is_negative:
            return multiply(Integer(1), [], [power(base, Number(-value))])
        if value == 1:
            return base
        if value == sympy.Rational(1, 2):
            return _root(base)
        if isinstance(base, Power) and isinstance(base.exponent, Number) and value.is_Integer:
            return power(base.base, Number(base.exponent.value * value))
    return Power(base, exponent)


def _root(base: Formula) -> Formula:
    """The square root; of a sum of squares the norm."""
    if isinstance(base, Over) and base.operator == "sum" and isinstance(base.body, Power):
        inner = base.body
        if isinstance(inner.exponent, Number) and inner.exponent.value == 2:
            return Over("norm", base.over, inner.base)
    return Apply("sqrt", (base,))


def rename(body: Formula, pairs: Sequence[tuple[str, str]]) -> Formula:
    """The formula with axes renamed; what stands for the axes themselves has them in it."""
    to = dict(pairs)
    match body:
        case Ones():
            return Ones(tuple(to.get(axis, axis) for axis in body.axes), body.lengths)
        case Count():
            return Count(to.get(body.axis, body.axis))
        case Compare(left=Count(), right=Count()):
            return Compare(body.operator, rename(body.left, pairs), rename(body.right, pairs))
        case Choice(yes=Number(), no=Number()):
            return Choice(rename(body.condition, pairs), body.yes, body.no)
    return Rename(body, tuple(pairs))


def axes(formula: Formula) -> frozenset[str]:
    """The names of the axes that the formula's value has."""
    match formula:
        case Named() | Free() | Reference() | Ones() | Arrange():
            return frozenset(formula.axes)
        case Adjoint():
            return frozenset(formula.of.axes)
        case Count():
            return frozenset((formula.axis,))
        case Over():
            return axes(formula.body) - set(formula.over)
        case Matrix():
            return (axes(formula.left) | axes(formula.right)) - {formula.axis}
        case Algebra(operator="solve"):
            return frozenset(axis for part in formula.arguments for axis in axes(part)) - {formula.columns}
        case Algebra(operator="logdet" | "det" | "trace"):
            return axes(formula.arguments[0]) - {formula.rows, formula.columns}
        case Select():
            kept = axes(formula.body) - (frozenset() if formula.part else {formula.axis})
            return kept | (axes(formula.start) if formula.start is not None else frozenset())
        case Place():
            return axes(formula.body) | {formula.at.axis}
        case Scanned():
            return frozenset()
        case AllSteps():
            return axes(formula.value) | {formula.axis}
        case Rename():
            to = dict(formula.pairs)
            return frozenset(to.get(axis, axis) for axis in axes(formula.body))
    return frozenset(axis for part in parts(formula) for axis in axes(part))

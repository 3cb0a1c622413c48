"""Where a number stopped being finite: the first operation on its way whose operands all were.

Takes a program, one of its nodes and values for its leaves, as `reference.evaluate` does; gives the operation, the
place along each axis and the operands there. It goes back from the result, always to an operand that is not finite
itself and that the result depends on, so that what an `if` does not take, or what a later operation makes harmless, is
not blamed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Accumulate, Concat, Flatten, PlaceWindow, Recurrence, Split, Window
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
    Relabel,
    Scan,
    Scatter,
    Size,
    Slice,
    Spread,
    Stack,
    Steps,
    Stop,
    reachable,
)
from .loops import Regions
from .reference import FLOATS, Run, Values, lined_up, pointwise, rule, setting_of

Array = npt.NDArray[Any]

SELECTIONS = (Slice, PlaceSlice, Gather, Relabel, Spread, Window, Concat, Flatten, Split, Stack, Stop)
"""Kinds of which each number is one of an operand's, or 0."""

LARGEST = 50_000_000
"""How many numbers, in all nodes together, are computed."""


@dataclass(eq=False)
class TooLarge(ValueError):
    """All values together have more numbers than are computed here."""

    numbers: int

    @property
    def excess(self) -> float:
        """How many times as much as is computed."""
        return self.numbers / LARGEST

    def __str__(self) -> str:
        return f"the values of all operations are {self.numbers} numbers, and at most {LARGEST} are looked through"


@dataclass(frozen=True, slots=True)
class Point:
    """One number: of a node, at steps of the scans around it, at a position along each of its axes."""

    node: Node
    steps: tuple[tuple[Scan, int], ...]
    at: tuple[int, ...]

    def places(self) -> dict[str, int]:
        """Its position along each axis, the scans' included."""
        return {scan.along.name: step for scan, step in self.steps} | dict(zip(self.node.names, self.at, strict=True))


@dataclass(frozen=True, slots=True)
class Blame:
    """The operation. `operands` are the numbers that it was computed from: of a sum the largest product's factors;
    of a matrix none, which stands in `matrix`. `below` are the numbers that operands without a name were made of."""

    point: Point
    value: float
    operands: tuple[tuple[Point, float], ...] = ()
    below: tuple[tuple[Point, float], ...] = ()
    matrix: Array | None = None

    @property
    def places(self) -> dict[str, int]:
        """All positions that say which number it is."""
        found = self.point.places()
        if isinstance(self.point.node, LinearAlgebra):
            for name in _moved(self.point.node):
                found.pop(name, None)
        for operand, _ in self.operands:
            for axis, position in operand.places().items():
                found.setdefault(axis, position)
        return found


def blame(
    program: Program,
    roots: Sequence[Node],
    values: Values,
    parameters: Values,
    dtype: str = "float64",
    named: Collection[int] = (),
) -> Blame | None:
    """Why the first of the roots that is not finite everywhere is not; None where all are.

    `dtype` is that of the arithmetic, `named` the ids of nodes that have a name. Raises TooLarge, and what
    `reference.evaluate` raises.
    """
    run = _recorded(program, roots, values, parameters, dtype)
    for root in roots:
        array = run.state[root.id]
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return _back(run, Point(root, (), _worst(array)), named)
    return None


def blame_matrix(
    program: Program, roots: Sequence[Node], values: Values, parameters: Values, dtype: str = "float64"
) -> Blame | None:
    """The same of what an emitted module refuses: the first matrix that LAPACK does not take."""
    run = _recorded(program, roots, values, parameters, dtype)
    for key, steps in run.kept:
        node = program.graph.nodes[key]
        if not isinstance(node, LinearAlgebra) or node.operator == "det":
            continue
        around = tuple(zip(run.around[key], steps, strict=True))
        matrix, inside = _at(run, node.operands[0], around)
        whole = run.kept[matrix.id, tuple(step for _, step in inside)]
        pair = (node.rows.name, node.columns.name)
        batch = [i for i, name in enumerate(node.operands[0].names) if name not in pair]
        order = [*batch, *(node.operands[0].names.index(name) for name in pair)]
        stacked = whole.transpose(order)
        for at in np.ndindex(stacked.shape[: len(batch)]):
            if np.isfinite(stacked[at]).all() and _refused(node.operator, stacked[at]):
                where = {node.operands[0].names[i]: position for i, position in zip(batch, at, strict=True)}
                index = tuple(where.get(name, 0) for name in node.names)
                return Blame(Point(node, around, index), math.nan, matrix=stacked[at])
    return None


def _refused(operator: str, matrix: Array) -> bool:
    try:
        if operator == "cholesky":
            np.linalg.cholesky(matrix)
        elif operator == "logdet":
            return bool(np.linalg.slogdet(matrix)[0] <= 0)
        else:
            np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return True
    return False


# ------------------------------------------------------------------------------------------------------- all the values


@dataclass
class _Recorded(Run):
    """An evaluation that keeps each node's value at each step of the scans around it."""

    kept: dict[tuple[int, tuple[int, ...]], Array] = field(default_factory=dict)
    around: dict[int, tuple[Scan, ...]] = field(default_factory=dict)  # the scans around each node
    within: tuple[Scan, ...] = ()
    owners: dict[int, tuple[Scan, int]] = field(default_factory=dict)  # of the leaves that scans bind

    def compute(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if isinstance(node, Scan):
                bound = (*node.carried, *node.stepped)
                self.owners.update((leaf.id, (node, part)) for part, leaf in enumerate(bound))
                self.within = (*self.within, node)
                super().compute((node,))
                self.within = self.within[:-1]
                continue
            super().compute((node,))
            if node.id in self.state:
                self.kept[node.id, self.place] = self.state[node.id]
                self.around[node.id] = self.within


SINGLE = replace(FLOATS, held=lambda array: np.asarray(array).astype(np.float32))
"""The arithmetic of a module of float32."""


def _recorded(program: Program, roots: Sequence[Node], values: Values, parameters: Values, dtype: str) -> _Recorded:
    with np.errstate(all="ignore"):
        regions = Regions(roots)
        arithmetic = SINGLE if dtype == "float32" else FLOATS
        setting = setting_of(program, regions.leaves, values, parameters, arithmetic)
        numbers = sum(math.prod(setting.shape(node)) for node in reachable(roots))
        if numbers > LARGEST:
            raise TooLarge(numbers)
        run = _Recorded(regions, setting)
        run.compute(regions.outside)
        return run


def _at(run: _Recorded, node: Node, steps: tuple[tuple[Scan, int], ...]) -> tuple[Node, tuple[tuple[Scan, int], ...]]:
    """Where a node's value was computed, seen from the steps of a scan: there, or outside of it."""
    while (node.id, tuple(step for _, step in steps)) not in run.kept:
        steps = steps[:-1]
    return node, steps


# -------------------------------------------------------------------------------------------------------- going back


def _back(run: _Recorded, point: Point, named: Collection[int]) -> Blame:
    with np.errstate(all="ignore"):
        while True:
            point = _computed(run, point)
            following = _worse(run, point)
            if following is None:
                return _blamed(run, point, named)
            point = following


def _computed(run: _Recorded, point: Point) -> Point:
    """The same number where it is computed: what stands at a step of a scan, or what a scan carries, is in its body."""
    while True:
        node, steps = point.node, point.steps
        places = dict(zip(node.names, point.at, strict=True))
        match node:
            case Steps():
                scan, source = node.scan, node.operands[1]
                steps = (*_at(run, node, steps)[1], (scan, places[scan.along.name]))
            case Last():
                scan = node.scan
                steps = _at(run, node, steps)[1]
                length = run.setting.length(scan.along.length)
                source = scan.nexts[node.part] if length else scan.initials[node.part]
                steps = (*steps, (scan, 0 if scan.backward else length - 1)) if length else steps
            case Leaf() if node.id in run.owners:
                scan, part = run.owners[node.id]
                depth = [around for around, _ in steps].index(scan)
                step = steps[depth][1]
                steps = steps[:depth]
                if part >= len(scan.carried):
                    source = scan.sequences[part - len(scan.carried)]
                    places[scan.along.name] = step
                elif step == (run.setting.length(scan.along.length) - 1 if scan.backward else 0):
                    source = scan.initials[part]
                else:
                    source = scan.nexts[part]
                    steps = (*steps, (scan, step + 1 if scan.backward else step - 1))
            case _:
                return Point(node, _at(run, node, steps)[1], point.at)
        point = Point(source, steps, tuple(places[name] for name in source.names))


def _value(run: _Recorded, point: Point) -> float:
    point = _computed(run, point)
    return float(np.real(run.kept[point.node.id, tuple(step for _, step in point.steps)][point.at]))


def _array(run: _Recorded, node: Node, steps: tuple[tuple[Scan, int], ...]) -> Array | None:
    """The whole value of an operand; None of what a scan binds, whose number is found one by one."""
    if node.id in run.owners:
        return None
    inside = _at(run, node, steps)[1]
    return run.kept[node.id, tuple(step for _, step in inside)]


def _worst(array: Array) -> tuple[int, ...]:
    """The first place that is not a number, or where all are, that is infinite."""
    wrong = np.isnan(array) if np.isnan(array).any() else ~np.isfinite(array)
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _worse(run: _Recorded, point: Point) -> Point | None:
    """A number that is not finite, of those that this one was computed from."""
    node = point.node
    if isinstance(node, SELECTIONS):
        found = _selected(run, point)
        return found if found is not None and not math.isfinite(_value(run, found)) else None
    if isinstance(node, Accumulate | Recurrence):
        before = _before(run, point)
        if before is not None and not math.isfinite(_value(run, before)):
            return before
    if isinstance(node, Map):
        return _of_map(run, point)
    wrong: list[tuple[Point, float]] = []
    for operand, array, at in _parts(run, point):
        part = array[at]
        if array.dtype.kind == "f" and not np.isfinite(part).all():
            found = Point(operand, point.steps, _filled(at, _worst(part)))
            wrong.append((found, _value(run, found)))
    return next((found for found, value in wrong if math.isnan(value)), wrong[0][0] if wrong else None)


def _of_map(run: _Recorded, point: Point) -> Point | None:
    """Of the operands that are not finite the one without which the result would be, where there is one."""
    node = point.node
    assert isinstance(node, Map)
    operands = [_shared(operand, point) for operand in node.operands]
    numbers = [_value(run, operand) for operand in operands]
    wrong = [i for i, number in enumerate(numbers) if not math.isfinite(number)]
    for i in wrong:
        others = [np.asarray(1.0 if i == j else number) for j, number in enumerate(numbers)]
        if np.isfinite(np.real(pointwise(node.expression, others, run.setting.arithmetic))).all():
            return operands[i]
    return operands[next((i for i in wrong if math.isnan(numbers[i])), wrong[0])] if wrong else None


def _shared(operand: Node, point: Point) -> Point:
    """The operand's number at the place of the result, all of whose axes the result has."""
    places = dict(zip(point.node.names, point.at, strict=True))
    return Point(operand, point.steps, tuple(places[name] for name in operand.names))


def _before(run: _Recorded, point: Point) -> Point | None:
    """The number before this one in a running sum or a recurrence."""
    node = point.node
    assert isinstance(node, Accumulate | Recurrence)
    axis = node.names.index(node.along.name)
    backward = isinstance(node, Recurrence) and node.backward
    step = point.at[axis] + (1 if backward else -1)
    if not 0 <= step < run.setting.length(node.along.length):
        return None
    return Point(node, point.steps, (*point.at[:axis], step, *point.at[axis + 1 :]))


def _selected(run: _Recorded, point: Point) -> Point | None:
    """The number that a selection takes: found by selecting from numbers that count."""
    node = point.node
    counts: list[Array] = []
    starts: list[int] = []
    start = 1
    for operand in node.operands:
        array = _array(run, operand, point.steps)
        shape = run.setting.shape(operand) if array is None else array.shape
        if isinstance(node, Gather) and operand is node.operands[1]:
            counts.append(_whole(run, operand, point.steps))
            continue
        counts.append(np.arange(start, start + math.prod(shape), dtype=np.float64).reshape(shape))
        starts.append(start)
        start += math.prod(shape)
    exact = replace(run.setting, arithmetic=FLOATS)
    taken = np.broadcast_to(rule(node, counts, exact), run.setting.shape(node))
    number = int(taken[point.at])
    if number == 0:
        return None
    which = max(i for i, first in enumerate(starts) if first <= number)
    operand = node.operands[which]
    at = np.unravel_index(number - starts[which], run.setting.shape(operand))
    return Point(operand, point.steps, tuple(int(i) for i in at))


def _whole(run: _Recorded, node: Node, steps: tuple[tuple[Scan, int], ...]) -> Array:
    """The value of a node, number by number where a scan binds it."""
    array = _array(run, node, steps)
    if array is not None:
        return array
    shape = run.setting.shape(node)
    found = np.empty(shape)
    for at in np.ndindex(shape):
        found[at] = _value(run, Point(node, steps, at))
    return found


def _moved(node: Node) -> set[str]:
    """The axes along which a number comes from elsewhere than its own position."""
    match node:
        case Scatter():
            return {node.along.name}
        case PlaceWindow():
            return {sliding.along.name for sliding in node.slidings}
        case LinearAlgebra():
            return {node.rows.name, node.columns.name}
    return set()


def _parts(run: _Recorded, point: Point) -> Iterator[tuple[Node, Array, tuple[int | slice, ...]]]:
    """Each operand, its value, and the part of it that the number was computed from."""
    node = point.node
    places = dict(zip(node.names, point.at, strict=True))
    for name in _moved(node):
        places.pop(name, None)
    for operand in node.operands:
        array = _whole(run, operand, point.steps)
        yield operand, array, tuple(places.get(name, slice(None)) for name in operand.names)


def _filled(at: Sequence[int | slice], inner: Sequence[int]) -> tuple[int, ...]:
    """The whole position: that of the part, and the position in it."""
    rest = iter(inner)
    return tuple(next(rest) if isinstance(i, slice) else i for i in at)


# ---------------------------------------------------------------------------------------------------------- the result


def _blamed(run: _Recorded, point: Point, named: Collection[int]) -> Blame:
    node, value = point.node, _value(run, point)
    if isinstance(node, LinearAlgebra):
        ((_, array, at), *_) = _parts(run, point)
        return Blame(point, value, matrix=array[at])
    found: list[Point] = []
    if isinstance(node, Map):
        found = [_shared(operand, point) for operand in node.operands]
    elif isinstance(node, Accumulate | Recurrence):
        before = _before(run, point)
        found = [_shared(operand, point) for operand in node.operands] + ([] if before is None else [before])
    elif isinstance(node, Contract):
        found = _largest_product(run, point, node)
    elif node.operands:
        for operand, array, at in _parts(run, point):
            part = np.abs(np.where(np.isfinite(array[at]), array[at], 0))
            if part.size and array.dtype.kind == "f":
                place = np.unravel_index(int(np.argmax(part)), part.shape)
                found.append(Point(operand, point.steps, _filled(at, [int(i) for i in place])))
    below = [inner for operand in found for inner in _below(operand, named)]
    operands, inner = (
        tuple((each, _value(run, each)) for each in several) for several in (found, list(dict.fromkeys(below)))
    )
    return Blame(point, value, operands, inner)


def _below(point: Point, named: Collection[int]) -> Iterator[Point]:
    """What a formula without a name is made of: down to names, and to what is no formula."""
    waiting = [point]
    while waiting:
        current = waiting.pop()
        if isinstance(current.node, Map) and current.node.id not in named:
            waiting.extend(_shared(operand, current) for operand in reversed(current.node.operands))
        elif current is not point and not isinstance(current.node, Constant | Size | Index):
            yield current


def _largest_product(run: _Recorded, point: Point, node: Contract) -> list[Point]:
    """The factors of the first product that is not finite, else of the largest."""
    summed = tuple(axis.name for axis in node.summed)
    product: Array = np.ones(())
    for operand, array, at in _parts(run, point):
        names = [name for name, i in zip(operand.names, at, strict=True) if isinstance(i, slice)]
        product = product * lined_up(run.setting.arithmetic.held(array[at]), names, summed)
    sizes = np.where(np.isfinite(product), np.abs(product), math.inf)
    best = np.unravel_index(int(np.argmax(sizes)), sizes.shape)
    places = dict(zip(node.names, point.at, strict=True)) | {name: int(i) for name, i in zip(summed, best, strict=True)}
    points = [Point(o, point.steps, tuple(places[name] for name in o.names)) for o in node.operands]
    return list(dict.fromkeys(points))

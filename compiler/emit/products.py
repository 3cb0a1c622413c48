"""Products of arrays that no single `dot` gives: one matrix product for each row, and sums over axes in the middle.

Takes a Routine, two arrays, the axes that are summed and the array for the result; gives the text of the call, or None
where `einsum` has to do it. BLAS reads matrices whose rows or columns lie in one piece; so axes are merged where they
lie side by side, the others stay outside, and what serves many products (all blocks of rows, all steps of a loop) is
turned round once, before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..graph import Axis
from ..plan import Buffer
from .refs import Groups, Ref

if TYPE_CHECKING:
    from .routine import Routine


def summed(routine: Routine, a: Ref, inner: Sequence[str], out: Ref) -> str | None:
    """The sum over axes that do not lie side by side, of one array."""
    arranged = routine.view(a, tuple((name,) for name in [*out.layout, *inner]))
    if arranged is None:
        return None
    first = len(out.layout)
    places = [str(first + i) for i in range(len(inner))]
    axes = places[0] if len(places) == 1 else f"({', '.join(places)})"
    return f"{routine.use('add')}.reduce({routine.note(arranged)}, axis={axes}, out={out.text})"


def product(routine: Routine, a: Ref, b: Ref, inner: Sequence[str], out: Ref) -> str | None:
    """The sum of a * b over `inner` as products of matrices."""
    if out.layout[-1] not in b.layout:
        # BLAS writes rows: the last axis in memory is the last of the result.
        a, b = b, a
    left = [name for name in out.layout if name in a.layout and name not in b.layout]
    right = [name for name in out.layout if name in b.layout and name not in a.layout]
    both = [name for name in out.layout if name in a.layout and name in b.layout]
    orders = _orders(inner, a, b)

    def matrices(outer: Sequence[str], allowed: Sequence[Turnable]) -> str | None:
        rows = [name for name in left if name not in outer]
        columns = [name for name in right if name not in outer]
        if not rows and not columns:
            return None
        tries = (_matrices(routine, a, b, out, outer, rows, order, columns, may) for may in allowed for order in orders)
        return next((found for found in tries if found is not None), None)

    outers = list(_outer(out.layout, both))
    for outer in outers:
        found = matrices(outer, (_none, held)) or (
            _arranged(routine, a, b, out, outer, orders) if outer == both else None
        )
        if found is not None:
            return found
    for order in orders if not both else ():
        found = _in_parts(routine, a, b, out, left, order, right)
        if found is not None:
            return found
    for outer in outers:
        found = matrices(outer, (_without_rows,))
        if found is not None:
            return found
    return None


Turnable = Callable[["Routine", Ref], bool]
"""Which operands may be turned round: copied, so that their axes stand as a product needs them."""


def _none(routine: Routine, ref: Ref) -> bool:
    return False


def held(routine: Routine, ref: Ref) -> bool:
    """Whether a copy serves many products: all steps of a scan, or all blocks of rows. Parameters are small."""
    return ref.home == "theta" or _once(routine, ref) or any(ref.text in loop.known for loop in routine.loops)


def _without_rows(routine: Routine, ref: Ref) -> bool:
    return routine.plan.rows is None or routine.plan.rows not in ref.layout


def _once(routine: Routine, ref: Ref) -> bool:
    """Whether the array is the same in all blocks of rows."""
    return routine.section == "block" and _without_rows(routine, ref)


def _orders(inner: Sequence[str], a: Ref, b: Ref) -> list[list[str]]:
    """The orders in which the summed axes may be merged: as they lie in either operand."""
    found = [[name for name in ref.layout if name in inner] for ref in (a, b)]
    return found[:1] if found[0] == found[1] else found


def _outer(layout: Sequence[str], both: Sequence[str]) -> Iterator[list[str]]:
    """The axes for each position of which there is a product: those of both, and more and more of the result's."""
    more = [name for name in layout if name not in both]
    for count in range(len(more) + 1):
        yield [name for name in layout if name in both or name in more[:count]]


def _wanted(
    a: Ref,
    b: Ref,
    out: Ref,
    outer: Sequence[str],
    rows: Sequence[str],
    order: Sequence[str],
    columns: Sequence[str],
) -> tuple[tuple[Ref, Groups], tuple[Ref, Groups], tuple[Ref, Groups]]:
    """The operands and the result as matrices, one for each position of `outer`."""

    def groups(ref: Ref, *matrix: Sequence[str]) -> Groups:
        return (*((name,) if name in ref.layout else () for name in outer), *(tuple(group) for group in matrix))

    return (a, groups(a, rows, order)), (b, groups(b, order, columns)), (out, groups(out, rows, columns))


def _matrices(
    routine: Routine,
    a: Ref,
    b: Ref,
    out: Ref,
    outer: Sequence[str],
    rows: Sequence[str],
    order: Sequence[str],
    columns: Sequence[str],
    may_turn: Turnable,
) -> str | None:
    """One matrix product for each position of `outer`."""
    *operands, result = _wanted(a, b, out, outer, rows, order, columns)
    if not routine.has_view(*result) or not all(routine.has_view(*o) or may_turn(routine, o[0]) for o in operands):
        return None
    x, y, z = (routine.view(*each) or turned(routine, *each) for each in (*operands, result))
    if x is None or y is None or z is None:
        return None
    return f"{routine.use('matmul')}({routine.note(x)}, {routine.note(y)}, {routine.note(z)})"


def _arranged(
    routine: Routine, a: Ref, b: Ref, out: Ref, outer: Sequence[str], orders: Sequence[Sequence[str]]
) -> str | None:
    """One matrix product for each position of `outer`, in memory of its own, which is then copied to its place."""
    rows = [name for name in a.layout if name in out.layout and name not in outer]
    columns = [name for name in b.layout if name in out.layout and name not in outer]
    names = [*outer, *rows, *columns]
    if not rows or not columns or routine.plan.rows in names[1:]:
        return None
    known = {axis.name: axis for axis in out.axes}
    axes = tuple(known[name] for name in names)
    for order in orders:
        *operands, _ = _wanted(a, b, Ref("", axes), outer, rows, order, columns)
        if all(routine.has_view(*each) or held(routine, each[0]) for each in operands):
            place = _scratch(routine, "product", axes)
            found = _matrices(routine, a, b, place, outer, rows, order, columns, held)
            assert found is not None
            routine.say(found)
            return f"{routine.use('copyto')}({out.text}, {routine.aligned(place, out.layout)})"
    return None


def _in_parts(
    routine: Routine, a: Ref, b: Ref, out: Ref, left: Sequence[str], order: Sequence[str], right: Sequence[str]
) -> str | None:
    """A product for each position of the first summed axes, and then their sum."""
    for count in range(1, len(order)):
        outer, rest = order[:count], order[count:]
        if any(name not in ref.layout for name in outer for ref in (a, b)):
            return None
        each = tuple((name,) for name in outer)
        wanted = ((a, (*each, tuple(left), tuple(rest))), (b, (*each, tuple(rest), tuple(right))))
        if not all(routine.has_view(*pair) for pair in wanted):
            continue
        x, y = (routine.view(*pair) for pair in wanted)
        known = {axis.name: axis for ref in (a, b) for axis in ref.axes}
        # The memory of a block has its rows first.
        names = sorted([*outer, *left, *right], key=lambda name: name != routine.plan.rows)
        parts = _scratch(routine, "products", tuple(known[name] for name in names))
        z = routine.view(parts, (*each, tuple(left), tuple(right)))
        assert x is not None
        assert y is not None
        assert z is not None
        routine.say(f"{routine.use('matmul')}({routine.note(x)}, {routine.note(y)}, {routine.note(z)})")
        return summed(routine, parts, outer, out)
    return None


def turned(routine: Routine, ref: Ref, groups: Groups) -> Ref | None:
    """A copy in memory as the groups want it."""
    known = {axis.name: axis for axis in ref.axes}
    copied = copy(routine, ref, tuple(known[name] for group in groups for name in group))
    return routine.view(copied, groups)


def copy(routine: Routine, ref: Ref, axes: tuple[Axis, ...], key: str | None = None) -> Ref:
    """The array in memory of its own, in one piece, its axes in that order.

    What has a `key` of its own is copied where it is first asked for. What a step computes before all blocks of rows is
    copied before them, and what is there before a loop, before that; of other arrays a text may name memory that holds
    another value by then.
    """
    once = _once(routine, ref)
    depth = next((i for i, loop in enumerate(routine.loops) if ref.text in loop.known), len(routine.loops))
    hoisted = depth < len(routine.loops)
    known = key or (ref.text if once or hoisted or ref.home == "theta" else None)
    kept = "copied", f"{known} {[axis.name for axis in axes]}"
    if known is not None and kept in routine.views:
        found = routine.views[kept]
        routine.note(found)
        return found
    found = _scratch(routine, f"{ref.text}_copied", axes)
    text = f"{routine.use('copyto')}({found.text}, {routine.aligned(ref, found.layout)})"
    routine.say(text, "step" if once else None, routine.loops[depth] if hoisted else None)
    if known is not None:
        routine.views[kept] = found
        # Memory of parameters is never another value's.
        good = routine.loops[: depth if ref.home == "theta" else depth + 1]
        if good:
            good[-1].copied.append(kept)
    return found


def _scratch(routine: Routine, name: str, axes: tuple[Axis, ...]) -> Ref:
    rows = routine.plan.rows
    by_rows = routine.section == "block" and rows is not None and any(axis.name == rows for axis in axes)
    return routine.scratch(Buffer(routine.names.fresh(name), axes, "float", by_rows))

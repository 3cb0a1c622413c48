"""Products of arrays that no single `dot` gives: one matrix product for each row, and sums over axes in the middle.

Takes a Routine, two arrays, the axes that are summed and the array for the result; gives the text of the call, or None
where `einsum` has to do it. BLAS reads matrices whose rows or columns lie in one piece; so axes are merged where they
lie side by side, the others stay outside, and what does not depend on the rows is turned round once a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    left = [name for name in a.layout if name not in inner and name not in b.layout]
    right = [name for name in b.layout if name not in inner and name not in a.layout]
    both = [name for name in out.layout if name in a.layout and name in b.layout]
    for turning in (False, True):
        for order in _orders(inner, a, b):
            for outer in _outer(out.layout, both):
                rows = [name for name in left if name not in outer]
                columns = [name for name in right if name not in outer]
                if not rows and not columns:
                    continue
                found = _matrices(routine, a, b, out, outer, rows, order, columns, turning)
                if found is not None:
                    return found
        if not both and not turning:
            for order in _orders(inner, a, b):
                found = _in_parts(routine, a, b, out, left, order, right)
                if found is not None:
                    return found
    return None


def _orders(inner: Sequence[str], a: Ref, b: Ref) -> list[list[str]]:
    """The orders in which the summed axes may be merged: as they lie in either operand."""
    found = [[name for name in ref.layout if name in inner] for ref in (a, b)]
    return found[:1] if found[0] == found[1] else found


def _outer(layout: Sequence[str], both: Sequence[str]) -> Iterator[list[str]]:
    """The axes for each position of which there is a product: those of both, and more and more of the result's."""
    more = [name for name in layout if name not in both]
    for count in range(len(more) + 1):
        yield [name for name in layout if name in both or name in more[:count]]


def _matrices(
    routine: Routine,
    a: Ref,
    b: Ref,
    out: Ref,
    outer: Sequence[str],
    rows: Sequence[str],
    order: Sequence[str],
    columns: Sequence[str],
    turning: bool,
) -> str | None:
    """One matrix product for each position of `outer`."""

    def groups(ref: Ref, *matrix: Sequence[str]) -> Groups:
        return (*((name,) if name in ref.layout else () for name in outer), *(tuple(group) for group in matrix))

    wanted = ((a, groups(a, rows, order)), (b, groups(b, order, columns)), (out, groups(out, rows, columns)))
    fits = [routine.has_view(*each) for each in wanted]
    if not fits[2] or not (all(fits) or turning):
        return None
    x, y, z = (routine.view(*each) or turned(routine, *each) for each in wanted)
    if x is None or y is None or z is None:
        return None
    return f"{routine.use('matmul')}({routine.note(x)}, {routine.note(y)}, {routine.note(z)})"


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
    """A copy of what does not depend on the rows, in memory as the groups want it; once a step for all blocks."""
    rows = routine.plan.rows
    if rows is not None and rows in ref.layout:
        return None
    known = {axis.name: axis for axis in ref.axes}
    copied = copy(routine, ref, tuple(known[name] for group in groups for name in group))
    return routine.view(copied, groups)


def copy(routine: Routine, ref: Ref, axes: tuple[Axis, ...], key: str | None = None) -> Ref:
    """The array in memory of its own, in one piece, its axes in that order.

    What has a `key` of its own is copied where it is first asked for. So is what a step computes before all blocks; of
    other arrays a text may name memory that holds another value by then.
    """
    rows = routine.plan.rows
    once = routine.section == "block" and (rows is None or rows not in ref.layout)
    known = key or (ref.text if once or ref.home == "theta" else None)
    layout = [axis.name for axis in axes]
    if known is not None and ("copied", f"{known} {layout}") in routine.views:
        found = routine.views["copied", f"{known} {layout}"]
        routine.note(found)
        return found
    found = _scratch(routine, f"{ref.text}_copied", axes)
    text = f"{routine.use('copyto')}({found.text}, {routine.aligned(ref, found.layout)})"
    routine.say(text, "step" if once else None)
    if known is not None:
        routine.views["copied", f"{known} {layout}"] = found
    return found


def _scratch(routine: Routine, name: str, axes: tuple[Axis, ...]) -> Ref:
    rows = routine.plan.rows
    by_rows = routine.section == "block" and rows is not None and any(axis.name == rows for axis in axes)
    return routine.scratch(Buffer(routine.names.fresh(name), axes, "float", by_rows))

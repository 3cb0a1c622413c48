"""What the kinds of `compiler/arrays.py` are in NumPy: views where there are such, else few calls with `out=`.

Takes a Routine and a node; writes the node's lines. A window is a strided view. What passes over all taps of a window
does so tap by tap, each time over all positions at once: NumPy is slow along an axis of two or three elements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sympy

from ..arrays import Accumulate, Concat, Flatten, Order, PlaceWindow, Recurrence, Sliding, Split, Window
from ..graph import Axis, Contract, Node, Reduce, Relabel, Slice, Stop
from . import products
from .numbers import length
from .refs import Groups, Ref

if TYPE_CHECKING:
    from .routine import Routine

KINDS = (Accumulate, Concat, Flatten, Order, PlaceWindow, Recurrence, Split, Window)
"""The kinds of this page."""

MOST_TAPS = 64
"""Taps up to which a window is reduced tap by tap."""

STARTS = {"prod": "1.0", "sum": "0.0"}
ONTO = {
    "max": "maximum",
    "min": "minimum",
    "prod": "multiply",
    "any": "logical_or",
    "all": "logical_and",
    "sum": "add",
}
"""The ufunc of each reduction, and what those start with that cannot start with any tap."""


def view(routine: Routine, node: Node) -> Ref | None:
    """The node as a view of its operand's memory, if it is one."""
    if node.id not in routine.plan.views:
        return None
    operand = routine.ref(node.operands[0])
    match node:
        case Window():
            return _windowed(routine, node, operand)
        case Flatten():
            return _reshaped(routine, operand, [axis.name for axis in node.merged], [node.whole])
        case Split():
            return _reshaped(routine, operand, [node.whole.name], node.parts)
    raise TypeError(type(node).__name__)


def write(routine: Routine, node: Node, out: Ref) -> None:
    """The lines that write the node's value to `out`."""
    match node:
        case PlaceWindow():
            _place_window(routine, node, out)
        case Concat():
            _concat(routine, node, out)
        case Flatten():
            parts = _reshaped(routine, out, [node.whole.name], node.merged)
            value = routine.aligned(routine.ref(node.operands[0]), parts.layout)
            routine.say(f"{routine.use('copyto')}({routine.note(parts)}, {value})")
        case Accumulate():
            function = routine.use(ONTO[node.operator])
            value = routine.aligned(routine.ref(node.operands[0]), out.layout)
            place = out.layout.index(node.along.name)
            routine.say(f"{function}.accumulate({value}, {place}, out={out.text})")
        case Recurrence():
            _recurrence(routine, node, out)
        case Order():
            value = routine.aligned(routine.ref(node.operands[0]), out.layout)
            place = out.layout.index(node.along.name)
            found = f'{routine.use("argsort")}({value}, {place}, "stable")'
            routine.say(f"{routine.use('copyto')}({out.text}, {found})")
        case _:
            raise TypeError(type(node).__name__)


# -------------------------------------------------------------------------------------------------------------- windows


def _windowed(routine: Routine, node: Window, operand: Ref) -> Ref:
    axes, parts = list(operand.axes), []
    for sliding in node.slidings:
        place = operand.layout.index(sliding.along.name)
        axes[place] = sliding.places
        taps = routine.length(sliding.taps)
        parts.append(f"({place}, {taps}, {sliding.stride}, {sliding.dilation})")
    axes += [sliding.taps for sliding in node.slidings]
    routine.algebra.add("window")
    name = f"{operand.text}_window"
    slidings = f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    return routine.derived(operand, f"_window({{}}, {slidings})", name, tuple(axes), contiguous=False)


def in_one_piece(routine: Routine, node: Node, ref: Ref) -> Ref:
    """The value for a product: of a window a copy, as BLAS reads no rows that overlap."""
    base = node
    while isinstance(base, Relabel | Stop | Slice):
        base = base.operands[0]
    if not isinstance(base, Window) or routine.section == "bind":
        return ref
    return products.copy(routine, ref, routine.plan.laid(ref.axes), f"{routine.section} {node.id}")


def over_taps(routine: Routine, node: Reduce | Contract, out: Ref) -> bool:
    """A reduction over the taps of a window alone, if the node is one: its lines are written."""
    (operand, *others), over = node.operands, node.reduced if isinstance(node, Reduce) else node.summed
    operator = node.operator if isinstance(node, Reduce) else "sum"
    if others or not isinstance(operand, Window) or operator not in ONTO:
        return False
    taps = {sliding.taps.name: sliding.taps for sliding in operand.slidings}
    count = sympy.Mul(*(axis.length for axis in over))
    if not {axis.name for axis in over} <= set(taps) or not (count.is_Integer and count <= MOST_TAPS):
        return False
    ref = routine.ref(operand)
    groups: Groups = tuple((name,) for name in [*(axis.name for axis in over), *out.layout])
    arranged = routine.view(ref, groups)
    assert arranged is not None
    source, function = routine.note(arranged), routine.use(ONTO[operator])
    if operator in STARTS:
        routine.say(f"{out.text}.fill({STARTS[operator]})")
    else:
        routine.say(f"{routine.use('copyto')}({out.text}, {source}[{', '.join('0' for _ in over)}])")
    loop, places = _loops(routine, over)
    # NumPy deprecates the place of `out` in maximum and minimum.
    routine.say(f"{loop}{function}({out.text}, {source}[{', '.join(places)}], out={out.text})")
    return True


def _loops(routine: Routine, axes: Sequence[Axis]) -> tuple[str, list[str]]:
    """The heads of loops over all positions of the axes, and the names that count."""
    text, places = "", []
    for depth, axis in enumerate(axes):
        name = routine.names.fresh(f"at_{axis.name}")
        text += f"for {name} in range({routine.length(axis)}):\n{'    ' * (depth + 1)}"
        places.append(name)
    return text, places


def _place_window(routine: Routine, node: PlaceWindow, out: Ref) -> None:
    """Tap by tap: all positions are added at once to where that tap of them stands."""
    taps = [sliding.taps for sliding in node.slidings]
    groups: Groups = tuple((name,) for name in [*(axis.name for axis in taps), *out.layout])
    arranged = routine.view(routine.ref(node.operands[0]), groups)
    assert arranged is not None
    source = routine.note(arranged)
    loop, places = _loops(routine, taps)
    parts = [":"] * len(out.layout)
    for sliding, place in zip(node.slidings, places, strict=True):
        parts[out.layout.index(sliding.along.name)] = _stretch(routine, sliding, place)
    while parts[-1] == ":":
        parts.pop()
    here = routine.names.fresh("here")
    indent = "    " * len(taps)
    routine.say(f"{out.text}.fill(0.0)")
    routine.say(
        f"{loop}{here} = {out.text}[{', '.join(parts)}]\n"
        f"{indent}{routine.use('add')}({here}, {source}[{', '.join(places)}], {here})"
    )


def _stretch(routine: Routine, sliding: Sliding, tap: str) -> str:
    """Where one tap of all positions stands."""
    start = tap if sliding.dilation == 1 else f"{sliding.dilation} * {tap}"
    reach = sympy.expand(sliding.stride * (sliding.positions - 1) + 1)
    text = length(reach, routine.lengths)
    return f"{start}:{start} + {text}" + (f":{sliding.stride}" if sliding.stride != 1 else "")


# ---------------------------------------------------------------------------------------------------------- other kinds


def _reshaped(routine: Routine, ref: Ref, before: Sequence[str], after: Sequence[Axis]) -> Ref:
    """The array with axes that lie side by side as others of the same number of elements."""
    start = ref.layout.index(before[0])
    axes = (*ref.axes[:start], *after, *ref.axes[start + len(before) :])
    cut = routine.section == "block" and axes[0].name == routine.plan.rows
    shape = ["-1" if cut and i == 0 else routine.length(axis) for i, axis in enumerate(axes)]
    name = f"{ref.text}_as_{'_'.join(axis.name for axis in after)}"
    return routine.derived(ref, f".reshape({', '.join(shape)})", name, axes, ref.contiguous)


def _concat(routine: Routine, node: Concat, out: Ref) -> None:
    place = out.layout.index(node.along.name)
    for operand, start, count in zip(node.operands, node.starts(), node.lengths, strict=True):
        stop = length(sympy.expand(start + count), routine.lengths)
        suffix = f"[{':, ' * place}{length(start, routine.lengths)}:{stop}]"
        axes = (*out.axes[:place], Axis(node.along.name, count), *out.axes[place + 1 :])
        part = routine.derived(out, suffix, f"{out.text}_part", axes, contiguous=False)
        value = routine.aligned(routine.ref(operand), out.layout)
        routine.say(f"{routine.use('copyto')}({routine.note(part)}, {value})")


def _recurrence(routine: Routine, node: Recurrence, out: Ref) -> None:
    """Step by step along the axis, each for all other positions at once."""
    along = node.along.name
    factor, term = (routine.ref(operand) for operand in node.operands)
    others = [name for name in out.layout if name != along]
    steps = [
        routine.view(ref, tuple((name,) if name in ref.layout else () for name in [along, *others]))
        for ref in (factor, term, out)
    ]
    texts = [routine.note(step) for step in steps if step is not None]
    assert len(texts) == len(steps)
    f, b, s = texts
    place = routine.names.fresh(f"at_{along}")
    last = length(sympy.expand(node.along.length - 1), routine.lengths)
    first = last if node.backward else "0"
    routine.say(f"{s}[{first}] = {b}[{first}]")
    if node.backward:
        before, head = f"{f}[{place} + 1] * {s}[{place} + 1]", f"range({last} - 1, -1, -1)"
    else:
        before, head = f"{f}[{place}] * {s}[{place} - 1]", f"range(1, {last} + 1)"
    routine.say(f"for {place} in {head}:\n    {s}[{place}] = {b}[{place}] + {before}")

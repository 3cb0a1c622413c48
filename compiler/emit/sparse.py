"""Gradients by rows, in the emitted module: for each parameter an array of indices and one of the rows at these.

Takes the routine of an objective and its rows; gives the last lines of the call, and adds to the class the arrays,
which are there when data are bound. The gathers of one parameter stand one after another, each in the order of its
index's axes, and a row stands there as often as it is gathered. Indices that follow from the data are written once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sympy
from sympy import Expr

from ..graph import Axis, Constant, Node, Program, Rows
from .numbers import length
from .routine import Routine


def lines(routine: Routine, rows: Mapping[str, Sequence[Rows]], program: Program) -> list[str]:
    """The lines that write the rows of each parameter."""
    found: list[str] = []
    entries: list[str] = []
    along = program.gathered_along()
    for parameter in program.parameters:
        name = parameter.name
        if name not in rows:
            continue
        indices, values = routine.names.fresh(f"indices_{name}"), routine.names.fresh(f"rows_{name}")
        stop: Expr = sympy.Integer(0)
        for part in rows[name]:
            start, stop = stop, sympy.expand(stop + _count(part.over))
            place = f"[{length(start, routine.lengths)}:{length(stop, routine.lengths)}]"
            found += _copied(routine, part.index, indices, place, part.over)
            found += _copied(routine, part.values, values, place, (*part.over, *part.beside))
        count = length(stop, routine.lengths)
        shape = ", ".join([count, *(routine.length(axis) for axis in parameter.axes if axis.name != along[name])])
        routine.allocations[indices] = f'{routine.use("empty")}({count}, "int64")'
        routine.allocations[values] = f"{routine.use('empty')}(({shape},), DTYPE)"
        entries.append(f"{json.dumps(name)}: ({indices}, {values})")
    if along:
        routine.late_lines.append(f"self.sparse = {{{', '.join(entries)}}}")
    return found


def _count(axes: Sequence[Axis]) -> Expr:
    return sympy.Mul(*(axis.length for axis in axes))


def _copied(routine: Routine, node: Node, array: str, place: str, axes: Sequence[Axis]) -> list[str]:
    """The line that writes a value along these axes into a part of an array; none where data alone tell it."""
    name = routine.names.numbered(array)
    shape = ", ".join(routine.length(axis) for axis in axes)
    routine.late_lines.append(f"{name} = {array}{place}.reshape({shape or '()'})")
    layout = [axis.name for axis in axes]
    if node.id in routine.bound:
        routine.section = "bind"
        value = routine.aligned(routine.bound[node.id], layout)
        routine.late_lines.append(f"{routine.use('copyto')}({name}, {value})")
        routine.section = "finish"
        return []
    ref = routine.ref(node) if isinstance(node, Constant) else routine.result(node)
    value = routine.aligned(ref, layout)
    routine.used["fixed"][name] = None
    return [f"{routine.use('copyto')}({name}, {value})"]

"""What changes while the data stay, apart from the parameters: noise that is drawn, states that a step updates.

Takes the program and the routine of a class; gives the lines of the class, and the functions of the module that they
call. Noise lies in arrays that are there when data are bound, the rows first; `draw` fills them again, so that no step
makes an array. The updates of states are computed with the loss, and `advance` writes them into the vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy
from sympy import Expr

from ..graph import Leaf, Node, Noise, Objective, Program, State, reachable
from .numbers import length
from .routine import Routine

NOISE = '''
def _draw(name, out, seed, step):
    """Fill an array with the noise of a step. Philox is a function of a key, here the seed, and of a counter, here of
    the noise's place and the step, so that no generator has a state that a training would have to keep."""
    if not 0 <= seed < 2**128:
        raise DataError(f"the seed of noise is a whole number from 0 and below 2**128, and this is {seed}")
    counter = [0, 0, list(NOISE).index(name), step]
    random = numpy.random.Generator(numpy.random.Philox(counter=counter, key=int(seed)))
    kind, *numbers = NOISE[name]["draw"]
    if kind == "normal":
        random.standard_normal(dtype=DTYPE, out=out)
        out *= numbers[1]
        out += numbers[0]
    elif kind == "exponential":
        random.standard_exponential(dtype=DTYPE, out=out)
        out /= numbers[0]
    elif kind == "uniform":
        random.random(dtype=DTYPE, out=out)
        out *= numbers[1] - numbers[0]
        out += numbers[0]
    else:
        random.random(dtype=DTYPE, out=out)
        numpy.less(out, numbers[0], out)


def _given(data, names):
    """The noise that the data hold, its rows first, and the lengths that it tells."""
    found, lengths = {}, {}
    for name in names:
        if name in data:
            axes = NOISE[name]["axes"]
            values = _numbers(data[name], name, DTYPE)
            _fit(name, values, axes, NOISE[name]["shape"], lengths)
            if ROWS in axes:
                values = numpy.ascontiguousarray(numpy.moveaxis(values, axes.index(ROWS), 0))
            found[name] = values
    return found, lengths


def _needed(data, names, telling, lengths):
    """The inputs named, and of those that only tell lengths the ones that are there, or tell what is not known yet."""
    shapes = {name: [n for n in INPUTS[name]["shape"] if not isinstance(n, int)] for name in telling}
    return names + tuple(name for name in telling if name in data or any(n not in lengths for n in shapes[name]))


def _room(names, given, lengths, before):
    """Arrays to draw into, for what is not given: those of before where all of them fit, and else new ones, drawn."""
    shapes = {}
    for name in names:
        if name not in given:
            axes = NOISE[name]["axes"]
            shapes[name] = _shape(name, NOISE[name], lengths)
            if ROWS in axes:
                at = axes.index(ROWS)
                shapes[name] = (shapes[name][at],) + shapes[name][:at] + shapes[name][at + 1 :]
    if shapes == {name: values.shape for name, values in before.items()}:
        return before
    found = {name: numpy.empty(shape, DTYPE) for name, shape in shapes.items()}
    for name, values in found.items():
        _draw(name, values, 0, 0)
    return found


def _drawn(bound, seed):
    """What is bound to data, with the noise of the seed."""
    bound.draw(seed, 0)
    return bound


def noise(data, seed=0, step=0):
    """The noise of a step by name: a function of the seed, the step and the noise's place in `NOISE` alone."""
    found = _room(tuple(NOISE), {}, _lengths(data), {})
    for name, values in found.items():
        _draw(name, values, seed, step)
        axes = NOISE[name]["axes"]
        found[name] = numpy.moveaxis(values, 0, axes.index(ROWS)) if ROWS in axes else values
    return found
'''
"""Emitted where the model has noise."""

STATES = '''
def _own(theta, size):
    """Refuse what the states cannot be written into."""
    if not isinstance(theta, numpy.ndarray) or theta.shape != (size,):
        raise DataError(f"states are written into an array of {size} numbers: the vector of the parameters")
'''
"""Emitted where the model has states."""

NAMES = frozenset("given name step told values noise _draw _drawn _given _needed _own _room NOISE STATES".split())
"""Names that these lines have."""

# -------------------------------------------------------------------------------------------------------------- noise


def drawn(program: Program, roots: Sequence[Node]) -> list[Noise]:
    """The noise that the roots need, in the order of the model."""
    leaves = {node.id for node in reachable(roots) if isinstance(node, Leaf)}
    return [item for item in program.noise if item.leaf.id in leaves]


def reading(names: str, inputs: str, telling: str) -> list[str]:
    """The lines of `rebind` that read data where the class needs noise; each argument is the text of a tuple."""
    return [
        f"given, told = _given(data, {names})",
        f"found, lengths = _read(data, _needed(data, {inputs}, {telling}, told), told)",
        f"self._noise = _room({names}, given, lengths, self._noise)",
    ]


def draw_lines(needed: bool) -> list[str]:
    """The method that draws the noise of a class afresh."""
    lines = [
        "    def draw(self, seed, step):",
        '        """Draw the noise of a step: a function of the seed, the step and its place in `NOISE` alone."""',
    ]
    if needed:
        lines += [
            "        for name, values in self._noise.items():",
            "            _draw(name, values, seed, step)",
        ]
    return ["", *lines]


# -------------------------------------------------------------------------------------------------------------- states


def update_lines(
    routine: Routine, objective: Objective, states: Sequence[State], places: Mapping[str, tuple[Expr, Expr]]
) -> tuple[list[str], list[str]]:
    """The lines of a call that keep what it makes of states, and those of `advance` that write it into the vector."""
    updates = dict(objective.updates)
    updated = [state for state in states if state.name in updates]
    if not updated:
        return [], []
    lines: list[str] = []
    vector = routine.names.fresh("updated")
    parts: list[tuple[Expr, Expr, Expr]] = []  # of the vector of parameters from, to; of the updates from
    stop: Expr = sympy.Integer(0)
    for state in updated:
        begins, ends = places[state.name]
        if parts and parts[-1][1] == begins:
            parts[-1] = (parts[-1][0], ends, parts[-1][2])
        else:
            parts.append((begins, ends, stop))
        start, stop = stop, sympy.expand(stop + ends - begins)
        ref = routine.ref(updates[state.name])
        if not state.axes:
            routine.used["fixed"][vector] = None
            lines.append(f"{vector}[{length(start, routine.lengths)}] = {routine.note(ref)}")
            continue
        view = routine.names.fresh(f"updated_{state.name}")
        shape = ", ".join(routine.length(axis) for axis in state.axes)
        reshaped = f".reshape({shape})" if len(state.axes) > 1 else ""
        from_to = f"{length(start, routine.lengths)}:{length(stop, routine.lengths)}"
        routine.late_lines.append(f"{view} = {vector}[{from_to}]{reshaped}")
        routine.used["fixed"][view] = None
        value = routine.aligned(ref, [axis.name for axis in state.axes])
        lines.append(f"{routine.use('copyto')}({view}, {value})")
    routine.allocations[vector] = f"{routine.use('empty')}({length(stop, routine.lengths)}, DTYPE)"
    routine.late_lines.append(f"self._updated = {vector}")
    advance = []
    for begins, ends, start in parts:
        here = f"{length(begins, routine.lengths)}:{length(ends, routine.lengths)}"
        there = f"{length(start, routine.lengths)}:{length(sympy.expand(start + ends - begins), routine.lengths)}"
        source = "self._updated" if (start, sympy.expand(start + ends - begins)) == (0, stop) else ""
        advance.append(f"theta[{here}] = {source or f'self._updated[{there}]'}")
    return lines, advance


def advance_lines(lengths: Sequence[str], lines: Sequence[str]) -> list[str]:
    """The method that writes updated states; `lengths` are the lines that name what the others speak of."""
    found = [
        "    def advance(self, theta):",
        '        """Write into the vector what the last call has made of the states."""',
    ]
    if lines:
        found += [f"        {line}" for line in ("_own(theta, self.size)", *lengths, *lines)]
    return ["", *found]

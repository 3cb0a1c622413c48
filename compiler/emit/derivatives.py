"""The part of a module that is there on request: derivatives beyond the gradient, a class and two functions for each.

Takes lowered programs whose `pullback` holds the parts of one derivative (`compiler/derivatives.py`), and the module's
writer; gives the text of the classes, and that of the functions that make and call them. A Hessian is written block by
block: those above the diagonal are computed and mirrored, and the mean of a block on it and its mirror is taken, so
that the whole is symmetric to the bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import sympy
from sympy import Integer

from ..derivatives import Derived, copies
from ..graph import Axis, Node, Parameter
from ..plan import make_plan
from .numbers import length
from .refs import Ref
from .routine import Routine
from .signature import PLAIN, Signature

if TYPE_CHECKING:
    from .numpy import Writer

RESERVED = frozenset(
    "direction grad hvp hessian jvp jacobian residuals observations "
    "_matrix _direction _named _squares _observed".split()
)
"""What the classes here use besides, so that no value of the model is called so in them."""


def classes(derivatives: Sequence[Derived], writer: Writer) -> list[str]:
    """The text of each derivative's class."""
    outputs = dict(writer.program.outputs)
    titles = _titles(derivatives)
    return [
        _CLASSES[item.kind](title, item, writer.beside(item.program), outputs)
        for title, item in zip(titles, derivatives, strict=True)
    ]


def _titles(derivatives: Sequence[Derived]) -> list[str]:
    """`_Hessian`; of several objectives `_Hessian1`, `_Hessian2`."""
    kinds = [item.kind for item in derivatives]
    numbers = [str(kinds[: i + 1].count(kind)) if kinds.count(kind) > 1 else "" for i, kind in enumerate(kinds)]
    return [f"_{kind.capitalize()}{number}" for kind, number in zip(kinds, numbers, strict=True)]


# ---------------------------------------------------------------------------------------------------------- the classes


def _hvp(title: str, item: Derived, writer: Writer, outputs: Mapping[str, Node]) -> str:
    zero = item.program.graph.constant(0)
    products = {p.name: item.program.pullback.get(p.name, zero) for p in item.program.parameters}
    plan = make_plan(item.program, list(products.values()))
    routine = writer.routine(plan)
    writer.direct(routine, plan, products)
    routine.write()
    routine.section = "finish"
    ending = [*writer.gradient_lines(routine, products), "return out"]
    document = "The matrix of second derivatives times a direction."
    return writer.write_class(routine, title, document, writer.inputs(plan.roots), ending, Signature(along=True, out=1))


def _jvp(title: str, item: Derived, writer: Writer, outputs: Mapping[str, Node]) -> str:
    graph = item.program.graph
    parts = [(name, graph.spread(part, outputs[name].axes)) for name, part in item.program.pullback.items()]
    document = "How fast the outputs move where the parameters move in a direction."
    return writer.values(title, parts, document, Signature(along=True))


def _hessian(title: str, item: Derived, writer: Writer, outputs: Mapping[str, Node]) -> str:
    blocks = item.program.pullback
    plan = make_plan(item.program, list(blocks.values()), frugal=True)
    routine = writer.routine(plan)
    routine.write()
    routine.section = "finish"
    parameters = item.program.parameters
    pairs = [(first, second) for i, first in enumerate(parameters) for second in parameters[i:]]
    zero = item.program.graph.constant(0)
    found = [(pair, blocks.get(f"{pair[0].name} {pair[1].name}", zero)) for pair in pairs]
    written = [line for pair, block in found if block is not zero for line in _block(routine, *pair, block)]
    # What states stand for has no derivative either.
    partly = bool(item.program.states) or any(block is zero for _, block in found)
    ending = [*(["out.fill(0.0)"] if partly else []), *written, "return out"]
    document = "The matrix of second derivatives, in the order of the vector of parameters."
    return writer.write_class(routine, title, document, writer.inputs(plan.roots), ending, Signature(out=2))


def _block(routine: Routine, first: Parameter, second: Parameter, block: Node) -> list[str]:
    """The lines that write a block of the matrix and its mirror."""
    rows, columns = _place(routine, first), _place(routine, second)
    to = copies(second.leaf.axes, first.leaf.names)
    axes = (*first.axes, *(Axis(to[axis.name], axis.length) for axis in second.axes))
    ref = routine.ref(block)
    if not axes:
        mirrored = [f"out[{columns}, {rows}] = out[{rows}, {columns}]"] if first is not second else []
        return [f"out[{rows}, {columns}] = {routine.note(ref)}", *mirrored]
    name = f"{first.name}_{second.name}"
    target = _view(routine, f"block_{name}", f"out[{rows}, {columns}]", axes, (first, second))
    lines = [f"{routine.use('copyto')}({routine.note(target)}, {routine.aligned(ref, target.layout)})"]
    flat = _view(routine, f"flat_{name}", f"out[{rows}, {columns}]", (), ())
    if first is second:
        lines += [
            f"{routine.use('multiply')}({routine.note(flat)}, 0.5, {flat.text})",
            f"{routine.use('add')}({flat.text}, {flat.text}.T, {flat.text})",
        ]
    else:
        mirror = _view(routine, f"mirror_{name}", f"out[{columns}, {rows}]", (), ())
        turned = ".T" if first.axes and second.axes else ""
        lines.append(f"{routine.use('copyto')}({routine.note(mirror)}, {routine.note(flat)}{turned})")
    return lines


def _place(routine: Routine, parameter: Parameter) -> str:
    """The parameter's part of the vector, as an index."""
    start, stop = (length(part, routine.lengths) for part in routine.places[parameter.name])
    return f"{start}:{stop}" if parameter.axes else start


def _view(routine: Routine, name: str, text: str, axes: Sequence[Axis], of: Sequence[Parameter]) -> Ref:
    """A view of the matrix that is written to, made once for each; of parameters with several axes it is reshaped."""
    made = routine.names.fresh(name)
    shape = ", ".join(routine.length(axis) for axis in axes)
    reshaped = f".reshape({shape})" if any(len(parameter.axes) > 1 for parameter in of) else ""
    routine.out_lines.append(f"{made} = {text}{reshaped}")
    return Ref(made, tuple(axes), "out")


def _jacobian(title: str, item: Derived, writer: Writer, outputs: Mapping[str, Node]) -> str:
    parts = item.program.pullback
    plan = make_plan(item.program, list(parts.values()), [part for part in parts.values() if part.axes], True)
    routine = writer.routine(plan)
    routine.write()
    routine.section = "finish"
    names = [name for name in outputs if any(part.startswith(f"{name} ") for part in parts)]
    made = {name: routine.names.fresh(f"by_{name}") for name in names}
    ending = []
    for name in names:
        axes = item.program.shown(outputs[name].axes)
        shape = ", ".join([*(routine.length(axis) for axis in axes), "self.size"])
        ending.append(f"{made[name]} = {routine.use('empty')}(({shape}{',' * (not axes)}), DTYPE)")
        for parameter in item.program.parameters:
            ending.append(_part(routine, made[name], axes, parameter, parts[f"{name} {parameter.name}"]))
        if item.program.states:
            start = length(routine.places[item.program.states[0].name][0], routine.lengths)
            ending.append(f"{made[name]}[{''.join(':, ' for _ in axes)}{start}:] = 0")
    ending += ["return {", *(f"    {json.dumps(name)}: {made[name]}," for name in names), "}"]
    document = "The derivatives of the outputs; the last axis of each is that of the vector of parameters."
    needs = writer.inputs([*plan.roots, *(outputs[name] for name in names)])
    return writer.write_class(routine, title, document, needs, ending, PLAIN)


def _residuals(title: str, item: Derived, writer: Writer, outputs: Mapping[str, Node]) -> str:
    """Residuals in one vector, their derivatives in the rows of one matrix."""
    parts = item.program.pullback
    plan = make_plan(item.program, list(parts.values()), [part for part in parts.values() if part.axes], True)
    routine = writer.routine(plan)
    routine.write()
    routine.section = "finish"
    vector, matrix = routine.names.fresh("values"), routine.names.fresh("slopes")
    axes = {key: item.program.shown(part.axes) for key, part in parts.items() if " " not in key}
    stops = list(accumulate((sympy.Mul(*(axis.length for axis in own)) for own in axes.values()), initial=Integer(0)))
    total = length(sympy.expand(stops[-1]), routine.lengths)
    partly = any(f"{key} {p.name}" not in parts for key in axes for p in item.program.parameters)
    made = routine.use("zeros" if partly or item.program.states else "empty")
    ending = [
        f"{vector} = {routine.use('empty')}({total}, DTYPE)",
        f"{matrix} = {made}(({total}, self.size), DTYPE)",
    ]
    for key, start, stop in zip(axes, stops, stops[1:], strict=False):
        first, last = (length(sympy.expand(place), routine.lengths) for place in (start, stop))
        rows, own = f"{first}:{last}", axes[key]
        shape = ", ".join(routine.length(axis) for axis in own)
        layout = [axis.name for axis in own]
        reshaped = f".reshape({shape})" if len(own) > 1 else ""
        if own:
            value = routine.aligned(routine.result(parts[key]), layout)
            ending.append(f"{routine.use('copyto')}({vector}[{rows}]{reshaped}, {value})")
        else:
            ending.append(f"{vector}[{first}] = {routine.note(routine.ref(parts[key]))}")
        for parameter in item.program.parameters:
            part = parts.get(f"{key} {parameter.name}")
            if part is not None:
                ending.append(_slopes(routine, f"{matrix}[{rows if own else first}, ", own, parameter, part))
    ending.append(f"return {vector}, {matrix}")
    document = "The residuals of an objective that is a sum of squares, and their derivatives."
    return writer.write_class(routine, title, document, writer.inputs(plan.roots), ending, PLAIN)


def _observations(title: str, item: Derived, writer: Writer, outputs: Mapping[str, Node]) -> str:
    document = "What the residuals are of, as far as the data give it."
    return writer.values(title, list(item.program.pullback.items()), document)


def _slopes(routine: Routine, rows: str, axes: Sequence[Axis], parameter: Parameter, part: Node) -> str:
    """The line that writes the derivatives of residuals by one parameter into their rows of the matrix."""
    place = f"{rows}{_place(routine, parameter)}]"
    if not part.axes:
        return f"{place} = {routine.note(routine.ref(part))}"
    to = copies(parameter.leaf.axes, [axis.name for axis in axes])
    layout = [*(axis.name for axis in axes), *(to[axis.name] for axis in parameter.axes)]
    value = routine.aligned(routine.result(part), layout)
    if len(axes) > 1 or len(parameter.axes) > 1:
        place += f".reshape({', '.join(routine.length(axis) for axis in (*axes, *parameter.axes))})"
    return f"{routine.use('copyto')}({place}, {value})"


def _part(routine: Routine, array: str, axes: Sequence[Axis], parameter: Parameter, part: Node) -> str:
    """The line that writes the derivative of an output by one parameter into the array of all."""
    colons = "".join(":, " for _ in axes)
    place = f"{array}[{colons}{_place(routine, parameter)}]"
    if not part.axes:
        return f"{place} = {routine.note(routine.ref(part))}"
    to = copies(parameter.leaf.axes, [axis.name for axis in axes])
    layout = [*(axis.name for axis in axes), *(to[axis.name] for axis in parameter.axes)]
    value = routine.aligned(routine.result(part), layout)
    if len(parameter.axes) > 1:
        shape = ", ".join(routine.length(axis) for axis in (*axes, *parameter.axes))
        place += f".reshape({shape})"
    return f"{routine.use('copyto')}({place}, {value})" if parameter.axes or axes else f"{place} = {value}"


_CLASSES: Mapping[str, Callable[[str, Derived, Writer, Mapping[str, Node]], str]] = {
    "hvp": _hvp,
    "jvp": _jvp,
    "hessian": _hessian,
    "jacobian": _jacobian,
    "residuals": _residuals,
    "observations": _observations,
}

# -------------------------------------------------------------------------------------------------------- the functions

_SUPPORT = {
    "named": """
def _named(objective):
    if objective is None and len(OBJECTIVES) > 1:
        raise DataError(f"the model has several objectives: say which, of {', '.join(OBJECTIVES)}")
    if objective is None:
        return next(iter(OBJECTIVES))
    if objective not in OBJECTIVES:
        raise DataError(f"there is no objective {objective!r}; there are {', '.join(OBJECTIVES)}")
    return objective
""",
    "matrix": """
def _matrix(out, size):
    shape = (size, size)
    if not isinstance(out, numpy.ndarray) or out.shape != shape or out.dtype != DTYPE or not out.flags.c_contiguous:
        raise DataError(f"`out` must be a contiguous {DTYPE} matrix of {size} rows and columns")
    return out
""",
    "direction": """
def _direction(direction, size):
    found = numpy.asarray(direction)
    if found.shape != (size,):
        raise DataError(f"the direction is a vector of length {size}, and this has shape {found.shape}")
    return found
""",
}

_FUNCTIONS = {
    "grad": (
        ("named",),
        '''
def grad(theta, data, objective=None):
    """The gradient of an objective, or of minus it where it is maximised: what `bind` gives beside the loss."""
    return bind(data, objective)(theta)[1]
''',
    ),
    "vjp": ((), ""),
    "jvp": (
        ("direction",),
        '''
def bind_jvp(data, block=None):
    """`jvp` bound to data: call it with a vector of parameters and a direction."""
    return _Jvp(data, block)


def jvp(theta, data, v):
    """How fast the outputs move, by name, where the parameters move as fast as `v`: their derivatives times `v`."""
    return bind_jvp(data)(theta, v)
''',
    ),
    "hvp": (
        ("named", "direction"),
        '''
def bind_hvp(data, objective=None, block=None):
    """`hvp` bound to data: call it with a vector of parameters and a direction."""
    return _HVP[_named(objective)](data, block)


def hvp(theta, data, v, objective=None):
    """The second derivatives of an objective times the vector `v`; the matrix itself is not formed."""
    return bind_hvp(data, objective)(theta, v)
''',
    ),
    "hessian": (
        ("named", "matrix"),
        '''
def bind_hessian(data, objective=None, block=None):
    """`hessian` bound to data: call it with a vector of parameters."""
    return _HESSIAN[_named(objective)](data, block)


def hessian(theta, data, objective=None):
    """The matrix of second derivatives of an objective, rows and columns in the order of the vector."""
    return bind_hessian(data, objective)(theta)
''',
    ),
    "jacobian": (
        (),
        '''
def bind_jacobian(data, block=None):
    """`jacobian` bound to data: call it with a vector of parameters."""
    return _Jacobian(data, block)


def jacobian(theta, data):
    """The derivatives of the outputs by name, over the output's axes and then the vector of parameters."""
    return bind_jacobian(data)(theta)
''',
    ),
    "residuals": (
        ("named",),
        '''
def bind_residuals(data, objective=None, block=None):
    """`residuals` bound to data: call it with a vector of parameters."""
    return _RESIDUALS[_squares(objective)](data, block)


def residuals(theta, data, objective=None):
    """The residuals of an objective, `scale * sum(residuals**2)`, in a vector, and their derivatives in a matrix."""
    return bind_residuals(data, objective)(theta)


def observations(data, objective=None):
    """What the residuals are of: `scale`, `count`, the number of those that are no penalty, and by term `observed i`,
    from which the model's value was subtracted, and `weight i`, times whose root the difference stands."""
    return _observed(data, objective)(initial(data))


def _observed(data, objective):
    return _OBSERVATIONS[_squares(objective)](data)


def _squares(objective):
    name = _named(objective)
    if name not in _RESIDUALS:
        raise DataError(f"the objective {name!r} is no sum of squares")
    return name
''',
    ),
}
"""What each kind needs, and its functions."""


def functions(asked: Sequence[str], derivatives: Sequence[Derived]) -> str:
    """The text of the functions asked for, and of what they need."""
    kinds = [kind for kind in _FUNCTIONS if kind in asked]
    needed = [name for name in _SUPPORT if any(name in _FUNCTIONS[kind][0] for kind in kinds)]
    tables = []
    for kind in ("hvp", "hessian", "residuals", "observations"):
        entries = [
            f"{json.dumps(item.of)}: {title}"
            for title, item in zip(_titles(derivatives), derivatives, strict=True)
            if item.kind == kind
        ]
        tables += [f"\n_{kind.upper()} = {{{', '.join(entries)}}}\n"] if entries else []
    return "\n\n".join(["", *(_SUPPORT[name] for name in needed), *tables, *(_FUNCTIONS[kind][1] for kind in kinds)])

"""The gradients of a program as formulas in the model's own names.

Takes a differentiated program; gives for each objective and parameter the gradient's formula, and the lines that the
formulas need besides: adjoints of named values that are too long to stand where they are used, and shared parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Float, Integer

from ..graph import Node, Objective, Parameter, Program
from ..source import nearest
from .formula import Adjoint, Formula, Free, Named, Number, Reference, add, multiply
from .write import Writer, names_of, ordered


@dataclass(eq=False)
class UnknownName(ValueError):
    """There is no gradient by that name. `known` holds the names that have one, `nearest` the most alike, or None."""

    name: str
    known: tuple[str, ...]
    nearest: str | None

    def __str__(self) -> str:
        help = (
            f"did you mean {self.nearest}?" if self.nearest else f"there is one for {', '.join(self.known) or 'none'}"
        )
        return f"there is no gradient by {self.name!a}: {help}"


@dataclass(frozen=True, slots=True)
class Line:
    """One equation: what stands on the left, the axes of its value, and the formula."""

    left: Adjoint | Reference
    axes: tuple[str, ...]
    formula: Formula


@dataclass(frozen=True, slots=True)
class Gradient:
    """The gradient of an objective by a parameter or a named value, as the model sees it.

    `unconstrained` is, for a bounded parameter, the gradient by the number behind the bound: what training uses.
    """

    objective: str
    name: str
    line: Line
    unconstrained: Line | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """One line, or two."""
        return (self.line,) if self.unconstrained is None else (self.line, self.unconstrained)


@dataclass(frozen=True, slots=True)
class Formulas:
    """The gradients, the lines that they need (each after what mentions it first), and the names of shared parts."""

    gradients: tuple[Gradient, ...]
    where: tuple[Line, ...]
    names: dict[int, str]


def formulas(program: Program, wrt: str | None = None) -> Formulas:
    """The gradient of each objective by each parameter that it trains, or by `wrt`: a parameter or a named value.

    UnknownName where `wrt` is neither, or has no gradient. By a parameter that an objective does not train it is 0.
    """
    if wrt is not None:
        _check(program, wrt)
    names = names_of(program)
    lines: dict[int, Formula] = {}
    labels: dict[int, Adjoint] = {}
    found: list[Gradient] = []
    printed: dict[Adjoint, None] = {}
    for objective in program.objectives:
        adjoints = adjoints_of(program, objective, names)
        labels.update(adjoints)
        wanted = objective.over if wrt is None else (wrt,)
        found += _of_objective(program, objective, wanted, Writer(names, adjoints, lines))
    for gradient in found:
        printed.update({line.left: None for line in gradient.lines if isinstance(line.left, Adjoint)})
    mentioned = [line.formula for gradient in found for line in gradient.lines]
    keys = [
        key
        for key in ordered(mentioned, lines, {label: key for key, label in labels.items()})
        if labels.get(key) not in printed
    ]
    where = tuple(_line(program, key, labels.get(key), lines[key]) for key in keys)
    return Formulas(tuple(found), where, titles(program, [key for key in keys if key not in labels]))


def _of_objective(program: Program, objective: Objective, wanted: Sequence[str], writer: Writer) -> list[Gradient]:
    parameters = {p.name: p for p in program.parameters}
    roots = [_by(program, objective, name) for name in wanted]
    found = []
    for name, root, formula in zip(wanted, roots, writer.write(roots), strict=True):
        axes = _value(program, name).names
        negated = objective.sense == "maximize"
        line = Line(Adjoint(objective.name, negated, Named(name, axes)), axes, writer.names.get(root.id, formula))
        free = None
        parameter = parameters.get(name)
        if parameter is not None and name in objective.over and parameter.value is not parameter.leaf:
            chain = multiply(Integer(1), [_slope(parameter), line.left])
            free = Line(Adjoint(objective.name, negated, Free(name, axes)), axes, chain)
        found.append(Gradient(objective.name, name, line, free))
    return found


def _slope(parameter: Parameter) -> Formula:
    """The derivative of a bounded parameter by the unconstrained number behind it, by the parameter itself.

    It is a + exp(u), b - exp(u) or a + (b - a) sigmoid(u).
    """
    value = Named(parameter.name, parameter.value.names)
    lower, upper = _number(parameter.lower), _number(parameter.upper)
    if lower is not None and upper is not None:
        width = Number(upper.value - lower.value)
        return multiply(
            Integer(1), [add([(False, value), (True, lower)]), add([(False, upper), (True, value)])], [width]
        )
    bound = lower or upper
    return value if bound is None else add([(False, value), (True, bound)])


def _number(bound: float | None) -> Number | None:
    if bound is None:
        return None
    return Number(Integer(int(bound)) if bound.is_integer() else Float(bound))


def _line(program: Program, key: int, label: Adjoint | None, formula: Formula) -> Line:
    if label is not None:
        return Line(label, label.of.axes, formula)
    axes = program.graph.nodes[key].names if key >= 0 else ()
    return Line(Reference(key, axes), axes, formula)


def _check(program: Program, wrt: str) -> None:
    known = {p.name: None for p in program.parameters}
    for table in program.adjoints.values():
        known.update(dict.fromkeys(table))
    if wrt not in known:
        raise UnknownName(wrt, tuple(known), nearest(wrt, known))


def _value(program: Program, name: str) -> Node:
    values = {p.name: p.value for p in program.parameters}
    return values[name] if name in values else dict(program.named)[name]


def _by(program: Program, objective: Objective, name: str) -> Node:
    """The derivative by the value as the model sees it."""
    adjoints = program.adjoints.get(objective.name, {})
    if name in adjoints:
        return adjoints[name]
    trained = name in objective.over
    gradients = program.gradients.get(objective.name, {})
    return gradients[name] if trained and name in gradients else program.graph.constant(0)


def adjoints_of(program: Program, objective: Objective, names: dict[int, Formula]) -> dict[int, Adjoint]:
    """The adjoints of named values, by node. Of several values with one adjoint the last defined gives its name."""
    of_parameters = {p.name for p in program.parameters}
    table = program.adjoints.get(objective.name, {})
    defined = [name for name, _ in program.named if name in table]
    first = [name for name in defined if name in of_parameters]
    found: dict[int, Adjoint] = {}
    values = dict(program.named)
    for name in [*first, *(name for name in defined if name not in of_parameters)]:
        node = table[name]
        if node.operands and node.id not in names:
            of = Named(name, values[name].names)
            found[node.id] = Adjoint(objective.name, objective.sense == "maximize", of)
    return found


def titles(program: Program, shared: Sequence[int]) -> dict[int, str]:
    """Short names for the shared parts: t1, t2, ..., or with more t's where the model has such names."""
    taken = (
        {name for name, _ in program.named} | {i.name for i in program.inputs} | {p.name for p in program.parameters}
    )
    letter = "t"
    while any(name.startswith(letter) and name[len(letter) :].isdigit() for name in taken):
        letter += "t"
    return {key: f"{letter}{i + 1}" for i, key in enumerate(shared)}

"""What of a model a module has: frozen parameters, named values given besides, gradients by them kept.

Takes a program as elaborated, and names; gives the program with less to differentiate, or more to compute. What is
frozen is left out before differentiation, so that no stage behind it knows of it, and no work for it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from .differentiate import sweep
from .graph import Node, Program, Scan, Stop, reachable
from .source import nearest


@dataclass(eq=False)
class UnknownPart(ValueError):
    """A pattern that names no parameter, or the name of no value. `kind` is "parameter" or "named value"."""

    kind: str
    name: str
    known: tuple[str, ...]

    @property
    def help(self) -> str:
        """What to write instead."""
        near = nearest(self.name, self.known)
        return f"did you mean {near}?" if near else f"there are {', '.join(self.known) or 'none'}"

    def __str__(self) -> str:
        return f"there is no {self.kind} {self.name!a}: {self.help}"


@dataclass(eq=False)
class NoGradient(ValueError):
    """A value by which there is no derivative: one that counts or is true or false, or that each step of a scan has."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"there is no gradient by {self.name!a}: {self.why}"


def freeze(program: Program, patterns: Sequence[str]) -> Program:
    """The program without derivatives by the parameters that the patterns name: `body.*`, `fc1.b`. Raises UnknownPart.

    They stay in the vector of parameters, where it is.
    """
    frozen = matching(program, patterns)
    objectives = (replace(o, over=tuple(name for name in o.over if name not in frozen)) for o in program.objectives)
    parameters = (replace(p, frozen=p.frozen or p.name in frozen) for p in program.parameters)
    return replace(program, objectives=tuple(objectives), parameters=tuple(parameters))


def matching(program: Program, patterns: Sequence[str]) -> frozenset[str]:
    """The parameters that the patterns name. Raises UnknownPart for a pattern that names none."""
    names = tuple(parameter.name for parameter in program.parameters)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UnknownPart("parameter", pattern, names)
    return frozenset(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))


def give(program: Program, names: Sequence[str], alone: bool) -> Program:
    """The program with named values as outputs behind its own; `alone`, with these and nothing else.

    A value is as in training where an objective needs it. One of a scan's body is given along the scan's axis. Raises
    UnknownPart.
    """
    outputs = dict(program.outputs)
    found = {name: outputs[name] if name in outputs else _whole(program, _find(program, name)) for name in names}
    if alone:
        return replace(program, objectives=(), metrics=(), outputs=tuple(found.items()))
    return replace(program, outputs=tuple((outputs | found).items()))


def retain(program: Program, names: Sequence[str]) -> Program:
    """The program with the gradients by named values, of each objective and of the outputs' cotangents.

    They are taken of what is written: a stable form may pass a value by. Raises UnknownPart or NoGradient.
    """
    nodes = {name: _find(program, name) for name in names}
    for name, node in nodes.items():
        if node.dtype != "float":
            raise NoGradient(name, "it counts" if node.dtype == "int" else "it is true or false")
        if node.free:
            raise NoGradient(name, "each step of a scan has its own; name what the scan yields")
    seeds: dict[str | None, list[tuple[Node, Node]]] = {
        objective.name: [(objective.value, program.graph.constant(1))] for objective in program.objectives
    }
    seeds[None] = [(node, program.graph.leaf("cotangent", key, node.axes)) for key, node in program.seeded()]
    retained = {}
    for of, pairs in seeds.items():
        found = sweep(program.graph, pairs, nodes.values())
        reached = {name: found[node.id] for name, node in nodes.items() if node.id in found}
        retained[of] = {name: program.graph.like(value, nodes[name]) for name, value in reached.items()}
    return replace(program, retained=retained)


def named(program: Program) -> dict[str, Node]:
    """The values that may be asked for by name: those of the model, and its inputs."""
    return {**{item.name: item.leaf for item in program.inputs}, **dict(program.named)}


def _find(program: Program, name: str) -> Node:
    known = named(program)
    if name not in known:
        raise UnknownPart("named value", name, tuple(known))
    return known[name]


def _whole(program: Program, node: Node) -> Node:
    """The value outside of the scans in which it stands: at all of their steps."""
    # Of a scan that gives the same at each step no value of the model may be left.
    scans = [scan for scan in program.graph.nodes if isinstance(scan, Scan)] if node.free else []
    while node.free:
        node = program.graph.steps(next(scan for scan in scans if node.free & scan.binds), node)
    return node


@dataclass(frozen=True, slots=True)
class Described:
    """What may be asked of a named value: its axes in the order in which they are given, its type, the parameters that
    its derivative reaches, and whether it is one of each step of a scan."""

    axes: tuple[str, ...]
    dtype: str
    reaches: tuple[str, ...]
    stepwise: bool


def described(program: Program) -> dict[str, Described]:
    """Of each objective, named value, input and output what may be asked of it; frozen parameters are reached too."""
    values = {o.name: o.value for o in program.objectives} | named(program) | dict(program.outputs)
    whole = {name: _whole(program, node) for name, node in values.items()}
    place = {parameter.leaf.id: i for i, parameter in enumerate(program.parameters)}
    # A set of parameters is a number with their bits.
    reached: dict[int, int] = {}
    for node in reachable(whole.values()):
        below = 1 << place[node.id] if node.id in place else 0
        if node.dtype in ("float", "loop") and not isinstance(node, Stop):
            for operand in node.operands:
                below |= reached[operand.id]
        reached[node.id] = below
    names = [parameter.name for parameter in program.parameters]
    written = {item.name: item.axes for item in program.inputs}
    return {
        name: Described(
            tuple(axis.name for axis in written.get(name) or program.shown(whole[name].axes)),
            node.dtype,
            tuple(p for i, p in enumerate(names) if reached[whole[name].id] >> i & 1),
            bool(node.free),
        )
        for name, node in values.items()
    }

"""Derivatives beyond the gradient: nodes of a graph in, nodes of the same graph out.

All are made of reverse sweeps. A vector-Jacobian product is one. A Jacobian is the sweep with deltas over copies of
the axes as seeds: the adjoints have the copies beside their own axes, and the rules for arrays make one contraction of
what would be a gradient at a time. A Hessian is the Jacobian of a gradient. A Jacobian-vector product is the
derivative by the seed of the product of the vector-Jacobian product with the vector; it is linear in the seed, which
is gone then. The language (`elaborate/derivatives.py`) and the module (`derived`) take theirs from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

import sympy
from sympy import Integer

from . import functions
from .differentiate import sweep
from .elementary import build
from .graph import (
    Axis,
    Contract,
    Gather,
    Graph,
    LinearAlgebra,
    Map,
    Node,
    Objective,
    Parameter,
    PlaceSlice,
    Program,
    Reduce,
    Relabel,
    Scan,
    Scatter,
    Slice,
    Spread,
    Stop,
    placeholder,
    reachable,
)
from .residuals import residuals

_0, _1 = placeholder(0), placeholder(1)

SEED = "0seed"
"""The name of a seed that is gone in the end. No value of a model has this name: a digit leads."""

VARIABLE = "0variable"
"""The name of what stands for a computed value while it is differentiated by it: a seed may have the same axes."""


def vjp(graph: Graph, pairs: Sequence[tuple[Node, Node]], by: Sequence[Node]) -> list[Node]:
    """For each of `by`, the derivatives of the values times their cotangents, summed; a number 0 where there is none.

    The result has the axes of `by`, or fewer where it is the same along one, and those that only a cotangent has.
    """
    found = sweep(graph, pairs, by)
    return [found.get(node.id, graph.constant(0)) for node in by]


def gradient(graph: Graph, value: Node, by: Sequence[Node]) -> list[Node]:
    """The derivative of a scalar by each of `by`."""
    return vjp(graph, [(value, graph.constant(1))], by)


def jvp(graph: Graph, value: Node, by: Sequence[Node], along: Sequence[Node]) -> Node:
    """How fast the value moves, over its axes or fewer, where each of `by` moves as fast as its tangent in `along`."""
    seed = graph.leaf("cotangent", SEED, value.axes)
    (pushed,) = gradient(graph, _dot(graph, vjp(graph, [(value, seed)], by), along, by), [seed])
    (free,) = instead(graph, [pushed], {seed.id: graph.constant(0)})
    return free


def hvp(graph: Graph, slopes: Sequence[Node], by: Sequence[Node], along: Sequence[Node]) -> list[Node]:
    """The Hessian times a vector: `slopes` is the gradient of a scalar by each of `by`, `along` the vector's parts."""
    held = [graph.leaf("cotangent", f"{SEED}{i}", node.axes) for i, node in enumerate(by)]
    products = gradient(graph, _dot(graph, slopes, held, by), by)
    return instead(graph, products, {leaf.id: v for leaf, v in zip(held, along, strict=True)})


def _dot(graph: Graph, first: Sequence[Node], second: Sequence[Node], over: Sequence[Node]) -> Node:
    """The sum of the products; the two values of a pair may lack axes of the third."""
    return graph.sum([graph.contract([a, b], node.axes) for a, b, node in zip(first, second, over, strict=True)])


def hessian(graph: Graph, slopes: Sequence[Node], by: Sequence[Node]) -> dict[tuple[int, int], Node]:
    """The second derivatives of a scalar whose gradient is `slopes`, by each pair of `by` whose first is not later.

    A block has the axes of the first, and those of the second under the names of `copies`; or fewer.
    """
    found = {}
    for j, slope in enumerate(slopes):
        seed, own = _deltas(graph, slope, slope.axes, by)
        for i, block in enumerate(vjp(graph, [(slope, seed)], by[: j + 1])):
            beside = copies(by[j].axes, by[i].names)
            found[i, j] = graph.relabel(block, {copy: beside[name] for copy, name in own.items()})
    return found


def jacobian(graph: Graph, value: Node, by: Sequence[Node]) -> list[Node]:
    """The derivative of the value, at each of its positions, by each of `by`.

    It has the axes of the value, and those of `by` under the names of `copies`; or fewer.
    """
    found = []
    for node in by:
        parallel = _parallel(value, node)
        each = graph.leaf("cotangent", SEED, [*node.axes, *parallel]) if parallel else node
        (inner,) = instead(graph, [value], {node.id: each})
        seed, own = _deltas(graph, inner, [axis for axis in value.axes if axis not in parallel], [each])
        (adjoint,) = instead(graph, vjp(graph, [(inner, seed)], [each]), {each.id: node})
        found.append(graph.relabel(adjoint, own | copies(node.axes, value.names)))
    return found


def copies(axes: Iterable[Axis], beside: Iterable[str]) -> dict[str, str]:
    """For each axis a name that none of those beside has, and no other copy: its own, with as few primes as needed."""
    used, found = set(beside), {}
    for axis in axes:
        name = axis.name
        while name in used:
            name += "'"
        used.add(name)
        found[axis.name] = name
    return found


def _deltas(graph: Graph, value: Node, axes: Sequence[Axis], by: Sequence[Node]) -> tuple[Node, dict[str, str]]:
    """A seed for the value's positions along these axes: 1 where the position along each is that along a copy of it.

    And of which axis each copy is; no node between the value and `by` has an axis of a copy's name.
    """
    to = copies(axes, {name for node in reachable([value, *by]) for name in node.names})
    seed = graph.product([_delta(graph, axis, Axis(to[axis.name], axis.length)) for axis in axes])
    return seed, {copy: name for name, copy in to.items()}


def _delta(graph: Graph, first: Axis, second: Axis) -> Node:
    equal = graph.map(functions.equal(_0, _1), [graph.index(first), graph.index(second)])
    return build(graph, functions.where(_0, Integer(1), Integer(0)), [equal])


# ------------------------------------------------------------------------------------------------ position by position


def _parallel(value: Node, by: Node) -> list[Axis]:
    """The axes of the value, such as the rows, along which each position follows from `by` for itself.

    Along these a Jacobian needs no delta: `by` may as well be another at each position.
    """
    varying = {by.id}
    path = []
    for node in reachable([value]):
        if node.id not in varying and any(operand.id in varying for operand in node.operands):
            varying.add(node.id)
            path.append(node)
    if any(isinstance(node, Scan) for node in path):
        return []  # what a scan carries has the axes that it has, and can take no more
    moved = {name for node in path for name in moves(node)}
    return [axis for axis in value.axes if axis.name not in {*by.names, *moved}]


@singledispatch
def moves(node: Node) -> tuple[str, ...]:
    """The axes along which the node is not computed position by position; of an unknown kind, all."""
    return (*node.names, *(name for operand in node.operands for name in operand.names))


@moves.register
def _point_by_point(node: Map | Spread | Stop) -> tuple[str, ...]:
    return ()


@moves.register
def _summed(node: Contract) -> tuple[str, ...]:
    return tuple(axis.name for axis in node.summed)


@moves.register
def _reduced(node: Reduce) -> tuple[str, ...]:
    return tuple(axis.name for axis in node.reduced)


@moves.register
def _selected(node: Slice | PlaceSlice | Gather) -> tuple[str, ...]:
    return (node.along.name,)


@moves.register
def _scattered(node: Scatter) -> tuple[str, ...]:
    return (node.along.name, *(axis.name for axis in node.summed))


@moves.register
def _renamed(node: Relabel) -> tuple[str, ...]:
    return tuple(name for pair in node.renamed for name in pair)


@moves.register
def _of_matrices(node: LinearAlgebra) -> tuple[str, ...]:
    return (node.rows.name, node.columns.name)


def instead(graph: Graph, roots: Sequence[Node], instead: Mapping[int, Node]) -> list[Node]:
    """The roots over other nodes in place of some, by id, which may have more axes or fewer."""
    new = {key: node for key, node in instead.items() if node.id != key}
    if not new:
        return list(roots)
    for node in reachable(roots):
        if node.id not in new:
            new[node.id] = graph.remake(node, [new[o.id] for o in node.operands]) if node.operands else node
    return [new[root.id] for root in roots]


# -------------------------------------------------------------------------------------------------- of a whole program

KINDS = ("grad", "vjp", "jvp", "hvp", "hessian", "jacobian", "residuals")
"""What may be asked for. What `grad` and `vjp` need is in every module."""

OF_OBJECTIVES = ("grad", "hvp", "hessian", "residuals")
"""Those that are of an objective; the others are of the outputs."""


@dataclass(frozen=True)
class Derived:
    """A derivative of a program by its unconstrained parameters: `kind` as in KINDS, `of` an objective or the outputs.
    Of an objective that is maximized it is `negated`.

    The parts are the `pullback` of `program`, which computes nothing else. A part has the name of a parameter in an
    `hvp`, of two with a space between in a `hessian`, of an output in a `jvp`, of an output and a parameter in a
    `jacobian`. Among `residuals` it is a number, `0`, `1`, ..., for the residuals themselves, and a number and a
    parameter for their derivatives; beside them stand the `observations`, which follow from the data alone: `scale`,
    `count` (of residuals that are no penalty), and by number `observed` and `weight`.
    """

    kind: str
    of: str | None
    program: Program
    negated: bool = False


def derived(program: Program, kind: str) -> list[Derived]:
    """The derivatives of that kind of a differentiated program: for each objective, or one for all outputs."""
    if kind in ("hvp", "hessian"):
        tangents = _tangents(program) if kind == "hvp" else ()
        found = []
        for objective in program.objectives:
            parts = _hvp(program, objective, tangents) if tangents else _hessian(program, objective)
            alone = _alone(program, parts, tangents)
            found.append(Derived(kind, objective.name, alone, objective.sense == "maximize"))
        return found
    if kind == "residuals":
        return [item for objective in program.objectives for item in _residuals(program, objective)]
    graph, by = program.graph, [p.leaf for p in program.parameters if not p.frozen]
    outputs = [(name, node) for name, node in program.outputs if name in {leaf.name for leaf in program.cotangents}]
    if kind == "jvp" and outputs:
        tangents = _tangents(program)
        along = [tangent.leaf for p, tangent in zip(program.parameters, tangents, strict=True) if not p.frozen]
        parts = {name: jvp(graph, node, by, along) for name, node in outputs}
        return [Derived(kind, None, _alone(program, parts, tangents))]
    if kind == "jacobian" and outputs:
        parts = {}
        for name, node in outputs:
            blocks = dict(zip((leaf.name for leaf in by), jacobian(graph, node, by), strict=True))
            for parameter in program.parameters:
                parts[f"{name} {parameter.name}"] = blocks.get(parameter.leaf.name, graph.constant(0))
        return [Derived(kind, None, _alone(program, parts))]
    return []


def _hessian(program: Program, objective: Objective) -> dict[str, Node]:
    over = [p for p in program.parameters if p.name in objective.over]
    slopes = [program.gradients[objective.name][p.name] for p in over]
    blocks = hessian(program.graph, slopes, [p.leaf for p in over])
    return {f"{over[i].name} {over[j].name}": block for (i, j), block in blocks.items()}


def _hvp(program: Program, objective: Objective, tangents: Sequence[Parameter]) -> dict[str, Node]:
    pairs = [(p, tangent) for p, tangent in zip(program.parameters, tangents, strict=True) if p.name in objective.over]
    slopes = [program.gradients[objective.name][p.name] for p, _ in pairs]
    products = hvp(program.graph, slopes, [p.leaf for p, _ in pairs], [tangent.leaf for _, tangent in pairs])
    return {p.name: product for (p, _), product in zip(pairs, products, strict=True)}


def _residuals(program: Program, objective: Objective) -> list[Derived]:
    """The residuals of an objective with their derivatives, and what they are of; nothing where it has none."""
    found = residuals(program, objective)
    if found is None:
        return []
    graph, over = program.graph, [p for p in program.parameters if p.name in objective.over]
    parts: dict[str, Node] = {}
    for i, item in enumerate(found.all):
        parts[str(i)] = item.value
        blocks = jacobian(graph, item.value, [p.leaf for p in over])
        parts |= {f"{i} {p.name}": block for p, block in zip(over, blocks, strict=True)}
    count = sympy.Add(*(sympy.Mul(*(axis.length for axis in item.value.axes)) for item in found.data))
    of_data: dict[str, Node] = {"scale": found.scale, "count": graph.size(sympy.expand(count))}
    for i, item in enumerate(found.data):
        of_data |= {f"observed {i}": item.observed} if item.observed is not None else {}
        of_data[f"weight {i}"] = item.weight
    negated = objective.sense == "maximize"
    return [
        Derived("residuals", objective.name, _alone(program, parts), negated),
        Derived("observations", objective.name, _alone(program, of_data), negated),
    ]


def _tangents(program: Program) -> tuple[Parameter, ...]:
    """A parameter like each. No parameter of a model has a space in its name."""
    found = []
    for parameter in program.parameters:
        leaf = program.graph.leaf("parameter", f"along {parameter.name}", parameter.axes)
        found.append(replace(parameter, name=leaf.name, leaf=leaf, value=leaf, lower=None, upper=None))
    return tuple(found)


def _alone(program: Program, parts: Mapping[str, Node], tangents: tuple[Parameter, ...] = ()) -> Program:
    """The program that computes the parts and nothing else; of the named values it has those that they need."""
    needed = {node.id for node in reachable(parts.values())}
    named, predicted = (
        tuple((name, node) for name, node in values if node.id in needed)
        for values in (program.named, program.predicted)
    )
    empty = replace(program, objectives=(), outputs=(), metrics=(), gradients={}, adjoints={}, cotangents=())
    empty = replace(empty, retained={}, sparse={})
    return replace(empty, named=named, predicted=predicted, pullback=dict(parts), tangents=tangents)

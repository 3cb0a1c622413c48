"""Gradients by rows: of a parameter that is only gathered, what each gather gives, and no array of its size.

Takes a differentiated program and patterns of names; gives the program with `sparse` for the parameters that they name,
whose gradients are 0 there. The gradient of a table `E[word, d]` that is read as `E[word = token]` has numbers only in
the rows of the tokens that occur: the indices are the tokens, the values the adjoint of the gather, which reverse mode
has anyway. Whether every use with a derivative is a gather is asked of the sweep itself: all uses are its leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from .differentiate import sweep
from .graph import Constant, Gather, Graph, Node, Objective, Parameter, Program, Relabel, Rows, Scan, Stop
from .loops import Regions
from .parts import matching
from .source import Diagnostic, Diagnostics, Source, Span

CODE = "E0450"
HELP = "leave it out of --sparse, and its gradient is an array like any other"


def by_rows(program: Program, patterns: Sequence[str], source: Source) -> Program:
    """The program with the gradients by rows of the parameters that the patterns name.

    Raises UnknownPart, and ModelError where a parameter is not only gathered: it says where it is used whole.
    """
    names = matching(program, patterns)
    chosen = [parameter for parameter in program.parameters if parameter.name in names]
    zero = program.graph.constant(0)
    mistakes = Diagnostics()
    sparse: dict[str, Mapping[str, tuple[Rows, ...]]] = {}
    gradients = dict(program.gradients)
    along: dict[str, str] = {}
    for objective in program.objectives:
        trained = [p for p in chosen if p.name in objective.over]
        found = _of_objective(program.graph, objective, trained, mistakes, source, along)
        sparse[objective.name] = found
        gradients[objective.name] = {**program.gradients[objective.name], **{p.name: zero for p in chosen}}
    mistakes.check()
    # What no objective gathers has no axis along which it is sparse, and a gradient of 0.
    kept = {key: {name: rows for name, rows in table.items() if name in along} for key, table in sparse.items()}
    return replace(program, gradients=gradients, sparse=kept)


def _of_objective(
    graph: Graph,
    objective: Objective,
    parameters: Sequence[Parameter],
    mistakes: Diagnostics,
    source: Source,
    along: dict[str, str],
) -> dict[str, tuple[Rows, ...]]:
    """The rows of each parameter; `along` keeps the axis along which each is gathered."""
    regions = Regions([objective.value])
    outside = {node.id for node in regions.outside}
    nodes = [*regions.outside, *(node for scan in regions.scans for node in regions.body(scan).nodes)]
    uses = {p.name: list(_uses(nodes, p)) for p in parameters}
    adjoints = sweep(
        graph,
        [(objective.value, graph.constant(1))],
        [use.node for several in uses.values() for use in several],
    )
    found: dict[str, tuple[Rows, ...]] = {}
    for parameter in parameters:
        parts = []
        for use in uses[parameter.name]:
            inside = use.node.id not in outside or isinstance(use.node, Scan)
            if not inside and use.node.id not in adjoints:
                continue
            why = _refused(parameter, use, inside, along)
            if why is not None:
                span = use.node.span or objective.span or parameter.span or Span(source, 0, 0)
                message = f"the gradient of `{parameter.name}` is not sparse: {why}"
                mistakes.add(Diagnostic(CODE, message, span, help=HELP))
                continue
            assert isinstance(use.node, Gather)
            axis = use.before(use.node.along.name)
            after = {use.before(name): name for name in use.array.names}
            beside = tuple(use.array.axis(after[a.name]) for a in parameter.axes if a.name != axis)
            index, values = use.node.operands[1], adjoints[use.node.id]
            if not (isinstance(values, Constant) and values.value == 0):
                along[parameter.name] = axis
                parts.append(Rows(axis, index.axes, beside, index, values))
        found[parameter.name] = tuple(parts)
    return found


@dataclass(frozen=True, slots=True)
class _Use:
    """A node that reads a parameter's array, which may have its axes under other names."""

    node: Node
    array: Node
    renamed: Mapping[str, str]  # from the names that the array has to those of the parameter

    def before(self, name: str) -> str:
        """The parameter's name of an axis."""
        return self.renamed.get(name, name)


def _uses(nodes: Sequence[Node], parameter: Parameter) -> Iterator[_Use]:
    """What reads the parameter and may have a derivative; a renaming of its axes is looked through."""
    arrays: dict[int, tuple[Node, Mapping[str, str]]] = {parameter.leaf.id: (parameter.leaf, {})}
    for node in nodes:
        if isinstance(node, Relabel) and node.operands[0].id in arrays:
            below = arrays[node.operands[0].id][1]
            arrays[node.id] = node, {after: below.get(before, before) for before, after in node.renamed}
    for node in nodes:
        if node.id in arrays or isinstance(node, Stop) or node.dtype in ("int", "bool"):
            continue
        for operand in node.operands:
            if operand.id in arrays:
                yield _Use(node, *arrays[operand.id])
                break


def _refused(parameter: Parameter, use: _Use, inside: bool, along: Mapping[str, str]) -> str | None:
    """Why the rows of this use are not a sparse gradient; None where they are."""
    node = use.node
    if parameter.lower is not None or parameter.upper is not None:
        return "it has a bound, which is kept by a function of the whole array"
    if not isinstance(node, Gather) or node.operands[0] is not use.array:
        return "this uses the whole array, and does not gather from it"
    if inside:
        return "this gathers inside of a scan, and not before it"
    shared = sorted(set(node.operands[1].names) & set(node.operands[0].names) - {node.along.name})
    if shared:
        return f"the index has the axis `{shared[0]}` too, so that this picks single numbers and not rows"
    before = along.get(parameter.name)
    if before not in (None, use.before(node.along.name)):
        return f"this gathers along `{use.before(node.along.name)}`, and elsewhere it is gathered along `{before}`"
    return None

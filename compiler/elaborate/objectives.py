"""Objectives: which parameters each trains, and which states a step of each updates.

Takes what the statements said, when all of them have been read; gives the parts of each Objective.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .. import tree
from ..graph import Constant, Graph, Leaf, Node, Parameter, Stop, reachable
from ..source import Note, Span
from .mistakes import Mistake, Poisoned, Report, did_you_mean, names, shown, written
from .scope import Scope, Value, kind

# ------------------------------------------------------------------------------------------------------ what is trained


def over(
    patterns: tuple[tree.Pattern, ...] | None,
    parameters: Iterable[str],
    poisoned: Callable[[str], bool],
    report: Report,
) -> tuple[str, ...]:
    """The parameters that the patterns name, in the order of the model; all of them where there are no patterns."""
    known = tuple(parameters)
    if patterns is None:
        return known
    chosen: set[str] = set()
    for pattern in patterns:
        found = [name for name in known if _matches(name, pattern.text)]
        if not found and not poisoned(pattern.text):
            report.add(_nothing(pattern, known))
        chosen.update(found)
    return tuple(name for name in known if name in chosen)


def _matches(name: str, pattern: str) -> bool:
    if pattern.endswith(".*"):
        return name.startswith(pattern[:-1])
    return pattern in ("*", name)


def _nothing(pattern: tree.Pattern, known: Sequence[str]) -> Mistake:
    stem = pattern.text.removesuffix(".*")
    heads = {name.rpartition(".")[0] + ".*" for name in known if "." in name}
    if f"{stem}.*" in heads and stem == pattern.text:
        help: str | None = f"write {stem}.* for all parameters of `{stem}`"
    else:
        help = did_you_mean(pattern.text, [*known, *heads])
    message = f"no parameter is called `{pattern.text}`"
    return Mistake("E0422", message, pattern.span, help=help or f"the parameters are {', '.join(known)}")


def reaches(value: Node, parameters: Iterable[Parameter]) -> bool:
    """Whether a derivative of the value can reach one of the parameters: not through a `stop_gradient`."""
    leaves = {parameter.leaf.id for parameter in parameters}
    seen, waiting = {value.id}, [value]
    while waiting:
        node = waiting.pop()
        if node.id in leaves:
            return True
        below = () if isinstance(node, Stop) else node.operands
        waiting += [operand for operand in below if operand.id not in seen]
        seen.update(operand.id for operand in below)
    return False


# ------------------------------------------------------------------------------------------------------ what is updated


@dataclass(frozen=True, slots=True)
class Update:
    """What a state is after a step. `beside` is what the function gives in which that is written, None of a model's."""

    state: Leaf
    value: Node
    span: Span = field(compare=False)
    beside: tuple[Node, ...] | None = None


def update(graph: Graph, statement: tree.Update, value: Value | None, scope: Scope) -> Update:
    """What the statement says. Mistake where it names no state, or the value is not of its axes."""
    name, span = statement.state.name, statement.state.span
    if value is not None and value.node.free:
        message = f"`{name}` would be updated at each step of a scan, and a state is updated once"
        help = "apply this to what the scan yields, or carry the value along"
        raise Mistake("E0443", message, statement.span, help=help)
    try:
        bound = scope.find(name)
    except KeyError:
        help = did_you_mean(name, scope.visible()) or f"declare it: state {name} = 0"
        raise Mistake("E0440", f"there is no state `{name}`", span, help=help) from None
    if bound is None or value is None:
        raise Poisoned
    if not isinstance(bound, Value) or not isinstance(bound.node, Leaf) or bound.node.role != "state":
        help = f"only a state changes between steps: state {name} = 0"
        raise Mistake("E0440", f"`{name}` is {kind(bound)}, and no state", span, help=help)
    text = written(statement.value.span)
    if value.type == "bool":
        message = f"`{name}` is a number, and this is true or false"
        help = f"write if {text} then 1 else 0"
        raise Mistake("E0441", message, statement.value.span, sides=[f"{text} {shown(value.axes)}: bool"], help=help)
    more = [axis for axis in value.axes if axis not in bound.axes]
    if more:
        raise Mistake(
            "E0441",
            f"the state `{name}` has no axis `{more[0].name}`, and this has",
            statement.value.span,
            sides=[f"{name} {shown(bound.axes)}   {text} {shown(value.axes)}"],
            help=f"write mean[{names(more)}]({text}), or declare the state with that axis",
        )
    return Update(bound.node, _like(graph, value.node, bound.node), statement.span)


def _like(graph: Graph, value: Node, state: Leaf) -> Node:
    """The value with the state's axes and type; a number stays one."""
    return value if isinstance(value, Constant) else graph.like(value, state)


def twice(first: tree.Update, second: tree.Update) -> Mistake:
    """The mistake of two updates of one state in one body."""
    return Mistake(
        "E0442",
        f"`{second.state.name}` is updated twice here",
        second.state.span,
        help="say in one line what it is after a step",
        notes=[Note(first.state.span, "updated here first")],
    )


def updates_of(
    graph: Graph, objective: Node, updates: Sequence[Update], report: Report
) -> tuple[tuple[str, Node], ...]:
    """What a step of the objective makes of states: the updates of the model, and those of the functions it applies.

    A layer that is applied several times updates its states as often: each time from what the time before has left. Of
    equal applications, which are one value, there is one update.
    """
    below = {node.id for node in reachable([objective])}
    found: dict[str, Node] = {}
    for item in dict.fromkeys(updates):
        if item.beside is not None and not any(node.id in below for node in item.beside):
            continue
        value, before = item.value, found.get(item.state.name)
        if isinstance(before, Constant):
            message = f"`{item.state.name}` is updated by a layer that is applied twice, and each time to a number"
            report.add(Mistake("E0442", message, item.span, help="update it once, in the model"))
        elif before is not None:
            value = _like(graph, _substituted(graph, value, {item.state.id: before}), item.state)
        found[item.state.name] = value
    return tuple(found.items())


def _substituted(graph: Graph, value: Node, by: Mapping[int, Node]) -> Node:
    """The value with leaves replaced."""
    new: dict[int, Node] = {}
    for node in reachable([value]):
        operands = [new[operand.id] for operand in node.operands]
        new[node.id] = by.get(node.id) or (graph.remake(node, operands) if operands else node)
    return new[value.id]

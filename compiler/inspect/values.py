"""What each value of a model is: its axes, its type, where it comes from, and how it will be computed.

Takes a program; gives one `Description` for each input, parameter and named value, in the order of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Expr

from ..arrays import Accumulate, Concat, Flatten, Order, PlaceWindow, Recurrence, Split, Window
from ..graph import (
    Constant,
    Contract,
    Gather,
    Index,
    Last,
    Leaf,
    LinearAlgebra,
    Map,
    Node,
    Noise,
    PlaceSlice,
    Program,
    Reduce,
    Relabel,
    Scatter,
    Size,
    Slice,
    Spread,
    State,
    Steps,
    Stop,
    reachable,
)
from .formula import Formula, Named
from .text import text
from .write import Writer, names_of


@dataclass(frozen=True, slots=True)
class Description:
    """One value. `axes` holds names and lengths, a length that the data give as text.

    `leaf` is "input", "noise", "parameter", "state", "constant" or None; `gradient` whether training needs the value's
    gradient; `rule` the kind of operation and its formula in the model's names; `line` where it is written, from 1, or
    None.
    """

    name: str
    axes: tuple[tuple[str, int | str], ...]
    dtype: str
    leaf: str | None
    gradient: bool
    rule: str
    line: int | None


def values(program: Program) -> tuple[Description, ...]:
    """Every input, parameter, constant and named value; twice what is another value in prediction than in training."""
    names = names_of(program)
    needed = _needed(program)
    computed = {node.id for node in reachable(program.roots())}
    bordering = [(i.name, i.leaf, i.axes) for i in program.inputs]
    bordering += [(n.name, n.leaf, n.axes) for n in program.noise]
    bordering += [(s.name, s.leaf, s.axes) for s in program.states]
    written = {name: axes for name, _, axes in bordering}
    nodes: dict[str, Node] = {name: leaf for name, leaf, _ in bordering}
    nodes.update((p.name, p.value) for p in program.parameters)
    for name, node in (*program.named, *program.outputs, *program.metrics):
        nodes.setdefault(name, node)
    parameters = {p.name for p in program.parameters}
    frozen = {p.name for p in program.parameters if p.frozen}
    between = {n.name: _drawn(n) for n in program.noise} | {s.name: _kept(s, program, names) for s in program.states}
    predicted = dict(program.predicted)
    order = sorted(nodes, key=lambda name: program.spans[name].start if name in program.spans else -1)
    found = []
    for name in order:
        # What has one formula in both modes differs only in what that stands on, which is told where it is defined.
        told = [_rule(node, name, None, names) for node in (nodes[name], predicted.get(name, nodes[name]))]
        differs = told[0] != told[1]
        modes = [("training", nodes[name]), *([("prediction", predicted[name])] if differs else [])]
        for mode, node in modes:
            leaf = node.role if name in written and isinstance(node, Leaf) else None
            leaf = "parameter" if name in parameters else leaf
            if leaf is None and isinstance(node, Constant):
                leaf = "constant"
            rule = between.get(name) or _rule(node, name, leaf, names)
            rule = "frozen" if name in frozen else rule
            rule = f"in {mode}, {rule}" if differs else rule
            if leaf is None and node.id not in computed:
                rule = f"not computed: nothing needs it ({rule})"
            span = program.spans.get(name)
            found.append(
                Description(
                    name,
                    tuple((axis.name, length(axis.length)) for axis in written.get(name, node.axes)),
                    node.dtype,
                    leaf,
                    node.id in needed and leaf != "constant",
                    rule,
                    span.line if span is not None else None,
                )
            )
    return tuple(found)


def _drawn(noise: Noise) -> str:
    numbers = ", ".join(f"{number:g}" for number in noise.drawn.arguments)
    return f"drawn at each step: {noise.drawn.kind}({numbers})"


def _kept(state: State, program: Program, names: dict[int, Formula]) -> str:
    """What a state starts with, and what steps make of it."""
    start = f"kept between steps, {state.initial.arguments[0]:g} at first"
    updates = {o.name: dict(o.updates).get(state.name) for o in program.objectives}
    formulas = {name: _formula(node, names) for name, node in updates.items() if node is not None}
    if not formulas:
        return f"{start}, never updated"
    if len(program.objectives) == 1 or (len(set(formulas.values())) == 1 and len(formulas) == len(updates)):
        return f"{start}; after a step {next(iter(formulas.values()))}"
    return "; ".join([start, *(f"after a step of {name} {formula}" for name, formula in formulas.items())])


def length(value: Expr) -> int | str:
    """A length as a number, or as the text of an expression in lengths that the data give."""
    return int(value) if value.is_Integer else str(value)


def _needed(program: Program) -> set[int]:
    """The nodes whose gradient some objective needs: between it and a parameter that it trains."""
    needed: set[int] = set()
    for objective in program.objectives:
        below: dict[int, Node] = {}
        waiting: list[Node] = [objective.value]
        while waiting:
            node = waiting.pop()
            if node.id not in below and not isinstance(node, Stop) and node.dtype in ("float", "loop"):
                below[node.id] = node
                waiting.extend(node.operands)
        varying = {p.leaf.id for p in program.parameters if p.name in objective.over}
        for key in sorted(below):
            if any(operand.id in varying for operand in below[key].operands):
                varying.add(key)
        needed |= varying & below.keys()
    return needed


# ------------------------------------------------------------------------------------------------------------ the rules


def _rule(node: Node, name: str, leaf: str | None, names: dict[int, Formula]) -> str:
    """The rule in words, and the formula: "contract over d (matrix product): x @ w"."""
    known = names.get(node.id)
    if leaf == "input":
        return "given"
    if leaf == "parameter" and isinstance(node, Leaf):
        return "trained as it is"
    if leaf is None and isinstance(known, Named) and known.name != name:
        return f"the same as {known.name}"
    formula = _formula(node, names)
    if leaf == "parameter":
        return f"trained behind its bounds: {formula}"
    return f"{_words(node)}: {formula}"


def _formula(node: Node, names: dict[int, Formula]) -> str:
    """The formula on one line; what is too long for it is left out."""
    writer = Writer(names)
    (formula,) = writer.write([node])
    return text(formula, dict.fromkeys(writer.lines, "..."))


def _words(node: Node) -> str:
    match node:
        case Constant():
            return "constant"
        case Leaf():
            return "one step"
        case Index():
            return "index"
        case Size():
            return "length, known when data is bound"
        case Map():
            return "pointwise"
        case Contract():
            return f"contract over {_listed([a.name for a in node.summed])} ({_product(node)})"
        case Reduce():
            return f"reduce {node.operator} over {_listed([a.name for a in node.reduced])}"
        case Slice():
            return f"slice along {node.along.name}"
        case PlaceSlice():
            return f"place along {node.along.name}"
        case Gather():
            return f"gather along {node.along.name}"
        case Scatter():
            return f"scatter along {node.along.name}"
        case Relabel():
            return "rename " + _listed([f"{before} to {after}" for before, after in node.renamed])
        case Spread():
            new = [axis.name for axis in node.axes if axis.name not in node.operands[0].names]
            return f"broadcast along {_listed(new)}"
        case LinearAlgebra():
            return f"{node.operator} over {_listed([node.rows.name, node.columns.name])}"
        case Window() | PlaceWindow():
            pairs = _listed([f"{s.along.name} with taps {s.taps.name}" for s in node.slidings])
            return f"{'window' if isinstance(node, Window) else 'place windows'} along {pairs}"
        case Concat():
            return f"concat along {node.along.name}"
        case Flatten():
            return f"flatten {_listed([axis.name for axis in node.merged])} to {node.whole.name}"
        case Split():
            return f"split {node.whole.name} into {_listed([axis.name for axis in node.parts])}"
        case Accumulate():
            return f"running {'sum' if node.operator == 'sum' else 'product'} along {node.along.name}"
        case Recurrence():
            return f"linear recurrence along {node.along.name}"
        case Order():
            return f"order along {node.along.name}"
        case Stop():
            return "stop: no derivative"
        case Steps():
            return f"all steps of a scan along {node.scan.along.name}"
        case Last():
            return f"behind the last step of a scan along {node.scan.along.name}"
    raise TypeError(f"no words for {type(node).__name__}")


def _product(node: Contract) -> str:
    """What a contraction is called in linear algebra."""
    count = len(node.operands)
    if count == 1:
        return "sum"
    if count > 2:
        return f"sum of a product of {count}"
    left, right = (set(operand.names) for operand in node.operands)
    summed = {axis.name for axis in node.summed}
    if not summed <= left & right:
        return "sum of a product"
    batch = (left & right) - summed
    if left == right:
        return "dot product" if not batch else f"dot products, one for each {_listed(sorted(batch))}"
    if left - right and right - left:
        return "matrix product" if not batch else f"matrix products, one for each {_listed(sorted(batch))}"
    return "matrix-vector product" if not batch else "sum of a product"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words)

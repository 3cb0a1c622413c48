"""Derivatives in the language: `grad[w](e)` and its relatives, whose brackets hold the name of a value.

A rule takes the call (its span, the value in brackets, the values of its arguments) and gives the value, whose nodes
are those of `compiler/derivatives.py`: an expression like any other, which may be differentiated again. What `w` stands
for is a node of the graph, so the derivative is by every use of that value, however deep it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .. import tree
from ..derivatives import VARIABLE, copies, gradient, hessian, hvp, instead, jacobian, jvp, vjp
from ..graph import Axis, Constant, Graph, Leaf, Node, Program, Relabel, Stop, people, reachable
from ..source import Span
from .mistakes import Mistake, counted, in_words, names, shown, written
from .operations import Operand, number
from .scope import Bound, Instance, Loop, Value, kind

MOST = 30_000
"""The most nodes that the derivatives of a model may make, and"""
OF_EACH = 3
"""about how many one makes for each that it goes through."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of a derivative: `by` stands in its brackets, and `loops` are the scans that it stands in. `prepare` gives
    what is differentiated another form.
    """

    graph: Graph
    name: str
    span: Span
    by: Operand
    operands: tuple[Operand, ...]
    loops: tuple[Loop, ...] = ()
    prepare: Callable[[Program], Program] | None = None


FORMS = {
    "grad": "grad[w](e)",
    "hessian": "hessian[w](e)",
    "hvp": "hvp[w](e, v)",
    "jacobian": "jacobian[w](y)",
    "jvp": "jvp[w](y, v)",
    "vjp": "vjp[w](y, v)",
}
"""How each is written: `e` is a number, `y` any value, `v` a vector over the axes of `w`, or of `y` in `vjp`."""


def derivative(asked: Asked) -> Value:
    """The value of the call. Mistake where it has none."""
    wanted = FORMS[asked.name].count(",") + 1
    if len(asked.operands) != wanted:
        takes = f"`{asked.name}` takes {counted(wanted, 'argument', 'arguments')}"
        message = f"{takes}, and is given {in_words(len(asked.operands))}"
        raise Mistake("E0404", message, asked.span, help=f"write {FORMS[asked.name]}")
    _vary(asked)
    _depend(asked)
    _within_a_step(asked)
    by, graph = asked.by.value.node, asked.graph
    if asked.prepare is None or isinstance(asked.operands[0].value.node, Constant):
        return _RULES[asked.name](asked)
    # A value that has a name is a variable here, and no form may look behind it.
    variable = by if isinstance(by, Leaf) else graph.leaf("cotangent", VARIABLE, by.axes)
    found = _RULES[asked.name](_prepared(asked, asked.prepare, variable))
    (node,) = instead(graph, [found.node], {variable.id: by})
    return replace(found, node=node)


def _prepared(asked: Asked, prepare: Callable[[Program], Program], variable: Node) -> Asked:
    """The call with what it differentiates in its prepared form, a function of the variable."""
    graph, (first, *rest) = asked.graph, asked.operands
    (whole,) = instead(graph, [first.value.node], {asked.by.value.node.id: variable})
    alone = Program(graph, (), None, (), (), (), outputs=(("", whole),), metrics=(), named=())
    ((_, node),) = prepare(alone).outputs
    by = replace(asked.by, value=replace(asked.by.value, node=variable))
    return replace(asked, by=by, operands=(replace(first, value=replace(first.value, node=node)), *rest))


def item(function: tree.Name, items: tuple[tree.SubscriptItem, ...] | None) -> tree.AxisName | tree.ValueName:
    """What stands in the brackets. Mistake unless it is one name."""
    name, form = function.name, FORMS[function.name]
    if items is None:
        help = f"write {form}, where w is a parameter, an input or another named value"
        raise Mistake(
            "E0430", f"`{name}` needs in brackets the value by which it differentiates", function.span, help=help
        )
    if len(items) > 1:
        help = f"write one for each: {', '.join(f'{name}[{written(item.span)}](...)' for item in items)}"
        message = f"`{name}` takes one value in brackets, and is given {in_words(len(items))}"
        raise Mistake("E0431", message, items[1].span, help=help)
    match items[0]:
        case tree.ValueName() | tree.AxisName(length=None) as found:
            return found
    raise Mistake(
        "E0432",
        f"the brackets of `{name}` hold the name of a value, and this is none",
        items[0].span,
        help=f"name the value first, and write {form}",
    )


def by_axis(name: str, item: tree.AxisName | tree.ValueName) -> Mistake:
    """The mistake of an axis in the brackets."""
    help = f"the derivative by `x` has the axes of `x`: {FORMS[name].replace('w', 'x', 1)}"
    return Mistake("E0432", f"`{item.name}` is an axis, and `{name}` differentiates by a value", item.span, help=help)


def by(name: str, item: tree.AxisName | tree.ValueName, bound: Bound) -> Operand:
    """The value that the name in the brackets means. Mistake where it means something else."""
    if isinstance(bound, Value):
        return Operand(bound, item.span)
    example = f"{item.name}.W" if isinstance(bound, Instance) else "w"
    help = f"write {name}[{example}](...), where {example} is a value"
    raise Mistake("E0432", f"`{item.name}` is {kind(bound)}, not a value", item.span, help=help)


def too_large(below: int) -> tuple[str, str]:
    """What is said of derivatives that make too much, and what helps."""
    message = f"the derivatives in this model are too large: here is one of {below} operations"
    return message, "a derivative makes about three times as many, and one of it again; differentiate something smaller"


# ------------------------------------------------------------------------------------------------------------ the rules


def _grad(asked: Asked) -> Value:
    (node,) = gradient(asked.graph, _scalar(asked), [asked.by.value.node])
    return Value(node, asked.by.value.axes, "float")


def _hvp(asked: Asked) -> Value:
    graph, by = asked.graph, [asked.by.value.node]
    vector = _vector(asked, asked.by)
    (node,) = hvp(graph, gradient(graph, _scalar(asked), by), by, [vector])
    return Value(node, asked.by.value.axes, "float")


def _hessian(asked: Asked) -> Value:
    graph, by = asked.graph, [asked.by.value.node]
    node = hessian(graph, gradient(graph, _scalar(asked), by), by)[0, 0]
    return Value(node, _both(asked, asked.by.value.axes), "float")


def _jacobian(asked: Asked) -> Value:
    value = number(asked.operands[0], f"`{asked.name}`")
    (node,) = jacobian(asked.graph, asked.graph.spread(value.node, value.axes), [asked.by.value.node])
    return Value(node, _both(asked, value.axes), "float")


def _jvp(asked: Asked) -> Value:
    value = number(asked.operands[0], f"`{asked.name}`")
    node = jvp(asked.graph, value.node, [asked.by.value.node], [_vector(asked, asked.by)])
    return Value(node, value.axes, "float")


def _vjp(asked: Asked) -> Value:
    graph, value = asked.graph, number(asked.operands[0], f"`{asked.name}`")
    # Along axes of the value that its node lacks it is one number, and its cotangent there the sum.
    seed = graph.contract(
        [_vector(asked, asked.operands[0])], [a for a in value.axes if a.name not in value.node.names]
    )
    (node,) = vjp(graph, [(value.node, seed)], [asked.by.value.node])
    return Value(node, asked.by.value.axes, "float")


_RULES: dict[str, Callable[[Asked], Value]] = {
    "grad": _grad,
    "hessian": _hessian,
    "hvp": _hvp,
    "jacobian": _jacobian,
    "jvp": _jvp,
    "vjp": _vjp,
}


def _both(asked: Asked, first: Sequence[Axis]) -> tuple[Axis, ...]:
    """The axes of the value and those of what it is differentiated by, with primes where they have the same name."""
    to = copies(asked.by.value.axes, [axis.name for axis in first])
    return asked.graph.ordered([*first, *(Axis(to[axis.name], axis.length) for axis in asked.by.value.axes)])


# ----------------------------------------------------------------------------------------------------------- the checks


def _scalar(asked: Asked) -> Node:
    operand = asked.operands[0]
    value = number(operand, f"`{asked.name}`")
    if value.axes:
        text, by = written(operand.span), written(asked.by.span)
        more = f"; at each position it is jacobian[{by}]({text})" if asked.name == "grad" else ""
        raise Mistake(
            "E0433",
            f"`{asked.name}` differentiates a number, and this has {counted(len(value.axes), 'axis', 'axes')}",
            operand.span,
            sides=[operand.side],
            help=f"sum it: {asked.name}[{by}](sum({text})){more}",
        )
    return value.node


def _vector(asked: Asked, like: Operand) -> Node:
    """The second argument. Mistake where it has an axis that `like` lacks."""
    operand = asked.operands[1]
    value = number(operand, f"`{asked.name}`")
    for axis in value.axes:
        other = like.value.axis(axis.name)
        if other is None or other.length != axis.length:
            what = f"which `{written(like.span)}` lacks" if other is None else "which has another length there"
            raise Mistake(
                "E0434",
                f"the vector of `{asked.name}` has the axis `{axis.name}`, {what}",
                operand.span,
                sides=[f"{like.side}   {operand.side}"],
                help=f"give it the axes of `{written(like.span)}`: {shown(like.value.axes)}",
            )
    return value.node


def _vary(asked: Asked) -> None:
    """Mistake where what stands in the brackets cannot be differentiated by."""
    value, text = asked.by.value, written(asked.by.span)
    if isinstance(value.node, Constant):
        help = "differentiate by a parameter, an input or a value that is computed from these"
        message = f"`{text}` is a number that is known when the model is compiled, and does not vary"
        raise Mistake("E0435", message, asked.by.span, help=help)
    if value.type != "float" or value.node.dtype != "float":
        what = "true or false" if value.type == "bool" else "a whole number"
        help = "differentiate by a parameter, an input of numbers, or a value that is computed from these"
        raise Mistake("E0435", f"there is no derivative by `{text}`, which is {what}", asked.by.span, help=help)
    if isinstance(value.node, Relabel):
        pairs = ", ".join(f"{before} -> {after}" for before, after in value.node.renamed)
        raise Mistake(
            "E0436",
            f"`{text}` is another value under other names of its axes",
            asked.by.span,
            sides=[f"{asked.by.side}   renamed by [{pairs}]"],
            help=f"differentiate by that value, and rename the derivative: {asked.name}[x](...)[{pairs}]",
        )
    repeated = [axis for axis in value.axes if axis.name not in value.node.names]
    if repeated:
        raise Mistake(
            "E0436",
            f"`{text}` is the same at each position along `{names(repeated)}`",
            asked.by.span,
            sides=[asked.by.side],
            help="differentiate by the value that is repeated there, under a name of its own",
        )


def _depend(asked: Asked) -> None:
    """Mistake where the first argument is not computed from what stands in the brackets; a number may be."""
    operand, by = asked.operands[0], asked.by
    if isinstance(operand.value.node, Constant):
        return
    if by.value.node not in reachable([operand.value.node]):
        raise Mistake(
            "E0437",
            f"this does not depend on `{written(by.span)}`",
            operand.span,
            sides=[f"{operand.side}   {by.side}"],
            help="its derivative is 0; differentiate by a value that it is computed from",
        )


def _within_a_step(asked: Asked) -> None:
    """Mistake where a value from outside of a scan reaches the argument by another way than within this step.

    What a step reads of sequences and of the steps before is given in its body, and has no derivative there.
    """
    by, argument = asked.by.value.node, asked.operands[0]
    below = varying(argument.value.node)
    for loop in asked.loops:
        if by.free & loop.own:
            continue
        for step, whole in loop.stepped.values():
            if step.id in below and by.id in varying(whole):
                raise _outside(asked, step, "is computed from it before the scan")
        carried = loop.own - {step.id for step, _ in loop.stepped.values()}
        for leaf in (below[key] for key in sorted(carried & below.keys())):
            assert isinstance(leaf, Leaf)
            loop.held.append((by, leaf, _outside(asked, leaf, "depends on it through the steps before")))


def varying(root: Node) -> dict[int, Node]:
    """The nodes below, but for what only stands in `detach`."""
    found: dict[int, Node] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.id not in found:
            found[node.id] = node
            waiting.extend(() if isinstance(node, Stop) else node.operands)
    return found


def _outside(asked: Asked, leaf: Leaf, why: str) -> Mistake:
    name = people(leaf)
    by = written(asked.by.span)
    return Mistake(
        "E0438",
        f"the derivative by `{by}` would leave something out: `{name}` {why}",
        asked.operands[0].span,
        sides=[f"{asked.operands[0].side}   {asked.by.side}"],
        help=f"differentiate what the scan gives, behind it; or hold `{name}` fixed: detach({name})",
    )

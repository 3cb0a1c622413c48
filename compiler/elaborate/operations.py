"""What stands between operators: the checks that two values meet, and the nodes that arithmetic makes.

Takes nodes, and values with the place where they stand; gives nodes. Numbers that the compiler knows are folded here
and nowhere else, so that no product, power or function of numbers reaches SymPy unguarded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add, mul, sub, truediv

import sympy
from sympy import Expr

from .. import functions
from ..graph import Axis, Constant, Graph, Node, placeholder
from ..source import Span
from . import numbers
from .mistakes import Mistake, shown, written
from .scope import Value

_0, _1, _2 = placeholder(0), placeholder(1), placeholder(2)


@dataclass(frozen=True, slots=True)
class Operand:
    """A value, and where it stands."""

    value: Value
    span: Span

    @property
    def side(self) -> str:
        """The operand as a side of a diagnostic."""
        return f"{written(self.span)} {shown(self.value.axes)}"


def sides(operands: Sequence[Operand], more: str = "") -> list[str]:
    """One line that shows all operands."""
    return ["   ".join([*(operand.side for operand in operands), *([more] if more else [])])]


def meet(graph: Graph, operands: Sequence[Operand], span: Span) -> tuple[Axis, ...]:
    """All axes of the operands. Mistake where they have an axis of one name with two lengths."""
    found: dict[str, tuple[Axis, Operand]] = {}
    for operand in operands:
        for axis in operand.value.axes:
            before, other = found.setdefault(axis.name, (axis, operand))
            if before.length != axis.length:
                raise Mistake(
                    "E0320",
                    f"these have different lengths along `{axis.name}`",
                    span,
                    sides=[
                        f"{written(other.span)} has length {before.length} along {axis.name}   "
                        f"{written(operand.span)} has length {axis.length}"
                    ],
                    help=f"take the same number of positions of `{axis.name}` on both sides, or rename one of them",
                )
    return graph.ordered(axis for axis, _ in found.values())


def number(operand: Operand, what: str) -> Value:
    """The operand's value. Mistake where it is a truth value."""
    if operand.value.type == "bool":
        text = written(operand.span)
        raise Mistake(
            "E0401",
            f"{what} needs numbers, and this is true or false",
            operand.span,
            sides=[f"{operand.side}: bool"],
            help=f"write (if {text} then 1 else 0); sum and mean count truth values as they are",
        )
    return operand.value


def truth(operand: Operand, what: str) -> Value:
    """The operand's value. Mistake where it is a number."""
    if operand.value.type != "bool":
        raise Mistake(
            "E0402",
            f"{what} needs true or false, and this is a number",
            operand.span,
            sides=[f"{operand.side}: {operand.value.type}"],
            help=f"compare it: {written(operand.span)} > 0",
        )
    return operand.value


def mapped(graph: Graph, template: Expr, nodes: Sequence[Node], span: Span, fold: Callable[[list[Expr]], Expr]) -> Node:
    """`template` over the nodes; of numbers alone, what `fold` gives. Mistake where that has no value."""
    constants = [node.value for node in nodes if isinstance(node, Constant)]
    if len(constants) < len(nodes):
        return graph.map(template, nodes)
    try:
        return graph.constant(fold(constants))
    except numbers.NoValue as reason:
        raise no_value(reason, span) from None


def no_value(reason: numbers.NoValue, span: Span) -> Mistake:
    """The mistake of an operation on numbers that gives none."""
    help = {
        "divides by zero": "it does so whatever the data are; leave it out, or divide by something else",
        "has no real value": "log takes what is above 0, sqrt what is not below; write abs(x) or another number",
    }.get(str(reason), "numbers are doubles: write one between 1e-300 and 1e300, or work with logarithms")
    return Mistake("E0410", f"this {reason}", span, help=help)


OPERATORS: dict[str, Callable[[Expr, Expr], Expr]] = {"+": add, "-": sub, "*": mul, "/": truediv}
ARITHMETIC: dict[str, Expr] = {
    **{operator: function(_0, _1) for operator, function in OPERATORS.items()},
    "^": functions.power(_0, _1),
}
"""The operators on numbers, as expressions in placeholders."""


def arithmetic(graph: Graph, operator: str, left: Node, right: Node, span: Span) -> Node:
    """`left operator right` for + - * / ^."""
    match left, right:
        case _, Constant() if operator == "/" and right.value == 0:
            raise no_value(numbers.NoValue("divides by zero"), span)
        case Constant(), Constant():
            pass
        case _, Constant() if operator == "^":
            return graph.map(sympy.Pow(_0, right.value), [left])
        # Written in at once: to put a number into a template takes twice as long.
        case _, Constant():
            return graph.map(OPERATORS[operator](_0, right.value), [left])
        case Constant(), _ if operator in OPERATORS:
            return graph.map(OPERATORS[operator](left.value, _0), [right])
    return mapped(graph, ARITHMETIC[operator], [left, right], span, lambda v: numbers.arithmetic(operator, v[0], v[1]))


def negated(graph: Graph, node: Node, span: Span) -> Node:
    """-node."""
    return mapped(graph, -_0, [node], span, lambda v: -v[0])


def pointwise(graph: Graph, name: str, nodes: Sequence[Node], span: Span) -> Node:
    """The pointwise function of that name."""
    return mapped(graph, POINTWISE[name], nodes, span, lambda v: numbers.function(name, v))


POINTWISE: dict[str, Expr] = {
    **{name: getattr(sympy, name)(_0) for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan")},
    **{name: getattr(sympy, name)(_0) for name in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "floor", "sign")},
    "ceil": sympy.ceiling(_0),
    "abs": sympy.Abs(_0),
    "atan2": sympy.atan2(_0, _1),
    **{name: getattr(functions, name)(_0) for name in ("sigmoid", "softplus", "relu", "step", "log1p", "expm1")},
    **{name: getattr(functions, name)(_0) for name in ("erf", "erfc", "lgamma", "digamma", "log_i0e")},
    "trigamma": functions.polygamma(1, _0),
    **{name: getattr(functions, name)(_0, _1) for name in ("maximum", "minimum", "xlogy", "lbeta")},
}
"""Functions of numbers, point by point, as expressions in placeholders."""


def positive(graph: Graph, node: Node) -> Node:
    """node > 0, as a truth value or, of a number, as 0 or 1."""
    if isinstance(node, Constant):
        return graph.constant(int(bool(node.value > 0)))
    return graph.map(functions.less(sympy.Integer(0), _0), [node])


def choose(graph: Graph, condition: Node, yes: Node, no: Node) -> Node:
    """Numbers: `yes` where `condition`, else `no`."""
    if isinstance(condition, Constant):
        return yes if condition.value != 0 else no
    return yes if yes is no else graph.map(functions.where(_0, _1, _2), [condition, yes, no])


def conditional(graph: Graph, operands: Sequence[Operand], span: Span) -> Value:
    """`if condition then yes else no`, of numbers or of truth values."""
    condition = truth(operands[0], "a condition")
    yes, no = operands[1].value, operands[2].value
    if (yes.type == "bool") != (no.type == "bool"):
        raise Mistake(
            "E0403",
            "one branch is true or false, and the other a number",
            span,
            sides=[f"{operands[1].side}: {yes.type}   {operands[2].side}: {no.type}"],
            help="give both branches the same type",
        )
    axes = meet(graph, operands, span)
    index = yes.index if yes.index == no.index and isinstance(condition.node, Constant) else None
    if isinstance(condition.node, Constant):
        chosen = yes if condition.node.value != 0 else no
        return Value(chosen.node, axes, chosen.type, index)
    if yes.type == "bool":
        return Value(_choose_truth(graph, condition.node, yes.node, no.node), axes, "bool")
    node = choose(graph, condition.node, yes.node, no.node)
    return Value(node, axes, node.dtype)


def _choose_truth(graph: Graph, condition: Node, yes: Node, no: Node) -> Node:
    if isinstance(yes, Constant):
        return either(graph, condition, no) if yes.value != 0 else both(graph, negation(graph, condition), no)
    if isinstance(no, Constant):
        return either(graph, negation(graph, condition), yes) if no.value != 0 else both(graph, condition, yes)
    return graph.map(functions.where(_0, _1, _2), [condition, yes, no])


def both(graph: Graph, left: Node, right: Node) -> Node:
    """left and right."""
    for this, other in ((left, right), (right, left)):
        if isinstance(this, Constant):
            return other if this.value != 0 else this
    return left if left is right else graph.map(functions.both(_0, _1), [left, right])


def either(graph: Graph, left: Node, right: Node) -> Node:
    """left or right."""
    for this, other in ((left, right), (right, left)):
        if isinstance(this, Constant):
            return this if this.value != 0 else other
    return left if left is right else graph.map(functions.either(_0, _1), [left, right])


def negation(graph: Graph, node: Node) -> Node:
    """not node."""
    if isinstance(node, Constant):
        return graph.constant(int(node.value == 0))
    return graph.map(functions.negation(_0), [node])

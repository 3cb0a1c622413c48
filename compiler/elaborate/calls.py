"""The functions of the language: one table from name to rule.

A rule takes the call (its span, the axes in brackets, the values of its arguments) and gives the value, building nodes
in the graph. Pointwise functions are rows of a table; reductions are rules of a few lines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import sympy
from sympy import Expr

from ..graph import Axis, Constant, Graph, Node
from ..source import Span
from . import numbers
from .axes import Axes
from .mistakes import Mistake, counted, in_words, names, written
from .operations import (
    POINTWISE,
    Operand,
    arithmetic,
    choose,
    conditional,
    meet,
    number,
    pointwise,
    positive,
    sides,
    truth,
)
from .scope import Value

MOST_FACTORS = 16
"""Factors of one sum of a product; more are multiplied first."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A call of one of the language's functions. `axes` is None where no brackets are written.

    `factors` are the factors of the argument of a sum or a mean.
    """

    graph: Graph
    table: Axes
    name: str
    span: Span
    axes: tuple[Axis, ...] | None
    operands: tuple[Operand, ...]


# ----------------------------------------------------------------------------------------------------------- pointwise


def _arity(template: Expr) -> int:
    return len(template.free_symbols)


def _pointwise(call: Applied) -> Value:
    arguments(call, _arity(POINTWISE[call.name]))
    no_axes(call)
    values = [number(operand, f"`{call.name}`") for operand in call.operands]
    axes = meet(call.graph, call.operands, call.span)
    return Value(pointwise(call.graph, call.name, [value.node for value in values], call.span), axes, "float")


def _logarithm(base: int) -> Callable[[Applied], Value]:
    def rule(call: Applied) -> Value:
        arguments(call, 1)
        no_axes(call)
        value = number(call.operands[0], f"`{call.name}`")
        logarithm = pointwise(call.graph, "log", [value.node], call.span)
        scale = call.graph.constant(numbers.function("log", [sympy.Integer(base)]))
        return Value(arithmetic(call.graph, "/", logarithm, scale, call.span), value.axes, "float")

    return rule


def _clip(call: Applied) -> Value:
    arguments(call, 3)
    no_axes(call)
    value, low, high = [number(operand, "`clip`").node for operand in call.operands]
    axes = meet(call.graph, call.operands, call.span)
    above = pointwise(call.graph, "maximum", [value, low], call.span)
    return Value(pointwise(call.graph, "minimum", [above, high], call.span), axes, "float")


def _leaky_relu(call: Applied) -> Value:
    arguments(call, 1, 2)
    no_axes(call)
    x, *rest = [number(operand, "`leaky_relu`").node for operand in call.operands]
    slope = rest[0] if rest else call.graph.constant(sympy.Rational(1, 100))
    lower = arithmetic(call.graph, "*", slope, x, call.span)
    node = choose(call.graph, positive(call.graph, x), x, lower)
    return Value(node, meet(call.graph, call.operands, call.span), "float")


def _elu(call: Applied) -> Value:
    arguments(call, 1, 2)
    no_axes(call)
    x, *rest = [number(operand, "`elu`").node for operand in call.operands]
    scale = rest[0] if rest else call.graph.constant(1)
    lower = arithmetic(call.graph, "*", scale, pointwise(call.graph, "expm1", [x], call.span), call.span)
    node = choose(call.graph, positive(call.graph, x), x, lower)
    return Value(node, meet(call.graph, call.operands, call.span), "float")


def _stop(call: Applied) -> Value:
    arguments(call, 1)
    no_axes(call)
    value = call.operands[0].value
    return Value(call.graph.stop(value.node), value.axes, value.type, value.index)


def _where(call: Applied) -> Value:
    arguments(call, 3)
    no_axes(call)
    return conditional(call.graph, call.operands, call.span)


# ---------------------------------------------------------------------------------------------------------- reductions


def arguments(call: Applied, least: int, most: int | None = None) -> None:
    """Mistake unless the number of arguments lies between `least` and `most` (`least` alone: exactly that)."""
    most = least if most is None else most
    if not least <= len(call.operands) <= most:
        wanted = counted(least, "argument", "arguments") if least == most else f"{least} to {most} arguments"
        given = in_words(len(call.operands))
        help = f"write {call.name}({', '.join(('x', 'y', 'z')[:least])})"
        raise Mistake("E0404", f"`{call.name}` takes {wanted}, and is given {given}", call.span, help=help)


def no_axes(call: Applied) -> None:
    """Mistake where axes are written in brackets."""
    if call.axes is not None:
        raise Mistake(
            "E0331",
            f"`{call.name}` works point by point and takes no axes",
            call.span,
            help=f"leave [{names(call.axes)}] out",
        )


def over(call: Applied, present: Sequence[Axis]) -> tuple[Axis, ...]:
    """The axes to reduce, as the operand has them: those in brackets, or all. Mistake where it lacks one."""
    if call.axes is None:
        return tuple(present)
    have = {axis.name: axis for axis in present}
    for axis in call.axes:
        if axis.name not in have:
            raise Mistake(
                "E0332",
                f"`{call.name}[{names(call.axes)}]` needs the axis `{axis.name}`, and this has none",
                call.span,
                sides=sides(call.operands),
                help=f"its axes are {names(present)}" if present else "it is a single number",
            )
    return tuple(have[axis.name] for axis in call.axes)


def left_over(axes: Sequence[Axis], gone: Sequence[Axis]) -> tuple[Axis, ...]:
    """The axes without those that are gone."""
    dropped = {axis.name for axis in gone}
    return tuple(axis for axis in axes if axis.name not in dropped)


def contracted(call: Applied) -> tuple[Node, tuple[Axis, ...], tuple[Axis, ...]]:
    """The sum of the product of the operands, the axes summed, and those that are left."""
    graph = call.graph
    axes = meet(graph, call.operands, call.span)
    summed = over(call, axes)
    if len(call.operands) == 1 and call.operands[0].value.type == "bool":
        node = call.operands[0].value.node
        counted_here = summed and all(axis.name in node.names for axis in summed)
        nodes = [node if counted_here else choose(graph, node, graph.constant(1), graph.constant(0))]
    else:
        nodes = [number(operand, "`*`").node for operand in call.operands]
    scale: Node = graph.constant(1)
    for node in nodes:
        if isinstance(node, Constant):
            scale = arithmetic(graph, "*", scale, node, call.span)
    factors = [node for node in nodes if not isinstance(node, Constant)]
    # The derivative by each of many operands is the product of all others; a chain of products shares them.
    factors = factors if len(factors) <= MOST_FACTORS else [graph.product(factors)]
    total = graph.contract(factors, summed)
    return arithmetic(graph, "*", scale, total, call.span), summed, left_over(axes, summed)


def _sum(call: Applied) -> Value:
    node, _, axes = contracted(call)
    return Value(node, axes, "float")


def _count(graph: Graph, axes: Sequence[Axis], span: Span) -> Node:
    """The number of positions along the axes; lengths that are known are multiplied first."""
    count: Node = graph.constant(1)
    for size in sorted((graph.size(axis.length) for axis in axes), key=lambda size: not isinstance(size, Constant)):
        count = arithmetic(graph, "*", count, size, span)
    return count


def _over_count(graph: Graph, node: Node, axes: Sequence[Axis], span: Span) -> Node:
    share = arithmetic(graph, "/", graph.constant(1), _count(graph, axes, span), span)
    return arithmetic(graph, "*", share, node, span)


def _mean(call: Applied) -> Value:
    node, summed, axes = contracted(call)
    return Value(_over_count(call.graph, node, summed, call.span), axes, "float")


def _variance(call: Applied) -> tuple[Node, tuple[Axis, ...]]:
    arguments(call, 1)
    value = number(call.operands[0], f"`{call.name}`")
    graph, span = call.graph, call.span
    reduced = over(call, value.axes)
    mean = _over_count(graph, graph.contract([value.node], reduced), reduced, span)
    deviation = arithmetic(graph, "-", value.node, mean, span)
    squares = graph.contract([deviation, deviation], reduced)
    return _over_count(graph, squares, reduced, span), left_over(value.axes, reduced)


def _var(call: Applied) -> Value:
    node, axes = _variance(call)
    return Value(node, axes, "float")


def _std(call: Applied) -> Value:
    node, axes = _variance(call)
    return Value(pointwise(call.graph, "sqrt", [node], call.span), axes, "float")


def _norm(call: Applied) -> Value:
    arguments(call, 1)
    value = number(call.operands[0], "`norm`")
    reduced = over(call, value.axes)
    squares = call.graph.contract([value.node, value.node], reduced)
    node = pointwise(call.graph, "sqrt", [squares], call.span)
    return Value(node, left_over(value.axes, reduced), "float")


def _whole(graph: Graph, value: Value) -> Node:
    """The value's node with all of its axes."""
    return graph.spread(value.node, value.axes)


def _reduce(call: Applied) -> Value:
    arguments(call, 1)
    value = number(call.operands[0], f"`{call.name}`")
    reduced = over(call, value.axes)
    node = call.graph.reduce(call.name, _whole(call.graph, value), reduced) if reduced else value.node
    return Value(node, left_over(value.axes, reduced), "float")


def _extremum(call: Applied) -> Value:
    if len(call.operands) == 1:
        return _reduce(call)
    if call.axes is not None or not call.operands:
        arguments(call, 1)
    values = [number(operand, f"`{call.name}`") for operand in call.operands]
    node = values[0].node
    for value in values[1:]:
        node = pointwise(call.graph, f"{call.name}imum", [node, value.node], call.span)
    return Value(node, meet(call.graph, call.operands, call.span), "float")


def _quantifier(call: Applied) -> Value:
    arguments(call, 1)
    value = truth(call.operands[0], f"`{call.name}`")
    reduced = over(call, value.axes)
    constant = isinstance(value.node, Constant)
    node = value.node if constant or not reduced else call.graph.reduce(call.name, _whole(call.graph, value), reduced)
    return Value(node, left_over(value.axes, reduced), "bool")


def _position(call: Applied) -> Value:
    arguments(call, 1)
    value = number(call.operands[0], f"`{call.name}`")
    reduced = over(call, value.axes)
    if len(reduced) != 1:
        raise Mistake(
            "E0333",
            f"`{call.name}` needs exactly one axis, and here it has {counted(len(reduced), 'axis', 'axes')}",
            call.span,
            sides=sides(call.operands),
            help=f"say along which: {call.name}[{value.axes[-1].name}](...)" if value.axes else "give it an array",
        )
    node = call.graph.reduce(call.name, _whole(call.graph, value), reduced)
    return Value(node, left_over(value.axes, reduced), "int", reduced[0])


def _softmax(call: Applied) -> Value:
    arguments(call, 1)
    value = number(call.operands[0], f"`{call.name}`")
    if call.axes is None:
        raise Mistake(
            "E0333",
            f"`{call.name}` needs its axis in brackets",
            call.span,
            sides=sides(call.operands),
            help=f"write {call.name}[{value.axes[-1].name}](...)" if value.axes else "give it an array",
        )
    reduced = over(call, value.axes)
    whole = _whole(call.graph, value)
    total = call.graph.reduce("logsumexp", whole, reduced)
    node = arithmetic(call.graph, "-", whole, total, call.span)
    if call.name == "softmax":
        node = pointwise(call.graph, "exp", [node], call.span)
    return Value(node, value.axes, "float")


# ------------------------------------------------------------------------------------------------------ linear algebra

MATRIX = {"solve": "(A, b)", **dict.fromkeys(("inverse", "cholesky", "logdet", "det", "trace"), "(A)")}
"""Functions of matrices over two axes, and how their arguments are written."""


def _square(call: Applied) -> tuple[Value, Axis, Axis]:
    """The matrix, and its axes of rows and of columns. Mistake where these are not two of one length."""
    arguments(call, 2 if call.name == "solve" else 1)
    matrix = number(call.operands[0], f"`{call.name}`")
    form = f"{call.name}[d, d']{MATRIX[call.name]}"
    if call.axes is None or len(call.axes) != 2:
        has = counted(len(call.axes or ()), "axis", "axes")
        raise Mistake(
            "E0333",
            f"`{call.name}` needs two axes in brackets, of the rows and of the columns, and here it has {has}",
            call.span,
            sides=[call.operands[0].side],
            help=f"write {form}",
        )
    rows, columns = over(replace(call, operands=call.operands[:1]), matrix.axes)
    if rows.length != columns.length:
        raise Mistake(
            "E0322",
            f"`{call.name}` needs a square matrix, and `{rows.name}` and `{columns.name}` have different lengths",
            call.span,
            sides=[f"{call.operands[0].side}   {rows.name} has length {rows.length}, {columns.name} {columns.length}"],
            help=f"a prime makes a copy of an axis: {form}",
        )
    return matrix, rows, columns


def _matrix(call: Applied) -> Value:
    matrix, rows, columns = _square(call)
    node = call.graph.linear_algebra(call.name, [matrix.node], rows, columns)
    axes = matrix.axes if call.name in ("inverse", "cholesky") else left_over(matrix.axes, (rows, columns))
    return Value(node, axes, "float")


def _trace(call: Applied) -> Value:
    matrix, rows, columns = _square(call)
    node = call.graph.contract([call.graph.diagonal(matrix.node, rows, columns)], [rows])
    return Value(node, left_over(matrix.axes, (rows, columns)), "float")


def _solve(call: Applied) -> Value:
    matrix, rows, columns = _square(call)
    right = number(call.operands[1], "`solve`")
    axes = meet(call.graph, call.operands, call.span)
    if right.axis(rows.name) is None or right.axis(columns.name) is not None:
        lacks = right.axis(rows.name) is None
        swapped = lacks and right.axis(columns.name) is not None
        fault = "lacks it" if lacks else f"has `{columns.name}` too"
        move = f"write {written(call.operands[1].span)}[{columns.name} -> {rows.name}]"
        stands = f"its unknowns stand along `{rows.name}`, and `{columns.name}` is summed"
        raise Mistake(
            "E0323",
            f"the right side of `solve` stands along the rows, `{rows.name}`, and this {fault}",
            call.operands[1].span,
            sides=sides(call.operands),
            help=move if swapped else stands,
        )
    node = call.graph.linear_algebra("solve", [matrix.node, right.node], rows, columns)
    return Value(node, left_over(axes, (columns,)), "float")


Rule = Callable[[Applied], Value]

RULES: dict[str, Rule] = {
    **dict.fromkeys(POINTWISE, _pointwise),
    "log2": _logarithm(2),
    "log10": _logarithm(10),
    "clip": _clip,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "where": _where,
    "stop_gradient": _stop,
    "detach": _stop,
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "std": _std,
    "norm": _norm,
    "max": _extremum,
    "min": _extremum,
    "prod": _reduce,
    "logsumexp": _reduce,
    "argmax": _position,
    "argmin": _position,
    "any": _quantifier,
    "all": _quantifier,
    "softmax": _softmax,
    "log_softmax": _softmax,
    **dict.fromkeys(("inverse", "cholesky", "logdet", "det"), _matrix),
    "solve": _solve,
    "trace": _trace,
}
"""Functions that are called: `sum[k](x)`, `exp(x)`."""

CONTRACTIONS = ("sum", "mean")
"""Functions whose argument is seen as a product."""

DERIVATIVES = ("grad", "hessian", "hvp", "jacobian", "jvp", "vjp")
"""Functions whose brackets hold a value: `grad[w](e)`. Their rules stand in `derivatives.py`."""

ARRAYS = ("index", "size", "zeros", "ones")
"""Functions of axes alone: `index[k]`."""

LATER = ("scan",)
"""Functions of the language that this version does not compile."""


def later(what: str, span: Span) -> Mistake:
    """The mistake of using a part of the language that is not compiled yet."""
    return Mistake("E0490", f"{what} is part of the language, and this version does not compile it yet", span)


def array(graph: Graph, name: str, axes: tuple[Axis, ...], span: Span) -> Value:
    """`index[k]`, `size[k]`, `zeros[n, m]`, `ones[n, m]`."""
    if name in ("index", "size") and len(axes) != 1:
        raise Mistake("E0333", f"`{name}` takes exactly one axis", span, help=f"write one of them: {name}[k]")
    if name == "index":
        return Value(graph.index(axes[0]), axes, "int", axes[0])
    if name == "size":
        return Value(graph.size(axes[0].length), (), "int")
    return Value(graph.constant(int(name == "ones")), graph.ordered(axes), "float")

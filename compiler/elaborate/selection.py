"""Selections: `x[t = 0]`, `x[t = 1:]`, `E[vocab = token]`, `x[d -> d']`.

Each rule takes a value and one item of the brackets (its parts as values) and gives the value with that axis selected,
sliced, gathered or renamed. Positions and lengths are SymPy expressions in the lengths that the data give.
"""

from __future__ import annotations

import sympy
from sympy import Expr, Integer

from ..arrays import quotient
from ..graph import Axis, Constant, Graph, Leaf, Map, Node, Size, placeholder, reachable
from ..source import Span
from .axes import Axes
from .mistakes import Mistake, shown, written
from .operations import Operand, meet
from .scope import Value


def known(value: Value) -> Expr | None:
    """The value as an expression in lengths, if it is one: a whole number that is known when data is bound."""
    if value.type != "int" or value.axes:
        return None
    found: dict[int, Expr] = {}
    for node in reachable([value.node]):
        match node:
            case Constant():
                found[node.id] = node.value
            case Size():
                found[node.id] = node.length
            case Map():
                table = {placeholder(i): found[operand.id] for i, operand in enumerate(node.operands)}
                found[node.id] = node.expression.xreplace(table)
            case _:
                return None
    result = sympy.expand(found[value.node.id])
    return result if result.is_integer else None


def _present(subject: Operand, name: str, span: Span) -> Axis:
    axis = subject.value.axis(name)
    if axis is None:
        raise Mistake(
            "E0340",
            f"there is no axis `{name}` to select from",
            span,
            sides=[subject.side],
            help=f"its axes are {', '.join(a.name for a in subject.value.axes)}"
            if subject.value.axes
            else "it is a number",
        )
    return axis


def _others(value: Value, name: str) -> tuple[Axis, ...]:
    return tuple(axis for axis in value.axes if axis.name != name)


def at(graph: Graph, table: Axes, subject: Operand, name: str, index: Operand, span: Span) -> Value:
    """`subject[name = index]`: one position where the index is a number known at bind, else a gather."""
    axis = _present(subject, name, span)
    position = known(index.value)
    if position is not None and index.value.index is None:
        return _one(graph, subject, axis, position, index.span)
    along = index.value.index
    if along is None:
        kind = {"float": "a number that need not be whole", "int": "a whole number", "bool": "true or false"}
        text = written(index.span)
        if isinstance(index.value.node, Leaf) and text.isidentifier():
            help = f"declare it so: input {text}{shown(index.value.axes) if index.value.axes else ''}: {name}"
        else:
            help = f"an index is an input declared so, x[n]: {name}, or argmax[{name}](...), or index[{name}]"
        raise Mistake(
            "E0341",
            f"`{text}` is not an index along `{name}`",
            index.span,
            sides=[f"{index.side}: {kind[index.value.type]}"],
            help=help,
        )
    if table.root(along.name) != table.root(name) or along.length != axis.length:
        raise Mistake(
            "E0342",
            f"`{written(index.span)}` counts along another axis than `{name}`",
            index.span,
            sides=[
                f"{written(index.span)} indexes {along.name} of length {along.length}   "
                f"{written(subject.span)} has {name} of length {axis.length}"
            ],
            help=f"index `{name}` by a value that is declared as its index",
        )
    value = subject.value
    rest = Value(value.node, _others(value, name), value.type, value.index)
    axes = meet(graph, [Operand(rest, subject.span), index], span)
    node = value.node
    if name in node.names:
        node = graph.gather(node, index.value.node, name)
    return Value(node, axes, value.type, value.index)


def _one(graph: Graph, subject: Operand, axis: Axis, position: Expr, span: Span) -> Value:
    start = axis.length + position if position.is_negative else position
    if outside(start, axis.length):
        raise Mistake(
            "E0343",
            f"position {position} lies outside `{axis.name}`",
            span,
            sides=[f"{written(subject.span)} has length {axis.length} along {axis.name}"],
            help=f"positions run from 0 to {axis.length - 1}, or from the end: -1, -2, ...",
        )
    value = subject.value
    node = value.node
    if axis.name in node.names:
        node = graph.slice(node, axis.name, start, 1, Integer(1), drop=True)
    return Value(node, _others(value, axis.name), value.type, value.index)


def outside(position: Expr, length: Expr) -> bool:
    """Whether the position surely is none of 0, ..., length - 1."""
    return bool(position.is_negative) or bool((length - 1 - position).is_negative)


def part(graph: Graph, subject: Operand, name: str, bounds: tuple[Operand | None, ...], span: Span) -> Value:
    """`subject[name = start:stop:step]`, as Python counts; positions outside are a mistake."""
    axis = _present(subject, name, span)
    first, last, stride = (_whole(bound) if bound is not None else None for bound in bounds)
    step = 1 if stride is None else _step(stride, bounds[2])
    length = axis.length
    start = _from_end(first, length) if first is not None else (Integer(0) if step > 0 else length - 1)
    stop = _from_end(last, length) if last is not None else (length if step > 0 else Integer(-1))
    distance = stop - start if step > 0 else start - stop
    count = quotient(distance + abs(step) - 1, abs(step))
    beyond = stop - length if step > 0 else start - (length - 1)
    low = start if step > 0 else stop + 1
    if count.is_nonpositive or beyond.is_positive or low.is_negative:
        raise Mistake(
            "E0344",
            f"this takes no positions of `{name}`" if count.is_nonpositive else f"this reaches outside `{name}`",
            span,
            sides=[
                f"{written(subject.span)} has length {length} along {name}   from {start} to {stop} in steps of {step}"
            ],
            help="x[t = 1:] leaves the first out, x[t = :-1] the last, x[t = ::2] takes every second",
        )
    value = subject.value
    axes = graph.ordered([*_others(value, name), Axis(name, count)])
    node = value.node
    if name in node.names and (start, step, count) != (0, 1, length):
        node = graph.slice(node, name, start, step, count, drop=False)
    return Value(node, axes, value.type, value.index)


def _whole(operand: Operand) -> Expr:
    position = known(operand.value)
    if position is None:
        raise Mistake(
            "E0345",
            "the ends of a slice must be whole numbers that are known when data is bound",
            operand.span,
            sides=[f"{operand.side}: {operand.value.type}"],
            help="use literals, constants and size[t], such as x[t = 1 : size[t] - 1]",
        )
    return position


def _step(stride: Expr, operand: Operand | None) -> int:
    if not isinstance(stride, Integer) or stride == 0:
        assert operand is not None
        help = "x[t = ::2] takes every second, x[t = ::-1] turns the order round"
        raise Mistake("E0345", "the step of a slice must be a whole number other than 0", operand.span, help=help)
    return int(stride)


def _from_end(position: Expr, length: Expr) -> Expr:
    return length + position if position.is_negative else position


def renamed(graph: Graph, table: Axes, subject: Operand, pairs: list[tuple[str, Axis]], span: Span) -> Value:
    """`subject[d -> d']`, all pairs at once."""
    value = subject.value
    to: dict[str, str] = {}
    for before, after in pairs:
        axis = _present(subject, before, span)
        if table.root(before) != table.root(after.name) and axis.length != after.length:
            raise Mistake(
                "E0346",
                f"`{before}` cannot be called `{after.name}`: their lengths differ",
                span,
                sides=[f"{before} has length {axis.length}   {after.name} has length {after.length}"],
                help=f"declare a copy of it: axis {after.name.rstrip(chr(39))}2 like {before}",
            )
        to[before] = after.name
    names = [to.get(axis.name, axis.name) for axis in value.axes]
    for name in names:
        if names.count(name) > 1:
            raise Mistake(
                "E0347",
                f"this would give the value two axes called `{name}`",
                span,
                sides=[f"{written(subject.span)} {shown(value.axes)}"],
                help=f"sum over one of them first, or use another name: {name}'",
            )
    axes = graph.ordered(Axis(name, axis.length) for name, axis in zip(names, value.axes, strict=True))
    return Value(_relabelled(graph, value.node, to), axes, value.type, value.index)


def _relabelled(graph: Graph, node: Node, to: dict[str, str]) -> Node:
    return graph.relabel(node, {before: after for before, after in to.items() if before in node.names})

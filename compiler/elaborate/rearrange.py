"""Functions that move along axes: window, concat, flatten, split, cumsum, cumprod, sort, argsort.

Each rule takes a call (what stands in its brackets, the values of its arguments) and gives the value, building nodes
in the graph. Their brackets say more than which axes: `window[h: r]` has positions and taps, `flatten[(c, h) -> f]`
axes that become one. Lengths that follow from others are worked out here, and noted in the table of axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr

from .. import arrays, functions, tree
from ..arrays import Sliding
from ..graph import Axis, Graph, Node, placeholder
from ..source import Note, Span
from .axes import Axes
from .mistakes import Mistake, counted, in_words, written
from .operations import Operand, meet, number, sides
from .scope import Scope, Value, Word
from .selection import known

_0 = placeholder(0)

OPTIONS: Mapping[str, tuple[str, ...]] = {"window": ("stride", "dilation", "pad")}
"""What a function may be given by name, behind its arguments."""

FORMS: Mapping[str, str] = {
    "window": "window[t: r](x)",
    "concat": "concat[t](a, b)",
    "flatten": "flatten[(h, w) -> f](x)",
    "split": "split[f -> (h: 2, w)](x)",
    **{name: f"{name}[t](x)" for name in ("cumsum", "cumprod", "sort", "argsort")},
}
"""How each is written, for messages."""


@dataclass(frozen=True, slots=True)
class Named:
    """An axis as it stands in brackets: the model's name of it, and the name as it is written."""

    name: str
    written: str
    span: Span


@dataclass(frozen=True, slots=True)
class Bracket:
    """One item of the brackets: `t` (no `after`), `h: r`, or `(c, h) -> f`; `sign` is "", ":" or "->"."""

    sign: str
    before: tuple[Named, ...]
    after: tuple[Named, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Rearranging:
    """A call of one of the functions of this page. `options` holds what was given by name, or behind the operands."""

    graph: Graph
    table: Axes
    name: str
    span: Span
    brackets: tuple[Bracket, ...]
    operands: tuple[Operand, ...]
    options: Mapping[str, Operand | Word]

    @property
    def form(self) -> str:
        """How the function is written."""
        return f"write {FORMS[self.name]}"


def brackets(items: Sequence[tree.SubscriptItem], scope: Scope, name: str) -> tuple[Bracket, ...]:
    """What stands in the brackets. Mistake where the function has nothing of that form."""

    def named(axis: tree.AxisName) -> Named:
        return Named(scope.axis(axis.name), axis.name, axis.span)

    wanted = {"window": tree.Taps, "flatten": tree.Rename, "split": tree.Rename}.get(name, tree.AxisName)
    found = []
    for item in items:
        if isinstance(item, tree.AxisName) and name == "window":
            help = f"name the axis of the taps: axis r: {item.length or 3}, and window[{item.name}: r](x)"
            raise Mistake("E0350", f"`window` needs the taps of `{item.name}` as an axis", item.span, help=help)
        if not isinstance(item, wanted):
            wants = {tree.Taps: "an axis and its taps", tree.Rename: "an arrow between axes"}.get(wanted, "an axis")
            message = f"the brackets of `{name}` hold {wants}, and not this"
            raise Mistake("E0350", message, item.span, help=f"write {FORMS[name]}")
        match item:
            case tree.Taps():
                found.append(Bracket(":", (named(item.axis),), (named(item.taps),), item.span))
            case tree.Rename():
                before, after = (tuple(named(axis) for axis in part) for part in (item.before, item.after))
                found.append(Bracket("->", before, after, item.span))
            case tree.AxisName():
                found.append(Bracket("", (named(item),), (), item.span))
    return tuple(found)


def arranged(name: str, arguments: Sequence[tree.Argument]) -> tuple[list[tree.Expression], dict[str, tree.Argument]]:
    """The arguments that are values, and those that are options, by their names."""
    options = OPTIONS.get(name, ())
    values: list[tree.Expression] = []
    given: dict[str, tree.Argument] = {}
    for position, argument in enumerate(arguments):
        option = argument.name
        if option is None and options and 1 <= position <= len(options):
            option = options[position - 1]
        if option is None:
            values.append(argument.value)
            continue
        if option not in options:
            help = f"its options are {', '.join(options)}" if options else "write its value alone"
            raise Mistake("E0404", f"`{name}` has no argument `{option}`", argument.span, help=help)
        if option in given:
            help = f"write {name}[...](x, {', '.join(f'{o}=1' for o in options[:1])})"
            raise Mistake("E0404", f"the argument `{option}` of `{name}` is given twice", argument.span, help=help)
        given[option] = argument
    return values, given


# -------------------------------------------------------------------------------------------------------- what is asked


def _one(call: Rearranging) -> Operand:
    if len(call.operands) != 1:
        given = in_words(len(call.operands))
        raise Mistake("E0404", f"`{call.name}` takes one argument, and is given {given}", call.span, help=call.form)
    return call.operands[0]


def _along(call: Rearranging) -> Named:
    """The one axis in the brackets."""
    if len(call.brackets) != 1:
        has = counted(len(call.brackets), "axis", "axes")
        message = f"`{call.name}` needs exactly one axis in brackets, and here it has {has}"
        raise Mistake("E0333", message, call.span, sides=sides(call.operands), help=call.form)
    return call.brackets[0].before[0]


def _present(call: Rearranging, operand: Operand, named: Named) -> Axis:
    """The axis as the operand has it."""
    axis = operand.value.axis(named.name)
    if axis is None:
        raise Mistake(
            "E0332",
            f"`{call.name}` needs the axis `{named.name}`, and this has none",
            operand.span,
            sides=[operand.side],
            help=f"its axes are {', '.join(a.name for a in operand.value.axes)}"
            if operand.value.axes
            else "it is a single number",
        )
    return axis


def _absent(call: Rearranging, operand: Operand, named: Named, gone: Sequence[str] = ()) -> None:
    """Mistake where the operand has the axis already, unless it is one of those that go."""
    if operand.value.axis(named.name) is not None and named.name not in gone:
        raise Mistake(
            "E0347",
            f"this would give the value two axes called `{named.name}`",
            named.span,
            sides=[operand.side],
            help=f"use another name: {named.written}'",
        )


def _once(call: Rearranging, items: Sequence[Named]) -> None:
    seen: set[str] = set()
    for named in items:
        if named.name in seen:
            help = "name each axis once"
            raise Mistake("E0334", f"the axis `{named.name}` stands here twice", named.span, help=help)
        seen.add(named.name)


def _others(value: Value, gone: Sequence[str], new: Sequence[Axis], graph: Graph) -> tuple[Axis, ...]:
    return graph.ordered([*(axis for axis in value.axes if axis.name not in gone), *new])


def _spread(call: Rearranging, value: Value, names: Sequence[str]) -> Node:
    """The value's node, with those of its axes, if algebra has freed it of some."""
    return call.graph.spread(value.node, [axis for axis in value.axes if axis.name in names])


# -------------------------------------------------------------------------------------------------------------- windows


def _window(call: Rearranging) -> Value:
    operand, graph = _one(call), call.graph
    if not call.brackets:
        raise Mistake("E0350", "`window` needs an axis and its taps in brackets", call.span, help=call.form)
    _once(call, [bracket.before[0] for bracket in call.brackets])
    _once(call, [bracket.after[0] for bracket in call.brackets])
    stride, dilation = _whole(call, "stride", 1), _whole(call, "dilation", 1)
    value, slidings, padded = operand.value, list[Sliding](), list[tuple[Axis, int | Expr, Axis]]()
    for bracket in call.brackets:
        (place,), (tap,) = bracket.before, bracket.after
        axis = _present(call, operand, place)
        _absent(call, operand, tap)
        taps = call.table.axis(tap.name, tap.span)
        before, behind = _pad(call, dilation * (taps.length - 1))
        along = Axis(axis.name, sympy.expand(axis.length + before + behind))
        count = arrays.positions(along.length, taps.length, stride, dilation)
        if count.is_nonpositive:
            raise _too_long(operand, bracket, axis, along, taps, dilation)
        if along.length != axis.length:
            padded.append((axis, before, along))
        slidings.append(Sliding(along, count, taps, stride, dilation))
    node = value.node
    if padded:
        node = _spread(call, value, [axis.name for axis, _, _ in padded])
    for axis, before, along in padded:
        node = graph.place_slice(node, along, sympy.sympify(before), 1, axis.length, drop=False)
    new = [axis for s in slidings for axis in (s.places, s.taps)]
    axes = _others(value, [s.along.name for s in slidings], new, graph)
    return Value(arrays.window(graph, node, slidings), axes, value.type, value.index)


def _whole(call: Rearranging, option: str, least: int) -> int:
    """The option as a whole number that is known when the model is compiled; 1 where it is not given."""
    given = call.options.get(option)
    if given is None:
        return 1
    found = None if isinstance(given, Word) else known(given.value)
    if found is None or not found.is_Integer or found < least:
        message = f"`{option}` must be a whole number from {least} on that is known when the model is compiled"
        side = f"{option} is {written(given.span) if found is None else found}"
        raise Mistake("E0352", message, given.span, sides=[side], help=f"write {option}={max(least, 1)}")
    return int(found)


def _pad(call: Rearranging, overhang: Expr) -> tuple[int | Expr, int | Expr]:
    """How many zeros stand before and behind. `"same"` puts the odd one behind."""
    given = call.options.get("pad")
    if isinstance(given, Word):
        if given.text != "same":
            message = f'`{call.name}` cannot pad by "{given.text}"'
            raise Mistake("E0352", message, given.span, help='write pad="same", or a number of zeros: pad=1')
        half = sympy.floor(overhang / 2)
        return half, sympy.expand(overhang - half)
    count = 0 if given is None else _whole(call, "pad", 0)
    return count, count


def _too_long(operand: Operand, bracket: Bracket, axis: Axis, along: Axis, taps: Axis, dilation: int) -> Mistake:
    reach = sympy.expand(dilation * (taps.length - 1) + 1)
    apart = f", {dilation} apart," if dilation != 1 else ""
    padded = f", {along.length} with its padding" if along.length != axis.length else ""
    return Mistake(
        "E0351",
        f"a window of {taps.length} taps{apart} is longer than `{axis.name}`",
        bracket.span,
        sides=[
            f"{written(operand.span)} has length {axis.length} along {axis.name}{padded}   "
            f"the taps {taps.name} reach over {reach}"
        ],
        help='take fewer taps, or pad: pad=1, pad="same"',
    )


# ---------------------------------------------------------------------------------------------------- arrays end to end


def _concat(call: Rearranging) -> Value:
    graph, along = call.graph, _along(call)
    if len(call.operands) < 2:
        given = in_words(len(call.operands))
        raise Mistake("E0404", f"`concat` takes two values or more, and is given {given}", call.span, help=call.form)
    for operand in call.operands:
        if operand.value.axis(along.name) is None:
            raise Mistake(
                "E0332",
                f"`concat` needs the axis `{along.name}` in each value, and this has none",
                operand.span,
                sides=[operand.side],
                help=f"for one position of it write ({written(operand.span)} * ones[{along.name}])[{along.name} = :1]",
            )
    kind = _common_type(call)
    rest = [
        Operand(Value(o.value.node, tuple(a for a in o.value.axes if a.name != along.name), kind), o.span)
        for o in call.operands
    ]
    others = meet(graph, rest, call.span)
    nodes, lengths = [], []
    for operand in call.operands:
        value = operand.value
        axis = value.axis(along.name)
        assert axis is not None
        node = _spread(call, value, [along.name])
        if kind == "float" and node.dtype != "float":
            node = graph.map(functions.as_float(_0), [node])
            node = graph.spread(node, [axis])
        nodes.append(node)
        lengths.append(axis.length)
    whole = Axis(along.name, sympy.expand(sympy.Add(*lengths)))
    indexes = {None if o.value.index is None else o.value.index for o in call.operands}
    index = call.operands[0].value.index if len(indexes) == 1 else None
    return Value(arrays.concat(graph, nodes, whole, kind), graph.ordered([*others, whole]), kind, index)


def _common_type(call: Rearranging) -> str:
    kinds = {operand.value.type for operand in call.operands}
    if kinds == {"bool"}:
        return "bool"
    for operand in call.operands:
        number(operand, "`concat` of numbers")
    return "int" if kinds == {"int"} else "float"


# -------------------------------------------------------------------------------------------------- merged, taken apart


def _renamed(call: Rearranging) -> Bracket:
    if len(call.brackets) != 1:
        message = f"`{call.name}` needs one arrow in brackets"
        raise Mistake("E0350", message, call.span, sides=sides(call.operands), help=call.form)
    bracket = call.brackets[0]
    several, one = (bracket.before, bracket.after) if call.name == "flatten" else (bracket.after, bracket.before)
    if len(one) != 1:
        other = "split" if call.name == "flatten" else "flatten"
        message = {
            "flatten": "`flatten` makes one axis of several, and here it would make several",
            "split": "`split` makes several axes of one, and here it would take several apart",
        }[call.name]
        raise Mistake("E0350", message, bracket.span, help=f"{call.form}; the other way round is {FORMS[other]}")
    _once(call, several)
    return bracket


def _flatten(call: Rearranging) -> Value:
    operand, bracket = _one(call), _renamed(call)
    value, graph = operand.value, call.graph
    merged = [_present(call, operand, named) for named in bracket.before]
    names = [axis.name for axis in merged]
    _absent(call, operand, bracket.after[0], names)
    length = sympy.expand(sympy.Mul(*(axis.length for axis in merged)))
    whole = _derived(call, bracket.after[0], length, " * ".join(f"{a.name} {a.length}" for a in merged))
    axes = _others(value, names, [whole], graph)
    return Value(arrays.flatten(graph, value.node, merged, whole), axes, value.type, value.index)


def _split(call: Rearranging) -> Value:
    operand, bracket = _one(call), _renamed(call)
    value, graph = operand.value, call.graph
    whole = _present(call, operand, bracket.before[0])
    for named in bracket.after:
        _absent(call, operand, named, [whole.name])
    told: list[Axis | None] = [call.table.told(named.name, named.span) for named in bracket.after]
    open_ = [named for named, axis in zip(bracket.after, told, strict=True) if axis is None]
    product = sympy.expand(sympy.Mul(*(axis.length for axis in told if axis is not None)))
    if len(open_) > 1:
        raise Mistake(
            "E0354",
            f"`split` can work out the length of one axis, and here {len(open_)} have none",
            bracket.span,
            sides=[f"{operand.side}   {whole.name} has length {whole.length}"],
            help=f"write all but one: split[{whole.name} -> ({open_[0].written}: 2, {open_[1].written})](...)",
        )
    divides = open_ and product.is_Integer
    ratio = arrays.quotient(whole.length, int(product)) if divides else sympy.floor(whole.length / product)
    if open_ and sympy.expand(ratio * product) != whole.length and (whole.length / product).is_number:
        raise _indivisible(operand, bracket, whole, [a for a in told if a is not None], bool(open_))
    if not open_ and product != whole.length:
        raise _indivisible(operand, bracket, whole, [a for a in told if a is not None], False)
    parts = [
        axis if axis is not None else _derived(call, named, ratio, f"{whole.name} {whole.length} / {product}")
        for named, axis in zip(bracket.after, told, strict=True)
    ]
    axes = _others(value, [whole.name], parts, graph)
    return Value(arrays.split(graph, value.node, whole, parts), axes, value.type, value.index)


def _indivisible(operand: Operand, bracket: Bracket, whole: Axis, parts: Sequence[Axis], open_: bool) -> Mistake:
    product = sympy.expand(sympy.Mul(*(axis.length for axis in parts)))
    has = f"{operand.side}   {whole.name} has length {whole.length}"
    factors = " * ".join(f"{axis.name} {axis.length}" for axis in parts)
    if open_:
        message = f"`{whole.name}` cannot be divided into {product} equal parts"
    else:
        message = f"these axes together are not as long as `{whole.name}`"
    help = "the lengths of the parts, multiplied, are the length of the whole"
    return Mistake("E0354", message, bracket.span, sides=[f"{has}   {factors} = {product}"], help=help)


def _derived(call: Rearranging, named: Named, length: Expr, how: str) -> Axis:
    """The axis with the length that follows; noted, so that it may be used wherever the model goes on."""
    before = call.table.derive(named.name, length, named.span)
    if before is None:
        return Axis(named.name, length)
    other, where = before
    raise Mistake(
        "E0355",
        f"`{call.name}` gives `{named.name}` the length {length}, and it has another",
        named.span,
        sides=[f"here {how} = {length}   before {other}"],
        help=f"write another name for the axis, or the length {length} where `{named.name}` is declared",
        notes=[] if where is None else [Note(where, f"here it is {other}")],
    )


# ------------------------------------------------------------------------------------------------ running totals, order


def _running(call: Rearranging) -> Value:
    operand, along = _one(call), _along(call)
    value = number(operand, f"`{call.name}`")
    axis = _present(call, operand, along)
    node = value.node
    if node.dtype != "float":
        node = call.graph.map(functions.as_float(_0), [node])
    operator = "sum" if call.name == "cumsum" else "prod"
    return Value(arrays.accumulate(call.graph, operator, node, axis), value.axes, "float")


def _ordered(call: Rearranging) -> Value:
    operand, along = _one(call), _along(call)
    value = number(operand, f"`{call.name}`")
    axis = _present(call, operand, along)
    places = arrays.order(call.graph, value.node, axis)
    if call.name == "argsort":
        return Value(places, value.axes, "int", axis)
    node = value.node
    if along.name in node.names:
        node = call.graph.gather(node, places, along.name)
    return Value(node, value.axes, value.type, value.index)


RULES: dict[str, Callable[[Rearranging], Value]] = {
    "window": _window,
    "concat": _concat,
    "flatten": _flatten,
    "split": _split,
    "cumsum": _running,
    "cumprod": _running,
    "sort": _ordered,
    "argsort": _ordered,
}
"""Functions whose brackets say how axes change."""

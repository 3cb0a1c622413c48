"""From nodes to formulas in the model's own names.

Takes a program and the nodes to be written; gives a formula for each, cut at every named value, and at parts that are
used more than once or are too long to read, which get lines of their own. Nodes are visited operands first and a
formula never grows past a bound, so the size of a model cannot break it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import singledispatch

import sympy
from sympy import Expr, Integer, Symbol

from .. import functions
from ..arrays import Accumulate, Concat, Flatten, Order, PlaceWindow, Recurrence, Split, Window
from ..graph import (
    Axis,
    Constant,
    Contract,
    Factor,
    Gather,
    Index,
    Last,
    Leaf,
    LinearAlgebra,
    Map,
    Node,
    PlaceSlice,
    Program,
    Reduce,
    Relabel,
    Scan,
    Scatter,
    Size,
    Slice,
    Spread,
    Stack,
    Steps,
    Stop,
    people,
    placeholder,
)
from .formula import (
    ZERO,
    Adjoint,
    Algebra,
    AllSteps,
    Apply,
    Arrange,
    Compare,
    Count,
    Formula,
    Free,
    Length,
    Logic,
    Matrix,
    Named,
    Number,
    Ones,
    Over,
    Place,
    Reference,
    Scanned,
    Select,
    add,
    axes,
    choose,
    depth,
    multiply,
    plain,
    power,
    rename,
    size,
    total,
    walk,
)

SHORT = 6
"""A part of so many names and numbers is written out wherever it is used."""

LONG = 24
"""A longer part gets a line of its own."""

DEEP = 12
"""And so does one that is nested deeper."""


@dataclass
class Writer:
    """Writes nodes of one program. `lines` holds, by key, the parts that have got a line of their own."""

    names: Mapping[int, Formula]  # how named values, leaves and adjoints are written, by node
    adjoints: Mapping[int, Adjoint] = field(default_factory=dict)
    lines: dict[int, Formula] = field(default_factory=dict)
    whole: dict[int, Formula] = field(default_factory=dict)  # each node written out, one level of names deep
    brief: dict[int, Formula] = field(default_factory=dict)  # each node as it stands in another's formula

    def write(self, roots: Sequence[Node]) -> list[Formula]:
        """The formula of each root, written out even where it has a name."""
        nodes = self._nodes(roots)
        # A renamed name is easier to read than a renamed formula.
        forced = {node.operands[0].id for node in nodes if isinstance(node, Relabel)}
        uses = _uses(nodes)
        for node in nodes:
            written = rule(node, [self.brief[operand.id] for operand in node.operands], self)
            self.whole[node.id] = written
            self.brief[node.id] = self._shortened(node, written, uses.get(node.id, 0), node.id in forced)
        return [self.whole[root.id] for root in roots]

    def _nodes(self, roots: Sequence[Node]) -> list[Node]:
        """What is to be visited, operands first: everything down to the named values, which are kept as names."""
        found: dict[int, Node] = {}
        waiting = list(roots)
        own = {root.id for root in roots}
        while waiting:
            node = waiting.pop()
            if node.id in found:
                continue
            found[node.id] = node
            for operand in node.operands:
                if operand.id in self.names and operand.id not in own:
                    self.brief[operand.id] = self.names[operand.id]
                else:
                    waiting.append(operand)
        return [found[key] for key in sorted(found)]

    def _shortened(self, node: Node, written: Formula, uses: int, forced: bool) -> Formula:
        if node.id in self.names:
            return self.names[node.id]
        if isinstance(node, Scan):
            self.lines[node.id] = written
            return Reference(node.id, ())
        if uses == 0 or plain(written):
            return written
        label = self.adjoints.get(node.id)
        length = size(written)
        short = length <= SHORT and depth(written) <= DEEP
        if label is not None and (forced or not short or _is_chain(written)):
            self.lines[node.id] = written
            return label
        if short or (uses == 1 and length <= LONG and depth(written) <= DEEP):
            return written
        self.lines[node.id] = written
        return Reference(node.id, node.names)

    def part(self, written: Formula) -> Formula:
        """A part of one node's expression, which has no node of its own: with its own line where it is too deep."""
        if depth(written) <= 2 * DEEP:
            return written
        key = -1 - len(self.lines)
        self.lines[key] = written
        return Reference(key, tuple(sorted(axes(written))))


def _is_chain(written: Formula) -> bool:
    """Whether an adjoint is a step of the chain rule, from another adjoint or through a sum: it keeps its own line."""
    return any(isinstance(part, (Adjoint, Reference, Over, Matrix)) for part in walk(written))


def _uses(nodes: Iterable[Node]) -> dict[int, int]:
    """How many of the nodes need each."""
    uses: dict[int, int] = {}
    for node in nodes:
        for key in dict.fromkeys(operand.id for operand in node.operands):
            uses[key] = uses.get(key, 0) + 1
    return uses


def names_of(program: Program) -> dict[int, Formula]:
    """How the model's values are written, by node: parameters and inputs first, then as they are defined."""
    found: dict[int, Formula] = {}
    for parameter in program.parameters:
        found.setdefault(parameter.value.id, Named(parameter.name, parameter.value.names))
    for given in program.inputs:
        found.setdefault(given.leaf.id, Named(given.name, given.leaf.names))
    for name, node in (*program.named, *program.predicted, *program.outputs, *program.metrics):
        if not isinstance(node, Constant):
            found.setdefault(node.id, Named(name, node.names))
    for parameter in program.parameters:
        found.setdefault(parameter.leaf.id, Free(parameter.name, parameter.leaf.names))
    for leaf in program.cotangents:
        found.setdefault(leaf.id, Named(f"seed({leaf.name})", leaf.names))
    return found


# ----------------------------------------------------------------------------------------------------------- the kinds


@singledispatch
def rule(node: Node, operands: Sequence[Formula], writer: Writer) -> Formula:
    """The node over its operands as they are written."""
    raise TypeError(f"no formula for {type(node).__name__}")


@rule.register
def _leaf(node: Leaf, operands: Sequence[Formula], writer: Writer) -> Formula:
    return writer.names.get(node.id, Named(people(node) if node.role == "local" else node.name, node.names))


@rule.register
def _constant(node: Constant, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Number(node.value)


@rule.register
def _index(node: Index, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Count(node.axes[0].name)


@rule.register
def _size(node: Size, operands: Sequence[Formula], writer: Writer) -> Formula:
    return length(node.length)


@rule.register
def _map(node: Map, operands: Sequence[Formula], writer: Writer) -> Formula:
    known: dict[Expr, Formula] = {placeholder(i): operand for i, operand in enumerate(operands)}
    return expression(node.expression, known, writer.part)


@rule.register
def _contract(node: Contract, operands: Sequence[Formula], writer: Writer) -> Formula:
    return total([(axis.name, length(axis.length)) for axis in node.summed], operands, node.names)


@rule.register
def _reduce(node: Reduce, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Over(node.operator, tuple(axis.name for axis in node.reduced), operands[0])


@rule.register
def _slice(node: Slice, operands: Sequence[Formula], writer: Writer) -> Formula:
    return _selection(operands[0], node)


@rule.register
def _place_slice(node: PlaceSlice, operands: Sequence[Formula], writer: Writer) -> Formula:
    if node.drop and node.start.is_number:
        at = Compare("==", Count(node.along.name), Number(node.start))
        return choose(at, operands[0], ZERO)
    return Place(operands[0], _selection(operands[0], node))


def _selection(body: Formula, node: Slice | PlaceSlice) -> Select:
    whole = node.along.length
    if node.drop:
        back = sympy.expand(node.start - whole)
        start = back if back.is_Integer and not node.start.is_Integer else node.start
        return Select(body, node.along.name, False, _position(start), None, 1)
    end = sympy.expand(node.start + node.step * node.length)
    first = Integer(0) if node.step > 0 else sympy.expand(whole - 1)
    start = None if sympy.expand(node.start) == first else _position(node.start, whole)
    beyond = sympy.expand(end - whole) if node.step > 0 else sympy.expand(-1 - end)
    stop = None if beyond.is_nonnegative else _position(end, whole)
    return Select(body, node.along.name, True, start, stop, node.step)


def _position(value: Expr, whole: Expr | None = None) -> Formula:
    if whole is not None and not value.is_Integer:
        back = sympy.expand(value - whole)
        if back.is_Integer and back.is_negative:
            return Number(back)
    return length(value)


@rule.register
def _gather(node: Gather, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Select(operands[0], node.along.name, False, operands[1], None, 1)


@rule.register
def _scatter(node: Scatter, operands: Sequence[Formula], writer: Writer) -> Formula:
    added, index = operands
    here = choose(_equal(node.along, index, node.names), added, ZERO)
    if not node.summed:
        return here
    return Over("sum", tuple(axis.name for axis in node.summed), here)


def _equal(along: Axis, index: Formula, order: Sequence[str]) -> Formula:
    """Whether an axis stands at the index; of two axes the first stands on the left."""
    sides: list[Formula] = [Count(along.name), index]
    if isinstance(index, Count) and order.index(index.axis) < order.index(along.name):
        sides.reverse()
    return Compare("==", *sides)


@rule.register
def _relabel(node: Relabel, operands: Sequence[Formula], writer: Writer) -> Formula:
    return rename(operands[0], node.renamed)


@rule.register
def _spread(node: Spread, operands: Sequence[Formula], writer: Writer) -> Formula:
    return multiply(Integer(1), [operands[0], _ones([a for a in node.axes if a.name not in node.operands[0].names])])


def _ones(wide: Sequence[Axis]) -> Formula:
    return Ones(tuple(axis.name for axis in wide), tuple(length(axis.length) for axis in wide))


@rule.register
def _linear_algebra(node: LinearAlgebra, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Algebra(node.operator, node.rows.name, node.columns.name, tuple(operands))


@rule.register
def _scan(node: Scan, operands: Sequence[Formula], writer: Writer) -> Formula:
    count = len(node.carried)
    starts, nexts, wholes = operands[:count], operands[count : 2 * count], operands[2 * count :]
    carried = [Named(people(leaf), leaf.names) for leaf in node.carried]
    stepped = [Named(people(leaf), leaf.names) for leaf in node.stepped]
    triples = tuple(zip(carried, starts, nexts, strict=True))
    return Scanned(node.along.name, node.backward, triples, tuple(zip(stepped, wholes, strict=True)))


@rule.register
def _steps(node: Steps, operands: Sequence[Formula], writer: Writer) -> Formula:
    return AllSteps(node.scan.along.name, *operands)


@rule.register
def _last(node: Last, operands: Sequence[Formula], writer: Writer) -> Formula:
    leaf = node.scan.carried[node.part]
    return Apply("last", (operands[0], Named(people(leaf), leaf.names)))


@rule.register
def _window(node: Window, operands: Sequence[Formula], writer: Writer) -> Formula:
    return _sliding("window", node, operands)


@rule.register
def _place_window(node: PlaceWindow, operands: Sequence[Formula], writer: Writer) -> Formula:
    return _sliding("place", node, operands)


def _sliding(operator: str, node: Window | PlaceWindow, operands: Sequence[Formula]) -> Formula:
    """All axes of a window slide alike, as they are written; where algebra had them do otherwise, the first tells."""
    pairs = tuple(((s.along.name,), ":", (s.taps.name,)) for s in node.slidings)
    steps = (("stride", node.slidings[0].stride), ("dilation", node.slidings[0].dilation))
    options = tuple((option, str(value)) for option, value in steps if value != 1)
    return Arrange(operator, pairs, tuple(operands), options, node.names)


@rule.register
def _concat(node: Concat, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Arrange("concat", (((node.along.name,), "", ()),), tuple(operands), (), node.names)


@rule.register
def _flatten(node: Flatten, operands: Sequence[Formula], writer: Writer) -> Formula:
    bracket = (tuple(axis.name for axis in node.merged), "->", (node.whole.name,))
    return Arrange("flatten", (bracket,), tuple(operands), (), node.names)


@rule.register
def _split(node: Split, operands: Sequence[Formula], writer: Writer) -> Formula:
    bracket = ((node.whole.name,), "->", tuple(axis.name for axis in node.parts))
    return Arrange("split", (bracket,), tuple(operands), (), node.names)


@rule.register
def _accumulate(node: Accumulate, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Arrange(f"cum{node.operator}", (((node.along.name,), "", ()),), tuple(operands), (), node.names)


@rule.register
def _recurrence(node: Recurrence, operands: Sequence[Formula], writer: Writer) -> Formula:
    options = (("transposed", "true"),) if node.backward else ()
    return Arrange("recurrence", (((node.along.name,), "", ()),), tuple(operands), options, node.names)


@rule.register
def _order(node: Order, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Arrange("argsort", (((node.along.name,), "", ()),), tuple(operands), (), node.names)


@rule.register
def _stop(node: Stop, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Apply("stop_gradient", (operands[0],))


@rule.register
def _stack(node: Stack, operands: Sequence[Formula], writer: Writer) -> Formula:
    parts = [part.name if isinstance(part, Named) else "..." for part in operands]
    numbers = [str(o.value) if isinstance(o, Constant) else part for o, part in zip(node.operands, parts, strict=True)]
    return Named(f"[{', '.join(numbers)}]", node.names)


@rule.register
def _factor(node: Factor, operands: Sequence[Formula], writer: Writer) -> Formula:
    return Named(f"R{node.part + 1}", node.names)


# ---------------------------------------------------------------------------------------------------------- expressions

COMPARISONS = {functions.less: "<", functions.less_equal: "<=", functions.equal: "==", functions.unequal: "!="}
LOGIC = {functions.both: "and", functions.either: "or", functions.negation: "not"}
RENAMED = {"Abs": "abs", "ceiling": "ceil", "steep_tanh": "tanh"}
"""Functions that the language calls by another name than SymPy."""


def length(value: Expr) -> Formula:
    """A length as a formula in the lengths of axes."""
    known: dict[Expr, Formula] = {symbol: Length(symbol.name) for symbol in value.free_symbols}
    return expression(value, known, lambda part: part)


def expression(root: Expr, known: dict[Expr, Formula], part: Callable[[Formula], Formula]) -> Formula:
    """A SymPy expression as a formula; `known` says what its symbols are. An explicit stack stands for recursion."""
    waiting = [root]
    while waiting:
        current = waiting[-1]
        if current in known:
            waiting.pop()
        elif current.is_Number or current.is_NumberSymbol:
            known[current] = Number(current)
        elif missing := [inner for inner in current.args if inner not in known]:
            waiting.extend(missing)
        else:
            known[current] = part(_operation(current, [known[inner] for inner in _in_order(current)]))
    return known[root]


def _in_order(whole: Expr) -> list[Expr]:
    """The arguments; of a sum or a product in the order of their first operands, so that it reads as it was written."""
    if whole.is_Add or whole.is_Mul:
        return sorted(whole.args, key=_first)
    return list(whole.args)


def _first(term: Expr) -> tuple[int, str]:
    symbols = [symbol.name for symbol in term.free_symbols if isinstance(symbol, Symbol)]
    places = [int(name[1:]) if name[1:].isdigit() else 0 for name in symbols]
    return min(places, default=-1), min(symbols, default="")


def _operation(head: Expr, arguments: list[Formula]) -> Formula:
    if head.is_Add:
        return add((False, argument) for argument in arguments)
    if head.is_Mul:
        return multiply(Integer(1), arguments)
    if head.is_Pow or isinstance(head, functions.power):
        return power(*arguments)
    kind = head.func
    if kind in COMPARISONS:
        return _comparison(COMPARISONS[kind], *arguments)
    if kind in LOGIC:
        return Logic(LOGIC[kind], tuple(arguments))
    if kind is functions.where:
        return choose(*arguments)
    if kind is functions.as_float:
        return arguments[0]
    if kind in SPELT:
        return SPELT[kind](*arguments)
    name = RENAMED.get(kind.__name__, kind.__name__)
    return Apply(name, tuple(arguments))


def _polygamma(order: Formula, x: Formula) -> Formula:
    for number, name in enumerate(("digamma", "trigamma")):
        if order == Number(Integer(number)):
            return Apply(name, (x,))
    return Apply("polygamma", (order, x))


def _polygamma_fall(order: Formula, x: Formula, y: Formula) -> Formula:
    return add([(False, _polygamma(order, x)), (True, _polygamma(order, add([(False, x), (False, y)])))])


def _i0_cumulant(order: Formula, x: Formula) -> Formula:
    if order != Number(Integer(1)):
        return Apply("i0_cumulant", (order, x))
    return add([(False, order), (True, multiply(Integer(1), [Apply("i1", (x,))], [Apply("i0", (x,))]))])


def _sigmoid_slope(x: Formula) -> Formula:
    return multiply(Integer(1), [Apply("sigmoid", (x,)), Apply("sigmoid", (multiply(Integer(-1), [x]),))])


SPELT: dict[type, Callable[..., Formula]] = {
    functions.sigmoid_slope: _sigmoid_slope,
    functions.polygamma: _polygamma,
    functions.polygamma_fall: _polygamma_fall,
    functions.i0_cumulant: _i0_cumulant,
}
"""Functions of the compiler that people write in others."""


def _comparison(operator: str, left: Formula, right: Formula) -> Formula:
    """A comparison with a number has the number on the right."""
    flipped = {"<": ">", "<=": ">=", "==": "==", "!=": "!="}
    if isinstance(left, Number) and not isinstance(right, Number):
        return Compare(flipped[operator], right, left)
    return Compare(operator, left, right)


def ordered(found: Iterable[Formula], lines: Mapping[int, Formula], adjoints: Mapping[Adjoint, int]) -> list[int]:
    """The keys of the lines that the formulas need, each after what mentions it first."""
    waiting = list(found)[::-1]
    keys: dict[int, None] = {}
    while waiting:
        for part in walk(waiting.pop()):
            key = part.key if isinstance(part, Reference) else adjoints.get(part) if isinstance(part, Adjoint) else None
            if key is not None and key in lines and key not in keys:
                keys[key] = None
                waiting.append(lines[key])
    return list(keys)

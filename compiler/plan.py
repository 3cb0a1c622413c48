"""When each value is computed, and where it lives: a lowered program in, a `Plan` out.

Every node gets a time. `compile`: a number. `bind`: depends on data alone, computed once; noise lies in arrays that
are there from then on, and what depends on it is not of this time. `step`: depends on parameters, states or noise, not
on rows. `block`: on these and on rows, computed for each block of rows in reused buffers.
`finish`: sums over rows, and what follows from them. Where a value along the rows needs another row's (a sum over
rows used in each row, a shift along the rows) the rows cannot be cut, and all of it is computed in one piece, at the
time `step`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .arrays import Accumulate, Concat, Flatten, Order, PlaceWindow, Recurrence, Split, Window
from .functions import where
from .graph import (
    LOOPS,
    Axis,
    Constant,
    Contract,
    Gather,
    Index,
    Last,
    Leaf,
    LinearAlgebra,
    Map,
    Node,
    PlaceSlice,
    Program,
    Relabel,
    Scan,
    Scatter,
    Size,
    Slice,
    Steps,
    Stop,
    data_length,
    reachable,
)
from .loops import Regions
from .simplify.cost import elements

IN_VECTOR = ("parameter", "state")
"""Roles of the leaves that lie in the flat vector."""

TIMES = ("compile", "bind", "step", "block", "finish")
PREFIXES = {"step": "s", "block": "b", "finish": "f"}
"""How the names of the buffers of each section begin."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that is allocated once, when data is bound. Its axes stand as `Plan.laid` has them, the rows first."""

    name: str
    axes: tuple[Axis, ...]
    dtype: str  # "float", "int", "bool"
    rows: bool  # one for a block of rows, not for all


@dataclass(frozen=True)
class Plan:
    """The nodes of each section in order, and the buffer of each array computed after bind.

    `rows` is None where the computation is not cut into blocks. `sums` are the nodes whose blocks are added up. `full`
    are arrays along all rows whose blocks are results, or hold them. `views` are nodes whose value lies in the memory
    of their operand. `taps` and `slid` are the axes of windows: of their taps and of their positions. The bodies of
    scans stand in `regions`, and what they leave behind in `places`; rows are not cut where there is a scan.
    """

    program: Program
    rows: str | None
    roots: tuple[Node, ...]
    times: dict[int, str]
    sections: dict[str, tuple[Node, ...]]
    sums: frozenset[int]
    full: frozenset[int]
    buffers: dict[int, Buffer]
    views: frozenset[int]
    taps: frozenset[str]
    slid: frozenset[str]
    regions: Regions
    places: dict[int, Places]

    def laid(self, axes: Iterable[Axis]) -> tuple[Axis, ...]:
        """The axes as they stand in memory."""
        return _laid(axes, self.taps, self.slid)

    def time(self, node: Node) -> str:
        """The node's time."""
        return self.times[node.id]


@dataclass(frozen=True, slots=True)
class Places:
    """Where what a scan leaves behind is written, step by step, in memory that holds all steps or two of them.

    `histories` are the carried leaves, by their number, that are kept at every step; `nexts` and `kept` the nodes that
    are written where they belong: what is carried, by number, and the values that are read of all steps. `of_carried`
    says of such values that they are a carried leaf, or what it becomes, and lie in its history: the leaf's number.
    `buffers` are those of the other nodes of the body: a node may stand in two bodies.
    """

    histories: frozenset[int]
    nexts: dict[int, int]
    kept: dict[int, Steps]
    of_carried: dict[int, int]
    buffers: dict[int, Buffer] = field(default_factory=dict)


def make_plan(program: Program, roots: Sequence[Node], results: Sequence[Node] = (), frugal: bool = False) -> Plan:
    """The plan of what computes `roots`; `results` are those of them that are handed out as arrays.

    Where it is `frugal`, products of data that are wider than the data themselves are formed in each block of rows
    anew, and not kept for all rows.
    """
    regions = Regions(roots)
    nodes = regions.outside
    rows = program.rows
    if regions.scans or (rows is not None and not _cuttable(nodes, rows)):
        rows = None
    wide = _wide(nodes, rows) if frugal and rows is not None else frozenset()
    times = _times(nodes, rows, wide)
    if rows is not None and any(
        times[node.id] == "block" and any(times[o.id] == "finish" for o in node.operands) for node in nodes
    ):
        rows = None
        times = _times(nodes, rows)
    sections = {time: tuple(node for node in nodes if times[node.id] == time) for time in TIMES}
    sums = frozenset(node.id for node in sections["finish"] if _adds_rows(node, rows))
    if sums:
        block = sorted([*sections["block"], *(n for n in sections["finish"] if n.id in sums)], key=lambda n: n.id)
        sections["block"] = tuple(block)
        sections["finish"] = tuple(n for n in sections["finish"] if n.id not in sums)
    everything = reachable(roots)
    sliding = [s for node in everything if isinstance(node, Window | PlaceWindow) for s in node.slidings]
    # Where rows are cut they lead in memory, and windows along them are of data alone.
    taps = frozenset(s.taps.name for s in sliding) - {rows}
    slid = frozenset(s.along.name for s in sliding) - {rows}
    views = _views(everything, program, rows, taps, slid)
    holders = [_holder(node, views) for node in results]
    full = frozenset(node.id for node in holders if times[node.id] == "block")
    places = {scan.id: _places(regions, scan, views) for scan in regions.scans}
    memory = _Memory(regions, places, rows, views, taps, slid)
    buffers = _allocate(memory, sections, PREFIXES, sums | full, roots)
    for number, scan in enumerate(regions.scans):
        body, own = regions.body(scan), places[scan.id]
        times |= {node.id: "step" for node in body.nodes}
        found = _allocate(
            memory,
            {"step": body.nodes},
            {"step": f"loop{number}_"},
            frozenset([*own.nexts, *own.kept]),
            [*scan.nexts, *(steps.operands[1] for steps in body.kept)],
        )
        places[scan.id] = replace(own, buffers=found)
    for table in (buffers, *(found.buffers for found in places.values())):
        for key, buffer in table.items():
            table[key] = replace(buffer, axes=_laid(buffer.axes, taps, slid))
    return Plan(program, rows, tuple(roots), times, sections, sums, full, buffers, views, taps, slid, regions, places)


def _places(regions: Regions, scan: Scan, views: frozenset[int]) -> Places:
    """A node is written to one place as it is computed; from there it is copied to the others."""
    body = regions.body(scan)
    inside = {node.id for node in body.nodes if node.axes and node.id not in views and not isinstance(node, LOOPS)}
    values = [steps.operands[1] for steps in body.kept]
    nexts: dict[int, int] = {}
    histories: dict[int, int] = {}  # by the value that lies there
    for part, (leaf, following) in enumerate(zip(scan.carried, scan.nexts, strict=True)):
        if not leaf.axes:
            continue
        if following.id in inside:
            nexts.setdefault(following.id, part)
        own = [leaf, following] if nexts.get(following.id) == part else [leaf]
        histories |= {value.id: part for value in values if value in own and value.id not in histories}
    kept = {}
    of_carried = {}
    for steps in body.kept:
        value = steps.operands[1]
        if value.id in histories:
            of_carried[steps.id] = histories[value.id]
        elif value.id in inside and value.id not in nexts:
            kept[value.id] = steps
    return Places(frozenset(histories.values()), nexts, kept, of_carried)


# --------------------------------------------------------------------------------------------------------------- memory


def _laid(axes: Iterable[Axis], taps: frozenset[str], slid: frozenset[str]) -> tuple[Axis, ...]:
    """In the graph's order, but the positions of windows last and their taps before them: so a convolution is one
    product of matrices for each row, and what is done at each position is done to long runs of memory."""
    if not slid:
        return tuple(axes)
    return tuple(sorted(axes, key=lambda axis: 1 if axis.name in taps else 2 if axis.name in slid else 0))


def _views(
    nodes: Sequence[Node], program: Program, rows: str | None, taps: frozenset[str], slid: frozenset[str]
) -> frozenset[int]:
    """The nodes whose value is a view of their operand's memory.

    Axes can be merged in place where they lie side by side and the last one moves fastest.
    """
    written = as_written(program)
    lying: dict[int, list[str]] = {}  # of what lies in one piece, its axes in the order of memory
    found: set[int] = set()
    for node in nodes:
        own = [axis.name for axis in _laid(node.axes, taps, slid)]
        below = lying.get(node.operands[0].id) if node.operands else None
        match node:
            case Leaf(role="local"):
                pass  # one step of an array, which may lie in pieces
            case Steps():
                inner = node.operands[1].axes
                lying[node.id] = [node.scan.along.name, *(axis.name for axis in _laid(inner, taps, slid))]
            case Leaf():
                names = [axis.name for axis in written.get(node.id, node.axes)]
                turned = rows is not None and rows in names[1:]
                lying[node.id] = [axis.name for axis in rows_first(node.axes, rows)] if turned else names
            case Relabel() | Stop():
                to = dict(node.renamed) if isinstance(node, Relabel) else {}
                if below is not None:
                    lying[node.id] = [to.get(name, name) for name in below]
                found.add(node.id)
            case Flatten() if below is not None and (start := _beside(below, node)) is not None:
                lying[node.id] = [*below[:start], node.whole.name, *below[start + len(node.merged) :]]
                found.add(node.id)
            case Split():
                if below is not None:
                    parts = [axis.name for axis in node.parts]
                    lying[node.id] = [part for n in below for part in (parts if n == node.whole.name else [n])]
                found.add(node.id)
            case Slice() | Window():
                found.add(node.id)
            case _ if is_diagonal(node):
                found.add(node.id)
            case _:
                lying[node.id] = own
    return frozenset(found)


def as_written(program: Program) -> dict[int, tuple[Axis, ...]]:
    """The axes of each leaf by its id, in the order in which its array has them."""
    written = {item.leaf.id: item.axes for item in program.inputs}
    written |= {item.leaf.id: item.axes for item in (*program.parameters, *program.tangents)}
    written |= {item.leaf.id: item.axes for item in program.states}
    # Noise is drawn into an array of ours: its rows lead.
    written |= {item.leaf.id: rows_first(item.axes, program.rows) for item in program.noise}
    return written | {leaf.id: program.shown(leaf.axes) for leaf in program.cotangents}


def rows_first(axes: Iterable[Axis], rows: str | None) -> tuple[Axis, ...]:
    """The axes with the rows before all others."""
    return tuple(sorted(axes, key=lambda axis: axis.name != rows))


def _beside(layout: Sequence[str], node: Flatten) -> int | None:
    """Where the merged axes start, if they stand side by side in their order."""
    names = [axis.name for axis in node.merged]
    start = layout.index(names[0])
    return start if list(layout[start : start + len(names)]) == names else None


def is_diagonal(node: Node) -> bool:
    """Whether the node reads an array where two of its axes, of one length, are at the same position."""
    if not isinstance(node, Gather) or not isinstance(node.operands[1], Index):
        return False
    return node.operands[1].axes[0].length == node.along.length and node.operands[1].names[0] in node.operands[0].names


def _holder(node: Node, views: frozenset[int]) -> Node:
    """The node whose memory holds the value."""
    while node.id in views:
        node = node.operands[0]
    return node


# ---------------------------------------------------------------------------------------------------------------- times


def _cuttable(nodes: Sequence[Node], rows: str) -> bool:
    """Whether each row's values follow from that row alone, sums over rows set aside."""
    # Of data alone a block is a part of the first axis; that of a scan elsewhere may stand before the rows.
    turned = any(rows in node.names[1:] for node in nodes if not isinstance(node, Leaf))
    return not turned and all(_row_by_row(node, rows) for node in nodes if node.trained)


def _row_by_row(node: Node, rows: str) -> bool:
    here = rows in node.names
    if here and (node.axis(rows).length != data_length(rows) or node.names[0] != rows):
        return False
    above = any(rows in operand.names for operand in node.operands)
    match node:
        case Slice() | PlaceSlice() if node.along.name == rows:
            return False
        case Gather() if node.along.name == rows:
            return False
        case Scatter() if node.along.name == rows:
            return False
        case Relabel() if rows in {name for pair in node.renamed for name in pair}:
            return False
        case LinearAlgebra() if rows in (node.rows.name, node.columns.name):
            return False
        case Window() | PlaceWindow() if rows in {name for s in node.slidings for name in (s.along.name, s.taps.name)}:
            return False
        case Concat() | Accumulate() | Recurrence() | Order() if node.along.name == rows:
            return False
        case Flatten() | Split() if rows in (node.whole.name, *(a.name for a in _several(node))):
            return False
        case Contract() | Scatter():
            return True
    return here or not above


def _several(node: Flatten | Split) -> tuple[Axis, ...]:
    return node.merged if isinstance(node, Flatten) else node.parts


def _adds_rows(node: Node, rows: str | None) -> bool:
    return (
        rows is not None
        and isinstance(node, Contract | Scatter)
        and rows not in node.names
        and any(rows in operand.names for operand in node.operands)
    )


def _wide(nodes: Sequence[Node], rows: str) -> frozenset[int]:
    """Pointwise operations on data alone, along the rows, with more elements in a row than any input has.

    What is computed of them is then computed in blocks too, so neither they nor any of it may need other rows.
    """
    given = [elements(node.axes, rows) for node in nodes if isinstance(node, Leaf) and rows in node.names]
    known = [node for node in nodes if isinstance(node, Map) and not node.trained and rows in node.names]
    across: set[int] = set()  # the values that need other rows, and what they are computed of
    for node in reversed(nodes):
        if node.id in across or not _row_by_row(node, rows):
            across.update((node.id, *(operand.id for operand in node.operands)))
    most = max(given, default=0)
    return frozenset(node.id for node in known if node.id not in across and elements(node.axes, rows) > most)


def _times(nodes: Sequence[Node], rows: str | None, wide: frozenset[int] = frozenset()) -> dict[int, str]:
    times: dict[int, str] = {}
    drawn: set[int] = set()  # noise, and what depends on it
    for node in nodes:
        if (isinstance(node, Leaf) and node.role == "noise") or any(o.id in drawn for o in node.operands):
            drawn.add(node.id)
        if isinstance(node, Constant):
            times[node.id] = "compile"
        elif isinstance(node, Index | Size) or (isinstance(node, Leaf) and node.role not in IN_VECTOR):
            times[node.id] = "bind"
        elif isinstance(node, Leaf | Scan | Steps | Last):
            times[node.id] = "step"
        elif (
            node.id not in drawn
            and node.id not in wide
            and all(times[o.id] in ("compile", "bind") for o in node.operands)
        ):
            times[node.id] = "bind"
        elif rows is not None and rows in node.names:
            times[node.id] = "block"
        elif _adds_rows(node, rows) or any(times[o.id] == "finish" for o in node.operands):
            times[node.id] = "finish"
        else:
            times[node.id] = "step"
    return times


# -------------------------------------------------------------------------------------------------------------- buffers


@dataclass(frozen=True)
class _Memory:
    """What all buffers follow from."""

    regions: Regions
    places: Mapping[int, Places]
    rows: str | None
    views: frozenset[int]
    taps: frozenset[str]
    slid: frozenset[str]

    def shape(self, axes: Iterable[Axis], dtype: str) -> tuple[object, ...]:
        """What two arrays have alike of which one can lie where the other lay."""
        return (*(axis.length for axis in _laid(axes, self.taps, self.slid)), dtype)

    def stacks(self, scan: Scan) -> list[Steps]:
        """The values of every step that the scan writes to memory of their own, the steps outermost."""
        found = []
        for steps in self.regions.body(scan).kept:
            first, *others = _laid(steps.axes, self.taps, self.slid)
            inner = _laid(steps.operands[1].axes, self.taps, self.slid)
            if steps.id not in self.places[scan.id].of_carried and others and (first, *inner) == (scan.along, *others):
                found.append(steps)
        return found


def _allocate(
    memory: _Memory,
    sections: Mapping[str, Sequence[Node]],
    prefixes: Mapping[str, str],
    own: frozenset[int],
    roots: Sequence[Node],
) -> dict[int, Buffer]:
    """A buffer for each array that is computed in the sections, one after another as `prefixes` names them.

    One that nobody reads any more serves the next of its shape; those in `own`, and where their section is a scan's
    body those that are written where they belong, serve nobody else.
    """
    regions, views = memory.regions, memory.views
    last: dict[int, tuple[int, int]] = {}
    order = [(s, i, node) for s, name in enumerate(prefixes) for i, node in enumerate(sections[name])]
    holder: dict[int, int] = {}  # an alias holds its operand's memory
    for _, _, node in order:
        holder[node.id] = holder.get(node.operands[0].id, node.operands[0].id) if node.id in views else node.id
    for s, i, node in order:
        for operand in regions.operands(node):
            last[holder.get(operand.id, operand.id)] = (s, i)
    for root in roots:
        last[holder.get(root.id, root.id)] = (len(TIMES), 0)
    buffers: dict[int, Buffer] = {}
    for s, (section, prefix) in enumerate(prefixes.items()):
        count = 0
        free: dict[tuple[object, ...], list[Buffer]] = {}
        for i, node in enumerate(sections[section]):
            operands = _distinct(regions.operands(node))
            # Views of one array are one: its memory is given back once, and nothing is written over what another reads.
            held = [holder.get(o.id, o.id) for o in operands]
            alive = {h: o for h, o in zip(held, operands, strict=True) if last.get(h) == (s, i)}
            dying = list(alive.values())
            if isinstance(node, Leaf) or node.id in views:
                continue
            written = [node] if node.axes and not isinstance(node, LOOPS) else []
            overwritten = [o for h, o in alive.items() if held.count(h) == 1 and _may_overwrite(node, o, views)]
            if isinstance(node, Scan):
                # They are written while its body reads the operands.
                written, overwritten = [*memory.stacks(node)], []
            _release(memory, overwritten, free, buffers, prefix, holder)
            for each in written:
                key = memory.shape(each.axes, each.dtype)
                if each.id in own:
                    buffers[each.id] = Buffer(f"sum_{each.id}", each.axes, each.dtype, False)
                elif free.get(key):
                    taken = free[key].pop()
                    buffers[each.id] = taken if taken.axes == each.axes else replace(taken, axes=each.axes)
                else:
                    by_rows = memory.rows is not None and section == "block"
                    buffers[each.id] = Buffer(f"{prefix}{count}", each.axes, each.dtype, by_rows)
                    count += 1
            _release(memory, [o for o in dying if o not in overwritten], free, buffers, prefix, holder)
    return buffers


def _distinct(nodes: Sequence[Node]) -> list[Node]:
    return list({node.id: node for node in nodes}.values())


def _may_overwrite(node: Node, operand: Node, views: frozenset[int]) -> bool:
    """Whether a ufunc may write its result over this operand: same shape, read in the same order, in one call."""
    if not isinstance(node, Map) or operand.axes != node.axes or operand.dtype != node.dtype or operand.id in views:
        return False
    if isinstance(node.expression, where):
        return node.expression.args[2] in node.expression.free_symbols and operand is _symbol_operand(node, 2)
    return True


def _symbol_operand(node: Map, argument: int) -> Node | None:
    symbol = node.expression.args[argument]
    place = int(symbol.name[1:]) if symbol.is_Symbol else -1
    # What is chosen from must not be overwritten by what is not.
    others = [a for i, a in enumerate(node.expression.args) if i != argument]
    return node.operands[place] if place >= 0 and symbol not in others else None


def _release(
    memory: _Memory,
    dying: Sequence[Node],
    free: dict[tuple[object, ...], list[Buffer]],
    buffers: dict[int, Buffer],
    prefix: str,
    holder: dict[int, int],
) -> None:
    for node in dying:
        buffer = buffers.get(holder.get(node.id, node.id))
        if buffer is not None and buffer.name.startswith(prefix) and not buffer.name.startswith("sum_"):
            free.setdefault(memory.shape(buffer.axes, buffer.dtype), []).append(buffer)

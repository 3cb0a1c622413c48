"""When each value is computed, and where it lives: a lowered program in, a `Plan` out.

Every node gets a time. `compile`: a number. `bind`: depends on data alone, computed once; noise lies in arrays that
are there from then on, and what depends on it is not of this time. `step`: depends on parameters, states or noise, not
on rows. `block`: on these and on rows, computed for each block of rows in reused buffers.
`finish`: sums over rows, and what follows from them. Where a value along the rows needs another row's (a sum over
rows used in each row, a shift along the rows) the rows cannot be cut, and all of it is computed in one piece, at the
time `step`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
)
from .loops import Regions

IN_VECTOR = ("parameter", "state")
"""Roles of the leaves that lie in the flat vector."""

TIMES = ("compile", "bind", "step", "block", "finish")
PREFIXES = {"step": "s", "block": "b", "finish": "f"}
"""How the names of the buffers of each section begin."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Memory that is allocated once, when data is bound. Its axes stand in the graph's order, the rows first."""

    name: str
    axes: tuple[Axis, ...]
    dtype: str  # "float", "int", "bool"
    rows: bool  # one for a block of rows, not for all


@dataclass(frozen=True)
class Plan:
    """The nodes of each section in order, and the buffer of each array computed after bind.

    `rows` is None where the computation is not cut into blocks. `sums` are the nodes whose blocks are added up. `full`
    are arrays along all rows whose blocks are results, or hold them. `alias` nodes are views of their operand. The
    bodies of scans stand in `regions`, and what they leave behind in `places`; rows are not cut where there is a scan.
    """

    program: Program
    rows: str | None
    roots: tuple[Node, ...]
    times: dict[int, str]
    sections: dict[str, tuple[Node, ...]]
    sums: frozenset[int]
    full: frozenset[int]
    buffers: dict[int, Buffer]
    regions: Regions
    places: dict[int, Places]

    def time(self, node: Node) -> str:
        """The node's time."""
        return self.times[node.id]


@dataclass(frozen=True, slots=True)
class Places:
    """Where what a scan leaves behind is written, step by step, in memory that holds all steps or two of them.

    `histories` are the carried leaves, by their number, that are kept at every step; `nexts` and `kept` the nodes that
    are written where they belong: what is carried, by number, and the values that are read of all steps. `buffers` are
    those of the other nodes of the body: a node may stand in two bodies.
    """

    histories: frozenset[int]
    nexts: dict[int, int]
    kept: dict[int, Steps]
    buffers: dict[int, Buffer]


def make_plan(program: Program, roots: Sequence[Node], results: Sequence[Node] = ()) -> Plan:
    """The plan of what computes `roots`; `results` are those of them that are handed out as arrays."""
    regions = Regions(roots)
    nodes = regions.outside
    rows = program.rows
    if regions.scans or (rows is not None and not _cuttable(nodes, rows)):
        rows = None
    times = _times(nodes, rows)
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
    holders = [_holder(node) for node in results]
    full = frozenset(node.id for node in holders if times[node.id] == "block")
    buffers = _allocate(regions, sections, PREFIXES, sums | full, roots, rows)
    places = {}
    for number, scan in enumerate(regions.scans):
        times |= {node.id: "step" for node in regions.body(scan).nodes}
        places[scan.id] = _places(regions, scan, f"loop{number}_")
    return Plan(program, rows, tuple(roots), times, sections, sums, full, buffers, regions, places)


def _places(regions: Regions, scan: Scan, prefix: str) -> Places:
    """A node is written to one place as it is computed; from there it is copied to the others."""
    body = regions.body(scan)
    inside = {node.id for node in body.nodes if node.axes and not is_alias(node) and not isinstance(node, LOOPS)}
    values = [steps.operands[1] for steps in body.kept]
    nexts: dict[int, int] = {}
    histories = set()
    for part, (leaf, following) in enumerate(zip(scan.carried, scan.nexts, strict=True)):
        if not leaf.axes:
            continue
        if following.id in inside:
            nexts.setdefault(following.id, part)
        if leaf in values or (following in values and nexts.get(following.id) == part):
            histories.add(part)
    kept = {}
    for steps in body.kept:
        value = steps.operands[1]
        if value.id in inside and value.id not in nexts:
            kept[value.id] = steps
    own = frozenset([*nexts, *kept])
    buffers = _allocate(regions, {"step": body.nodes}, {"step": prefix}, own, [*scan.nexts, *values], None)
    return Places(frozenset(histories), nexts, kept, buffers)


def is_alias(node: Node) -> bool:
    """Whether the node's value is a view of its operand's memory."""
    return isinstance(node, Relabel | Stop | Slice) or is_diagonal(node)


def is_diagonal(node: Node) -> bool:
    """Whether the node reads an array where two of its axes, of one length, are at the same position."""
    if not isinstance(node, Gather) or not isinstance(node.operands[1], Index):
        return False
    return node.operands[1].axes[0].length == node.along.length and node.operands[1].names[0] in node.operands[0].names


def _holder(node: Node) -> Node:
    """The node whose memory holds the value."""
    while is_alias(node):
        node = node.operands[0]
    return node


# ---------------------------------------------------------------------------------------------------------------- times


def _cuttable(nodes: Sequence[Node], rows: str) -> bool:
    """Whether each row's values follow from that row alone, sums over rows set aside."""
    base = data_length(rows)
    for node in nodes:
        if not node.trained:
            continue
        here = rows in node.names
        if here and (node.axis(rows).length != base or node.names[0] != rows):
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
            case Contract() | Scatter():
                pass
            case _ if above and not here:
                return False
    return True


def _adds_rows(node: Node, rows: str | None) -> bool:
    return (
        rows is not None
        and isinstance(node, Contract | Scatter)
        and rows not in node.names
        and any(rows in operand.names for operand in node.operands)
    )


def _times(nodes: Sequence[Node], rows: str | None) -> dict[int, str]:
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
        elif node.id not in drawn and all(times[o.id] in ("compile", "bind") for o in node.operands):
            times[node.id] = "bind"
        elif rows is not None and rows in node.names:
            times[node.id] = "block"
        elif _adds_rows(node, rows) or any(times[o.id] == "finish" for o in node.operands):
            times[node.id] = "finish"
        else:
            times[node.id] = "step"
    return times


# -------------------------------------------------------------------------------------------------------------- buffers


def _allocate(
    regions: Regions,
    sections: Mapping[str, Sequence[Node]],
    prefixes: Mapping[str, str],
    own: frozenset[int],
    roots: Sequence[Node],
    rows: str | None,
) -> dict[int, Buffer]:
    """A buffer for each array that is computed in the sections, one after another as `prefixes` names them.

    One that nobody reads any more serves the next of its shape; those in `own`, and where their section is a scan's
    body those that are written where they belong, serve nobody else.
    """
    last: dict[int, tuple[int, int]] = {}
    order = [(s, i, node) for s, name in enumerate(prefixes) for i, node in enumerate(sections[name])]
    holder: dict[int, int] = {}  # an alias holds its operand's memory
    for _, _, node in order:
        holder[node.id] = holder.get(node.operands[0].id, node.operands[0].id) if is_alias(node) else node.id
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
            if isinstance(node, Leaf) or is_alias(node):
                continue
            # The memory of what a scan leaves behind is that of its places.
            if not node.axes or isinstance(node, LOOPS):
                _release(dying, free, buffers, prefix, holder)
                continue
            key = (node.axes, node.dtype)
            overwritten = [o for h, o in alive.items() if held.count(h) == 1 and _may_overwrite(node, o)]
            _release(overwritten, free, buffers, prefix, holder)
            if node.id in own:
                buffers[node.id] = Buffer(f"sum_{node.id}", node.axes, node.dtype, False)
            elif free.get(key):
                buffers[node.id] = free[key].pop()
            else:
                by_rows = rows is not None and section == "block"
                buffers[node.id] = Buffer(f"{prefix}{count}", node.axes, node.dtype, by_rows)
                count += 1
            _release([o for o in dying if o not in overwritten], free, buffers, prefix, holder)
    return buffers


def _distinct(nodes: Sequence[Node]) -> list[Node]:
    return list({node.id: node for node in nodes}.values())


def _may_overwrite(node: Node, operand: Node) -> bool:
    """Whether a ufunc may write its result over this operand: same shape, read in the same order, in one call."""
    if not isinstance(node, Map) or operand.axes != node.axes or operand.dtype != node.dtype or is_alias(operand):
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
    dying: Sequence[Node],
    free: dict[tuple[object, ...], list[Buffer]],
    buffers: dict[int, Buffer],
    prefix: str,
    holder: dict[int, int],
) -> None:
    for node in dying:
        buffer = buffers.get(holder.get(node.id, node.id))
        if buffer is not None and buffer.name.startswith(prefix) and not buffer.name.startswith("sum_"):
            free.setdefault((buffer.axes, buffer.dtype), []).append(buffer)

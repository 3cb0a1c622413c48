"""The NumPy module: a lowered program in, its text out.

The module imports NumPy and nothing else. Its tables say what the model has, one class each computes an objective
with its gradient, the outputs, the metrics and the pullback of cotangents. The text is ASCII, holds no path and no
time, and is the same for the same source, options and version everywhere.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr

from ..derivatives import Derived
from ..graph import (
    RANK,
    Axis,
    Constant,
    Contract,
    Factor,
    Initial,
    Leaf,
    Map,
    Node,
    Noise,
    Objective,
    Parameter,
    Program,
    Slice,
    Stack,
    State,
    data_length,
    reachable,
)
from ..plan import Plan, make_plan
from ..source import Source
from . import changing, sparse
from . import derivatives as beyond
from .allowed import verify
from .lengths import NAME as CHECK_LENGTHS
from .lengths import checks
from .names import Names
from .numbers import length
from .refs import Ref
from .routine import RISKY, Routine
from .signature import PLAIN, Signature
from .special import DEFINED, support
from .support import ALGEBRA, EXPAND, FACTOR, REFUSE, SUPPORT
from .ufuncs import FUNCTIONS

CACHE = 1_048_576
"""Bytes that a block of rows may use: about a core's second-level cache."""
LEAST_ROWS = 256
"""Rows below which a block's matrix products would be too thin."""

LEAST_WITH_WINDOWS = 4
"""The same where there are windows: there is a product for each row, and a row alone may fill the cache."""

MOST_ROWS = 8192
"""Rows above which NumPy's OpenBLAS sets several threads to one dot product (from 10,000 on), which takes them longer
to agree on than to compute."""

MOST_COLUMNS = 256
"""Columns above which their factor takes too long to make for a training of a few steps."""

MOST_STATISTICS = 1024
"""Products of the data for each row above which they take more memory than they save time."""


@dataclass(frozen=True, slots=True)
class Variant:
    """The lowered program with some objectives in another form, which `bind` takes where the data allow it.

    `kind` is the pass that made it: "factor" or "expand".
    """

    kind: str
    program: Program


VARIANTS = {
    "factor": ("_Factored", "_FACTORED", "from the factor of the columns: no step passes through the rows."),
    "expand": ("_Expanded", "_EXPANDED", "from products of the centred data, which are computed once."),
}
"""The class, the table of the classes, and what is said of them."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """Where each named value's statement stands, for names and remarks."""

    source: Source
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    names: tuple[str, ...]

    def name(self, node: Node) -> str | None:
        """The named value in whose statement the node was written."""
        span = node.span
        if span is None or span.source is not self.source:
            return None
        place = bisect.bisect_right(self.starts, span.start) - 1
        return self.names[place] if place >= 0 and span.start < self.ends[place] else None


def emit_numpy(
    program: Program,
    variants: Sequence[Variant],
    written: Program,
    source: Source,
    dtype: str,
    constants: Mapping[str, float],
    version: str,
    derivatives: Sequence[Derived] = (),
    asked: Sequence[str] = (),
) -> str:
    """The text of the module.

    `program` is lowered; `variants` hold some of its objectives in other forms; `written` is the program as elaborated,
    for the tables. `derivatives`, lowered too, are what was `asked` for besides.
    """
    writer = Writer(program, variants, written, source, dtype)
    classes: list[str] = []
    for i, objective in enumerate(program.objectives):
        classes.append(writer.objective(program, objective, None))
        for variant in variants:
            if variant.program.objectives[i].value is not objective.value:
                classes.append(writer.objective(variant.program, variant.program.objectives[i], variant.kind))
    outputs = [name for name, _ in program.outputs]
    metrics = [name for name, _ in program.metrics]
    if outputs:
        classes.append(writer.values("_Outputs", program.outputs, "What `predict` returns."))
    if metrics:
        classes.append(writer.values("_Metrics", program.metrics, "What `metrics` returns."))
    if program.cotangents:
        classes.append(writer.pullback())
    classes += beyond.classes(derivatives, writer)
    text = _head(program, source, dtype, constants, version, writer)
    text += (
        SUPPORT
        + "".join(f"\n{text}" for kind, text in (("factor", FACTOR), ("expand", EXPAND)) if writer.variants[kind])
        + (f"\n{changing.NOISE}" if program.noise else "")
        + (f"\n{changing.STATES}" if program.states else "")
        + _algebra(writer)
        + writer.checks
        + support(frozenset(writer.used))
        + "".join(f"\n\n{body}" for body in classes)
        + "\n\n"
        + _face(program, writer)
        + beyond.functions(asked, derivatives)
    )
    text = re.sub(r"\n{3,}", "\n\n\n", text)
    verify(text)
    return text


def _algebra(writer: Writer) -> str:
    """The functions of windows and of matrices that the classes call, and what their messages call the matrices."""
    parts = [text for operator, text in ALGEBRA.items() if operator in writer.algebra]
    if writer.matrices:
        entries = [f"    ({_quoted(matrix)}, {_quoted(batch)})," for matrix, batch in writer.matrices]
        parts = ["\n".join(["", "_MATRICES = (", *entries, ")", ""]), REFUSE, *parts]
    return "".join(f"\n{part}" for part in parts)


# ------------------------------------------------------------------------------------------------------------- the head


def _head(
    program: Program, source: Source, dtype: str, constants: Mapping[str, float], version: str, writer: Writer
) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", source.name)
    title = re.sub(r"\.model$", "", name)
    digest = hashlib.sha256(source.text.encode()).hexdigest()
    used = sorted(writer.used & FUNCTIONS)
    lines = [
        '"""A model, compiled by gradc: value and gradient in NumPy.',
        "",
        f"Made from {name}; change that, and compile it again.",
        *_forms(writer),
        '"""',
        "",
        "import numpy",
        *_wrapped_import(used),
        "",
        f'MODEL = "{title}"',
        f'VERSION = "{version}"',
        f'SOURCE_SHA256 = "{digest}"',
        f'DTYPE = "{dtype}"',
        f"ROWS = {_quoted(program.rows)}",
        f"CACHE = {CACHE}",
        f"LEAST_ROWS = {LEAST_ROWS}",
        f"MOST_ROWS = {MOST_ROWS}",
        *([f"MOST_COLUMNS = {MOST_COLUMNS}"] if writer.variants["factor"] else []),
        *([f"MOST_STATISTICS = {MOST_STATISTICS}"] if writer.variants["expand"] else []),
        "",
        *_table("AXES", [(a.name, _length_entry(a.length, a.name)) for a in program.axes]),
        *_table("CONSTANTS", [(key, repr(float(value))) for key, value in constants.items()]),
        *_table("INPUTS", [(i.name, _input_entry(i.axes, i.dtype, i.indexes, dtype)) for i in program.inputs]),
        *_table("NOISE", [(n.name, _noise_entry(n)) for n in program.noise]),
        *_table("PARAMETERS", [(p.name, _kept_entry(p, (p.lower, p.upper), writer)) for p in program.parameters]),
        *([f"FROZEN = {_tuple(frozen)}"] if (frozen := [p.name for p in program.parameters if p.frozen]) else []),
        *_table("STATES", [(s.name, _kept_entry(s, (None, None), writer)) for s in program.states]),
        *_table("OUTPUTS", [(n, _output_entry(n, node, dtype, writer)) for n, node in program.outputs]),
        *_table("METRICS", [(n, f'{{"needs": {_tuple(writer.needs(n))}}}') for n, _ in program.metrics]),
        *_table("OBJECTIVES", [(o.name, _objective_entry(o, writer)) for o in program.objectives]),
        "",
    ]
    return "\n".join(lines)


def _forms(writer: Writer) -> list[str]:
    """What the head says of objectives that have a second form, which `bind` takes where the data allow it."""
    lines: list[str] = []
    for kind, (_, _, said) in VARIANTS.items():
        for objective, (title, _) in writer.variants[kind].items():
            lines += ["", f"Where the data allow it, `bind` gives {title} for {_shown(objective)}:", said]
    return lines


def _wrapped_import(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    one = f"from numpy import {', '.join(names)}"
    if len(one) <= 100:
        return [one]
    return ["from numpy import (", *(f"    {name}," for name in names), ")"]


def _wrapped(before: str, names: Sequence[str], behind: str) -> list[str]:
    """A tuple of names between two texts, on one line or on several."""
    one = f"{before}({', '.join(names)}{',' if len(names) == 1 else ''}){behind}"
    if len(one) <= 100:
        return [one]
    lines, current = [], ""
    for name in names:
        if len(current) + len(name) > 94:
            lines.append(f"    {current.rstrip()}")
            current = ""
        current += f"{name}, "
    return [f"{before}(", *lines, f"    {current.rstrip()}", f"){behind}"]


def _noise_entry(item: Noise) -> str:
    return f'{{{_axes_entry(item.axes)}, "draw": ({_initial(item.drawn)})}}'


def _initial(initial: Initial) -> str:
    """A kind and its numbers, as the inside of a tuple."""
    text = ", ".join([_quoted(initial.kind), *(repr(float(a)) for a in initial.arguments)])
    return text if initial.arguments else f"{text},"


def _quoted(text: str | None) -> str:
    """The text in ASCII, as Python reads it back."""
    return "None" if text is None else json.dumps(text)


def _shown(name: str) -> str:
    """A name in a remark."""
    return f"`{_quoted(name)[1:-1]}`"


def _table(name: str, entries: Sequence[tuple[str, str]]) -> list[str]:
    if not entries:
        return [f"{name} = {{}}"]
    lines = [f"{name} = {{"]
    for key, value in entries:
        line = f"    {_quoted(key)}: {value},"
        if len(line) <= 100:
            lines.append(line)
        else:
            # Not within a table that stands in the entry.
            parts = re.split(r', (?="[a-z]+": )(?![^{]*\})', value[1:-1])
            lines += [f"    {_quoted(key)}: {{", *(f"        {part}," for part in parts), "    },"]
    return [*lines, "}"]


def _tuple(items: Sequence[str]) -> str:
    inner = ", ".join(_quoted(item) for item in items)
    return f"({inner}{',' if len(items) == 1 else ''})"


def _length_entry(value: Expr, name: str) -> str:
    return str(int(value)) if isinstance(value, sympy.Integer) else "None"


def _shape_entry(axes: Sequence[Axis]) -> str:
    parts = [str(int(a.length)) if isinstance(a.length, sympy.Integer) else _quoted(_plain(a.length)) for a in axes]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _plain(value: Expr) -> str:
    return length(value, _Same())


class _Same(dict[str, str]):
    """Every name stands for itself."""

    def __missing__(self, key: str) -> str:
        return key


def _axes_entry(axes: Sequence[Axis]) -> str:
    return f'"axes": {_tuple([a.name for a in axes])}, "shape": {_shape_entry(axes)}'


def _input_entry(axes: Sequence[Axis], kind: str, indexes: Axis | None, dtype: str) -> str:
    stored = {"float": dtype, "int": "int64", "bool": "bool"}[kind]
    return f'{{{_axes_entry(axes)}, "dtype": "{stored}", "index": {_quoted(indexes.name if indexes else None)}}}'


def _kept_entry(item: Parameter | State, bounds: tuple[float | None, float | None], writer: Writer) -> str:
    """The entry of what lies in the flat vector."""
    start, stop = writer.places[item.name]
    known = isinstance(start, sympy.Integer) and isinstance(stop, sympy.Integer)
    place = f"({int(start)}, {int(stop)})" if known else "None"
    low, high = ("None" if bound is None else repr(float(bound)) for bound in bounds)
    rest = f'"bounds": ({low}, {high}), "initial": ({_initial(item.initial)}), "slice": {place}'
    return f"{{{_axes_entry(item.axes)}, {rest}}}"


def _output_entry(name: str, node: Node, dtype: str, writer: Writer) -> str:
    stored = {"float": dtype, "int": "int64", "bool": "bool"}[node.dtype]
    axes = writer.program.shown(node.axes)
    return f'{{{_axes_entry(axes)}, "dtype": "{stored}", "needs": {_tuple(writer.needs(name))}}}'


def _objective_entry(objective: Objective, writer: Writer) -> str:
    entry = f'"sense": "{objective.sense}", "over": {_tuple(objective.over)}'
    rows = [f"{_quoted(key)}: {_quoted(writer.sparse[key])}" for key in writer.program.sparse.get(objective.name, {})]
    if rows:
        entry += f', "sparse": {{{", ".join(rows)}}}'
    return f'{{{entry}, "needs": {_tuple(writer.needs(objective.name))}}}'


# ---------------------------------------------------------------------------------------------------------- the classes


def _gradients_of(program: Program) -> dict[int, str]:
    """The parameter of which a node is the gradient, or the gradient but for a factor without axes."""
    found: dict[int, str] = {}
    for gradient in (*program.gradients.values(), program.pullback):
        for name, root in gradient.items():
            node = root
            while not isinstance(node, Leaf | Constant):
                found.setdefault(node.id, name)
                arrays = [operand for operand in node.operands if operand.axes]
                if not isinstance(node, Map) or len(arrays) != 1:
                    break
                node = arrays[0]
    return found


class Writer:
    """Writes the classes of one module, and keeps what they use of NumPy and what data each needs."""

    def __init__(
        self, program: Program, variants: Sequence[Variant], written: Program, source: Source, dtype: str
    ) -> None:
        self.program = program
        self.written = written
        self.source = source
        self.dtype = dtype
        self.source_lines = source.text.split("\n")
        self.used: set[str] = set()
        self.algebra: set[str] = set()
        self.matrices: dict[tuple[str, str], int] = {}
        self.reserved: frozenset[str] = frozenset()
        self._needs: dict[str, tuple[str, ...]] = {}
        self.classes: dict[str, str] = {}
        # Of each kind and objective, the class and the number of columns or of statistics in a row.
        self.variants: dict[str, dict[str, tuple[str, Expr]]] = {kind: {} for kind in VARIANTS}
        forward = [o.value for p in (program, *(v.program for v in variants)) for o in p.objectives]
        forward += [n for _, n in (*program.outputs, *program.metrics)]
        forward += [n for o in program.objectives for _, n in o.updates]
        self.forward = {node.id for node in reachable(forward)}
        spans = [(span.start, span.end, name) for name, span in written.spans.items() if span.source is source]
        spans += [(o.span.start, o.span.end, o.name) for o in written.objectives if o.span is not None]
        spans.sort()
        self.lines = _Lines(
            source, tuple(s for s, _, _ in spans), tuple(e for _, e, _ in spans), tuple(n for _, _, n in spans)
        )
        named = (*program.predicted, *program.named)
        self.named = {node.id: name for name, node in reversed(named) if not isinstance(node, Constant)}
        self.of_parameter = _gradients_of(program)
        self.sparse = program.gathered_along()
        self.places: dict[str, tuple[Expr, Expr]] = {}
        start: Expr = sympy.Integer(0)
        in_vector = [(p.name, p.axes) for p in program.parameters] + [(s.name, s.axes) for s in program.states]
        for name, axes in in_vector:
            stop = sympy.expand(start + sympy.Mul(*(axis.length for axis in axes)))
            self.places[name] = (start, stop)
            start = stop
        self.size = start
        for parameter, tangent in zip(program.parameters, program.tangents, strict=bool(program.tangents)):
            low, high = self.places[parameter.name]
            self.places[tangent.name] = (sympy.expand(low + self.size), sympy.expand(high + self.size))
        self.checks = checks(written, frozenset({"numpy", "lengths", "DataError", *FUNCTIONS, *_MODULE_NAMES}))
        self.symbols = sorted(
            {s.name for a in program.axes for s in a.length.free_symbols}
            | {s.name for i in program.inputs for a in i.axes for s in a.length.free_symbols}
        )

    def beside(self, program: Program) -> Writer:
        """A writer of classes of another program in the same module, which has the same parameters."""
        other = Writer(program, (), self.written, self.source, self.dtype)
        other.used, other.algebra, other.matrices = self.used, self.algebra, self.matrices
        other.forward = self.forward | {node.id for node in reachable(node for _, node in program.named)}
        other.reserved = beyond.RESERVED
        return other

    def needs(self, name: str) -> tuple[str, ...]:
        """The inputs that an objective, output or metric needs, in the order of the model."""
        if name not in self._needs:
            nodes = [n for o in self.program.objectives if o.name == name for n in (o.value, *dict(o.updates).values())]
            nodes += [node for n, node in (*self.program.outputs, *self.program.metrics) if n == name]
            self._needs[name] = self.inputs(nodes)
        return self._needs[name]

    def _computed_with(self, roots: Sequence[Node]) -> set[str]:
        """The inputs that the roots are computed from."""
        return {node.name for node in reachable(roots) if isinstance(node, Leaf) and node.role == "input"}

    def inputs(self, roots: Sequence[Node]) -> tuple[str, ...]:
        """The inputs that the roots are computed from, and those that only tell lengths."""
        found = reachable(roots)
        leaves = self._computed_with(roots)
        lengths = {s.name for node in found for a in node.axes for s in a.length.free_symbols}
        lengths |= {s.name for node in found for s in getattr(node, "length", sympy.Integer(0)).free_symbols}
        lengths |= {s.name for s in self.size.free_symbols}
        for item in self.program.inputs:
            told = {
                s.name for i in self.program.inputs if i.name in leaves for a in i.axes for s in a.length.free_symbols
            }
            own = {s.name for a in item.axes for s in a.length.free_symbols}
            if item.name not in leaves and own & (lengths - told):
                leaves.add(item.name)
        return tuple(item.name for item in self.program.inputs if item.name in leaves)

    def routine(self, plan: Plan) -> Routine:
        known = {"numpy", "DTYPE", "CACHE", "LEAST_ROWS", "MOST_ROWS", *FUNCTIONS, *_MODULE_NAMES, *DEFINED}
        changed = changing.NAMES if self.program.noise or self.program.states else frozenset()
        names = Names(self.reserved | known | changed)
        lengths = {symbol: names.fresh(symbol) for symbol in self.symbols}
        return Routine(plan, names, self.dtype, self._label, self._remark, lengths, self.places, self.matrices)

    def _label(self, node: Node) -> tuple[str, bool]:
        """A name for people, and whether it is the node's own: else it is the statement's, an adjoint's marked."""
        if node.id in self.named:
            return self.named[node.id], True
        if isinstance(node, Stack) and node.along.name[0].isdigit():
            return "columns", False
        if not node.trained and _is_of_factor(node):
            return "factor", False
        if node.id in self.of_parameter and node.id not in self.forward:
            return f"d_{self.of_parameter[node.id]}", False
        name = self.lines.name(node)
        if name is None:
            return "value", False
        return (name if node.id in self.forward else f"d_{name}"), False

    def _remark(self, node: Node) -> str | None:
        span = node.span
        if span is None or span.source is not self.source:
            return None
        # Cut before it is escaped: a line may be as long as a source.
        line = self.source_lines[span.line - 1].strip()[:91]
        shown = ascii(line)[1:-1].replace("\\\\", "\\")
        shown = shown if len(shown) <= 90 else shown[:87] + "..."
        return f"# {'' if node.id in self.forward else 'gradient of '}line {span.line}: {shown}"

    # --- kinds of classes

    def objective(self, program: Program, objective: Objective, kind: str | None) -> str:
        """The class of an objective and its gradient, as the program has them; `kind` is that of a variant."""
        name, gradient = objective.name, program.gradients[objective.name]
        by_rows, rows = program.sparse.get(name, {}), program.rows_of(name)
        retained = program.retained.get(name, {})
        handed_out = [*rows, *retained.values()]
        roots = [objective.value, *gradient.values(), *dict(objective.updates).values(), *handed_out]
        plan = make_plan(program, roots, handed_out)
        routine = self.routine(plan)
        self.direct(routine, plan, gradient)
        routine.write()
        routine.section = "finish"
        loss = routine.ref(objective.value)
        text = routine.note(loss)
        kept, advance = changing.update_lines(routine, objective, self.program.states, self.places)
        dense = {key: node for key, node in gradient.items() if key not in self.sparse}
        writes = [*kept, *self.gradient_lines(routine, dense), *sparse.lines(routine, by_rows, self.program)]
        writes += self._retained_lines(routine, retained)
        needs = self.inputs(plan.roots)
        number = str(program.objectives.index(objective) + 1) if len(program.objectives) > 1 else ""
        document = (
            f"{'Minus the' if objective.sense == 'maximize' else 'The'} value of {_shown(name)}, and its gradient"
        )
        if kind is None:
            title = self.classes[name] = f"_Objective{number}"
            document += "."
        else:
            title, _, said = VARIANTS[kind]
            title += number
            document += f", {said}"
            self.variants[kind][name] = title, _size(plan, kind)
        if by_rows:
            document += f" That by {', '.join(map(_shown, by_rows))} stands in `sparse`, by rows."
        is_float = objective.value.dtype == "float"
        returned = text if objective.value.axes or (isinstance(loss, Ref) and is_float) else f"float({text})"
        ending = [*writes, f"return {returned}, out"]
        signature = Signature(out=1, sparse=bool(self.sparse))
        return self.write_class(routine, title, document, needs, ending, signature, advance)

    def pullback(self) -> str:
        """The class of the gradient that cotangents of the outputs give."""
        gradient, retained = self.program.pullback, self.program.retained.get(None, {})
        plan = make_plan(self.program, [*gradient.values(), *retained.values()], list(retained.values()))
        routine = self.routine(plan)
        for leaf in self.program.cotangents:
            routine.inputs[leaf.name] = routine.names.fresh(f"seed_{leaf.name}")
        self.direct(routine, plan, gradient)
        routine.write()
        routine.section = "finish"
        writes = [*self.gradient_lines(routine, gradient), *self._retained_lines(routine, retained)]
        needs = self.inputs([*plan.roots, *(node for _, node in self.program.outputs)])
        document = "The gradient that cotangents of the outputs give."
        return self.write_class(routine, "_Pullback", document, needs, [*writes, "return out"], Signature(True, out=1))

    def values(self, title: str, items: Sequence[tuple[str, Node]], document: str, signature: Signature = PLAIN) -> str:
        """The class of named values."""
        plan = make_plan(self.program, [node for _, node in items], [node for _, node in items])
        routine = self.routine(plan)
        routine.write()
        routine.section = "finish"
        shown = [(name, node, self.program.shown(node.axes)) for name, node in items]
        lines = ["return {", *self._entries(routine, shown, title != "_Metrics"), "}"]
        needs = self.inputs(plan.roots)
        return self.write_class(routine, title, document, needs, lines, signature)

    # --- parts

    def _entries(
        self, routine: Routine, items: Iterable[tuple[str, Node, Sequence[Axis]]], arrays: bool = True
    ) -> list[str]:
        """The entries of a table of values that are handed out, each with its axes in order: copies, or plain numbers
        where they are no `arrays`."""
        lines = []
        for name, node, axes in items:
            if node.axes:
                layout = [axis.name for axis in axes]
                text = f"{routine.use('array')}({routine.aligned(routine.result(node), layout)})"
            else:
                text = routine.note(routine.ref(node))
                if arrays:
                    stored = {"bool": '"bool"', "int": '"int64"'}.get(node.dtype, "DTYPE")
                    text = f"{routine.use('array')}({text}, {stored})"
            lines.append(f"    {_quoted(name)}: {text},")
        return lines

    def _retained_lines(self, routine: Routine, retained: Mapping[str, Node]) -> list[str]:
        """The lines that keep the gradients by named values, and by inputs with their axes as in the data."""
        if not self.program.retained:
            return []
        written = {item.name: item.axes for item in self.program.inputs}
        items = [(name, node, written.get(name) or self.program.shown(node.axes)) for name, node in retained.items()]
        return ["self.retained = {", *self._entries(routine, items), "}"]

    def direct(self, routine: Routine, plan: Plan, gradient: Mapping[str, Node]) -> None:
        """Gradients whose last operation is a ufunc are written where they belong."""
        counts: dict[int, int] = {}
        for root in plan.roots:
            counts[root.id] = counts.get(root.id, 0) + 1
        users: dict[int, list[Node]] = {}
        for node in (n for t in ("step", "block", "finish") for n in plan.sections[t]):
            for operand in node.operands:
                users.setdefault(operand.id, []).append(node)

        def last(node: Node) -> bool:
            time = plan.times[node.id]
            return (isinstance(node, Map | Stack) and time in ("step", "finish")) or (
                isinstance(node, Contract) and time == "step" and node.dtype == "float"
            )

        for i, parameter in enumerate(self.program.parameters):
            node = gradient[parameter.name]
            if parameter.axes:
                own = counts[node.id] == 1 and node.id not in users
                if own and last(node) and set(node.names) == {axis.name for axis in parameter.axes}:
                    routine.direct[node.id] = self._target(routine, [parameter.name], parameter.axes)
            elif isinstance(node, Slice) and node.drop and node.along.length.is_Integer and last(node.operands[0]):
                # Scalars in a row that are one vector's positions in order are written as that vector.
                whole, count = node.operands[0], int(node.along.length)
                run = self.program.parameters[i : i + count]
                places = [gradient[p.name] for p in run]
                expected = [(whole.id, k) for k in range(count)]
                found = [(n.operands[0].id, n.start) for n in places if isinstance(n, Slice) and n.drop and not n.axes]
                alone = len(users[whole.id]) == count and all(counts[n.id] == 1 and n.id not in users for n in places)
                if found == expected and alone and len(whole.axes) == 1:
                    target = self._target(routine, [p.name for p in run], whole.axes)
                    routine.direct |= dict.fromkeys([whole.id, *(n.id for n in places)], target)

    def _target(self, routine: Routine, parameters: Sequence[str], axes: Sequence[Axis]) -> Ref:
        """The gradient's part of parameters that stand next to each other."""
        first, last = self.places[parameters[0]][0], self.places[parameters[-1]][1]
        if len(axes) == 1 and routine.is_whole(first, last):
            return Ref("out", tuple(axes))
        start, stop = length(first, routine.lengths), length(last, routine.lengths)
        view = routine.names.fresh(f"gradient_{'_'.join(parameters)}")
        shape = ", ".join(routine.length(axis) for axis in axes)
        reshaped = f".reshape({shape})" if len(axes) > 1 else ""
        routine.out_lines.append(f"{view} = out[{start}:{stop}]{reshaped}")
        return Ref(view, tuple(axes), "out", True)

    def gradient_lines(self, routine: Routine, gradient: Mapping[str, Node]) -> list[str]:
        lines: list[str] = []
        for start, stop in self._zeros(gradient):
            one = stop - start == 1
            place = length(start, routine.lengths)
            lines.append(f"out[{place if one else f'{place}:{length(stop, routine.lengths)}'}] = 0")
        for parameter in self.program.parameters:
            node = gradient.get(parameter.name)
            if node is None or node.id in routine.direct or _is_zero(node):
                continue
            start, stop = (length(part, routine.lengths) for part in self.places[parameter.name])
            ref = routine.ref(node)
            if not parameter.axes:
                lines.append(f"out[{start}] = {routine.note(ref)}")
            elif not ref.axes:
                lines.append(f"out[{start}:{stop}] = {routine.note(ref)}")
            else:
                target = self._target(routine, [parameter.name], parameter.axes)
                routine.note(target)
                value = routine.aligned(ref, target.layout)
                lines.append(f"{routine.use('copyto')}({target.text}, {value})")
        return lines

    def _zeros(self, gradient: Mapping[str, Node]) -> list[tuple[Expr, Expr]]:
        """The places of the vector that have no derivative: of parameters that are not trained, and of states."""
        found: list[tuple[Expr, Expr]] = []
        zeros = [p.name for p in self.program.parameters if p.name in gradient and _is_zero(gradient[p.name])]
        for name in [*zeros, *(state.name for state in self.program.states)]:
            start, stop = self.places[name]
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], stop)
            else:
                found.append((start, stop))
        return found

    def write_class(
        self,
        routine: Routine,
        title: str,
        document: str,
        needs: Sequence[str],
        ending: Sequence[str],
        signature: Signature,
        advance: Sequence[str] | None = None,
    ) -> str:
        """The text of a class; `ending` are the last lines of its call."""
        used = routine.used_functions
        risky = routine.called_functions & RISKY
        body: list[str] = [f"class {title}:", f'    """{document}"""', ""]
        self._note_lengths(routine, ending)
        body += self._rebind(routine, needs, signature)
        body += ["", *(self._see_along(routine) if signature.along else self._see(routine))]
        if signature.out:
            body += ["", *self._write_to(routine, signature.out)]
        body += ["", *self._call(routine, ending, signature, bool(risky))]
        if self.program.noise:
            body += changing.draw_lines(bool(changing.drawn(self.program, routine.plan.roots)))
        if self.program.states and advance is not None:
            body += changing.advance_lines(self._length_lines(routine, advance), advance)
        self.used |= used
        self.algebra |= routine.algebra
        if used & RISKY:
            self.used.add("errstate")
        return "\n".join(body) + "\n"

    def _rebind(self, routine: Routine, needs: Sequence[str], signature: Signature) -> list[str]:
        plan = routine.plan
        rows = plan.rows
        cut = rows is not None and bool(plan.sections["block"])
        purpose = "compute what follows from it alone" + (", and cut the rows into blocks" if cut else "")
        purpose = purpose if cut else f"and {purpose}"
        more = ", seeds" if signature.seeded else ""
        noise = [item.name for item in changing.drawn(self.program, plan.roots)]
        reading = [f"found, lengths = _read(data, {_tuple(needs)})"]
        if noise:
            used = self._computed_with(plan.roots)
            inputs, telling = ([name for name in needs if (name in used) == known] for known in (True, False))
            reading = changing.reading(_tuple(noise), _tuple(inputs), _tuple(telling))
        lines = [
            f"    def __init__(self, data{more}, block=None):",
            "        self._lengths = None",
            *(["        self._noise = {}"] if noise else []),
            "        self._block = block",
            f"        self.rebind(data{more})",
            "",
            f"    def rebind(self, data{more}):",
            f'        """Take data in: check it, {purpose}."""',
            *(f"        {line}" for line in reading),
            *([f"        {CHECK_LENGTHS}(lengths)"] if self.checks else []),
        ]
        if signature.seeded:
            lines.append("        seeds = _read_seeds(seeds, lengths)")
        inner: list[str] = []
        text = _code(
            [
                *routine.fixed_lines,
                *routine.late_lines,
                *routine.allocations.values(),
                *routine.block_definitions.values(),
                *(length(width, routine.lengths) for width in routine.row_bytes),
                length(self.size, routine.lengths),
                routine.lengths.get(rows or "", "") if cut else "",
                *routine.used["fixed"],
            ]
        )
        for symbol, name in routine.lengths.items():
            if re.search(rf"\b{re.escape(name)}\b", text):
                inner.append(f"{name} = lengths[{_quoted(symbol)}]")
        cotangents = {leaf.name for leaf in self.program.cotangents} if signature.seeded else set()
        for key, name in routine.inputs.items():
            if key in noise:
                inner.append(f"{name} = given.get({_quoted(key)}, self._noise.get({_quoted(key)}))")
            else:
                inner.append(f"{name} = {'seeds' if key in cotangents else 'found'}[{_quoted(key)}]")
        inner += routine.fixed_lines
        if cut:
            assert rows is not None
            n = length(data_length(rows), routine.lengths)
            least = f", {LEAST_WITH_WINDOWS}" if plan.slid else ""
            total = length(sympy.expand(sympy.Add(*routine.row_bytes)) or sympy.Integer(1), routine.lengths)
            inner.append(f"{routine.rows_name} = _cut({n}, {total}, self._block{least})")
            inner.append(f"several = {routine.rows_name} < {n}")
        elif any(part is not None for _, part in routine.sums):
            inner.append("several = False")
        if routine.allocations:
            names = list(routine.allocations)
            inner.append("if lengths != self._lengths:")
            inner += [f"    {name} = {value}" for name, value in routine.allocations.items()]
            inner += [f"    {line}" for line in _wrapped("self._buffers = ", names, "")]
            inner.append("else:")
            inner += [f"    {line}" for line in _wrapped("", names, " = self._buffers")]
        inner += routine.late_lines
        if cut:
            inner += [
                "blocks = []",
                f"for start in range(0, {n}, {routine.rows_name}):",
                f"    rows = slice(start, min(start + {routine.rows_name}, {n}))",
                "    count = rows.stop - start",
            ]
            parts = [routine.block_definitions[name] for name in routine.used["block"]]
            inner.append("    blocks.append(")
            inner.append("        (")
            inner += [f"            {part}," for part in parts]
            inner.append("        )")
            inner.append("    )")
            inner.append("self._blocks = blocks")
        fixed = list(routine.used["fixed"])
        if fixed:
            inner += _wrapped("self._fixed = ", fixed, "")
        size = length(self.size, routine.lengths)
        inner.append(f"self.size = {size}")
        row_symbol = self.program.rows
        inner.append(f"self.rows = lengths.get({_quoted(row_symbol)})" if row_symbol else "self.rows = None")
        inner += ["self._lengths = lengths", "self._theta = None"]
        if signature.out:
            inner.append("self._out = None")
        if routine.used_functions & RISKY and routine.fixed_lines:
            lines.append('        with errstate(all="ignore"):')
            lines += [f"            {line}" for chunk in inner for line in chunk.split("\n")]
        else:
            lines += [f"        {line}" for chunk in inner for line in chunk.split("\n")]
        return lines

    def _note_lengths(self, routine: Routine, ending: Sequence[str]) -> None:
        """The lengths that the call's lines speak of are fixed values like others."""
        places = routine.scalar_parameters.values()
        text = _code([*(line for _, _, line in routine.call_lines), *ending, *places])
        for name in routine.lengths.values():
            if re.search(rf"\b{re.escape(name)}\b", text):
                routine.used["fixed"][name] = None

    def _length_lines(self, routine: Routine, lines: Sequence[str]) -> list[str]:
        text = _code(lines)
        return [
            f"{name} = self._lengths[{_quoted(symbol)}]"
            for symbol, name in routine.lengths.items()
            if re.search(rf"\b{re.escape(name)}\b", text)
        ]

    def _see(self, routine: Routine) -> list[str]:
        return [
            "    def _see(self, theta):",
            "        found = _vector(theta, self.size)",
            "        self._theta = found if found is theta else None",
            *(f"        {line}" for line in self._views(routine)),
            "        return found",
        ]

    def _see_along(self, routine: Routine) -> list[str]:
        """Parameters and direction stand in one vector, of which the views are made once."""
        views = [f"            {line}" for line in self._views(routine)]
        return [
            "    def _see(self, theta, direction):",
            "        found = self._theta",
            "        if found is None:",
            f"            found = self._theta = {routine.use('empty')}(2 * self.size, DTYPE)",
            *views,
            "        found[: self.size] = _vector(theta, self.size)",
            "        found[self.size :] = _direction(direction, self.size)",
            "        return found",
        ]

    def _views(self, routine: Routine) -> list[str]:
        """The lines that make the views of the vector `found`."""
        if not routine.used["theta"]:
            return []
        inner = [line.replace("= theta[", "= found[", 1) for line in routine.theta_lines]
        kept = _wrapped("self._views = ", list(routine.used["theta"]), "")
        return [*self._length_lines(routine, inner), *inner, *kept]

    def _write_to(self, routine: Routine, dimensions: int) -> list[str]:
        check = "_gradient" if dimensions == 1 else "_matrix"
        lines = ["    def _write_to(self, out):", f"        self._out = {check}(out, self.size)"]
        if routine.used["out"]:
            lines += [f"        {x}" for x in [*self._length_lines(routine, routine.out_lines), *routine.out_lines]]
            lines += [f"        {line}" for line in _wrapped("self._places = ", list(routine.used["out"]), "")]
        return lines

    def _call(self, routine: Routine, ending: Sequence[str], signature: Signature, risky: bool) -> list[str]:
        plan = routine.plan
        lines = ['@errstate(all="ignore")'] if risky else []
        more = f"{', direction' if signature.along else ''}{', out=None' if signature.out else ''}"
        lines += [f"def __call__(self, theta{more}):"]
        inner = ["if theta is not self._theta:", "    theta = self._see(theta)"]
        if signature.along:
            inner = ["theta = self._see(theta, direction)"]
        if signature.out:
            shape = "self.size" if signature.out == 1 else "(self.size, self.size)"
            inner += [
                "if out is None:",
                f"    out = {routine.use('zeros' if signature.sparse else 'empty')}({shape}, DTYPE)",
                "if out is not self._out:",
                "    self._write_to(out)",
            ]
        for attribute, home in (("_fixed", "fixed"), ("_views", "theta"), ("_places", "out")):
            if routine.used[home]:
                inner += _wrapped("", list(routine.used[home]), f" = self.{attribute}")
        scalars = [(name, place) for name, place in routine.scalar_parameters.items() if name in routine.used["number"]]
        if scalars:
            if routine.is_whole(sympy.Integer(0), sympy.Integer(len(scalars))):
                scalars.sort(key=lambda scalar: int(scalar[1]))
                inner += _wrapped("", [name for name, _ in scalars], " = theta.tolist()")
            else:
                inner += [f"{name} = theta.item({place})" for name, place in scalars]
        remark: str | None = None

        def sections(names: Sequence[str], indent: str) -> None:
            nonlocal remark
            for section, said, text in routine.call_lines:
                if section in names:
                    if said is not None and said != remark:
                        inner.append(f"{indent}{said}")
                        remark = said
                    inner.extend(indent + line for line in text.split("\n"))

        sections(("step",), "")
        if plan.rows is not None and plan.sections["block"]:
            inner += [f"{name} = 0.0" for name, part in routine.sums if part is None]
            arrays = [name for name, part in routine.sums if part is not None]
            if arrays:
                inner += ["if several:", *(f"    {name}.fill(0.0)" for name in arrays)]
            inner += _wrapped("for ", list(routine.used["block"]), " in self._blocks:")
            sections(("block",), "    ")
        remark = None
        sections(("finish",), "")
        inner += ending
        return [f"    {line}" for line in lines] + [f"        {line}" for line in inner]


# ------------------------------------------------------------------------------------------------------------- the face


def _code(lines: Iterable[str]) -> str:
    """The lines without remarks: a line of the model may speak of an axis that what is computed has no longer."""
    each = (line for chunk in lines for line in chunk.split("\n"))
    return "\n".join(line for line in each if not line.lstrip().startswith("#"))


def _is_zero(node: Node) -> bool:
    return isinstance(node, Constant) and node.value == 0


def _is_of_factor(node: Node) -> bool:
    """Whether the node is a factor, scaled or a part."""
    while not isinstance(node, Factor):
        inner = [operand for operand in node.operands if operand.axes]
        if not isinstance(node, Map | Slice) or len(inner) != 1:
            return False
        node = inner[0]
    return True


def _size(plan: Plan, kind: str) -> Expr:
    """The number of columns that a factor is made of, or of statistics that a row has."""
    known = plan.sections["bind"]
    if kind == "factor":
        return next(node for node in known if isinstance(node, Factor)).axis(RANK).length
    products = [node for node in known if plan.rows in node.names and not isinstance(node, Leaf)]
    return sympy.expand(sympy.Add(*(sympy.Mul(*(a.length for a in n.axes if a.name != plan.rows)) for n in products)))


def _variant_or_not(program: Program, writer: Writer) -> str:
    """The lines of `bind` that take another form of the objective where the data allow it."""
    names = {symbol: f"lengths.get({_quoted(symbol)}, 0)" for symbol in writer.symbols}
    text = ""
    for kind, (_, table, _) in VARIANTS.items():
        found = writer.variants[kind]
        if not found:
            continue
        sizes = ", ".join(f"{_quoted(name)}: {length(size, names)}" for name, (_, size) in found.items())
        text += f"    if block is None and objective in {table}:\n        lengths = _lengths(data)\n"
        if kind == "factor":
            text += f"""        columns = {{{sizes}}}[objective]
        if columns <= MOST_COLUMNS and lengths.get({_quoted(program.rows)}, 0) >= 2 * columns:
            return {table}[objective](data)
"""
        else:
            text += f"""        statistics = {{{sizes}}}[objective]
        if statistics <= MOST_STATISTICS and _well_conditioned(data, OBJECTIVES[objective]["needs"]):
            return {table}[objective](data)
"""
    return text


def _more_of_bound(program: Program) -> str:
    """What the documentation of `bind` says of noise and states."""
    more = "; `draw(seed, step)` draws its noise, which is at first that of step 0 of seed 0" if program.noise else ""
    return more + (";\n    `advance(theta)` writes what the last call has made of the states" if program.states else "")


def _the_objective(writer: Writer) -> str:
    if len(writer.classes) == 1:
        return "objective = next(iter(_OBJECTIVES))"
    return """raise DataError(f"the model has several objectives: say which, of {', '.join(_OBJECTIVES)}")"""


def _drawn(program: Program, bound: str) -> str:
    """A class bound to data, its noise drawn."""
    return f"_drawn({bound}, seed)" if program.noise else bound


def _face(program: Program, writer: Writer) -> str:
    parts: list[str] = []
    if writer.classes:
        table = ", ".join(f"{_quoted(name)}: {title}" for name, title in writer.classes.items())
        for kind, (_, others, _) in VARIANTS.items():
            if writer.variants[kind]:
                other = ", ".join(f"{_quoted(name)}: {title}" for name, (title, _) in writer.variants[kind].items())
                table += f"}}\n{others} = {{{other}"
        parts.append(
            f"""_OBJECTIVES = {{{table}}}


def bind(data, objective=None, block=None):
    \"\"\"An objective bound to data: call it with a vector of parameters for the loss and the gradient.

    `data` maps the names of inputs to arrays. `objective` may be left out where there is one. `block` is the number of
    rows that are computed at a time, a good one where it is left out. The result has `size`, `rows`, and
    `rebind(data)` for new data{_more_of_bound(program)}.
    \"\"\"
    if objective is None:
        {_the_objective(writer)}
    if objective not in _OBJECTIVES:
        raise DataError(f"there is no objective {{objective!r}}; there are {{', '.join(_OBJECTIVES)}}")
{_variant_or_not(program, writer)}    return _OBJECTIVES[objective](data, block)
"""
        )
    else:
        parts.append(
            '''def bind(data, objective=None, block=None):
    """This model has no objective."""
    raise DataError("the model has no objective: it has nothing to minimize")
'''
        )
    said = "\n\n    `seed` draws the noise that the data do not hold.\n    " if program.noise else ""
    more = ", seed=0" if program.noise else ""
    outputs = f"{_drawn(program, '_Outputs(data)')}(theta)" if program.outputs else "{}"
    parts.append(
        f'''def predict(theta, data{more}):
    """The outputs by name, each an array over the axes that `OUTPUTS` names.{said}"""
    return {outputs}
'''
    )
    metrics = f"{_drawn(program, '_Metrics(data)')}(theta)" if program.metrics else "{}"
    parts.append(
        f'''def metrics(theta, data{more}):
    """The metrics by name.{said}"""
    return {metrics}
'''
    )
    if program.cotangents:
        names = _tuple([leaf.name for leaf in program.cotangents])
        if program.retained:
            parts.append(
                '''def bind_vjp(data, seeds):
    """`vjp` bound to data and cotangents: call it with a vector of parameters; then `retained` has the gradients by
    named values."""
    return _Pullback(data, seeds)
'''
            )
        parts.append(
            f'''def _read_seeds(seeds, lengths):
    if not seeds:
        raise DataError("a pullback needs a seed: the cotangent of one output at least, of that output's shape")
    names = {names}
    for name in seeds:
        if name not in names:
            raise DataError(f"there is no differentiable output {{name!r}}; there are {{', '.join(names)}}")
    found = {{}}
    for name in names:
        entry = OUTPUTS[name]
        shape = tuple(s if isinstance(s, int) else lengths.get(s) for s in entry["shape"])
        if name in seeds:
            found[name] = _numbers(seeds[name], name, DTYPE)
            if found[name].ndim != len(shape) or any(w not in (None, g) for w, g in zip(shape, found[name].shape)):
                raise DataError(f"the seed of {{name!r}} has shape {{found[name].shape}}, and the output has {{shape}}")
        else:
            found[name] = numpy.zeros(shape, DTYPE)
    return found


def vjp(theta, data, seeds{more}):
    """The gradient for cotangents of the outputs, `seeds` by name; an output without one counts as zero.{said}"""
    return {_drawn(program, "_Pullback(data, seeds)")}(theta)
'''
        )
    else:
        parts.append(
            f'''def vjp(theta, data, seeds{more}):
    """This model has no output that depends on its parameters."""
    raise DataError("the model has no differentiable output")
'''
        )
    return "\n\n".join(parts)


_MODULE_NAMES = frozenset(
    "bind predict metrics vjp initial layout pack unpack found lengths several rows count blocks DataError MODEL "
    "VERSION SOURCE_SHA256 ROWS AXES CONSTANTS INPUTS PARAMETERS OUTPUTS METRICS OBJECTIVES _read _fit _cut _vector "
    "_gradient _numbers _lengths _layout _shape _bounded _free _column _read_seeds _Outputs _Metrics _Pullback "
    "_Objective _OBJECTIVES _FACTORED _factor MOST_COLUMNS _EXPANDED _well_conditioned MOST_STATISTICS _MATRICES "
    "_refuse _window _check_lengths _solve _inverse _cholesky _is_definite _logdet _det".split()
)

"""One class of the emitted module: a plan in, its lines out.

What is fixed once data is bound (inputs, what follows from them alone, buffers, views of these) is prepared by
`rebind`; views of the parameters are prepared when a vector is first seen; `__call__` is then straight-line calls
with `out=`, the part along the rows inside one loop over blocks. Every array has a home (`fixed`, `theta`, `block`,
`out`), where its views are made, so that none is made in a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import sympy
from sympy import Expr

from .. import functions
from ..graph import (
    RANK,
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
)
from ..plan import Buffer, Plan, as_written, is_diagonal, rows_first
from . import arrays, products
from .arrays import KINDS
from .loops import write_scan
from .names import Names
from .numbers import integer, length, number
from .refs import Groups, Ref, Surroundings
from .special import ROUTINES
from .ufuncs import ufunc

RISKY = frozenset(
    [
        "exp",
        "expm1",
        "log",
        "log1p",
        "divide",
        "sqrt",
        "power",
        "sinh",
        "cosh",
        "tan",
        "arcsin",
        "arccos",
        "arccosh",
        "arctanh",
        "hypot",
        *ROUTINES.values(),
        "square",
        "copyto",
        "where",
    ]
)
"""Operations that may warn of an overflow or an invalid value, where the result is as it should be or is reported."""

QUIET_REDUCTIONS = {"max": "maximum", "min": "minimum", "prod": "multiply", "any": "logical_or", "all": "logical_and"}


class Routine:
    """Writes one class. `label` gives a node's name for people and whether it is the node's own;
    `remark` the comment of its line of the model. `matrices` numbers what messages call matrices, and their batch."""

    def __init__(
        self,
        plan: Plan,
        names: Names,
        dtype: str,
        label: Callable[[Node], tuple[str, bool]],
        remark: Callable[[Node], str | None],
        lengths: dict[str, str],
        places: dict[str, tuple[Expr, Expr]],
        matrices: dict[tuple[str, str], int],
    ) -> None:
        self.plan = plan
        self.names = names
        self.dtype = dtype
        self.label = label
        self.remark = remark
        self.lengths = lengths
        self.places = places
        self.matrices = matrices
        self.used_functions: set[str] = set()
        self.algebra: set[str] = set()  # operations on matrices, for which the module has functions
        self.called_functions: set[str] = set()  # in a step, not when data are bound
        self.fixed_lines: list[str] = []
        self.late_lines: list[str] = []  # views of buffers, which are allocated after what is bound
        self.theta_lines: list[str] = []
        self.out_lines: list[str] = []
        self.call_lines: list[tuple[str, str | None, str]] = []  # section, remark, text
        self.block_definitions: dict[str, str] = {}
        self.used: dict[str, dict[str, None]] = {h: {} for h in ("fixed", "theta", "block", "out", "number")}
        self.bound: dict[int, Ref] = {}
        self.refs: dict[int, Ref] = {}
        self.views: dict[tuple[str, str], Ref] = {}
        self.allocations: dict[str, str] = {}
        self.row_bytes: list[Expr] = []
        self.scalar_parameters: dict[str, str] = {}
        self.sums: list[tuple[str, str | None]] = []  # of scalars: name; of arrays: name, part
        self.inputs: dict[str, str] = {}
        self.drawn: set[str] = set()  # noise, whose values are others at each step
        self.uses: dict[int, int] = {}
        self.section = "bind"
        self._remark: str | None = None
        self._bound_remark: str | None = None  # the last one among the lines of bind
        for time in ("bind", "step", "block", "finish"):
            for node in plan.sections[time]:
                for operand in node.operands:
                    self.uses[operand.id] = self.uses.get(operand.id, 0) + 1
        for scan in plan.regions.scans:
            body = plan.regions.body(scan)
            # What a body reads from outside is computed once before it, and not in each step.
            read = [o for node in body.nodes for o in node.operands] + list(body.captured) * 2
            for operand in (*read, *(steps.operands[1] for steps in body.kept)):
                self.uses[operand.id] = self.uses.get(operand.id, 0) + 1
        for root in plan.roots:
            self.uses[root.id] = self.uses.get(root.id, 0) + 1
        self.rows_name = names.fresh("block_rows")
        self.direct: dict[int, Ref] = {}
        self.buffers = plan.buffers  # of the section, or of the scan's body, that is written
        self.loops: list[Surroundings] = []  # of the loops that are written, the outermost first
        self.lasts: dict[tuple[int, int], Ref] = {}  # what scans have carried to their ends
        self.factors: dict[tuple[int, ...], str] = {}
        self._buffer_names: dict[str, str] = {}

    # ---------------------------------------------------------------------------------------------------------- writing

    def write(self) -> None:
        """All sections, in order."""
        for time in ("bind", "step", "block", "finish"):
            self.section = time
            for node in self.plan.sections[time]:
                if time == "bind":
                    self._remark = self.remark(node)
                    self._bind(node)
                else:
                    self.write_node(node)

    def write_node(self, node: Node) -> None:
        """One node of the current section, or of a scan's body."""
        self._remark = self.remark(node)
        if not (node.id in self.plan.views and node.id in self.direct):
            self._step(node)

    def use(self, name: str) -> str:
        """A NumPy function, to be imported."""
        self.used_functions.add(name)
        if self.section != "bind":
            self.called_functions.add(name)
        return name

    def say(self, text: str, section: str | None = None, before: Surroundings | None = None) -> None:
        """A line of the current section, or of another one that comes before it, or before a loop."""
        if self.section == "bind":
            if self._remark is not None and self._remark != self._bound_remark:
                self._bound_remark = self._remark
                self.fixed_lines.append(self._remark)
            self.fixed_lines.append(text)
        else:
            lines = self.call_lines if before is None else before.lines
            lines.append((section or self.section, self._remark, text))

    def length(self, axis: Axis) -> str:
        """The axis's length as Python text."""
        return length(axis.length, self.lengths)

    def note(self, ref: Ref) -> str:
        """The text of a value used by the call, noted so that the call gets it from its home."""
        if self.section != "bind" and ref.home in self.used and ref.text.isidentifier():
            self.used[ref.home][ref.text] = None
        return ref.text

    def ref(self, node: Node) -> Ref:
        """How the node's value is written in the current section."""
        if isinstance(node, Constant):
            text = str(int(node.value)) if node.dtype == "int" else number(node.value)
            return Ref(text, binds=0 if text.startswith("-") else 2)
        if self.section == "bind":
            return self.bound[node.id]
        if node.id in self.refs:
            return self.refs[node.id]
        found = self.bound[node.id]
        rows = self.plan.rows
        if rows is not None and rows in found.layout and self.section == "block":
            if found.text not in self.block_definitions:
                self.block_definitions[found.text] = f"{found.text}[rows]"
                self.row_bytes.append(self._width(found.axes, "int" if node.dtype == "int" else self.dtype))
            found = replace(found, home="block")
        self.refs[node.id] = found
        return found

    def result(self, node: Node) -> Ref:
        """An array that is handed out: along the rows, all that the blocks were written to, or the input itself."""
        ref = self.refs.get(node.id) or self.bound[node.id]
        place = ref.memory or ref
        return Ref(self.whole(place), ref.axes, "fixed") if place.home == "block" else ref

    def whole(self, ref: Ref) -> str:
        """The array of all rows whose block the value is."""
        before, _, behind = self.block_definitions[ref.text].partition("[rows]")
        self.used["fixed"][before[before.rfind("(") + 1 :]] = None
        return before + behind

    def _width(self, axes: Sequence[Axis], dtype: str) -> Expr:
        """The bytes of one row."""
        size = {"float32": 4, "bool": 1}.get(dtype, 8)
        return sympy.Mul(size, *(axis.length for axis in axes if axis.name != self.plan.rows))

    # ------------------------------------------------------------------------------------------------------------ views

    def view(self, ref: Ref, groups: Groups) -> Ref | None:
        """The array with its axes in these groups, each a dimension (an empty one 1 long); None if it needs a copy."""
        order = [name for group in groups for name in group]
        if order == list(ref.layout) and all(len(group) == 1 for group in groups):
            return ref
        if ref.memory is not None:
            return self.view(replace(ref.memory, axes=ref.axes), groups)
        suffix = self._suffix(ref, groups)
        if suffix is None:
            return None
        axes = tuple(next(a for a in ref.axes if a.name == name) for name in order)
        spelled = "_".join("".join(group) or "1" for group in groups) or "flat"
        return self.derived(ref, suffix, f"{ref.text}_as_{spelled}", axes, contiguous=False)

    def has_view(self, ref: Ref, groups: Groups) -> bool:
        """Whether `view` would give one; none is made."""
        return self._suffix(replace(ref.memory, axes=ref.axes) if ref.memory is not None else ref, groups) is not None

    def derived(self, ref: Ref, suffix: str, name: str, axes: tuple[Axis, ...], contiguous: bool) -> Ref:
        """A view by indexing or reshaping, or by a call with `{}` for the array; made once where its base is made."""
        if ref.memory is not None:
            return self.derived(
                replace(ref.memory, axes=ref.axes),
                suffix,
                f"{ref.memory.text}{name[len(ref.text) :]}",
                axes,
                contiguous,
            )
        # A block's rows and all rows go by one name, each in its own place.
        key = (f"{ref.home} {ref.text}", suffix)
        if ref.home == "local":
            return Ref(_applied(suffix, ref.text), axes, "local", contiguous)
        if key not in self.views:
            made = self.names.fresh(name)
            if ref.home == "block":
                self.block_definitions[made] = _applied(suffix, self.block_definitions[ref.text])
            else:
                fixed = self.fixed_lines if self.section == "bind" else self.late_lines
                lines = {"fixed": fixed, "theta": self.theta_lines, "out": self.out_lines}[ref.home]
                lines.append(f"{made} = {_applied(suffix, ref.text)}")
            self.views[key] = Ref(made, axes, ref.home, contiguous)
        return replace(self.views[key], axes=axes)

    def _suffix(self, ref: Ref, groups: Groups) -> str | None:
        suffix = ""
        layout = list(ref.layout)
        present = [group for group in groups if group]
        if any(len(group) > 1 for group in present):
            if not ref.contiguous:
                return None
            starts = {}
            for group in present:
                start = layout.index(group[0])
                if layout[start : start + len(group)] != list(group):
                    return None
                starts[group] = start
            merged = sorted(present, key=lambda group: starts[group])
            if len(merged) == 1:
                suffix += ".reshape(-1)"
            else:
                by_name = {axis.name: axis for axis in ref.axes}
                wild = next((g for g in merged if self.plan.rows in g), next(g for g in merged if len(g) > 1))
                shape = ["-1" if g == wild else " * ".join(self._factor(by_name[name]) for name in g) for g in merged]
                suffix += f".reshape({', '.join(shape)})"
            current = merged
        else:
            current = [(name,) for name in layout]
        if current != present:
            turn = [current.index(group) for group in present]
            suffix += ".T" if len(turn) == 2 else f".transpose({', '.join(map(str, turn))})"
        if len(groups) > len(present):
            parts = [":" if group else "None" for group in groups]
            suffix += f"[{', '.join(parts)}]"
        return suffix

    def _factor(self, axis: Axis) -> str:
        text = self.length(axis)
        return f"({text})" if " " in text else text

    def aligned(self, ref: Ref, layout: Sequence[str]) -> str:
        """The array so that it broadcasts against one of that layout."""
        if not ref.axes:
            return self.note(ref)
        groups = tuple((name,) if name in ref.layout else () for name in layout)
        while groups and not groups[0]:
            groups = groups[1:]
        found = self.view(ref, groups)
        assert found is not None
        return self.note(found)

    # ------------------------------------------------------------------------------------------------------------- bind

    def _bind(self, node: Node) -> None:
        axes = self.plan.laid(node.axes)
        layout = [axis.name for axis in axes]
        if isinstance(node, Leaf):
            name = self.inputs[node.name] if node.name in self.inputs else self.names.fresh(node.name)
            self.inputs[node.name] = name
            if node.role == "noise":
                self.drawn.add(name)
            self.bound[node.id] = Ref(name, self._written(node), "fixed")
            self._rows_first(node)
            return
        if isinstance(node, Size):
            text = length(node.length, self.lengths)
            self.bound[node.id] = Ref(text, binds=2 if text.isidentifier() else 0)
            return
        if not node.axes:
            self.bound[node.id] = self._scalar(node)
            return
        match node:
            case Relabel() | Stop():
                self.bound[node.id] = self._renamed(node, self.ref(node.operands[0]))
                return
            case Slice():
                self.bound[node.id] = self._sliced(node, self.ref(node.operands[0]))
                return
        if isinstance(node, KINDS) and (view := arrays.view(self, node)) is not None:
            self.bound[node.id] = view
            return
        name = self._name(node)
        self.bound[node.id] = Ref(name, axes, "fixed")
        match node:
            case Index():
                self.say(f"{name} = {self.use('arange')}({self.length(node.axes[0])})")
            case Map():
                self.say(f"{name} = {self._bound_map(node)}")
            case Contract():
                self.say(f"{name} = {self._contraction(node, None)}")
            case Reduce():
                self.say(f"{name} = {self._reduction(node, None)}")
            case Spread():
                inner = self.ref(node.operands[0])
                shape = self._shape(axes)
                self.say(f"{name} = {self.use('full')}({shape}, {self.aligned(inner, layout)}, {self.dtype_of(node)})")
            case Factor():
                self._factored(node, name)
            case LinearAlgebra():
                found = self.aligned(self._of_matrices(node), layout)
                self.say(f"{name} = {self.use('ascontiguousarray')}({found})")
            case Stack():
                self.say(f"{name} = {self.use('empty')}({self._shape(axes)}, DTYPE)")
                self._stacked(node, self.bound[node.id])
            case Gather():
                self.say(f"{name} = {self._gathered(node)}")
            case PlaceSlice():
                self.say(f"{name} = {self.use('zeros')}({self._shape(axes)}, {self.dtype_of(node)})")
                self._place(node, self.bound[node.id])
            case Scatter():
                self.say(f"{name} = {self.use('zeros')}({self._shape(axes)}, {self.dtype_of(node)})")
                self._scattered(node, self.bound[node.id])
            case _ if isinstance(node, KINDS):
                self.say(f"{name} = {self.use('empty')}({self._shape(axes)}, {self.dtype_of(node)})")
                arrays.write(self, node, self.bound[node.id])
            case _:
                raise TypeError(type(node).__name__)

    def _written(self, node: Leaf) -> tuple[Axis, ...]:
        return as_written(self.plan.program).get(node.id, node.axes)

    def _rows_first(self, node: Node) -> None:
        """An input whose rows do not lead is turned round once."""
        ref, rows = self.bound[node.id], self.plan.rows
        if rows is not None and rows in ref.layout and ref.layout[0] != rows:
            turned = rows_first(node.axes, rows)
            turn = ", ".join(str(ref.layout.index(axis.name)) for axis in turned)
            name = self.names.fresh(f"{ref.text}_by_rows")
            self.say(f"{name} = {self.use('ascontiguousarray')}({ref.text}.transpose({turn}))")
            self.bound[node.id] = Ref(name, turned, "fixed")

    def dtype_of(self, node: Node) -> str:
        """The type of the node's array, as text."""
        return {"bool": '"bool"', "int": '"int64"'}.get(node.dtype, "DTYPE")

    def _shape(self, axes: Sequence[Axis]) -> str:
        parts = [self.length(axis) for axis in axes]
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"

    def _bound_map(self, node: Map) -> str:
        text = self._bound_expression(node)
        mixed = node.dtype == "float" and any(operand.dtype != "float" for operand in node.operands)
        mixed = mixed or (type(node.expression) in ROUTINES and self.dtype != "float64")
        return f"{self.use('asarray')}({text}, DTYPE)" if mixed else text

    def _bound_expression(self, node: Map) -> str:
        layout = [axis.name for axis in self.plan.laid(node.axes)]
        found = ufunc(node.expression)
        if found is not None:
            name, arguments = found
            return f"{self.use(name)}({', '.join(self._argument(node, a, layout) for a in arguments)})"
        arguments_text = [self._argument(node, a, layout) for a in node.expression.args]
        match node.expression:
            case functions.where():
                return f"{self.use('where')}({', '.join(arguments_text)})"
            case functions.step():
                return f"{self.use('greater')}({arguments_text[0]}, 0).astype(DTYPE)"
            case functions.as_float():
                return f"{self.use('asarray')}({arguments_text[0]}, DTYPE)"
        raise TypeError(f"no ufunc for {node.expression}")

    def _argument(self, node: Map, argument: Expr, layout: Sequence[str]) -> str:
        if argument.is_Symbol:
            operand = _operand(node, argument)
            ref = self.ref(operand)
            return self.aligned(ref, layout) if ref.axes else self._cell(ref, operand.dtype)
        return integer(argument) if node.dtype == "int" else number(argument)

    # ---------------------------------------------------------------------------------------------- step, block, finish

    def _step(self, node: Node) -> None:
        if isinstance(node, Leaf):
            self._parameter(node)
            return
        match node:
            case Scan():
                write_scan(self, node)
                return
            case Steps():
                return
            case Last():
                self.refs[node.id] = self.lasts[node.scan.id, node.part]
                return
            case Relabel() | Stop() if node.axes:
                self.refs[node.id] = self._renamed(node, self.ref(node.operands[0]))
                return
            case Slice() if node.axes:
                self.refs[node.id] = self._sliced(node, self.ref(node.operands[0]))
                return
            case Gather() if is_diagonal(node):
                self.refs[node.id] = self._diagonal(node, self.ref(node.operands[0]))
                return
        if isinstance(node, Stack) and (view := self._beside(node)) is not None:
            self.refs[node.id] = view
            return
        if isinstance(node, KINDS) and (view := arrays.view(self, node)) is not None:
            self.refs[node.id] = view
            return
        if isinstance(node, Slice) and self._is_element(node):
            self._element(node)
            return
        if not node.axes:
            self._scalar_step(node)
            return
        out = self._out(node)
        name = self._name(node)
        match node:
            case Map():
                self._array_map(node, out, name)
            case Contract():
                self._array_contract(node, out, name)
            case Reduce():
                by_taps = arrays.over_taps(self, node, out)
                self.say(f"{name} = {out.text if by_taps else self._reduction(node, out)}")
            case Spread():
                self.say(f"{self.use('copyto')}({out.text}, {self.aligned(self.ref(node.operands[0]), out.layout)})")
                self.say(f"{name} = {out.text}")
            case LinearAlgebra():
                self.say(f"{self.use('copyto')}({out.text}, {self.aligned(self._of_matrices(node), out.layout)})")
                self.say(f"{name} = {out.text}")
            case Stack():
                self._stacked(node, out)
                name = out.text
            case Gather():
                self._array_gather(node, out)
                self.say(f"{name} = {out.text}")
            case PlaceSlice():
                self.say(f"{out.text}.fill({'False' if node.dtype == 'bool' else '0.0'})")
                self._place(node, out)
                self.say(f"{name} = {out.text}")
            case Scatter():
                self.say(f"{out.text}.fill(0.0)")
                self._scattered(node, out)
                self.say(f"{name} = {out.text}")
            case _ if isinstance(node, KINDS):
                arrays.write(self, node, out)
                self.say(f"{name} = {out.text}")
            case _:
                raise TypeError(type(node).__name__)
        if node.id in self.plan.sums:
            whole_name = self._sum_name(node)
            self.say(f"if several:\n    {self.use('add')}({whole_name}, {out.text}, {whole_name})")
            self.used["fixed"][whole_name] = None
            self.used["fixed"]["several"] = None
            self.refs[node.id] = Ref(whole_name, out.axes, "fixed")
            return
        self.refs[node.id] = Ref(name, out.axes, contiguous=out.contiguous, memory=out)

    def _name(self, node: Node) -> str:
        """The model's name for what has one, a numbered one of its statement for what stands inside."""
        text, own = self.label(node)
        return self.names.fresh(text) if own else self.names.numbered(text)

    def _parameter(self, node: Leaf) -> None:
        start, stop = self.places[node.name]
        name = self.names.fresh(node.name)
        if not node.axes:
            self.scalar_parameters[name] = length(start, self.lengths)
            self.refs[node.id] = Ref(name, home="number")
            return
        axes = self._written(node)
        if len(axes) == 1 and self.is_whole(start, stop):
            self.refs[node.id] = Ref("theta", axes)
            return
        shape = ", ".join(self.length(axis) for axis in axes)
        reshaped = f".reshape({shape})" if len(axes) > 1 else ""
        self.theta_lines.append(f"{name} = theta[{length(start, self.lengths)}:{length(stop, self.lengths)}]{reshaped}")
        self.refs[node.id] = Ref(name, axes, "theta")

    def _is_element(self, node: Slice) -> bool:
        """Whether the node is one number of a parameter that lies in a row, at a place that the compiler knows."""
        leaf = node.operands[0]
        if node.axes or not isinstance(leaf, Leaf) or leaf.name not in self.places or not node.start.is_Integer:
            return False
        return bool(self.places[leaf.name][0].is_Integer)

    def _element(self, node: Slice) -> None:
        """Numbers of a vector come all at once, as Python's own."""
        leaf = node.operands[0]
        assert isinstance(leaf, Leaf)
        name = self.names.numbered(leaf.name)
        self.scalar_parameters[name] = str(int(self.places[leaf.name][0] + node.start))
        self.refs[node.id] = Ref(name, home="number")

    def is_whole(self, start: Expr, stop: Expr) -> bool:
        """Whether these places are the whole vector of parameters."""
        return start == 0 and bool(stop == list(self.places.values())[-1][1])

    def _cell(self, ref: Ref, dtype: str) -> str:
        """A scalar for a ufunc, which takes an array without axes in half the time that a Python float needs.

        A parameter is a view of the vector, a number that is known when data is bound is held as an array too.
        """
        fixed = ref.home == "fixed" and self.section != "bind" and dtype == "float" and ref.text.isidentifier()
        fixed = fixed and ref.text not in self.drawn
        if ref.home != "number" and not fixed:
            return self.note(ref)
        key = (ref.text, "cell")
        if key not in self.views:
            name = self.names.fresh(f"{ref.text}_cell")
            if fixed:
                self.fixed_lines.append(f"{name} = {self.use('array')}({ref.text}, DTYPE)")
            else:
                start = self.scalar_parameters[ref.text]
                self.theta_lines.append(f"{name} = theta[{start}:{_next(start)}].reshape(())")
            self.views[key] = Ref(name, (), "fixed" if fixed else "theta")
        return self.note(self.views[key])

    def _sum_name(self, node: Node) -> str:
        key = self.buffers[node.id].name
        return self._buffer_name(key, f"sum_{self.label(node)[0]}")

    def _buffer_name(self, key: str, name: str) -> str:
        """The name of a buffer, like `name` and no other's: a model may have a `b0` of its own."""
        if key not in self._buffer_names:
            self._buffer_names[key] = self.names.fresh(name)
        return self._buffer_names[key]

    def _out(self, node: Node) -> Ref:
        """The array that the node's value is written to."""
        if node.id in self.direct:
            found = self.direct[node.id]
            self.note(found)
            return found
        buffer = self.buffers[node.id]
        if node.id in self.plan.sums:
            whole = self._sum_name(node)
            part = self._buffer_name(f"{buffer.name}.part", f"part_{self.label(node)[0]}")
            if (whole, part) not in self.sums:
                self.sums.append((whole, part))
                self.allocations[whole] = (
                    f'{self.use("empty")}({self._shape(buffer.axes)}, "float64" if several else DTYPE)'
                )
                self.allocations[part] = (
                    f"{self.use('empty')}({self._shape(buffer.axes)}, DTYPE) if several else {whole}"
                )
            self.used["fixed"][part] = None
            return Ref(part, buffer.axes, "fixed", True)
        if node.id in self.plan.full:
            label = self.label(node)[0]
            name = self._buffer_names.get(buffer.name)
            if name is None:
                whole, name = self.names.fresh(f"all_{label}"), self.names.fresh(f"some_{label}")
                self._buffer_names[buffer.name] = name
                self.allocations[whole] = f"{self.use('empty')}({self._shape(buffer.axes)}, {self.dtype_of(node)})"
                self.block_definitions[name] = f"{whole}[rows]"
            self.used["block"][name] = None
            return Ref(name, buffer.axes, "block", True)
        return self.scratch(buffer)

    def scratch(self, buffer: Buffer) -> Ref:
        name = self._buffer_name(f"{buffer.name}.scratch", buffer.name)
        if name not in self.allocations:
            axes = self._shape(buffer.axes)
            dtype = {"bool": '"bool"', "int": '"int64"'}.get(buffer.dtype, "DTYPE")
            if buffer.rows:
                others = [self.length(axis) for axis in buffer.axes[1:]]
                axes = f"({', '.join([self.rows_name, *others])}{',' if not others else ''})"
                self.block_definitions[name] = f"{name}[:count]"
                self.row_bytes.append(self._width(buffer.axes, self.dtype if buffer.dtype == "float" else buffer.dtype))
            self.allocations[name] = f"{self.use('empty')}({axes}, {dtype})"
        home = "block" if buffer.rows else "fixed"
        self.used[home][name] = None
        return Ref(name, buffer.axes, home, True)

    # -------------------------------------------------------------------------------------------------------- pointwise

    def _array_map(self, node: Map, out: Ref, name: str) -> None:
        found = ufunc(node.expression)
        if found is not None:
            function, arguments = found
            texts = [self._argument(node, a, out.layout) for a in arguments]
            # NumPy deprecates the place of `out` in these two alone.
            target = f"out={out.text}" if function in ("maximum", "minimum") else out.text
            self.say(f"{name} = {self.use(function)}({', '.join([*texts, target])})")
            return
        arguments = node.expression.args
        if isinstance(node.expression, functions.where):
            condition, yes, no = (self._argument(node, a, out.layout) for a in arguments)
            kept = arguments[2]
            lies_in = self.ref(_operand(node, kept)).memory if kept.is_Symbol else None
            reused = lies_in is not None and lies_in.text == out.text
            if not reused:
                self.say(f"{self.use('copyto')}({out.text}, {no})")
            self.say(f"{self.use('copyto')}({out.text}, {yes}, where={condition})")
            self.say(f"{name} = {out.text}")
            return
        text = self._argument(node, arguments[0], out.layout)
        if isinstance(node.expression, functions.step):
            self.say(f"{name} = {self.use('greater')}({text}, 0.0, {out.text})")
        elif isinstance(node.expression, functions.as_float):
            self.say(f"{self.use('copyto')}({out.text}, {text})")
            self.say(f"{name} = {out.text}")
        else:
            raise TypeError(f"no ufunc for {node.expression}")

    # ---------------------------------------------------------------------------------------------------------- scalars

    def _scalar_step(self, node: Node) -> None:
        if node.id in self.plan.sums:
            name = self.names.fresh(f"sum_{self.label(node)[0]}")
            self.sums.append((name, None))
            self.say(f"{name} += {self._scalar(node).text}")
            self.refs[node.id] = Ref(name)
            return
        found = self._scalar(node)
        # What reads an array is computed where it stands: later the array's memory may hold something else.
        reads = any(operand.axes for operand in node.operands)
        once = self.section == "finish" or (self.section == "step" and not self.plan.sections["block"])
        single = not reads and self.uses.get(node.id, 0) <= 1 and once and len(found.text) < 60
        if not single and not found.text.isidentifier():
            name = self._name(node)
            self.say(f"{name} = {found.text}")
            found = Ref(name)
        self.refs[node.id] = found

    def _scalar(self, node: Node) -> Ref:
        """A scalar's value as Python text."""
        if self.section == "bind":
            found = self._scalar_text(node)
            name = self._name(node)
            self.say(f"{name} = {found.text}")
            return Ref(name, home="fixed")
        return self._scalar_text(node)

    def _scalar_text(self, node: Node) -> Ref:
        match node:
            case Map():
                return self._scalar_map(node)
            case Contract():
                return Ref(f"float({self._contraction(node, None)})")
            case Reduce():
                kind = {"int": "int", "bool": "bool"}.get(node.dtype, "float")
                return Ref(f"{kind}({self._reduction(node, None)})")
            case Slice():
                ref = self._sliced(node, self.ref(node.operands[0]), scalar=True)
                kind = {"int": "int", "bool": "bool"}.get(node.dtype, "float")
                return Ref(f"{kind}({self.note(ref)})")
            case Gather():
                kind = {"int": "int", "bool": "bool"}.get(node.dtype, "float")
                return Ref(f"{kind}({self._gathered(node)})")
            case LinearAlgebra():
                return Ref(f"float({self._of_matrices(node).text})")
            case Relabel() | Stop() | Spread():
                return self.ref(node.operands[0])
            case Scatter() | PlaceSlice():
                raise TypeError("a scatter has an axis")
        raise TypeError(type(node).__name__)

    def _scalar_map(self, node: Map) -> Ref:
        head = node.expression

        def part(argument: Expr, binds: int) -> str:
            if argument.is_Symbol:
                ref = self.ref(_operand(node, argument))
                self.note(ref)
                return ref.inside(binds)
            text = number(argument)
            return f"({text})" if text.startswith("-") and binds > 0 else text

        found = ufunc(head)
        if found is not None:
            name, arguments = found
            operators = {"add": (" + ", 0, 0), "subtract": (" - ", 0, 1), "multiply": (" * ", 1, 1)}
            compares = {
                "less": " < ",
                "less_equal": " <= ",
                "equal": " == ",
                "not_equal": " != ",
                "logical_and": " and ",
                "logical_or": " or ",
            }
            if name in operators:
                sign, level, right = operators[name]
                return Ref(f"{part(arguments[0], level)}{sign}{part(arguments[1], max(right, level))}", binds=level)
            if name == "divide" and self._never_zero(node, arguments[1]):
                return Ref(f"{part(arguments[0], 1)} / {part(arguments[1], 2)}", binds=1)
            if name == "negative":
                return Ref(f"-{part(arguments[0], 2)}", binds=0)
            if name == "square":
                base = part(arguments[0], 2)
                return Ref(
                    f"{base} * {base}" if base.isidentifier() else f"float({self.use('square')}({base}))", binds=1
                )
            if name in compares:
                return Ref(f"({part(arguments[0], 1)}{compares[name]}{part(arguments[1], 1)})")
            if name == "logical_not":
                return Ref(f"(not {part(arguments[0], 2)})")
            return Ref(f"float({self.use(name)}({', '.join(part(a, 0) for a in arguments)}))")
        match head:
            case functions.where():
                condition, yes, no = head.args
                return Ref(f"({part(yes, 1)} if {part(condition, 1)} else {part(no, 1)})")
            case functions.step():
                return Ref(f"float({part(head.args[0], 1)} > 0)")
            case functions.as_float():
                return Ref(f"float({part(head.args[0], 0)})")
        raise TypeError(f"no operation for {head}")

    def _never_zero(self, node: Map, argument: Expr) -> bool:
        if argument.is_Symbol:
            operand = _operand(node, argument)
            # A positive value may still underflow, unless it is a length.
            return isinstance(operand, Size)
        return bool(argument != 0)

    # ----------------------------------------------------------------------------------------------------- contractions

    def _array_contract(self, node: Contract, out: Ref, name: str) -> None:
        if arrays.over_taps(self, node, out):
            self.say(f"{name} = {out.text}")
            return
        text = self._contraction(node, out)
        if text.endswith((f", {out.text})", f"out={out.text})")):
            self.say(f"{name} = {text}")
        else:
            # The product was written through a view that orders or joins the axes as it needs them.
            self.say(text)
            self.say(f"{name} = {out.text}")

    def _contraction(self, node: Contract, out: Ref | None) -> str:
        """The sum of products as `dot` or `matmul`; `einsum` where the memory order allows neither."""
        a, *others = (arrays.in_one_piece(self, operand, self.ref(operand)) for operand in node.operands)
        b = others[0] if others else self._ones(node)
        inner = [axis.name for axis in node.summed]
        free = [axis.name for axis in self.plan.laid(node.axes)]
        batch = [name for name in free if name in a.layout and name in b.layout]
        left = [name for name in free if name in a.layout and name not in batch]
        right = [name for name in free if name in b.layout and name not in batch]
        target = out.layout if out is not None else tuple(free)
        if right and left and free.index(right[0]) < free.index(left[0]) and not batch:
            a, b, left, right = b, a, right, left
        tried = self._products(a, b, batch, left, right, inner, target, out)
        if tried is None and out is not None:
            tried = products.summed(self, a, inner, out) if not others else products.product(self, a, b, inner, out)
        if tried is not None:
            return tried
        letters = {name: chr(ord("a") + i) for i, name in enumerate(dict.fromkeys([*a.layout, *b.layout]))}
        pattern = f"{''.join(letters[n] for n in a.layout)},{''.join(letters[n] for n in b.layout)}"
        pattern += f"->{''.join(letters[n] for n in target)}"
        tail = f", out={out.text}" if out is not None else ""
        return f'{self.use("einsum")}("{pattern}", {self.note(a)}, {self.note(b)}{tail})'

    def _ones(self, node: Contract) -> Ref:
        """A one at each position that is summed: a sum is a product with it, which BLAS does."""
        axes = tuple(axis for axis in node.operands[0].axes if axis in node.summed)
        rows = self.plan.rows
        along = "_".join(axis.name for axis in axes)
        by_block = rows is not None and self.section == "block" and any(axis.name == rows for axis in axes)
        key = ("ones", f"{[(axis.name, str(axis.length)) for axis in axes]}{by_block}")
        if key not in self.views:
            name = self.names.fresh(f"ones_{along}")
            if by_block:
                others = [self.length(axis) for axis in axes[1:]]
                shape = f"({', '.join([self.rows_name, *others])}{',' if not others else ''})"
                self.allocations[name] = f"{self.use('ones')}({shape}, DTYPE)"
                self.block_definitions[name] = f"{name}[:count]"
                self.views[key] = Ref(name, axes, "block")
            elif self.section == "bind":
                self.fixed_lines.append(f"{name} = {self.use('ones')}({self._shape(axes)}, DTYPE)")
                self.views[key] = Ref(name, axes, "fixed")
            else:
                self.allocations[name] = f"{self.use('ones')}({self._shape(axes)}, DTYPE)"
                self.views[key] = Ref(name, axes, "fixed")
        return self.views[key]

    def _products(
        self,
        a: Ref,
        b: Ref,
        batch: list[str],
        left: list[str],
        right: list[str],
        inner: list[str],
        target: tuple[str, ...],
        out: Ref | None,
    ) -> str | None:
        order = next((o for o in _orders(inner, a, b) if o is not None), None)
        if order is None:
            return None
        if batch:
            return self._batched(a, b, batch, left, right, order, target, out)
        single = (tuple(order),)
        a_groups = ((tuple(left),) if left else ()) + single
        b_groups = single + ((tuple(right),) if right else ())
        result: Groups = ((tuple(left),) if left else ()) + ((tuple(right),) if right else ())
        if out is not None and not self.has_view(out, result):
            return None
        if not (self.has_view(a, a_groups) and self.has_view(b, b_groups)):
            return None
        x, y = self.view(a, a_groups), self.view(b, b_groups)
        assert x is not None
        assert y is not None
        if not left and not right:
            return f"{self.note(x)}.dot({self.note(y)})"
        if out is None:
            if [n for g in result for n in g] != list(target) or any(len(g) > 1 for g in result):
                return None
            return self._times(x, y, None)
        z = self.view(out, result)
        assert z is not None
        straight = [name for group in result for name in group] == list(out.layout)
        mixed = self.dtype == "float32" and self.section == "finish"
        function = "dot" if straight and out.contiguous and not mixed else "matmul"
        return self._times(x, y, z, function)

    def _times(self, x: Ref, y: Ref, z: Ref | None, function: str = "dot") -> str:
        """The method `dot` costs 0.1 us less than the function, which first asks whether an operand overrides it."""
        tail = f", {self.note(z)}" if z is not None else ""
        if function == "dot":
            return f"{self.note(x)}.dot({self.note(y)}{tail})"
        return f"{self.use(function)}({self.note(x)}, {self.note(y)}{tail})"

    def _batched(
        self,
        a: Ref,
        b: Ref,
        batch: list[str],
        left: list[str],
        right: list[str],
        order: list[str],
        target: tuple[str, ...],
        out: Ref | None,
    ) -> str | None:
        if out is None or (not left and not right):
            return None
        if target[-1] in left and right:
            # BLAS writes rows: the last axis in memory must be the last of the result, else each is copied.
            a, b, left, right = b, a, right, left
        outer: Groups = tuple((name,) for name in batch)
        x = self.view(a, (*outer, tuple(left), tuple(order)))
        y = self.view(b, (*outer, tuple(order), tuple(right)))
        z = self.view(out, (*outer, tuple(left), tuple(right)))
        if x is None or y is None or z is None:
            return None
        if len(order) == len(right) == 1:
            y = self._turned(y, b, (*batch, *order, *right))
        return f"{self.use('matmul')}({self.note(x)}, {self.note(y)}, {self.note(z)})"

    def _turned(self, view: Ref, of: Ref, layout: tuple[str, ...]) -> Ref:
        """The matrices of a step, turned round once for all blocks: BLAS is half as fast with small transposed ones."""
        if self.section != "block" or self.plan.rows in of.layout or of.layout == layout:
            return view
        key = ("turned", f"{of.text} {layout}")
        if key not in self.views:
            name = self.names.fresh(f"{of.text}_turned")
            self.allocations[name] = f"{self.use('empty')}({self._shape(view.axes)}, DTYPE)"
            self.note(view)
            self.call_lines.append(("step", self._remark, f"{self.use('copyto')}({name}, {view.text})"))
            self.views[key] = Ref(name, view.axes, "fixed")
        return self.views[key]

    def _reduction(self, node: Reduce, out: Ref | None) -> str:
        operand = self.ref(node.operands[0])
        names = [axis.name for axis in node.reduced]
        # The result's axes must come out in the order of the result.
        kept = [axis.name for axis in (out.axes if out is not None else self.plan.laid(node.axes))]
        arranged = self.view(operand, tuple((name,) for name in [*kept, *names]))
        assert arranged is not None
        text = self.note(arranged)
        positions = list(range(len(kept), len(kept) + len(names)))
        axis = str(positions[0]) if len(positions) == 1 else f"({', '.join(map(str, positions))})"
        tail = f", {out.text}" if out is not None else ""
        if node.operator in ("argmax", "argmin"):
            return f"{self.use(node.operator)}({text}, {axis}{tail})"
        tail = f", out={out.text}" if out is not None else ""
        function = QUIET_REDUCTIONS[node.operator]
        return f"{self.use(function)}.reduce({text}, axis={axis}{tail})"

    # --------------------------------------------------------------------------------------------------- linear algebra

    def _of_matrices(self, node: LinearAlgebra) -> Ref:
        """A call of the module's own function for the operation, which says where a matrix does not allow it."""
        matrix = self.ref(node.operands[0])
        pair = (node.rows.name, node.columns.name)
        batch = [name for name in node.operands[0].names if name not in pair]
        texts = [self.aligned(matrix, (*batch, *pair))]
        layout = [*batch, *(pair if node.operator in ("inverse", "cholesky") else ())]
        if node.operator == "solve":
            right = self.ref(node.operands[1])
            beside = [name for name in node.operands[1].names if name not in (*batch, node.rows.name)]
            layout = [*batch, node.rows.name, *beside]
            arranged = self.view(right, tuple((name,) if name in right.layout else () for name in layout))
            assert arranged is not None
            texts.append(self.note(arranged))
        if node.operator != "det":
            line = f"{self._remark.removeprefix('# ')}: " if self._remark is not None else ""
            named = (f"{line}the matrix over [{', '.join(pair)}]", ", ".join(batch))
            texts.append(str(self.matrices.setdefault(named, len(self.matrices))))
            if self.section == "block" and self.plan.rows in batch:
                texts.append(self._first_row())
        self.algebra.add(node.operator)
        axes = tuple(node.axis(name) for name in layout)
        return Ref(f"_{node.operator}({', '.join(texts)})", axes)

    def _first_row(self) -> str:
        """The row with which a block starts."""
        key = ("first row", "")
        if key not in self.views:
            name = self.names.fresh("first_row")
            self.block_definitions[name] = "start"
            self.views[key] = Ref(name, home="block")
        return self.note(self.views[key])

    # ------------------------------------------------------------------------------------------------------- selections

    def _renamed(self, node: Node, operand: Ref) -> Ref:
        if isinstance(node, Relabel):
            to = dict(node.renamed)
            axes = tuple(Axis(to.get(axis.name, axis.name), axis.length) for axis in operand.axes)
            return replace(operand, axes=axes)
        return operand

    def _diagonal(self, node: Gather, operand: Ref) -> Ref:
        (axis,) = node.operands[1].axes
        places = operand.layout.index(axis.name), operand.layout.index(node.along.name)
        others = [other for i, other in enumerate(operand.axes) if i not in places]
        suffix = f".diagonal(0, {places[0]}, {places[1]})"
        return self.derived(operand, suffix, f"{operand.text}_diagonal", (*others, axis), contiguous=False)

    def _beside(self, node: Stack) -> Ref | None:
        """Scalar parameters that lie beside each other in the vector are a view of it."""
        names = [operand.name for operand in node.operands if isinstance(operand, Leaf) and not operand.axes]
        if len(names) < len(node.operands) or any(name not in self.places for name in names):
            return None
        starts = [self.places[name][0] for name in names]
        if any(sympy.expand(b - a) != 1 for a, b in pairwise(starts)):
            return None
        first, last = self.places[names[0]][0], self.places[names[-1]][1]
        if self.is_whole(first, last):
            return Ref("theta", node.axes)
        made = self.names.fresh("_".join(names))
        self.theta_lines.append(f"{made} = theta[{length(first, self.lengths)}:{length(last, self.lengths)}]")
        return Ref(made, node.axes, "theta")

    def _stacked(self, node: Stack, out: Ref) -> None:
        place = out.layout.index(node.along.name)
        others = [name for name in out.layout if name != node.along.name]
        for i, operand in enumerate(node.operands):
            ref = self.ref(operand)
            self.say(f"{out.text}[{':, ' * place}{i}] = {self.aligned(ref, others)}")

    def _factored(self, node: Factor, name: str) -> None:
        """All columns of a factor come from one decomposition, with the first that is asked for."""
        key = tuple(column.id for column in node.operands)
        if key not in self.factors:
            columns = []
            for column in node.operands:
                others = [axis for axis in column.names if axis != node.rows]
                columns.append(self.aligned(self.ref(column), [node.rows, *others]))
            made = self.factors[key] = self.names.numbered("factors")
            self.say(f"{made} = _factor(({', '.join(columns)}{',' if len(columns) == 1 else ''}))")
        # Single numbers are Python's, of double precision; arrays are of the module's type.
        single = all(isinstance(user, Slice) for user in self.plan.sections["bind"] if node in user.operands)
        cast = "" if single or self.dtype == "float64" else ".astype(DTYPE)"
        self.say(f"{name} = {self.factors[key]}[{node.part}]{cast}")
        beside = [axis for axis in node.axes if axis.name != RANK]
        self.bound[node.id] = Ref(name, (node.axis(RANK), *beside), "fixed")

    def _section_text(self, node: Slice | PlaceSlice) -> str:
        start = length(node.start, self.lengths)
        if node.drop:
            return start
        if node.step == 1:
            stop = length(sympy.expand(node.start + node.length), self.lengths)
            return f"{start}:{stop}"
        if node.step > 0:
            stop = length(sympy.expand(node.start + node.step * (node.length - 1) + 1), self.lengths)
            return f"{start}:{stop}:{node.step}"
        return f"{start}::{node.step}"

    def _sliced(self, node: Slice | PlaceSlice, operand: Ref, scalar: bool = False) -> Ref:
        position = operand.layout.index(node.along.name)
        text = self._section_text(node)
        colons = [":"] * position
        suffix = f"[{', '.join([*colons, text])}]"
        to_the_end = node.start == node.length - 1 and node.step == -1
        if not node.drop and node.step < 0 and not to_the_end:
            suffix += f"[{', '.join([*colons, ':' + length(node.length, self.lengths)])}]"
        axes = list(operand.axes)
        if node.drop:
            axes.pop(position)
        else:
            axes[position] = Axis(node.along.name, node.length)
        if scalar:
            return Ref(f"{self.note(operand)}{suffix}")
        whole = not node.drop and node.length == node.along.length and node.step == 1
        contiguous = operand.contiguous and (whole or position == 0) and node.step == 1
        name = f"{operand.text}_at_{node.along.name}"
        return self.derived(operand, suffix, name, tuple(axes), contiguous)

    def _place(self, node: PlaceSlice, out: Ref) -> None:
        if node.drop:
            colons = [":"] * out.layout.index(node.along.name)
            others = [name for name in out.layout if name != node.along.name]
            value = self.aligned(self.ref(node.operands[0]), others)
            self.say(f"{out.text}[{', '.join([*colons, self._section_text(node)])}] = {value}")
            return
        position = self._sliced(node, out)
        value = self.aligned(self.ref(node.operands[0]), position.layout)
        self.say(f"{self.use('copyto')}({self.note(position)}, {value})")

    def _positions(self, node: Gather | Scatter, array: Ref, index: Ref, layout: Sequence[Axis]) -> str:
        """The index of `array` at each point of `layout`: `index` along one axis, its own position along the others."""
        parts = []
        names = [axis.name for axis in layout]
        for axis in array.axes:
            if axis.name == node.along.name:
                parts.append(self.aligned(index, names) if index.axes else self.note(index))
            else:
                behind = len(names) - names.index(axis.name) - 1
                suffix = f"[:{', None' * behind}]" if behind else ""
                parts.append(f"{self._counting(axis)}{suffix}")
        return ", ".join(parts)

    def _counting(self, axis: Axis) -> str:
        rows = self.plan.rows
        by_block = rows is not None and self.section == "block" and axis.name == rows
        key = ("counting", f"{axis.name}{by_block}{axis.length}{self.section == 'bind'}")
        if key not in self.views:
            name = self.names.fresh(f"each_{axis.name}")
            if by_block:
                self.allocations[name] = f"{self.use('arange')}({self.rows_name})"
                self.block_definitions[name] = f"{name}[:count]"
                self.views[key] = Ref(name, (axis,), "block")
            elif self.section == "bind":
                self.fixed_lines.append(f"{name} = {self.use('arange')}({self.length(axis)})")
                self.views[key] = Ref(name, (axis,), "fixed")
            else:
                self.allocations[name] = f"{self.use('arange')}({self.length(axis)})"
                self.views[key] = Ref(name, (axis,), "fixed")
        return self.note(self.views[key])

    def _gathered(self, node: Gather) -> str:
        array, index = self.ref(node.operands[0]), self.ref(node.operands[1])
        return f"{self.note(array)}[{self._positions(node, array, index, self.plan.laid(node.axes))}]"

    def _array_gather(self, node: Gather, out: Ref) -> None:
        array, index = self.ref(node.operands[0]), self.ref(node.operands[1])
        shared = set(array.layout) & set(index.layout)
        position = array.layout.index(node.along.name)
        taken = [*array.layout[:position], *index.layout, *array.layout[position + 1 :]]
        if not shared and taken == list(out.layout):
            self.say(f'{self.use("take")}({self.note(array)}, {self.note(index)}, {position}, {out.text}, "clip")')
            return
        flat = self.view(array, (array.layout,))
        if flat is None or not array.contiguous or not index.axes:
            self.say(f"{self.use('copyto')}({out.text}, {self._gathered(node)})")
            return
        places = self._places_in(array, node.along, index, out)
        self.say(f'{self.use("take")}({self.note(flat)}, {places}, 0, {out.text}, "clip")')

    def _places_in(self, array: Ref, along: Axis, index: Ref, out: Ref) -> str:
        """Where in the flattened array each element of `out` stands, in memory that is there already.

        NumPy's own indexing by several arrays makes a new one at each step.
        """
        rows = self.plan.rows if self.section == "block" else None
        others = [axis for axis in array.axes if axis.name != along.name]
        stride = dict[str, Expr]()
        step: Expr = sympy.Integer(1)
        for axis in reversed(array.axes):
            stride[axis.name] = step
            step = sympy.expand(step * axis.length)
        of_index = self.aligned(index, out.layout)
        if not others and stride[along.name] == 1:
            return of_index
        name = self.names.fresh("places")
        found = self.scratch(Buffer(name, out.axes, "int", rows is not None and rows in out.layout))
        if stride[along.name] != 1:
            by = length(stride[along.name], self.lengths)
            self.say(f"{self.use('multiply')}({of_index}, {by}, {found.text})")
            of_index = found.text
        if others:
            start = self.names.fresh("origin")
            terms = []
            for i, axis in enumerate(others):
                count = self.rows_name if axis.name == rows else self.length(axis)
                behind = len(others) - i - 1
                term = f"{self.use('arange')}({count})" + (f"[:{', None' * behind}]" if behind else "")
                by = stride[axis.name]
                terms.append(term if by == 1 else f"{term} * {_factor(by, self.lengths)}")
            self.allocations[start] = " + ".join(terms)
            by_block = bool(others) and others[0].name == rows
            if by_block:
                self.block_definitions[start] = f"{start}[:count]"
            origin = self.aligned(Ref(start, tuple(others), "block" if by_block else "fixed"), out.layout)
            self.say(f"{self.use('add')}({of_index}, {origin}, {found.text})")
        return found.text

    def _scattered(self, node: Scatter, out: Ref) -> None:
        value, index = self.ref(node.operands[0]), self.ref(node.operands[1])
        axes = self.plan.program.graph.ordered([*node.operands[0].axes, *node.operands[1].axes])
        names = [axis.name for axis in axes]
        where = self._positions(node, out, index, axes)
        text = self.aligned(value, names)
        # An index that has the axis along which it counts may hold one position twice.
        if node.summed or node.along.name in names:
            self.say(f"{self.use('add')}.at({out.text}, ({where}), {text})")
        else:
            self.say(f"{out.text}[{where}] = {text}")


def _applied(suffix: str, text: str) -> str:
    return suffix.replace("{}", text) if "{}" in suffix else text + suffix


def _factor(of: Expr, lengths: dict[str, str]) -> str:
    text = length(of, lengths)
    return f"({text})" if of.is_Add else text


def _next(place: str) -> str:
    return str(int(place) + 1) if place.isdigit() else f"{place} + 1"


def _operand(node: Map, symbol: Expr) -> Node:
    return node.operands[int(symbol.name[1:])]


def _orders(inner: list[str], a: Ref, b: Ref) -> list[list[str] | None]:
    """The orders in which the summed axes may be merged: as they lie in either operand."""
    return [[name for name in ref.layout if name in inner] for ref in (a, b)]

"""`gradc.explain`: where a NaN came from: the line of the model, the sub-expression, its operands and the row.

Takes a compiled model and the point at which its loss or a gradient is not finite; gives `Origin`, the first operation
on the way whose operands all were finite, in the words of the model. It is looked for in what the module computes,
stable forms and all, and told as the model has it, where the text of the model goes wrong at the same place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradc import reasons
from gradc.compiler.pipeline import Options, compile_model
from gradc.compiler.source import Diagnostic, ModelError, Source, Span, render
from gradc.modules import load
from gradc.runtime.data import Data
from gradc.runtime.errors import Diverged

if TYPE_CHECKING:
    import numpy.typing as npt

    from gradc.compiler.blame import Blame
    from gradc.compiler.graph import Node, Objective, Parameter, Program, State
    from gradc.compiler.inspect.formula import Formula
    from gradc.model import Model

SHOWN = 60
"""Characters of the model's own text that stand for a formula."""

MOST = 8
"""Operands, and what they are made of, that are told."""

GROWN = 1e3
"""A parameter of this size is told where a number overflows: it is likely what made it large."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where numbers stopped being finite.

    `formula` is the operation, `value` what it gave, `operands` what it was computed from, by their formulas. `places`
    are positions along axes; along the rows it is a row of all data, also in a minibatch. `of` says what is not finite
    in the end, the objective or the gradient of a parameter, and `reason` why.
    """

    of: str
    span: Span
    formula: str
    value: float
    operands: tuple[tuple[str, float], ...]
    places: Mapping[str, int]
    reason: str
    help: str
    more: tuple[str, ...] = ()
    gradient: bool = False  # whether it is not finite in a gradient, of which `of` is the parameter

    @property
    def diagnostic(self) -> Diagnostic:
        """The same as the compiler tells a mistake: with the line of the model and a caret."""
        place = ", ".join(f"{axis} = {position}" for axis, position in self.places.items())
        message = f"{self.formula} is {number(self.value)}" + (f" at {place}" if place else "") + f": {self.reason}"
        if self.gradient:
            message = f"in the gradient of {self.of}, {message}"
        sides = (*(f"{formula} = {number(value)}" for formula, value in self.operands), *self.more)
        return Diagnostic("E0601", message, self.span, sides, self.help)

    @property
    def mistake(self) -> ModelError:
        """The same as a command reports it."""
        return ModelError((self.diagnostic,))

    def __str__(self) -> str:
        return render(self.diagnostic)


def explain(
    model: Model,
    at: npt.ArrayLike | Diverged,
    data: Data | Mapping[str, Any],
    *,
    objective: str | None = None,
    rows: Sequence[int] | npt.NDArray[Any] | None = None,
    seed: int = 0,
    step: int = 0,
    line: Callable[[int], str] | None = None,
) -> Origin | None:
    """Why the loss, or a gradient, is not finite at a vector of parameters; None where both are, or no reason is found.

    `at` is that vector, or the Diverged that a training has raised, which knows the objective, the rows and the step.
    `data` are all inputs, `rows` the rows of a minibatch among them; `seed` and `step` are those of the noise.
    `objective` is one of several, by default the first that fails. `line(row)` says where a row of the data stands, as
    "line 44 of loans.csv"; what `read_data` gave knows it. Raises the module's DataError where the data do not fit.
    """
    if isinstance(data, Data):
        line, data = line or data.row, data.inputs
    return origin(
        model.source,
        model.options,
        model.module,
        at,
        data,
        objective=objective,
        rows=rows,
        seed=seed,
        step=step,
        line=line,
    )


def origin(
    source: Source,
    options: Options,
    module: ModuleType,
    at: npt.ArrayLike | Diverged,
    data: Mapping[str, Any],
    *,
    objective: str | None = None,
    rows: Sequence[int] | npt.NDArray[Any] | None = None,
    seed: int = 0,
    step: int = 0,
    line: Callable[[int], str] | None = None,
) -> Origin | None:
    """The same of a module and of what it was compiled from."""
    import numpy as np

    if options.sparse:
        # Gradients by rows lie beside the vector; whole ones say where they are not finite.
        options = replace(options, sparse=())
        module = load(compile_model(source, options).module, module.MODEL)
    if isinstance(at, Diverged):
        objective, rows, step = at.objective, at.rows, at.step
        at = at.theta if at.at is None else at.at
    vector = np.asarray(at, module.DTYPE)
    given = {name: np.asarray(data[name]) for name in (*module.INPUTS, *module.NOISE) if name in data}
    kept = _rows(module, given)
    if rows is not None and kept is not None:
        kept = np.asarray(rows)
        given = taken(module, given, kept)
    if module.NOISE:
        given = {**module.noise(given, seed, step), **given}
    programs = _Programs(source, options)
    for name in (objective,) if objective is not None else tuple(module.OBJECTIVES):
        found = _Case(programs, module, name, vector, given, kept, line).explained()
        if found is not None:
            return found
    return None


def number(value: float) -> str:
    """A number in few digits; NaN and infinity in NumPy's words."""
    return f"{value:.6g}"


@dataclass(frozen=True)
class _Programs:
    """What the compiler makes of the model on the way to the module, made when it is needed."""

    source: Source
    options: Options

    @cached_property
    def stages(self) -> tuple[Program, Program]:
        """The program as the model writes it, and with its gradients as the module computes it."""
        from gradc.compiler.graph import Program
        from gradc.compiler.pipeline import stages

        written: Program | None = None
        for name, found in stages(self.source, self.options):
            if name == "elaborate" and isinstance(found, Program):
                written = found
            if name == "simplified" and isinstance(found, Program) and written is not None:
                return written, found
        raise AssertionError("the compiler ends without a program")

    @property
    def written(self) -> Program:
        return self.stages[0]

    @property
    def simplified(self) -> Program:
        return self.stages[1]


@dataclass(frozen=True)
class _Case:
    """One objective at one point. `data` are the rows that were computed with, the noise among them; `rows` says which
    of all rows they are."""

    programs: _Programs
    module: ModuleType
    name: str
    theta: npt.NDArray[Any]
    data: Mapping[str, npt.NDArray[Any]]
    rows: npt.NDArray[Any] | None
    line: Callable[[int], str] | None

    def explained(self) -> Origin | None:
        """The origin, or None where the module's numbers are finite."""
        import numpy as np

        for name, (place, shape) in self.module.layout(self.data).items():
            if not np.isfinite(self.theta[place]).all():
                return self._parameter(name, self.theta[place].reshape(shape))
        what = self._fails()
        if what is None:
            return None
        # What the module computes, and if that is finite in the plain arithmetic here, what the model says.
        return self._blamed(self.programs.simplified, what) or self._blamed(self._written(), what)

    def _written(self) -> Program:
        from gradc.compiler.differentiate import differentiate

        return differentiate(self.programs.written)

    def _cut(self, places: npt.NDArray[Any]) -> _Case:
        """The same with some of the rows."""
        assert self.rows is not None
        return replace(self, data=taken(self.module, self.data, places), rows=self.rows[places])

    def _fails(self) -> str | None:
        """What the module finds that is not finite: "" the value, else a parameter, by its gradient; None if all is."""
        import numpy as np

        bound = self.module.bind(self.data, self.name)
        try:
            with np.errstate(all="ignore"):
                value, gradient = bound(self.theta)
        except self.module.DataError:
            return ""
        if not math.isfinite(value):
            return ""
        for name, (place, _) in self.module.layout(self.data).items():
            if name in self.module.OBJECTIVES[self.name]["over"] and not np.isfinite(gradient[place]).all():
                return str(name)
        return None

    def _blamed(self, program: Program, what: str) -> Origin | None:
        """The origin in what the program computes."""
        from gradc.compiler.blame import TooLarge, blame, blame_matrix
        from gradc.compiler.graph import reachable

        objective = next(o for o in program.objectives if o.name == self.name)
        root = program.gradients[self.name][what] if what else objective.value
        layout = self.module.layout(self.data)
        free = {name: self.theta[place].reshape(shape) for name, (place, shape) in layout.items()}
        setting = self.data, free, self.module.DTYPE
        written = self.programs.written
        own = {node.id for node in reachable(written.everything())}
        telling = _Telling(self, program, objective, own)
        try:
            found = blame(program, [root], *setting, telling.names) or blame_matrix(program, [root], *setting)
        except TooLarge as error:
            part = self._part(program, root, error.excess)
            return None if part is None else part._blamed(program, what)
        if found is None:
            return None
        if not what and found.point.node.id not in own:
            # The same place as the model has it, where its own text goes wrong there too.
            (value,) = (o.value for o in written.objectives if o.name == self.name)
            told = blame(written, [value], *setting, telling.names)
            if told is not None and _overlap(told.point.node.span, found.point.node.span):
                found = told
        return telling.origin(found, what)

    def _part(self, program: Program, root: Node, excess: float) -> _Case | None:
        """Some of the rows for which the module fails too; None where rows depend on each other, or none are found."""
        import numpy as np

        if self.rows is None or len(self.rows) < 2 or _coupled(root, self.module.ROWS):
            return None
        size = max(int(len(self.rows) / (2 * excess)), 1)
        for start in range(0, len(self.rows), size):
            part = self._cut(np.arange(start, min(start + size, len(self.rows))))
            if part._fails() is not None:
                return part
        return None

    def _parameter(self, name: str, value: npt.NDArray[Any]) -> Origin:
        """A parameter that is not finite itself: a step has made it so."""
        import numpy as np

        written = self.programs.written
        kept: list[Parameter | State] = [*written.parameters, *written.states]
        declared = next(p for p in kept if p.name == name)
        at = [int(i) for i in np.argwhere(~np.isfinite(value))[0]]
        places = dict(zip((axis.name for axis in declared.axes), at, strict=True))
        span = declared.span or Span(self.programs.source, 0, 0)
        reason = "the step before has made it so"
        return Origin(name, span, name, float(value[tuple(at)]), (), places, reason, reasons.STEP)


def taken(module: ModuleType, data: Mapping[str, Any], rows: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """These rows of inputs and noise; what has no rows as it is."""
    import numpy as np

    found = {}
    for name, array in data.items():
        axes = {**module.INPUTS, **module.NOISE}[name]["axes"]
        found[name] = np.take(array, rows, axes.index(module.ROWS)) if module.ROWS in axes else np.asarray(array)
    return found


def _rows(module: ModuleType, data: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any] | None:
    """The numbers of all rows; None where there is no axis of rows."""
    import numpy as np

    for name, array in data.items():
        axes = {**module.INPUTS, **module.NOISE}[name]["axes"]
        if module.ROWS in axes:
            return np.arange(array.shape[axes.index(module.ROWS)])
    return None


def _coupled(root: Node, rows: str | None) -> bool:
    """Whether a number in one row depends on other rows."""
    from gradc.compiler.graph import reachable

    reduced: set[int] = set()
    for node in reachable([root]):
        inside = any(operand.id in reduced for operand in node.operands)
        if inside and rows in node.names:
            return True
        if inside or (rows not in node.names and any(rows in operand.names for operand in node.operands)):
            reduced.add(node.id)
    return False


def _overlap(one: Span | None, other: Span | None) -> bool:
    if one is None or other is None or one.source is not other.source:
        return False
    return one.start < other.end and other.start < one.end


# ------------------------------------------------------------------------------------------------------------- in words


@dataclass(frozen=True)
class _Telling:
    """How nodes of one program are called. `own` are those that the model's text has."""

    case: _Case
    program: Program
    objective: Objective
    own: Collection[int]

    @cached_property
    def names(self) -> dict[int, Formula]:
        """What has a name in the model, or is the derivative by such a value."""
        from gradc.compiler.inspect.gradients import adjoints_of
        from gradc.compiler.inspect.write import names_of

        names = names_of(self.program)
        return {**adjoints_of(self.program, self.objective, names), **names}

    def origin(self, found: Blame, what: str) -> Origin:
        """What is told of the operation."""
        node, span = found.point.node, self._span(found.point.node)
        operands: dict[str, float] = {}
        for operand, value in (*found.operands, *found.below)[:MOST]:
            elsewhere = {axis: at for axis, at in operand.places().items() if found.places.get(axis) != at}
            place = ", ".join(f"{axis} = {at}" for axis, at in self._places(elsewhere).items())
            operands.setdefault(self._called(operand.node, span) + (f"[{place}]" if place else ""), value)
        bounded = any(node is p.value and node is not p.leaf for p in self.program.parameters)
        reason, help = reasons.reason(found, self.case.module.DTYPE)
        more = [*reasons.matrix(found), *self._line(found.places)]
        if math.isinf(found.value):
            more += [told for name, told in self._grown() if name not in operands]
        return Origin(
            of=what or self.objective.name,
            span=span,
            formula=self._called(node, None),
            value=found.value,
            operands=tuple(operands.items()),
            places=self._places(found.places),
            reason=reason,
            help=reasons.STEP if bounded else help,
            more=tuple(more),
            gradient=bool(what),
        )

    def _span(self, node: Node) -> Span:
        """Where the node stands in the model; of one that a pass has made, where what it is made of does."""
        waiting = [node]
        while waiting:
            current = waiting.pop(0)
            if current.span is not None:
                return current.span
            waiting.extend(sorted(current.operands, key=lambda operand: not operand.operands))
        return Span(self.case.programs.source, 0, 0)

    def _called(self, node: Node, within: Span | None) -> str:
        """A name, else the model's own text, else a formula. `within` is the span of the operation that it stands in;
        without one it is the operation itself."""
        from gradc.compiler.inspect.explain import written_alone
        from gradc.compiler.inspect.text import text

        of_parameter = {p.value.id: p.name for p in self.program.parameters if p.value is not p.leaf}
        if node.id in of_parameter:
            return of_parameter[node.id]
        if within is not None and node.id in self.names:
            return text(self.names[node.id], {})
        if node.id in self.own and node.operands and node.span is not None and node.span != within:
            own = _bare(" ".join(node.span.text.split()))
            if len(own) <= SHOWN:
                return own
        found = written_alone(node, self.names)
        return found if len(found) <= SHOWN else f"{found[: SHOWN - 4]} ..."

    def _places(self, places: Mapping[str, int]) -> dict[str, int]:
        """The same, the rows as numbers of all rows."""
        rows = self.case.module.ROWS
        return {
            axis: int(self.case.rows[at]) if axis == rows and self.case.rows is not None else at
            for axis, at in places.items()
            if axis.isidentifier() or axis.rstrip("'").isidentifier()
        }

    def _line(self, places: Mapping[str, int]) -> tuple[str, ...]:
        """Where the row stands in the file."""
        rows = self.case.module.ROWS
        if self.case.line is None or rows not in places:
            return ()
        row = self._places(places)[rows]
        line = self.case.line(row)
        # Of arrays, which have no lines, the row itself is all that there is to tell.
        return () if line.startswith("the data") else (f"{rows} = {row} is {line}",)

    def _grown(self) -> Iterator[tuple[str, str]]:
        """The parameter with the largest number, where it is large, and what is said of it."""
        import numpy as np

        best, found = GROWN, None
        with np.errstate(over="ignore"):
            values = self.case.module.unpack(self.case.theta, self.case.data)
        for name, value in values.items():
            sizes = np.where(np.isfinite(value), np.abs(value), 0)
            if sizes.size and float(sizes.max()) > best:
                at = tuple(int(i) for i in np.unravel_index(int(sizes.argmax()), sizes.shape))
                best, found = float(sizes.max()), (name, at, float(value[at]))
        if found is not None:
            name, at, value = found
            axes = {**self.case.module.PARAMETERS, **self.case.module.STATES}[name]["axes"]
            place = ", ".join(f"{axis} = {i}" for axis, i in zip(axes, at, strict=True))
            yield name, f"the largest parameter: {name}{f'[{place}]' if place else ''} = {number(value)}"


def _bare(text: str) -> str:
    """The text without brackets around the whole."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and i < len(text) - 1:
            return text
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text

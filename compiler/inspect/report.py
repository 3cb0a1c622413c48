"""What `inspect` shows, whole: the gradients, the lines they need and the values, as text, as LaTeX and as JSON.

Takes a differentiated program and, for one gradient alone, the name that it is by. The JSON has a schema number, which
changes when a field changes its meaning or goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Program
from .formula import Adjoint
from .gradients import Formulas, Line, formulas
from .latex import latex
from .text import label, text
from .values import Description, values

SCHEMA = 1


def inspect_text(program: Program, wrt: str | None = None) -> str:
    """The gradients as formulas; without `wrt`, a table of all values too. UnknownName where `wrt` has no gradient."""
    found = formulas(program, wrt)
    left = _column([_left(line, found) for line in (*_gradients(found), *found.where)])
    lines = [f"{left(_left(line, found))} = {text(line.formula, found.names)}" for line in _gradients(found)]
    if found.where:
        lines += ["", "where"]
        lines += [f"{left(_left(line, found))} = {text(line.formula, found.names)}" for line in found.where]
    if wrt is None:
        lines += ["", *_table(values(program))] if lines else _table(values(program))
    return "\n".join(lines) + "\n"


def inspect_latex(program: Program, wrt: str | None = None) -> str:
    """The same gradients as an `align*` environment of amsmath. UnknownName where `wrt` has no gradient."""
    found = formulas(program, wrt)
    lines = [f"{latex(line.left, found.names)} &= {latex(line.formula, found.names)}" for line in _gradients(found)]
    lines += [f"{latex(line.left, found.names)} &= {latex(line.formula, found.names)}" for line in found.where]
    body = " \\\\\n".join(f"  {line}" for line in lines)
    return f"\\begin{{align*}}\n{body}\n\\end{{align*}}\n" if lines else ""


def inspect_json(program: Program, wrt: str | None = None) -> dict[str, Any]:
    """The same as plain data, for `json.dumps`. UnknownName where `wrt` has no gradient."""
    found = formulas(program, wrt)
    bounds = {p.name: [p.lower, p.upper] for p in program.parameters}
    gradients = []
    for gradient in found.gradients:
        entry: dict[str, Any] = {"name": gradient.name, "objective": gradient.objective}
        entry["axes"] = list(gradient.line.axes)
        if gradient.name in bounds:
            entry["bounds"] = bounds[gradient.name]
        entry["gradient"] = _equation(gradient.line, found)
        entry["unconstrained"] = None if gradient.unconstrained is None else _equation(gradient.unconstrained, found)
        gradients.append(entry)
    return {
        "schema": SCHEMA,
        "model": _model(program),
        "parameters": gradients,
        "where": [_equation(line, found) for line in found.where],
        "values": [_described(value) for value in values(program)],
    }


def _gradients(found: Formulas) -> list[Line]:
    return [line for gradient in found.gradients for line in gradient.lines]


def _left(line: Line, found: Formulas) -> str:
    return label(line.left) if isinstance(line.left, Adjoint) else text(line.left, found.names)


def _equation(line: Line, found: Formulas) -> dict[str, Any]:
    return {
        "label": _left(line, found),
        "text": text(line.formula, found.names),
        "latex": f"{latex(line.left, found.names)} = {latex(line.formula, found.names)}",
    }


def _model(program: Program) -> str | None:
    """The name of the model's file without its ending."""
    spans = [*program.spans.values(), *(o.span for o in program.objectives if o.span is not None)]
    return spans[0].source.name.removesuffix(".model") if spans else None


def _described(value: Description) -> dict[str, Any]:
    return {
        "name": value.name,
        "axes": [{"name": name, "length": length} for name, length in value.axes],
        "dtype": value.dtype,
        "leaf": value.leaf,
        "gradient": value.gradient,
        "rule": value.rule,
        "line": value.line,
    }


def _table(found: Sequence[Description]) -> list[str]:
    """One line for each value, in columns."""
    heads = ("value", "type", "leaf", "gradient", "rule")
    rows = [heads]
    for value in found:
        axes = ", ".join(name if name == length else f"{name}: {length}" for name, length in value.axes)
        shape = f"{value.name}[{axes}]" if axes else value.name
        rows.append((shape, value.dtype, value.leaf or "-", "yes" if value.gradient else "no", value.rule))
    columns = [_column([row[i] for row in rows]) for i in range(len(heads) - 1)]
    return ["  ".join([*(pad(cell) for pad, cell in zip(columns, row, strict=False)), row[-1]]) for row in rows]


def _column(cells: Sequence[str]) -> Any:
    """Pads a cell to the width of the widest, within reason."""
    width = min(max((len(cell) for cell in cells), default=0), 40)
    return lambda cell: cell.ljust(width)

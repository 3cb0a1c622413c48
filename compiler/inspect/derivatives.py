"""Derivatives beyond the gradient as formulas: second derivatives, Jacobians and products with a direction `v`.

Takes simplified derivatives (`compiler/derivatives.py`), which are by the unconstrained parameters; gives for each part
its label and its formula, and the lines that the formulas need besides, as text, LaTeX and JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..derivatives import Derived, copies
from ..graph import Parameter
from .formula import Formula, Free, Named, Reference
from .gradients import titles
from .latex import latex
from .latex import name as letters
from .text import leaf, text
from .write import Writer, names_of, ordered


@dataclass(frozen=True, slots=True)
class Equation:
    """What stands on the left, as text and as LaTeX, and the formula; `names` are those of parts with own lines."""

    kind: str
    of: str
    label: str
    latex: str
    formula: Formula
    names: dict[int, str]


def derivatives_text(found: Sequence[Derived]) -> str:
    """One line for each part, then those that they need; a paragraph for each derivative."""
    paragraphs = []
    for item in _shown(found):
        lines = equations(item)
        width = min(max(len(line.label) for line in lines), 40)
        paragraphs.append("".join(f"{line.label.ljust(width)} = {text(line.formula, line.names)}\n" for line in lines))
    return "\n".join(paragraphs)


def derivatives_latex(found: Sequence[Derived]) -> str:
    """The same as `align*` environments of amsmath."""
    body = [
        " \\\\\n".join(f"  {line.latex} &= {latex(line.formula, line.names)}" for line in equations(item))
        for item in _shown(found)
    ]
    return "".join(f"\\begin{{align*}}\n{lines}\n\\end{{align*}}\n" for lines in body)


def derivatives_json(found: Sequence[Derived]) -> list[dict[str, Any]]:
    """The same as plain data."""
    return [
        {
            "derivative": line.kind,
            "of": line.of,
            "label": line.label,
            "text": text(line.formula, line.names),
            "latex": f"{line.latex} = {latex(line.formula, line.names)}",
        }
        for item in _shown(found)
        for line in equations(item)
    ]


def _shown(found: Sequence[Derived]) -> list[Derived]:
    """All but what residuals are observations of, which is in the model as it stands."""
    return [item for item in found if item.kind != "observations"]


def equations(item: Derived) -> list[Equation]:
    """The parts of a derivative, and behind them the lines that they need."""
    program, parts = item.program, item.program.pullback
    names = names_of(program)
    for parameter, tangent in zip(program.parameters, program.tangents, strict=bool(program.tangents)):
        names[tangent.leaf.id] = Named(f"v({parameter.name})", tangent.leaf.names)
    lines: dict[int, Formula] = {}
    written = Writer(names, {}, lines).write(list(parts.values()))
    keys = ordered(written, lines, {})
    known = titles(program, keys)
    found = []
    for key, formula in zip(parts, written, strict=True):
        of, label, shown = _labels(item, key)
        # A part that is a named value, or another part, is called so.
        found.append(Equation(item.kind, of, label, shown, names.get(parts[key].id, formula), known))
    for line in keys:
        left = Reference(line, program.graph.nodes[line].names if line >= 0 else ())
        found.append(Equation(item.kind, found[0].of, known[line], latex(left, known), lines[line], known))
    return found


def _labels(item: Derived, key: str) -> tuple[str, str, str]:
    """Of what the part is a derivative, and its label as text and as LaTeX."""
    by_name = {p.name: p for p in item.program.parameters}
    words = key.split(" ")
    of, named = _differentiated(item)
    if item.kind == "hessian":
        assert item.of is not None
        first, second = (by_name[word] for word in words)
        to = copies(second.leaf.axes, first.leaf.names)
        left, right = _variable(first), _variable(second, to)
        below = rf"\partial {latex(left, {})} \, \partial {latex(right, {})}"
        label = f"d^2 {of}/(d {leaf(left)} d {leaf(right)})"
        return item.of, label, rf"\frac{{\partial^2 {named}}}{{{below}}}"
    if item.kind == "hvp":
        assert item.of is not None
        left = _variable(by_name[key])
        above = rf"\partial \left(\nabla {named} \cdot v\right)"
        return item.of, f"d (d {of} * v)/d {leaf(left)}", rf"\frac{{{above}}}{{\partial {latex(left, {})}}}"
    if item.kind == "jacobian":
        left = _variable(by_name[words[1]])
        shown = rf"\frac{{\partial {letters(words[0])}}}{{\partial {latex(left, {})}}}"
        return words[0], f"d {words[0]}/d {leaf(left)}", shown
    if item.kind == "residuals":
        assert item.of is not None
        number = str(int(words[0]) + 1) if any(part[0] == "1" for part in item.program.pullback) else ""
        residual, symbol = f"residual{number} of {item.of}", f"r_{{{number}}}" if number else "r"
        if len(words) == 1:
            return item.of, residual, symbol
        left = _variable(by_name[words[1]])
        return item.of, f"d ({residual})/d {leaf(left)}", rf"\frac{{\partial {symbol}}}{{\partial {latex(left, {})}}}"
    return key, f"d {key} * v", rf"\nabla {letters(key)} \cdot v"


def _differentiated(item: Derived) -> tuple[str, str]:
    """The objective as text and as LaTeX; of one that is maximized the negative is minimized."""
    if item.of is None:
        return "", ""
    name = letters(item.of)
    return (f"(-{item.of})", rf"\left(-{name}\right)") if item.negated else (item.of, name)


def _variable(parameter: Parameter, to: dict[str, str] | None = None) -> Named | Free:
    """The parameter, or the free number behind it."""
    axes = tuple((to or {}).get(axis, axis) for axis in parameter.leaf.names)
    kind = Named if parameter.value is parameter.leaf else Free
    return kind(parameter.name, axes)

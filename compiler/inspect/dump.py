"""A program as a listing, one node a line: for looking at what a stage gave.

Ids are those of the graph, so two stages of one program can be compared; the listing has no other order.
"""

from __future__ import annotations

from ..graph import Map, Node, Program, placeholder, reachable
from .formula import Formula, Named
from .text import number, text
from .values import length
from .write import expression


def dump(program: Program) -> str:
    """Every node that has a meaning or is needed by one that has, operands first, and then the roots by name.

    A line holds the id, the kind, what distinguishes it, the operands, axes with lengths, dtype, and the model's line.
    """
    named = [("", name, node) for name, node in program.named]
    named += [("parameter ", p.name, p.value) for p in program.parameters]
    named += [("objective ", o.name, o.value) for o in program.objectives]
    named += [(f"update by {o.name} of ", name, node) for o in program.objectives for name, node in o.updates]
    named += [("in prediction ", name, node) for name, node in program.predicted]
    named += [("output ", name, node) for name, node in program.outputs]
    named += [("metric ", name, node) for name, node in program.metrics]
    for objective, gradients in program.gradients.items():
        named += [(f"gradient of {objective} by ", name, node) for name, node in gradients.items()]
    named += [("pullback to ", name, node) for name, node in program.pullback.items()]
    for of, retained in program.retained.items():
        named += [(f"gradient of {of or 'the outputs'} by ", name, node) for name, node in retained.items()]
    nodes = reachable(node for _, _, node in named)
    width = len(str(nodes[-1].id)) if nodes else 1
    lines = [_line(node, width) for node in nodes]
    return "\n".join([*lines, *(f"{role}{name} = %{node.id}" for role, name, node in named)]) + "\n"


def _line(node: Node, width: int) -> str:
    axes = ", ".join(
        axis.name if str(axis.length) == axis.name else f"{axis.name}: {length(axis.length)}" for axis in node.axes
    )
    found = f"%{node.id:<{width}} {type(node).__name__:<10} {_what(node)}"
    found += f"  [{axes}] {node.dtype}{' trained' if node.trained else ''}{' positive' if node.positive else ''}"
    return found + (f"  line {node.span.line}" if node.span is not None else "")


def _what(node: Node) -> str:
    """The node over the ids of its operands."""
    operands = [f"%{operand.id}" for operand in node.operands]
    if isinstance(node, Map):
        known: dict[object, Formula] = {placeholder(i): Named(name, ()) for i, name in enumerate(operands)}
        return text(expression(node.expression, known, lambda part: part), {})
    return " ".join([*operands, *_attributes(node)])


def _attributes(node: Node) -> list[str]:
    found = []
    for name, value in zip(_names(node), node.attributes(), strict=True):
        if name in ("role", "name", "operator", "value", "length") and not node.operands:
            found.append(str(value) if name != "value" or value.is_Rational else number(value))
        else:
            found.append(f"{name} {_shown(value)}")
    return found


def _names(node: Node) -> tuple[str, ...]:
    return tuple(name for name in type(node).__slots__ if not name.startswith("_"))


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(part) for part in value)
    return str(getattr(value, "name", value))

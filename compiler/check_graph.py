"""The graph's invariants, checked after every pass.

Takes a program, gives it back; raises `Malformed` where a node breaks a rule of its kind. A pass that goes wrong is
found where it happened, not in the numbers of the emitted module.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from sympy import Add, expand

from .arrays import Accumulate, Concat, Flatten, PlaceWindow, Recurrence, Split, Window
from .graph import Constant, Contract, LinearAlgebra, Map, Node, Program, Reduce, Scan, reachable
from .source import Diagnostic, ModelError, Source, Span


@dataclass(eq=False)
class Malformed(Exception):
    """A node that breaks a rule: a mistake of ours."""

    node: Node
    rule: str

    def __str__(self) -> str:
        around = ", ".join(f"{o.id}:{type(o).__name__}[{', '.join(o.names)}]" for o in self.node.operands)
        name = f"{self.node.id}:{type(self.node).__name__}[{', '.join(self.node.names)}]"
        return f"{name} of {around}: {self.rule}"


def checked(program: Program, before: Program | None = None) -> Program:
    """The program itself, if each of its nodes keeps the rules, and its outputs the axes that they had `before`."""
    graph = program.graph
    for (_, node), (_, old) in zip(program.outputs, before.outputs if before else (), strict=False):
        if (node.names, node.dtype) != (old.names, old.dtype):
            raise Malformed(node, "an output has other axes or another type than it had")
    for node in program.roots():
        if node.free:
            raise Malformed(node, "it depends on the step of a scan, and stands outside")
    for node in reachable(program.roots()):
        if graph.nodes[node.id] is not node:
            raise Malformed(node, "it is not of this graph")
        if isinstance(node, Scan) and node.binds & frozenset[int]().union(*(o.free for o in node.sequences)):
            raise Malformed(node, "a sequence depends on its own step")
        if any(operand.id >= node.id for operand in node.operands):
            raise Malformed(node, "an operand stands behind it")
        if any(graph.rank(first) >= graph.rank(second) for first, second in pairwise(node.names)):
            raise Malformed(node, "its axes are not in order, each once")
        below = {name for operand in node.operands for name in operand.names}
        match node:
            case Map() if set(node.names) != below:
                raise Malformed(node, "its axes are not those of its operands")
            case Contract() if set(node.names) != below - {axis.name for axis in node.summed}:
                raise Malformed(node, "its axes are not those of its operands without the summed")
            case LinearAlgebra() if not {node.rows, node.columns} <= set(node.operands[0].axes):
                raise Malformed(node, "its matrix lacks the rows or the columns")
            case LinearAlgebra() if node.rows.length != node.columns.length:
                raise Malformed(node, "its matrix is not square")
            case LinearAlgebra(operator="solve") if node.columns.name in node.operands[1].names:
                raise Malformed(node, "its right side has the axis of the columns")
            case Window() if not {s.along for s in node.slidings} <= set(node.operands[0].axes):
                raise Malformed(node, "its operand lacks an axis along which it slides")
            case PlaceWindow() if not {a for s in node.slidings for a in (s.places, s.taps)} <= set(
                node.operands[0].axes
            ):
                raise Malformed(node, "its operand lacks positions or taps")
            case Concat() if any(
                o.axis(node.along.name).length != n for o, n in zip(node.operands, node.lengths, strict=True)
            ):
                raise Malformed(node, "an operand has another length than it is said to have")
            case Concat() if expand(Add(*node.lengths)) != node.along.length:
                raise Malformed(node, "its operands are together not as long as it is")
            case Flatten() if not set(node.merged) <= set(node.operands[0].axes):
                raise Malformed(node, "its operand lacks an axis that it merges")
            case Split() if node.whole not in node.operands[0].axes:
                raise Malformed(node, "its operand lacks the axis that it takes apart")
            case Accumulate() | Recurrence() if any(node.along not in o.axes for o in node.operands):
                raise Malformed(node, "an operand lacks the axis along which it runs")
            case Reduce() if set(node.names) != below - {axis.name for axis in node.reduced}:
                raise Malformed(node, "its axes are not those of its operand without the reduced")
    return program


def held_by_doubles(program: Program, source: Source) -> Program:
    """The lowered program itself. ModelError where a gradient has a factor that no double holds."""
    for node in reachable(program.roots()):
        numbers = [node.value] if isinstance(node, Constant) else node.expression.args if isinstance(node, Map) else ()
        if any(value.is_Number and math.isinf(float(value)) for value in numbers):
            message = "what follows from this has too large a factor: the largest number is about 1.8e308"
            help = "numbers are doubles: write one between 1e-300 and 1e300, or measure in another unit"
            raise ModelError((Diagnostic("E0410", message, node.span or Span(source, 0, 0), help=help),))
    return program

"""What a model asks of lengths that only the data tell: each slice and window holds something, each split is even.

Takes the program as it was written; gives the text of a function of the emitted module that refuses other lengths, and
names the line. The compiler has said already what is wrong whatever the data are.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy
from sympy import Expr

from ..arrays import Split
from ..graph import Node, Program, reachable
from .names import Names
from .numbers import length

NAME = "_check_lengths"


def checks(program: Program, reserved: frozenset[str]) -> str:
    """The function; an empty text where the data may have any lengths."""
    names = Names(reserved)
    lines: list[str] = []
    known: dict[str, str] = {}
    for wrong, message, of in _wanted(program):
        symbols = sorted({symbol.name for symbol in of.free_symbols})
        for symbol in symbols:
            known.setdefault(symbol, names.fresh(symbol))
        given = " and ".join(f"{known[symbol]} is not None" for symbol in symbols)
        told = ", ".join(f"{symbol!r} has length {{{known[symbol]}}}" for symbol in symbols)
        lines.append(f"if {given} and {_text(wrong, known)}:")
        lines.append(f'    raise DataError(f"{message}, and {told}")')
    if not lines:
        return ""
    fetched = [f'{name} = lengths.get("{symbol}")' for symbol, name in known.items()]
    document = '"""Refuse lengths for which a part of the model would hold nothing."""'
    body = "\n".join(f"    {line}" for line in [document, *fetched, *lines])
    return f"\n\ndef {NAME}(lengths):\n{body}\n"


def _text(wrong: tuple[Expr, str, Expr], names: dict[str, str]) -> str:
    left, sign, right = wrong
    return f"{length(left, names)} {sign} {length(right, names)}"


def _wanted(program: Program) -> Iterator[tuple[tuple[Expr, str, Expr], str, Expr]]:
    """What must not be, what is said where it is, and the expression whose lengths the message tells; each once."""
    seen: set[object] = set()
    for node in reachable(program.roots()):
        for axis in node.axes:
            if not axis.length.is_Symbol and not axis.length.is_positive and axis.length not in seen:
                seen.add(axis.length)
                said = f"{_place(node)}nothing is left along {axis.name}: its length there is {_counted(axis.length)}"
                yield (axis.length, "<", sympy.Integer(1)), said, axis.length
        if isinstance(node, Split):
            product = sympy.expand(sympy.Mul(*(axis.length for axis in node.parts)))
            if product != node.whole.length and (product, node.whole) not in seen:
                seen.add((product, node.whole))
                said = f"{_place(node)}{node.whole.name} cannot be split into equal parts"
                yield (product, "!=", node.whole.length), said, node.whole.length


def _counted(of: Expr) -> str:
    return length(of, {symbol.name: symbol.name for symbol in of.free_symbols})


def _place(node: Node) -> str:
    return f"line {node.span.line}: " if node.span is not None else ""

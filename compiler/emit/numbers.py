"""Numbers and lengths as Python text.

Takes SymPy numbers and expressions in axis lengths; gives text that evaluates to the nearest double, or to the length.
SymPy's own printer keeps 15 digits, which is not enough to get a double back.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Expr


def number(value: Expr) -> str:
    """A float literal that reads back as the nearest double."""
    if isinstance(value, sympy.Rational):
        return repr(int(value.p) / int(value.q))
    return repr(float(value))


def integer(value: Expr) -> str:
    """An int literal."""
    return str(int(value))


def length(value: Expr, names: Mapping[str, str]) -> str:
    """A length; `names` are the Python names of the lengths that the data give."""
    return _length(value, names)[0]


def _length(value: Expr, names: Mapping[str, str]) -> tuple[str, int]:
    """The text, and how tightly its outermost operator binds: 2 atom, 1 product, 0 sum."""
    if value.is_Integer:
        return (str(int(value)), 2 if value >= 0 else 0)
    if value.is_Symbol:
        return names[value.name], 2
    if value.is_Add:
        text = ""
        for term in sorted(value.args, key=lambda t: (t.is_Number, sympy.default_sort_key(t))):
            negative = term.could_extract_minus_sign()
            part, binds = _length(-term if negative else term, names)
            part = f"({part})" if binds == 0 else part
            text += f" {'-' if negative else '+'} {part}" if text else (f"-{part}" if negative else part)
        return text, 0
    if value.is_Mul:
        top, bottom = sympy.fraction(value)
        if bottom != 1:
            return f"({_length(top, names)[0]}) // {int(bottom)}", 1
        # `2 * a // b` would divide the product.
        parts = [(*_length(factor, names), isinstance(factor, sympy.floor)) for factor in value.args]
        return " * ".join(f"({text})" if binds < 1 or divided else text for text, binds, divided in parts), 1
    if value.is_Pow and value.exp.is_Integer and value.exp > 0:
        text, binds = _length(value.base, names)
        return f"{text if binds == 2 else f'({text})'}**{int(value.exp)}", 1
    if isinstance(value, sympy.floor):
        top, bottom = sympy.fraction(sympy.together(value.args[0]))
        return f"({_length(sympy.expand(top), names)[0]}) // {int(bottom)}", 1
    if isinstance(value, sympy.Max | sympy.Min):
        inner = ", ".join(_length(a, names)[0] for a in sorted(value.args, key=sympy.default_sort_key))
        return f"{'max' if isinstance(value, sympy.Max) else 'min'}({inner})", 2
    raise TypeError(f"not a length: {value}")

"""Formulas as text, in the language's own syntax: what is printed here could be written in a model.

Brackets stand only where the grammar needs them. Some things the language cannot say: the derivative of the objective
by a named value, `d loss/d z`; the adjoint of a slice, `place[t = 1:](x)`: x at those positions, and 0 elsewhere; that
of a window, `place[t: r](x)`: what all positions and taps hold, added where they stand; `recurrence[t](f, b)`, which is
s in s[t] = b[t] + f[t] s[t - 1], or the transpose of that; a scan backward, on one line; `steps(t1, e)`, the values of
e at all steps of the scan t1, and `last(t1, h)`, what it carries as h behind its last step.
"""

from __future__ import annotations

from collections.abc import Mapping

from sympy import Expr

from .formula import (
    Adjoint,
    Algebra,
    AllSteps,
    Apply,
    Arrange,
    Choice,
    Compare,
    Count,
    Formula,
    Free,
    Length,
    Logic,
    Matrix,
    Named,
    Number,
    Ones,
    Over,
    Place,
    Power,
    Product,
    Reference,
    Rename,
    Scanned,
    Select,
    Sum,
    decimal,
)

CHOICE, OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGNED, POWER, ATOM = range(10)
"""How tightly a formula holds together, as in the grammar."""


def text(formula: Formula, names: Mapping[int, str]) -> str:
    """The formula on one line; `names` holds the names of the parts that have lines of their own, by key."""
    return _Text(names).at(formula, CHOICE)


def label(adjoint: Adjoint) -> str:
    """`d loss/d z`."""
    objective = f"(-{adjoint.objective})" if adjoint.negated else adjoint.objective
    return f"d {objective}/d {leaf(adjoint.of)}"


def leaf(formula: Named | Free) -> str:
    """The name of a value; of the unconstrained one, `free(name)`."""
    return f"free({formula.name})" if isinstance(formula, Free) else formula.name


def number(value: Expr) -> str:
    """A number that reads back as itself."""
    if value.is_NumberSymbol:
        return str(value)
    return (decimal(value) or str(value)) if value.is_Rational else repr(float(value))


def _bracket(before: tuple[str, ...], sign: str, after: tuple[str, ...]) -> str:
    left, right = (", ".join(part) if len(part) == 1 else f"({', '.join(part)})" for part in (before, after))
    return {"": left, ":": f"{left}: {right}"}.get(sign, f"{left} -> {right}")


class _Text:
    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names

    def at(self, formula: Formula, level: int) -> str:
        """The formula where something of at least that level must stand."""
        own, written = self.of(formula)
        return written if own >= level else f"({written})"

    def of(self, formula: Formula) -> tuple[int, str]:
        """How tightly the formula holds together, and its text."""
        match formula:
            case Number():
                written = number(formula.value)
                return (PRODUCT if "/" in written else SIGNED if written.startswith("-") else ATOM), written
            case Named() | Free():
                return ATOM, leaf(formula)
            case Adjoint():
                return PRODUCT, label(formula)
            case Reference():
                return ATOM, self.names[formula.key]
            case Length():
                return ATOM, f"size[{formula.axis}]"
            case Count():
                return ATOM, f"index[{formula.axis}]"
            case Ones():
                return ATOM, f"ones[{', '.join(formula.axes)}]"
            case Sum():
                return SUM, self.sum(formula)
            case Product():
                return self.product(formula)
            case Power():
                return POWER, f"{self.at(formula.base, ATOM)}^{self.at(formula.exponent, SIGNED)}"
            case Apply():
                arguments = ", ".join(self.at(argument, CHOICE) for argument in formula.arguments)
                return ATOM, f"{formula.name}({arguments})"
            case Compare():
                left, right = self.at(formula.left, SUM), self.at(formula.right, SUM)
                return COMPARISON, f"{left} {formula.operator} {right}"
            case Logic():
                return self.logic(formula)
            case Choice():
                condition, yes = self.at(formula.condition, OR), self.at(formula.yes, OR)
                return CHOICE, f"if {condition} then {yes} else {self.at(formula.no, CHOICE)}"
            case Over():
                return ATOM, f"{formula.operator}[{', '.join(formula.over)}]({self.at(formula.body, CHOICE)})"
            case Matrix():
                left = self.at(formula.left, PRODUCT if isinstance(formula.left, Matrix) else SIGNED)
                return PRODUCT, f"{left} @ {self.at(formula.right, SIGNED)}"
            case Algebra():
                arguments = ", ".join(self.at(argument, CHOICE) for argument in formula.arguments)
                return ATOM, f"{formula.operator}[{formula.rows}, {formula.columns}]({arguments})"
            case Select():
                return ATOM, f"{self.at(formula.body, ATOM)}[{self.selection(formula)}]"
            case Place():
                return ATOM, f"place[{self.selection(formula.at)}]({self.at(formula.body, CHOICE)})"
            case Scanned():
                return CHOICE, self.scanned(formula)
            case AllSteps():
                return ATOM, f"steps({self.at(formula.scan, CHOICE)}, {self.at(formula.value, CHOICE)})"
            case Arrange():
                brackets = ", ".join(_bracket(*bracket) for bracket in formula.brackets)
                given = [self.at(argument, CHOICE) for argument in formula.arguments]
                given += [f"{option}={value}" for option, value in formula.options]
                return ATOM, f"{formula.operator}[{brackets}]({', '.join(given)})"
            case Rename():
                pairs = ", ".join(f"{before} -> {after}" for before, after in formula.pairs)
                return ATOM, f"{self.at(formula.body, ATOM)}[{pairs}]"
        raise TypeError(f"no text for {type(formula).__name__}")

    def sum(self, formula: Sum) -> str:
        (negative, first), *rest = formula.terms
        written = [self.at(first, PRODUCT) if not negative else f"-{self.at(first, SIGNED)}"]
        for minus, term in rest:
            # The right side of a minus must hold together; a product does.
            written.append(f"{'-' if minus else '+'} {self.at(term, PRODUCT)}")
        return " ".join(written)

    def product(self, formula: Product) -> tuple[int, str]:
        value = formula.number
        sign = "-" if value.is_negative else ""
        value = abs(value)
        above, below = [*formula.above], [*formula.below]
        # x / 2, but 0.002 * x.
        whole = value.is_Rational and decimal(value, above=10) is None
        top = [] if whole and value.p == 1 else [str(value.p) if whole else number(value)]
        bottom = [str(value.q)] if whole and value.q != 1 else []
        top += [self.at(factor, POWER if i or top or sign else SIGNED) for i, factor in enumerate(above)]
        bottom += [self.at(factor, POWER) for factor in below]
        written = sign + (" * ".join(top) if top else "1")
        if bottom:
            under = bottom[0] if len(bottom) == 1 else f"({' * '.join(bottom)})"
            written = f"{written} / {under}"
        single = bool(sign) and len(top) == 1 and not bottom
        return (SIGNED if single else PRODUCT), written

    def logic(self, formula: Logic) -> tuple[int, str]:
        match formula.operator:
            case "not":
                return NOT, f"not {self.at(formula.arguments[0], NOT)}"
            case "and":
                return AND, " and ".join(self.at(argument, NOT) for argument in formula.arguments)
        return OR, " or ".join(self.at(argument, AND) for argument in formula.arguments)

    def scanned(self, formula: Scanned) -> str:
        starts = ", ".join(f"{of.name} = {self.at(start, CHOICE)}" for of, start, _ in formula.carried)
        over = ", ".join(f"{of.name} in {self.at(whole, CHOICE)}" for of, whole in formula.stepped)
        nexts = "; ".join(f"{of.name} = {self.at(following, CHOICE)}" for of, _, following in formula.carried)
        head = f"scan {formula.axis}{' backward' if formula.backward else ''}"
        return f"{head}{f' with {starts}' if starts else ''}{f' over {over}' if over else ''}: {nexts}"

    def selection(self, formula: Select) -> str:
        start = "" if formula.start is None else self.at(formula.start, CHOICE)
        if not formula.part:
            return f"{formula.axis} = {start}"
        stop = "" if formula.stop is None else self.at(formula.stop, CHOICE)
        step = "" if formula.step == 1 else f":{formula.step}"
        return f"{formula.axis} = {start}:{stop}{step}"

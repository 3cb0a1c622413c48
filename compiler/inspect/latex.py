r"""Formulas as LaTeX for a mathematics environment, with the axes of each value as its indices.

Names are upright where they are longer than a letter, and escaped, so that nothing in a model can be a command. Every
contraction is written as a sum over indices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sympy import Expr, Integer

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

LOGIC_LEVEL, COMPARISON, SUM, PRODUCT, BIG, POWER, ATOM = range(7)
"""How tightly a formula holds together; BIG is a sum sign with its body, which reaches as far as it can."""

GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "pi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
    ]
)

COMMANDS = frozenset(
    ["exp", "log", "sin", "cos", "tan", "sec", "csc", "cot", "sinh", "cosh", "tanh", "coth", "max", "min"]
)
"""Functions that have a command of their own; others are set by operatorname."""

MATRIX_COMMANDS = {"logdet": r"\log\det", "det": r"\det", "trace": r"\operatorname{tr}"}

OTHERS = {"asin": r"\arcsin", "acos": r"\arccos", "atan": r"\arctan", "sigmoid": r"\sigma"}
OTHERS |= {"lgamma": r"\log\Gamma", "digamma": r"\psi", "trigamma": r"\psi_1", "lbeta": r"\log\mathrm{B}"}
OTHERS |= {"i0": "I_0", "i1": "I_1"}

ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    **{character: "\\" + character for character in "#$%&"},
}

OPERATORS = {"<": "<", "<=": r"\le", ">": ">", ">=": r"\ge", "==": "=", "!=": r"\ne"}


def latex(formula: Formula, names: Mapping[int, str]) -> str:
    """The formula; `names` holds the names of the parts that have lines of their own, by key."""
    return _Latex(names).at(formula, LOGIC_LEVEL)


def name(text: str) -> str:
    r"""A name of the model: `x`, `\alpha`, `\mathrm{t\_u}`."""
    bare = text.rstrip("'")
    primes = text[len(bare) :]
    if bare in GREEK:
        return f"\\{bare}{primes}"
    if len(bare) == 1 and bare.isascii() and bare.isalpha():
        return text
    return r"\mathrm{" + "".join(ESCAPED.get(character, character) for character in bare) + "}" + primes


def _subscript(axes: Sequence[str]) -> str:
    return f"_{{{','.join(name(axis) for axis in axes)}}}" if axes else ""


def number(value: Expr) -> str:
    """A number that reads back as itself."""
    if value.is_NumberSymbol:
        return f"\\{value}" if str(value) == "pi" else str(value).lower()
    if value.is_Integer:
        return str(value)
    if value.is_Rational and decimal(value) is None:
        return rf"{'-' if value.is_negative else ''}\frac{{{abs(value.p)}}}{{{value.q}}}"
    mantissa, _, exponent = repr(float(value)).partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _with_axes(formula: Named | Free | Adjoint | Reference, to: Mapping[str, str]) -> Formula:
    """The same value with its axes renamed: an index for an index."""
    if isinstance(formula, Adjoint):
        of = replace(formula.of, axes=tuple(to.get(axis, axis) for axis in formula.of.axes))
        return replace(formula, of=of)
    return replace(formula, axes=tuple(to.get(axis, axis) for axis in formula.axes))


def _one_sum(chain: Matrix) -> Over:
    """`A @ B @ c` as one sum over the axes that it sums."""
    factors: list[Formula] = []
    axes: list[str] = []
    left: Formula = chain
    while isinstance(left, Matrix):
        factors.insert(0, left.right)
        axes.insert(0, left.axis)
        left = left.left
    return Over("sum", tuple(axes), Product(Integer(1), (left, *factors), ()))


class _Latex:
    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names

    def at(self, formula: Formula, level: int) -> str:
        """The formula where something of at least that level must stand."""
        own, written = self.of(formula)
        return written if own >= level else rf"\left({written}\right)"

    def of(self, formula: Formula) -> tuple[int, str]:
        """How tightly the formula holds together, and its LaTeX."""
        match formula:
            case Number():
                written = number(formula.value)
                loose = "frac" in written or "cdot" in written
                return (SUM if formula.value.is_negative else PRODUCT if loose else ATOM), written
            case Named() | Free():
                return ATOM, self.leaf(formula)
            case Adjoint():
                objective = name(formula.objective)
                if formula.negated:
                    objective = rf"\left(-{objective}\right)"
                return POWER, rf"\frac{{\partial {objective}}}{{\partial {self.leaf(formula.of)}}}"
            case Reference():
                return ATOM, self.reference(formula)
            case Length():
                return ATOM, rf"\lvert {name(formula.axis)} \rvert"
            case Count():
                return ATOM, name(formula.axis)
            case Ones():
                return ATOM, rf"\mathbf{{1}}{_subscript(formula.axes)}"
            case Sum():
                return SUM, self.sum(formula)
            case Product():
                return self.product(formula)
            case Power():
                return POWER, f"{self.at(formula.base, ATOM)}^{{{self.at(formula.exponent, LOGIC_LEVEL)}}}"
            case Apply():
                return ATOM, self.apply(formula)
            case Compare():
                left, right = self.at(formula.left, SUM), self.at(formula.right, SUM)
                return COMPARISON, f"{left} {OPERATORS[formula.operator]} {right}"
            case Logic():
                return LOGIC_LEVEL, self.logic(formula)
            case Choice():
                yes, no = self.at(formula.yes, LOGIC_LEVEL), self.at(formula.no, LOGIC_LEVEL)
                condition = self.at(formula.condition, LOGIC_LEVEL)
                return ATOM, (
                    rf"\begin{{cases}} {yes} & \text{{if }} {condition} \\ {no} & \text{{otherwise}} \end{{cases}}"
                )
            case Over():
                return (ATOM if formula.operator == "norm" else BIG), self.over(formula)
            case Matrix():
                return BIG, self.over(_one_sum(formula))
            case Algebra(operator="inverse"):
                return POWER, f"{self.at(formula.arguments[0], ATOM)}^{{-1}}"
            case Algebra():
                return ATOM, self.algebra(formula)
            case Select():
                return ATOM, rf"\left[{self.at(formula.body, LOGIC_LEVEL)}\right]_{{{self.selection(formula)}}}"
            case Place():
                operator = rf"\operatorname{{place}}_{{{self.selection(formula.at)}}}"
                return ATOM, rf"{operator}\left({self.at(formula.body, LOGIC_LEVEL)}\right)"
            case Scanned():
                return ATOM, self.scanned(formula)
            case AllSteps():
                inner = f"{self.at(formula.scan, LOGIC_LEVEL)}, {self.at(formula.value, LOGIC_LEVEL)}"
                return ATOM, rf"\operatorname{{steps}}\left({inner}\right)"
            case Arrange():
                return ATOM, self.arrange(formula)
            case Rename():
                return POWER, self.rename(formula)
        raise TypeError(f"no LaTeX for {type(formula).__name__}")

    def leaf(self, formula: Named | Free) -> str:
        written = name(formula.name)
        return (rf"\tilde{{{written}}}" if isinstance(formula, Free) else written) + _subscript(formula.axes)

    def reference(self, formula: Reference) -> str:
        title = self.names[formula.key]
        letters = title.rstrip("0123456789")
        axes = [title[len(letters) :], *(name(axis) for axis in formula.axes)]
        return f"{name(letters)}_{{{','.join(axes)}}}"

    def rename(self, formula: Rename) -> str:
        if isinstance(formula.body, (Named, Free, Adjoint, Reference)):
            return self.of(_with_axes(formula.body, dict(formula.pairs)))[1]
        pairs = ", ".join(rf"{name(before)} \to {name(after)}" for before, after in formula.pairs)
        return rf"\left[{self.at(formula.body, LOGIC_LEVEL)}\right]_{{{pairs}}}"

    def sum(self, formula: Sum) -> str:
        written = ""
        last = len(formula.terms) - 1
        for i, (minus, term) in enumerate(formula.terms):
            sign = "-" if minus else "+"
            # What follows a sum sign would be read as part of its body.
            own, inner = self.of(term)
            open_ended = own == BIG or (isinstance(term, Product) and self.ends_open(term))
            if own < PRODUCT or (open_ended and i < last):
                inner = rf"\left({inner}\right)"
            written += f" {sign} {inner}" if i else (f"-{inner}" if minus else inner)
        return written

    def ends_open(self, formula: Product) -> bool:
        return not formula.below and any(self.of(factor)[0] == BIG for factor in formula.above)

    def product(self, formula: Product) -> tuple[int, str]:
        value = abs(formula.number)
        sign = "-" if formula.number.is_negative else ""
        # x / 2, but 0.002 * x.
        whole = value.is_Rational and decimal(value, above=10) is None
        top = [] if whole and value.p == 1 else [str(value.p) if whole else number(value)]
        bottom = [] if not whole or value.q == 1 else [str(value.q)]
        over = self.factors(formula.above, top)
        if not bottom and not formula.below:
            return (SUM if sign else PRODUCT), sign + over
        under = self.factors(formula.below, bottom)
        return (SUM if sign else PRODUCT), rf"{sign}\frac{{{over or '1'}}}{{{under}}}"

    def factors(self, factors: Sequence[Formula], before: Sequence[str]) -> str:
        """Side by side; a sum sign stands last, where its body ends with the product."""
        closed = [factor for factor in factors if self.of(factor)[0] != BIG]
        big = [factor for factor in factors if self.of(factor)[0] == BIG]
        alone = len(factors) + len(before) == 1
        written = [*before, *(self.at(factor, SUM if alone else PRODUCT) for factor in closed)]
        written += [self.at(factor, POWER) for factor in big[:-1]]
        written += [self.of(factor)[1] for factor in big[-1:]]
        return r" \, ".join(written)

    def apply(self, formula: Apply) -> str:
        if formula.name == "sqrt":
            return rf"\sqrt{{{self.at(formula.arguments[0], LOGIC_LEVEL)}}}"
        if formula.name == "abs":
            return rf"\left\lvert {self.at(formula.arguments[0], LOGIC_LEVEL)} \right\rvert"
        arguments = ", ".join(self.at(argument, LOGIC_LEVEL) for argument in formula.arguments)
        if formula.name in COMMANDS:
            command = f"\\{formula.name}"
        else:
            command = OTHERS.get(formula.name) or self.operator(formula.name)
        return rf"{command}\left({arguments}\right)"

    def operator(self, text: str) -> str:
        return r"\operatorname{" + "".join(ESCAPED.get(character, character) for character in text) + "}"

    def over(self, formula: Over) -> str:
        if formula.operator == "norm":
            return rf"\left\lVert {self.at(formula.body, LOGIC_LEVEL)} \right\rVert{_subscript(formula.over)}"
        known = {"sum": r"\sum", "prod": r"\prod", "max": r"\max", "min": r"\min"}
        command = known.get(formula.operator) or self.operator(formula.operator)
        return f"{command}{_subscript(formula.over)} {self.at(formula.body, PRODUCT)}"

    def logic(self, formula: Logic) -> str:
        if formula.operator == "not":
            return rf"\lnot {self.at(formula.arguments[0], ATOM)}"
        sign = r"\land" if formula.operator == "and" else r"\lor"
        return f" {sign} ".join(self.at(argument, COMPARISON) for argument in formula.arguments)

    def algebra(self, formula: Algebra) -> str:
        command = MATRIX_COMMANDS.get(formula.operator) or self.operator(formula.operator)
        arguments = ", ".join(self.at(argument, LOGIC_LEVEL) for argument in formula.arguments)
        return rf"{command}{_subscript((formula.rows, formula.columns))}\left({arguments}\right)"

    def scanned(self, formula: Scanned) -> str:
        """What is carried with an arrow from its start to its next value; what is seen of a step lies in its array."""
        parts = [rf"{self.leaf(of)} \in {self.at(whole, LOGIC_LEVEL)}" for of, whole in formula.stepped]
        parts += [
            rf"{self.leaf(of)} \colon {self.at(start, LOGIC_LEVEL)} \mapsto {self.at(following, LOGIC_LEVEL)}"
            for of, start, following in formula.carried
        ]
        arrow = r"\leftarrow " if formula.backward else r"\rightarrow "
        return rf"\operatorname{{scan}}_{{{arrow}{name(formula.axis)}}}\left({', '.join(parts)}\right)"

    def arrange(self, formula: Arrange) -> str:
        brackets = []
        for before, sign, after in formula.brackets:
            left, right = (",".join(name(axis) for axis in part) for part in (before, after))
            brackets.append({"": left, ":": rf"{left} : {right}"}.get(sign, rf"{left} \to {right}"))
        arguments = [self.at(argument, LOGIC_LEVEL) for argument in formula.arguments]
        arguments += [rf"{name(option)} = {name(value)}" for option, value in formula.options]
        subscript = rf"_{{{', '.join(brackets)}}}"
        return rf"{self.operator(formula.operator)}{subscript}\left({', '.join(arguments)}\right)"

    def selection(self, formula: Select) -> str:
        start = "" if formula.start is None else self.at(formula.start, SUM)
        if not formula.part:
            return f"{name(formula.axis)} = {start}"
        stop = "" if formula.stop is None else self.at(formula.stop, SUM)
        step = "" if formula.step == 1 else f":{formula.step}"
        return f"{name(formula.axis)} = {start}:{stop}{step}"

"""Functions of numbers, point by point.

A row says what a function is and where its derivative is a convention; the derivative itself is SymPy's of the very
formula that the compiler has, so that the page cannot say another.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..graph import placeholder
from .entry import Entry

GROUP = "Pointwise functions"

AXES = "Any; the result has all axes of the arguments."


@dataclass(frozen=True, slots=True)
class Row:
    """`start` is the parameter of the example, with its bound where the function needs one."""

    name: str
    meaning: str
    start: str = "w = 0.5"
    corners: str = ""
    see: tuple[str, ...] = ()
    form: str = ""
    derivative: str = ""
    body: str = ""


POSITIVE, UNIT = "w > 0 = 0.5", "w in (-1, 1) = 0.5"

ROWS = (
    Row("exp", "The exponential.", see=("log", "expm1")),
    Row("log", "The natural logarithm, of what is above 0.", POSITIVE, "`x * log(x)` is 0 at 0.", ("log1p", "xlogy")),
    Row("log1p", "`log(1 + x)`, exact where x is small.", "w > -1 = 0.5", see=("log", "expm1")),
    Row("expm1", "`exp(x) - 1`, exact where x is small.", see=("exp", "log1p")),
    Row(
        "log2",
        "The logarithm to the base 2.",
        POSITIVE,
        see=("log", "log10"),
        form="log2(x)",
        derivative="1 / (log(2) * x)",
    ),
    Row(
        "log10",
        "The logarithm to the base 10.",
        POSITIVE,
        see=("log", "log2"),
        form="log10(x)",
        derivative="1 / (log(10) * x)",
    ),
    Row(
        "sqrt",
        "The square root, of what is not below 0.",
        POSITIVE,
        "Of a square or a sum of squares the derivative at 0 is 0, as for `norm`; elsewhere it is infinite at 0.",
        ("norm",),
    ),
    Row("sin", "The sine, of an angle in radians.", see=("cos", "asin")),
    Row("cos", "The cosine, of an angle in radians.", see=("sin", "acos")),
    Row("tan", "The tangent, of an angle in radians.", see=("atan",)),
    Row("asin", "The angle whose sine is x, for x from -1 to 1.", UNIT, see=("sin",)),
    Row("acos", "The angle whose cosine is x, for x from -1 to 1.", UNIT, see=("cos",)),
    Row("atan", "The angle whose tangent is x.", see=("atan2", "tan")),
    Row(
        "atan2",
        "The angle of the point with the height x and the width y, from -pi to pi.",
        see=("atan",),
        form="atan2(x, y)",
        body="atan2(w, 1 + w^2)",
    ),
    Row("sinh", "The hyperbolic sine.", see=("asinh",)),
    Row("cosh", "The hyperbolic cosine.", see=("acosh",)),
    Row("tanh", "The hyperbolic tangent.", see=("atanh", "sigmoid")),
    Row("asinh", "The number whose hyperbolic sine is x.", see=("sinh",)),
    Row("acosh", "The number above 0 whose hyperbolic cosine is x, for x from 1.", "w > 1 = 2", see=("cosh",)),
    Row("atanh", "The number whose hyperbolic tangent is x, for x between -1 and 1.", UNIT, see=("tanh",)),
    Row("abs", "The distance from 0.", corners="0 at 0.", see=("sign", "norm")),
    Row("sign", "-1 below 0, 0 at 0, and 1 above.", corners="0 everywhere, at 0 too.", see=("abs", "step")),
    Row("floor", "The largest whole number that is not above x.", corners="0 everywhere.", see=("ceil",)),
    Row("ceil", "The least whole number that is not below x.", corners="0 everywhere.", see=("floor",)),
    Row("step", "1 above 0, and 0 elsewhere.", corners="0 everywhere, at 0 too.", see=("sign", "relu")),
    Row("relu", "x above 0, and 0 elsewhere.", corners="0 at 0.", see=("leaky_relu", "elu", "softplus")),
    Row(
        "leaky_relu",
        "x above 0, and x times the slope elsewhere, which is 0.01 where it is left out.",
        corners="The slope at 0.",
        see=("relu", "elu"),
        form="leaky_relu(x)\nleaky_relu(x, slope)",
        derivative="if x > 0 then 1 else slope",
    ),
    Row(
        "elu",
        "x above 0, and `scale * (exp(x) - 1)` elsewhere; the scale is 1 where it is left out.",
        corners="That of the lower branch at 0: the scale.",
        see=("relu", "leaky_relu"),
        form="elu(x)\nelu(x, scale)",
        derivative="if x > 0 then 1 else scale * exp(x)",
    ),
    Row("sigmoid", "`1 / (1 + exp(-x))`, which overflows nowhere.", see=("softplus", "tanh")),
    Row("softplus", "`log(1 + exp(x))`, which overflows nowhere.", see=("sigmoid", "logsumexp")),
    Row("erf", "The error function: `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to x.", see=("erfc",)),
    Row("erfc", "`1 - erf(x)`, with all its digits where it is small.", see=("erf",)),
    Row(
        "lgamma",
        "The logarithm of the gamma function's absolute value, so that `exp(lgamma(n + 1))` is n factorial.",
        POSITIVE,
        "At 0 and at negative whole numbers it is infinite and has no derivative.",
        ("digamma", "lbeta"),
    ),
    Row(
        "digamma",
        "The derivative of `lgamma`.",
        POSITIVE,
        "At 0 and at negative whole numbers it is infinite and has no derivative.",
        ("lgamma", "trigamma"),
    ),
    Row(
        "trigamma",
        "The derivative of `digamma`.",
        POSITIVE,
        "At 0 and at negative whole numbers it is infinite and has no derivative.",
        ("digamma",),
    ),
    Row(
        "lbeta",
        "The logarithm of the beta function, `lgamma(x) + lgamma(y) - lgamma(x + y)` of numbers above 0, with all its "
        "digits where one of them is far larger than the other.",
        POSITIVE,
        see=("lgamma", "digamma"),
        form="lbeta(x, y)",
        body="lbeta(w, 2)",
    ),
    Row(
        "log_i0e",
        "The logarithm of `exp(-abs(x)) * i0(x)`, where i0 is the modified Bessel function of the first kind and order "
        "0: what the density of a von Mises distribution needs. It overflows nowhere.",
        corners="0 at 0, where the two sides have the derivatives 1 and -1.",
        see=("lgamma",),
        derivative="i1(x) / i0(x) - sign(x)",
    ),
    Row(
        "xlogy",
        "`x * log(y)`, and 0 where x is 0, whatever y is.",
        POSITIVE,
        "Where x is 0, the derivative by y is 0.",
        ("log",),
        "xlogy(x, y)",
        body="xlogy(w, w)",
    ),
    Row(
        "maximum",
        "The larger of two numbers; `max(x, y)` is the same.",
        corners="At a tie each has half.",
        see=("max", "minimum"),
        form="maximum(x, y)",
        body="maximum(w, w^2)",
    ),
    Row(
        "minimum",
        "The smaller of two numbers; `min(x, y)` is the same.",
        corners="At a tie each has half.",
        see=("min", "maximum"),
        form="minimum(x, y)",
        body="minimum(w, w^2)",
    ),
    Row(
        "clip",
        "x where it lies between the two ends, and else the nearer of them.",
        corners="Half at an end, which is a tie of x and that end.",
        see=("max", "min"),
        form="clip(x, low, high)",
        derivative="if low < x and x < high then 1 else 0",
        body="clip(w, -1, 1)",
    ),
)


def entries() -> tuple[Entry, ...]:
    """The pages of the table."""
    return tuple(_entry(row) for row in ROWS)


def _entry(row: Row) -> Entry:
    body = row.body or f"{row.name}(w)"
    return Entry(
        GROUP,
        (row.name,),
        tuple((row.form or f"{row.name}(x)").split("\n")),
        row.meaning,
        f"# The w for which {body} is the mean of y.\ninput y[n]\nparam {row.start}\nminimize mean(({body} - y)^2)\n",
        axes=AXES,
        derivative=(row.derivative and f"`{row.derivative}`") or derivative(row.name),
        corners=row.corners,
        see=row.see,
    )


def derivative(name: str) -> str:
    """The partial derivatives of a function of x, or of x and y, as the compiler has them."""
    from ..differentiate import partial
    from ..elaborate.operations import POINTWISE
    from ..inspect.formula import Formula, Named
    from ..inspect.text import text
    from ..inspect.write import expression

    template = POINTWISE[name]
    letters = ("x", "y")[: len(template.free_symbols)]
    known: dict[object, Formula] = {placeholder(i): Named(letter, ()) for i, letter in enumerate(letters)}
    found = []
    for i, letter in enumerate(letters):
        formula = expression(partial(template, i), dict(known), lambda part: part)
        found.append(f"`{text(formula, {})}`" + (f" by {letter}" if len(letters) > 1 else ""))
    return ", ".join(found)

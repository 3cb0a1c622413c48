"""Formulas that overflow, cancel or divide by zero where they are computed as written: the suite of `stable`.

Each is a formula in z as people write it, with the part of the line on which it is asked for. Two texts say the same:
that of a model, and that of a program which has `exp`, `log` and the like for its numbers, so that mpmath, PyTorch and
JAX compute the same formula. `low` and `high` bound z, and lie where the truth itself leaves the doubles, or where the
formula has no value; where they lie nearer than that, `why` says it. `least` is the smallest |z|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

POINTS = 1000
LINEAR = 300
"""Of the points of a grid, how many lie evenly about 0; the others are spaced by their logarithms on both sides."""
FEW = 40.0
"""How far those reach."""
WEIGHTS = (1.0, -1.0, 0.5)
"""What the formulas over an axis have for `c[k]`."""

BIG = 1e300
SQUARED = 1e150
"""Beyond it a square overflows, which only a slower form would keep from doing."""
DIGITS = 1500.0
"""Beyond it the formula as written needs more digits than the truth is computed with."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A row of the suite. Statements stand before `;`.

    `plain` is the program's text where it is not the model's. Where the truth would cancel too, as in 1 - erf(z), it
    says it in other words, and the peers have the model's text.
    """

    name: str
    text: str
    low: float = -BIG
    high: float = BIG
    least: float = 1e-20
    plain: str = ""
    why: str = ""

    def grid(self) -> npt.NDArray[np.float64]:
        """POINTS points from low to high, both left out."""
        sides = [side for side in (-1, 1) if (self.low < 0 if side < 0 else self.high > 0)]
        parts = []
        each = (POINTS - LINEAR) // len(sides)
        for side in sides:
            most = abs(self.low if side < 0 else self.high) * (1 - 1e-9)
            nearest = max(self.least, self.low if side > 0 else -self.high)
            parts.append(side * np.geomspace(nearest * (1 + 1e-9), most, each))
        low, high = max(self.low, -FEW), min(self.high, FEW)
        parts.append(np.linspace(low, high, POINTS - each * len(sides) + 2)[1:-1])
        points = np.sort(np.concatenate(parts))
        points[points == 0] = self.least
        return points

    def program(self) -> tuple[list[str], str]:
        """The statements before the formula, and the formula, as text of Python."""
        return _statements(self.plain or self.text)

    def as_written(self) -> tuple[list[str], str]:
        """The same with nothing said in other words."""
        return _statements(self.text if "erf" in self.text else self.plain or self.text)

    def model(self) -> str:
        """A model with the formula at every point of the grid."""
        *before, last = (part.strip() for part in self.text.split(";"))
        head = f"axis i: {POINTS}, k: {len(WEIGHTS)}\ninput c[k]\nparam z[i] = 1\n"
        body = "".join(f"{line}\n" for line in before)
        return f"{head}{body}v = {last}\nminimize sum(v) + 0*sum(c)\noutput v\n"


def _statements(text: str) -> tuple[list[str], str]:
    *before, last = (part.strip().replace("^", "**") for part in text.split(";"))
    return before, last


P = "p = 1/(1 + exp(-z)); "
E = "e = exp(z*c); s = e/sum[k](e); "
E_PLAIN = "a = exp(z); b = exp(-z); d = exp(z/2); t = a + b + d; "
ROOT = "sqrt(2)"

FORMULAS: tuple[Formula, ...] = (
    Formula("softplus", "log(1 + exp(z))"),
    Formula("softplus of -z", "log(exp(-z) + 1)"),
    Formula("softplus, scaled", "log(3 + 2*exp(z))"),
    Formula("softplus, across statements", "e = exp(z); s = 1 + e; log(s)"),
    Formula(
        "softplus, through a function",
        "def up(v) = exp(v); def soft(v) = log(1 + up(v)); soft(2*z)",
        high=BIG / 2,
        plain="log(1 + exp(2*z))",
    ),
    Formula("log of exp", "log(exp(z))"),
    Formula("sigmoid", "1/(1 + exp(-z))"),
    Formula("sigmoid, by a quotient", "exp(z)/(1 + exp(z))"),
    Formula("sigmoid, scaled", "3/(2 + 4*exp(-z))"),
    Formula("sigmoid, squared", "1/(1 + exp(-z))^2"),
    Formula("slope of sigmoid", "exp(z)/(1 + exp(z))^2"),
    Formula("bend of sigmoid", "exp(z)*(1 - exp(z))/(1 + exp(z))^3", -DIGITS, DIGITS),
    Formula("sigmoid's complement", "1 - 1/(1 + exp(-z))", -DIGITS, DIGITS),
    Formula("sigmoid times complement", P + "p*(1 - p)", -DIGITS, DIGITS),
    Formula("log-sigmoid", "log(1/(1 + exp(-z)))"),
    Formula("exp of log-sigmoid", "exp(-log(1 + exp(-z)))"),
    Formula("log of the complement", P + "log(1 - p)", -DIGITS, DIGITS),
    Formula("logit of sigmoid", P + "log(p/(1 - p))", -DIGITS, DIGITS),
    Formula("log(exp - 1)", "log(exp(z) - 1)", 0.0),
    Formula("log(1 - exp)", "log(1 - exp(z))", high=0.0),
    Formula("log of a difference", "log(exp(z) - exp(-z))", 0.0),
    Formula("log of another difference", "log(exp(3*z) - exp(z))", 0.0, BIG / 3),
    Formula("logaddexp", "log(exp(z) + exp(-2*z))", -BIG / 2),
    Formula("logaddexp of three", "log(exp(z) + exp(-z) + exp(z/2))"),
    Formula("logaddexp, scaled", "log(2*exp(z) + 3*exp(-z))"),
    Formula("share of two", "exp(z)/(exp(z) + exp(-z))", -BIG / 2, BIG / 2),
    Formula("share of three", "exp(z)/(exp(z) + exp(-z) + exp(z/2))", -BIG / 2, BIG / 2),
    Formula("tanh, by exponentials", "(exp(z) - exp(-z))/(exp(z) + exp(-z))", -DIGITS, DIGITS),
    Formula("tanh, by one exponential", "(exp(2*z) - 1)/(exp(2*z) + 1)", -DIGITS / 2, DIGITS / 2),
    Formula("tanh, by a sigmoid", "2/(1 + exp(-2*z)) - 1", -DIGITS / 2, DIGITS / 2),
    Formula("sech, by exponentials", "2/(exp(z) + exp(-z))", -DIGITS, DIGITS),
    Formula("log of cosh", "log(cosh(z))"),
    Formula("log of sinh", "log(sinh(z))", 0.0),
    Formula("1 - tanh^2", "1 - tanh(z)^2", -DIGITS / 4, DIGITS / 4),
    Formula("1 - tanh", "1 - tanh(z)", -DIGITS / 4, DIGITS / 4),
    Formula("1 + tanh", "1 + tanh(z)", -DIGITS / 4, DIGITS / 4),
    Formula("exp - 1", "exp(z) - 1", high=709.0),
    Formula("1 - exp", "1 - exp(-z)", -709.0),
    Formula("sinh, by exponentials", "(exp(z) - exp(-z))/2", -709.0, 709.0),
    Formula("product of exponentials", "exp(z)*exp(-z/2)", high=1400.0),
    Formula("quotient of exponentials", "exp(3*z)/exp(2*z)", high=700.0),
    Formula("power of exp", "exp(z)^0.01", high=70000.0),
    Formula("power of exp, of an exponent in z", "exp(z)^(1/(1 + z^2))", -1e75, 1e75),
    Formula("Gaussian log density", "log(exp(-z^2/2)/sqrt(2*pi))", -SQUARED, SQUARED),
    Formula("logistic log density", "log(exp(-z)/(1 + exp(-z))^2)", -BIG / 2, BIG / 2),
    Formula("Gumbel log density", "log(exp(-z)*exp(-exp(-z)))", -700.0),
    Formula("Poisson loss", "rate = exp(z); -log(exp(-rate)*rate^3)", high=700.0),
    Formula("negative binomial loss", P + "-(3*log(p) + 5*log(1 - p))", -DIGITS, DIGITS),
    Formula("binary cross-entropy", P + "-(0.3*log(p) + 0.7*log(1 - p))", -DIGITS, DIGITS),
    Formula("focal loss", P + "-(1 - p)^2*log(p)", -DIGITS, DIGITS),
    Formula("log of a power", "log(z^6)", least=1e-300),
    Formula("log of a positive power", "log((1 + z^2)^200)", -SQUARED, SQUARED),
    Formula("log of a product", "log(exp(z)*(3 + z^2))", -SQUARED, SQUARED),
    Formula("log of squares", "log(z^2 + (z - 3)^2)", -BIG / 4, BIG / 4),
    Formula("log of 1 + z", "log(1 + z)", -1.0),
    Formula("log of 1 - z", "log(1 - z)", high=1.0),
    Formula("Student's t", "log(1 + z^2/4)", -SQUARED, SQUARED),
    Formula("atanh, by a quotient", "0.5*log((1 + z)/(1 - z))", -1.0, 1.0),
    Formula("asinh, by a root", "log(z + sqrt(z^2 + 1))", -SQUARED, SQUARED),
    Formula("acosh, by a root", "log(z + sqrt(z^2 - 1))", 1.0),
    Formula("difference of logs", "log(1 + z) - log(z)", 0.0, SQUARED, 1e-150),
    Formula("root less 1", "sqrt(1 + z) - 1", -1.0),
    Formula("1 less root", "1 - sqrt(1 - z^2)", -1.0, 1.0),
    Formula("difference of roots", "sqrt(z + 1) - sqrt(z)", 0.0, least=1e-300),
    Formula("difference of inverses", "1/z - 1/(z + 1)", 0.0, 1e75, 1e-75),
    Formula("inverse less 1", "1/(1 + z) - 1", -1.0, SQUARED),
    Formula("growth less 1", "(1 + z)^20 - 1", -0.9, 1e14),
    Formula("broken growth less 1", "(1 + z)^0.25 - 1", -1.0),
    Formula("difference of squares", "(z + 1)^2 - z^2"),
    Formula("1 - cos", "1 - cos(z)", -1e6, 1e6),
    Formula("(1 - cos)/z^2", "(1 - cos(z))/z^2", -1e6, 1e6),
    Formula("sin/z", "sin(z)/z", -1e6, 1e6),
    Formula("sin/z behind a condition", "if z != 0 then sin(z)/z else 1", -1e6, 1e6, plain="sin(z)/z"),
    Formula("tan/z", "tan(z)/z", -1.5, 1.5),
    Formula("(exp - 1)/z", "(exp(z) - 1)/z", high=700.0),
    Formula("log(1 + z)/z", "log(1 + z)/z", -1.0),
    Formula("z/(exp - 1)", "z/(exp(z) - 1)", -SQUARED, 350.0),
    Formula("root of a square", "sqrt(z^2)", least=1e-300),
    Formula("sign, by a quotient", "z/sqrt(z^2)", least=1e-300),
    Formula("norm of two", "sqrt((3*z)^2 + (4*z)^2)", -BIG / 8, BIG / 8, 1e-300),
    Formula("distance", "sqrt(z^2 + (z - 1)^2)", -BIG / 4, BIG / 4),
    Formula("1 - erf", "1 - erf(z)", high=26.0, plain="erfc(z)"),
    Formula("1 + erf", "1 + erf(z)", -26.0, plain="erfc(-z)"),
    Formula("1 - erfc", "1 - erfc(z)", -26.0, 26.0, plain="erf(z)"),
    Formula("log of 1 - erf", "log(1 - erf(z))", high=1e100, plain="log(erfc(z))"),
    Formula("log of the normal distribution", f"log(0.5*(1 + erf(z/{ROOT})))", -1e100, plain=f"log(erfc(-z/{ROOT})/2)"),
    Formula(
        "Mills ratio",
        f"0.5*(1 - erf(z/{ROOT}))/(exp(-z^2/2)/sqrt(2*pi))",
        -37.0,
        1e100,
        plain=f"0.5*erfc(z/{ROOT})/(exp(-z^2/2)/sqrt(2*pi))",
    ),
    Formula(
        "inverse Mills ratio",
        f"exp(-z^2/2)/(1 + erf(z/{ROOT}))",
        -1e100,
        26.0,
        plain=f"exp(-z^2/2)/erfc(-z/{ROOT})",
    ),
    Formula("GELU", f"0.5*z*(1 + erf(z/{ROOT}))", -37.0, plain=f"0.5*z*erfc(-z/{ROOT})"),
    Formula("swish", "z/(1 + exp(-z))", -DIGITS),
    Formula("mish", "z*tanh(log(1 + exp(z)))", -DIGITS),
    Formula("log-sum-exp", "log(sum[k](exp(z*c)))", plain="log(exp(z) + exp(-z) + exp(z/2))"),
    Formula("log-mean-exp", "log(2*mean[k](exp(z*c)))", plain="log(2*(exp(z) + exp(-z) + exp(z/2))/3)"),
    Formula("log-sum-exp and 1", "log(1 + sum[k](exp(z*c)))", plain="log(1 + exp(z) + exp(-z) + exp(z/2))"),
    Formula(
        "log-sum-exp and another",
        "log(exp(2*z) + sum[k](exp(z*c)))",
        high=BIG / 2,
        plain="log(exp(2*z) + exp(z) + exp(-z) + exp(z/2))",
    ),
    Formula(
        "log-sum-exp, weighted",
        "log(sum[k](exp(c)*exp(z*c)))",
        plain="log(exp(1)*exp(z) + exp(-1)*exp(-z) + exp(0.5)*exp(z/2))",
    ),
    Formula("softmax", "(exp(z*c)/sum[k](exp(z*c)))[k = 2]", -DIGITS, DIGITS, plain=E_PLAIN + "d/t"),
    Formula("log-softmax", E + "log(s[k = 2])", -DIGITS, DIGITS, plain=E_PLAIN + "log(d/t)"),
    Formula(
        "cross-entropy",
        E + "-sum[k]((1 - c^2)*log(s))",
        -DIGITS,
        DIGITS,
        plain=E_PLAIN + "-0.75*log(d/t)",
    ),
    Formula(
        "softmax with temperature",
        "e = exp(10*z*c); s = e/sum[k](e); -log(s[k = 2])",
        -DIGITS / 10,
        DIGITS / 10,
        plain="a = exp(10*z); b = exp(-10*z); d = exp(5*z); -log(d/(a + b + d))",
    ),
    Formula(
        "smooth maximum",
        "0.1*log(sum[k](exp(10*z*c)))",
        -BIG / 10,
        BIG / 10,
        plain="0.1*log(exp(10*z) + exp(-10*z) + exp(5*z))",
    ),
    Formula(
        "log of a product over an axis",
        "log(prod[k](exp(z*c)))",
        plain="log(exp(z)*exp(-z)*exp(z/2))",
    ),
)

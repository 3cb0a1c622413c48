"""The scalar functions that SymPy lacks, or has with a derivative that NumPy cannot use.

Gives `sympy.Function` subclasses with an exact meaning, a derivative (`fdiff`) that is defined at the corners, and a
sign where one is certain. They stay unevaluated: what they mean in numbers is told by the tables of `emit` and
`reference`. Truth values are functions too (`less`, `both`, ...), so that nothing of SymPy's logic can fold them away.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Expr, Function, Integer

TWO_OVER_ROOT_PI = sympy.Float(1.1283791670955126)


class sigmoid(Function):
    """1/(1 + exp(-x))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return self * sigmoid(-self.args[0])

    def _eval_is_positive(self) -> bool:
        return True


class softplus(Function):
    """log(1 + exp(x))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return sigmoid(self.args[0])

    def _eval_is_positive(self) -> bool:
        return True


class relu(Function):
    """max(x, 0); its derivative at 0 is 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return step(self.args[0])

    def _eval_is_nonnegative(self) -> bool:
        return True


class step(Function):
    """1 where x > 0, else 0; its derivative is 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)

    def _eval_is_nonnegative(self) -> bool:
        return True


class log1p(Function):
    """log(1 + x)."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return 1 / (1 + self.args[0])


class expm1(Function):
    """exp(x) - 1."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return sympy.exp(self.args[0])


class log1mexp(Function):
    """log(1 - exp(x)), for x < 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return -1 / expm1(-self.args[0])


class logcosh(Function):
    """log(cosh(x))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return steep_tanh(self.args[0])


class steep_tanh(Function):
    """tanh(x), with a derivative that is right where it is small: 1 - tanh(x)^2 is 0 at x = 20, and a pass cheaper."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return sympy.sech(self.args[0]) ** 2


class sigmoid_slope(Function):
    """sigmoid(x)*sigmoid(-x)."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return -self * steep_tanh(self.args[0] / 2)

    def _eval_is_positive(self) -> bool:
        return True


class root1pm1(Function):
    """sqrt(1 + x) - 1."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return 1 / (2 * sympy.sqrt(1 + self.args[0]))


class inverse1pm1(Function):
    """1/(1 + x) - 1."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return -1 / (1 + self.args[0]) ** 2


class power1pm1(Function):
    """(1 + x)^y - 1."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        x, y = self.args
        if argindex == 2:
            return (1 + x) ** y * log1p(x)
        near = less(sympy.Abs(x), sympy.Rational(1, 2))
        return y * where(near, sympy.exp((y - 1) * log1p(x)), power(1 + x, y - 1))


class hypot(Function):
    """sqrt(x^2 + y^2); its derivative at 0 is 0, a subgradient."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        return where(equal(self, 0), Integer(0), self.args[argindex - 1] / self)


class erf(Function):
    """2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return TWO_OVER_ROOT_PI * sympy.exp(-(self.args[0] ** 2))


class erfc(Function):
    """1 - erf(x)."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return -TWO_OVER_ROOT_PI * sympy.exp(-(self.args[0] ** 2))

    def _eval_is_positive(self) -> bool:
        return True


class erfcx(Function):
    """exp(x^2)*erfc(x)."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return -2 * ierfcx(self.args[0])

    def _eval_is_positive(self) -> bool:
        return True


class ierfcx(Function):
    """exp(x^2) times the integral of erfc from x on: 1/sqrt(pi) - x*erfcx(x)."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        x = self.args[0]
        return 2 * x * self - erfcx(x)

    def _eval_is_positive(self) -> bool:
        return True


class log_erfc(Function):
    """log(erfc(x))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return -TWO_OVER_ROOT_PI / erfcx(self.args[0])


class log_half_erfc(Function):
    """log(erfc(x)/2), which is the logarithm of a normal tail: it is near 0 where x is far below 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return -TWO_OVER_ROOT_PI / erfcx(self.args[0])


class lgamma(Function):
    """log(|gamma(x)|)."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return digamma(self.args[0])


class digamma(Function):
    """The derivative of log(gamma(x))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return polygamma(Integer(1), self.args[0])


class polygamma(Function):
    """The nth derivative of digamma, of a whole n from 1 on."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        n, x = self.args
        return polygamma(n + 1, x)

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0].is_odd else None


class lbeta(Function):
    """log(gamma(x)*gamma(y)/gamma(x + y))."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        mine, other = self.args if argindex == 1 else self.args[::-1]
        return polygamma_fall(Integer(0), mine, other)


class polygamma_fall(Function):
    """The nth derivative of digamma at x, less that at x + y, of a whole n: where y is small, the two agree."""

    nargs = 3

    def fdiff(self, argindex: int = 2) -> Expr:
        n, x, y = self.args
        return polygamma_fall(n + 1, x, y) if argindex == 2 else -polygamma(n + 1, x + y)


class log_i0e(Function):
    """log(i0(x)*exp(-|x|)), of the modified Bessel function of order 0; its derivative at 0 is 0."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        x = self.args[0]
        return -sympy.sign(x) * i0_cumulant(Integer(1), sympy.Abs(x))


class i0_cumulant(Function):
    """The nth derivative of log(i0(x)*exp(-x)) for x from 0 on, times (-1)^n, of a whole n from 1 on.

    It is the nth cumulant of 1 - cos(t) under a density in proportion to exp(x*cos(t)), the mean of which is
    1 - i1(x)/i0(x).
    """

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        n, x = self.args
        return -i0_cumulant(n + 1, x)

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0] <= 2 else None


class exp_moment(Function):
    """The integral of t^n exp(x*t) for t from 0 to 1, of a whole n: (exp(x) - 1)/x of n = 0, and its derivatives."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        n, x = self.args
        return exp_moment(n + 1, x)

    def _eval_is_positive(self) -> bool:
        return True


class cos_moment(Function):
    """The integral of t^n cos(x*t + n*pi/2) for t from 0 to 1: sin(x)/x of n = 0, and its derivatives."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        n, x = self.args
        return cos_moment(n + 1, x)


class log_moment(Function):
    """The nth derivative of log(1 + x)/x, of a whole n: (-1)^n n! times the integral of t^n/(1 + x*t)^(n + 1)."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        n, x = self.args
        return log_moment(n + 1, x)


class xlogy(Function):
    """x*log(y), and 0 where x is 0."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        x, y = self.args
        return sympy.log(y) if argindex == 1 else x / y


class power(Function):
    """x^y where y is not a number known to the compiler; 0^0 is 1."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        x, y = self.args
        if argindex == 1:
            return where(equal(y, 0), Integer(0), y * power(x, y - 1))
        return where(equal(x, 0), Integer(0), self * sympy.log(x))

    def _eval_is_positive(self) -> bool | None:
        return True if self.args[0].is_positive else None


class maximum(Function):
    """The larger of two; at a tie each has half of the derivative."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        mine, other = self.args if argindex == 1 else self.args[::-1]
        return _share(less(other, mine), mine, other)

    def _eval_is_positive(self) -> bool | None:
        return True if any(a.is_positive for a in self.args) else None


class minimum(Function):
    """The smaller of two; at a tie each has half of the derivative."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        mine, other = self.args if argindex == 1 else self.args[::-1]
        return _share(less(mine, other), mine, other)

    def _eval_is_positive(self) -> bool | None:
        return True if all(a.is_positive for a in self.args) else None


def _share(wins: Expr, mine: Expr, other: Expr) -> Expr:
    return where(equal(mine, other), sympy.Rational(1, 2), where(wins, Integer(1), Integer(0)))


class where(Function):
    """`where(condition, yes, no)`; what is not chosen contributes nothing, whatever it evaluates to."""

    nargs = 3

    def fdiff(self, argindex: int = 1) -> Expr:
        condition = self.args[0]
        return {
            1: Integer(0),
            2: where(condition, Integer(1), Integer(0)),
            3: where(condition, Integer(0), Integer(1)),
        }[argindex]

    def _eval_is_positive(self) -> bool | None:
        return True if all(a.is_positive for a in self.args[1:]) else None


class as_float(Function):
    """An integer or a truth value as a number of the working precision."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class _Truth(Function):
    """A truth value, 0 or 1 where a number is asked for; it has no derivative."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class less(_Truth):
    """x < y."""

    nargs = 2


class less_equal(_Truth):
    """x <= y."""

    nargs = 2


class equal(_Truth):
    """x == y."""

    nargs = 2


class unequal(_Truth):
    """x != y."""

    nargs = 2


class both(_Truth):
    """x and y."""

    nargs = 2


class either(_Truth):
    """x or y."""

    nargs = 2


class negation(_Truth):
    """not x."""

    nargs = 1


TRUTHS: tuple[Any, ...] = (less, less_equal, equal, unequal, both, either, negation)
"""The functions whose value is a truth value."""

STABLE: tuple[Any, ...] = (log1mexp, logcosh, steep_tanh, sigmoid_slope, root1pm1, inverse1pm1, power1pm1, hypot)
STABLE += (erfcx, ierfcx, log_erfc, log_half_erfc, exp_moment, cos_moment, log_moment, polygamma_fall, i0_cumulant)
"""The functions that the language does not have, and that stable forms are made of."""

"""Stable forms of scalar formulas: the table of `stable`, row by row.

Takes the expression of a window; gives the name of the first rule that fits its root, and the form that it has there.
Each row holds the formula as people write it, the input on which that fails, and where the identity stands. A row
never changes the real function: where a sign is needed, it is asked of the symbols, whose signs the graph knows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sympy
from sympy import Add, Expr, Integer, Mul, Rational, cos, cosh, exp, log, sin, sinh, tanh

from .. import functions
from ..functions import expm1, log1p, sigmoid, softplus, xlogy
from ..graph import is_positive_number
from .rewrites import Rule

Fit = Callable[[Expr], Expr | None]
HALF = Rational(1, 2)
SAME = 1e-15
"""Two numbers that differ by less, relatively, are one that was rounded: (1/sqrt(2))^2 is 1/2."""

MACHLER = "Mächler, Accurately computing log(1 - exp(-|a|)), 2012"
BLANCHARD = "Blanchard, Higham, Higham, Accurately computing the log-sum-exp and softmax functions, 2021"
HIGHAM = "Higham, Accuracy and Stability of Numerical Algorithms, 2002, chapter 1"
KAHAN = "Kahan, Branch cuts for complex elementary functions, 1987"
CODY = "Cody, Rational Chebyshev approximations for the error function, 1969"
DLMF = "NIST Digital Library of Mathematical Functions, {}"


@dataclass(frozen=True, slots=True)
class Form:
    """A rule and its function: the stable form of an expression, or None where the rule does not fit its root."""

    rule: Rule
    fit: Fit


def _form(fit: Fit, name: str, before: str, after: str, why: str, source: str) -> Form:
    return Form(Rule(f"stable.{name}", before, after, why, source), fit)


def recognise(expression: Expr, allows: Callable[[str], bool] = lambda rule: True) -> tuple[str, Expr] | None:
    """The name of the first allowed rule that fits at the root, and what it gives; None where none does."""
    for form in _table(expression):
        if allows(form.rule.name):
            found = form.fit(expression)
            if found is not None and found != expression:
                return form.rule.name, found
    return None


def _table(expression: Expr) -> tuple[Form, ...]:
    if isinstance(expression, log):
        return LOGARITHMS
    if expression.is_Add:
        return SUMS
    if expression.is_Mul:
        return PRODUCTS
    if expression.is_Pow:
        return POWERS
    return OTHERS if isinstance(expression, exp | tanh | xlogy | functions.power) else ()


# ----------------------------------------------------------------------------------------------------------- components


def _negative(number: Expr) -> bool:
    return bool(number.is_Number and number != 0 and not is_positive_number(number))


def _number(value: Expr) -> Expr:
    """A logarithm or a root of a number, as a double where it is not exact."""
    return value if value.is_Rational else value.evalf(17)


def _exponentials(terms: tuple[Expr, ...]) -> list[tuple[Expr, Expr]] | None:
    """Each term as `(c, a)` where it is c*exp(a) for a number c > 0; a number has a = 0. None where one is not."""
    found = []
    for term in terms:
        coefficient, factor = term.as_coeff_Mul()
        if _negative(coefficient):
            return None
        if isinstance(factor, exp):
            found.append((coefficient, factor.args[0]))
        elif factor == 1:
            found.append((coefficient, Integer(0)))
        else:
            return None
    return found


def _log_total(parts: list[tuple[Expr, Expr]]) -> Expr:
    """log(sum of c*exp(a)), by softplus of the differences."""
    ordered = sorted(parts, key=lambda part: part[1] != 0)
    (first, top), *rest = ordered
    total = top + _number(log(first))
    for c, a in rest:
        if top == 0 and total.is_Number:
            total = softplus(a + _number(log(c / first))) + total
        else:
            total = total + softplus(a - total + _number(log(c)))
    return total


def _logarithm(x: Expr) -> Expr:
    """log(x) in its stable form."""
    found = recognise(log(x))
    return log(x) if found is None else found[1]


def _ratio(a: Expr, b: Expr) -> Expr | None:
    """The number a/b; None where it is no number."""
    (c, x), (d, y) = a.as_coeff_Mul(), b.as_coeff_Mul()
    return c / d if x == y and d != 0 else None


def _sides(expression: Expr) -> tuple[Expr, Expr] | None:
    """a and b where the expression is a^2 + b^2."""
    if not (expression.is_Add and len(expression.args) == 2):
        return None
    sides = []
    for term in expression.args:
        c, square = term.as_coeff_Mul()
        if _negative(c) or not (square.is_Pow and square.exp == 2):
            return None
        sides.append(_number(sympy.sqrt(c)) * square.base)
    return sides[0], sides[1]


# ----------------------------------------------------------------------------------------------------------- logarithms


def _log_expm1(expression: Expr) -> Expr | None:
    coefficient, factor = expression.args[0].as_coeff_Mul()
    if not isinstance(factor, expm1):
        return None
    x = factor.args[0]
    if coefficient == 1:
        return x + functions.log1mexp(-x)
    return functions.log1mexp(x) if coefficient == -1 else None


def _log_of_difference(expression: Expr) -> Expr | None:
    """One positive exponential less another."""
    inside = expression.args[0]
    if not (inside.is_Add and len(inside.args) == 2):
        return None
    (c, x), (d, y) = (term.as_coeff_Mul() for term in inside.args)
    if {c, d} != {Integer(1), Integer(-1)}:
        return None
    if not all(isinstance(v, exp) or v == 1 for v in (x, y)):
        return None
    a, b = ((v.args[0] if isinstance(v, exp) else Integer(0)) for v in ((x, y) if c == 1 else (y, x)))
    return a + functions.log1mexp(b - a)


def _softplus(expression: Expr) -> Expr | None:
    inside = expression.args[0]
    parts = _exponentials(inside.args) if inside.is_Add and len(inside.args) == 2 else None
    if parts is None or all(a != 0 for _, a in parts):
        return None
    return _log_total(parts)


def _logaddexp(expression: Expr) -> Expr | None:
    inside = expression.args[0]
    parts = _exponentials(inside.args) if inside.is_Add else None
    return None if parts is None else _log_total(parts)


def _asinh(expression: Expr) -> Expr | None:
    """log(x + sqrt(x^2 + 1)), and acosh with - 1."""
    inside = expression.args[0]
    if not (inside.is_Add and len(inside.args) == 2):
        return None
    for x, root in (inside.args, inside.args[::-1]):
        if root.is_Pow and root.exp == HALF:
            rest = root.base - x**2
            if rest == 1:
                return sympy.asinh(x)
            if rest == -1:
                return sympy.acosh(x)
    return None


def _atanh(expression: Expr) -> Expr | None:
    """log((1 + x)/(1 - x))."""
    factors = expression.args[0].args
    if not (expression.args[0].is_Mul and len(factors) == 2):
        return None
    for above, below in (factors, factors[::-1]):
        if not (below.is_Pow and below.exp == -1 and above.is_Add and below.base.is_Add):
            continue
        (c, x), (d, y) = above.as_coeff_Add(), below.base.as_coeff_Add()
        if c == d == 1 and x == -y:
            return 2 * sympy.atanh(x)
        if c == d == -1 and x == -y:
            return 2 * sympy.atanh(-x)
    return None


def _log1p(expression: Expr) -> Expr | None:
    number, rest = expression.args[0].as_coeff_Add()
    return log1p(rest) if number == 1 and rest != 0 else None


def _log_sigmoid(expression: Expr) -> Expr | None:
    inside = expression.args[0]
    if isinstance(inside, functions.sigmoid_slope):
        return inside.args[0] - 2 * softplus(inside.args[0])
    return -softplus(-inside.args[0]) if isinstance(inside, sigmoid) else None


def _logcosh(expression: Expr) -> Expr | None:
    inside = expression.args[0]
    return functions.logcosh(inside.args[0]) if isinstance(inside, cosh) else None


def _logsinh(expression: Expr) -> Expr | None:
    inside = expression.args[0]
    if not isinstance(inside, sinh):
        return None
    x = inside.args[0]
    return x + functions.log1mexp(-2 * x) - log(2).evalf(17)


def _log_erfc(expression: Expr) -> Expr | None:
    coefficient, factor = expression.args[0].as_coeff_Mul()
    if not isinstance(factor, functions.erfc):
        return None
    if abs(coefficient - HALF) <= SAME:
        return functions.log_half_erfc(factor.args[0])
    return functions.log_erfc(factor.args[0]) if coefficient == 1 else None


TAME = (exp, sigmoid, functions.sigmoid_slope, functions.erfc, cosh)


def _is_tame(factor: Expr) -> bool:
    return isinstance(factor.base if factor.is_Pow and factor.exp.is_Number else factor, TAME)


def _log_product(expression: Expr) -> Expr | None:
    """Factors above 0 have logarithms of their own; one factor of unknown sign may be left over."""
    inside = expression.args[0]
    if not inside.is_Mul:
        return None
    tame: list[Expr] = []
    rest: list[Expr] = []
    for factor in inside.args:
        (tame if _is_tame(factor) else rest).append(factor)
    number, others = Mul(*rest).as_coeff_Mul()
    if _negative(number):
        number, others = Integer(1), Mul(*rest)
    positive = [f for f in Mul.make_args(others) if f.is_positive]
    unknown = Mul(*(f for f in Mul.make_args(others) if not f.is_positive))
    if not tame and not isinstance(unknown, sinh) and (unknown != 1 or len(positive) < 2):
        return None
    parts = [*tame, *positive, *([unknown] if unknown != 1 else [])]
    return Add(_number(log(number)), *(_logarithm(part) for part in parts))


def _log_power(expression: Expr) -> Expr | None:
    inside = expression.args[0]
    if not (inside.is_Pow and inside.exp.is_Number):
        return None
    base, exponent = inside.base, inside.exp
    if base.is_positive or exponent == HALF:
        return exponent * _logarithm(base)
    if exponent.is_Integer and exponent.is_even:
        return exponent * log(sympy.Abs(base))
    return None


def _log_squares(expression: Expr) -> Expr | None:
    sides = _sides(expression.args[0])
    return None if sides is None else 2 * log(functions.hypot(*sides))


LOGARITHMS: tuple[Form, ...] = (
    _form(_log_expm1, "log_expm1", "log(exp(x) - 1)", "x + log1mexp(-x)", "overflows at x = 710", MACHLER),
    _form(
        _log_of_difference, "log_difference", "log(exp(a) - exp(b))", "a + log1mexp(b - a)", "overflows at 710", MACHLER
    ),
    _form(_softplus, "softplus", "log(1 + exp(x))", "softplus(x)", "overflows at x = 710, and is 0 at -40", MACHLER),
    _form(_logaddexp, "logaddexp", "log(exp(a) + exp(b))", "a + softplus(b - a)", "overflows at a = 710", BLANCHARD),
    _form(_asinh, "asinh", "log(x + sqrt(x^2 + 1))", "asinh(x)", "is log(0) at x = -1e9", KAHAN),
    _form(_atanh, "atanh", "log((1 + x)/(1 - x))", "2*atanh(x)", "is 0 at x = 1e-17", KAHAN),
    _form(_log1p, "log1p", "log(1 + x)", "log1p(x)", "is 0 at x = 1e-17", HIGHAM),
    _form(_log_sigmoid, "log_sigmoid", "log(sigmoid(x))", "-softplus(-x)", "is -inf at x = -750", MACHLER),
    _form(_logcosh, "logcosh", "log(cosh(x))", "logcosh(x)", "overflows at x = 711, and is 0 at 1e-9", HIGHAM),
    _form(_logsinh, "logsinh", "log(sinh(x))", "x + log1mexp(-2*x) - log(2)", "overflows at x = 711", MACHLER),
    _form(_log_erfc, "log_erfc", "log(erfc(x))", "log(erfcx(x)) - x^2", "is -inf at x = 28", CODY),
    _form(
        _log_product, "log_product", "log(x*y), x > 0", "log(x) + log(y)", "overflows where the product does", HIGHAM
    ),
    _form(_log_power, "log_power", "log(x^k), x > 0 or k even", "k*log(|x|)", "overflows where x^k does", HIGHAM),
    _form(_log_squares, "log_squares", "log(x^2 + y^2)", "2*log(hypot(x, y))", "overflows at x = 1e155", KAHAN),
)


# ---------------------------------------------------------------------------------------------- products and quotients


def _logistic(base: Expr) -> tuple[Expr, Expr] | None:
    """`(u, c)` where 1/base is sigmoid(-u)/c: base is c*(1 + exp(u)) for a positive number c."""
    number, rest = base.as_coeff_Add()
    if number == 0 or _negative(number) or rest == 0:
        return None
    coefficient, factor = rest.as_coeff_Mul()
    if not isinstance(factor, exp) or _negative(coefficient):
        return None
    shift = coefficient / number
    return (factor.args[0] if shift == 1 else factor.args[0] + log(shift).evalf(17)), number


def _sigmoid(expression: Expr) -> Expr | None:
    """1/(c + d*exp(u))^n."""
    factors = list(Mul.make_args(expression))
    changed = False
    for i, factor in enumerate(factors):
        if factor.is_Pow and factor.exp.is_Integer and factor.exp.is_negative:
            logistic = _logistic(factor.base)
            if logistic is not None:
                u, number = logistic
                factors[i] = (sigmoid(-u) / number) ** (-factor.exp)
                changed = True
    return Mul(*factors) if changed else None


def _sigmoid_complement(expression: Expr) -> Expr | None:
    """sigmoid(u)^n * exp(t) where t is -k*u."""
    factors = list(Mul.make_args(expression))
    for i, factor in enumerate(factors):
        base, n = factor.as_base_exp()
        if not (isinstance(base, sigmoid) and n.is_Integer and n.is_positive):
            continue
        u = base.args[0]
        for j, other in enumerate(factors):
            if not isinstance(other, exp):
                continue
            rest = [f for k, f in enumerate(factors) if k not in (i, j)]
            ratio = _ratio(sympy.expand(other.args[0]), sympy.expand(u))
            if ratio is None:
                if sympy.expand(other.args[0] + u) == 0:
                    return Mul(sigmoid(-u), base ** (n - 1), *rest)
            elif ratio.is_Integer and -n <= ratio < 0:
                return Mul(sigmoid(-u) ** (-ratio), base ** (n + ratio), *rest)
            elif -n < ratio < 0:
                return Mul(exp(other.args[0] - n * softplus(-u)), *rest)
    return None


def _sigmoid_slope(expression: Expr) -> Expr | None:
    """sigmoid(x)*sigmoid(-x), and powers of them."""
    powers = expression.as_powers_dict()
    for factor, n in powers.items():
        if isinstance(factor, sigmoid):
            other = sigmoid(-factor.args[0])
            m = powers.get(other, Integer(0))
            if n.is_Integer and m.is_Integer and n > 0 and m > 0:
                k = min(n, m)
                return expression * factor**-k * other**-k * functions.sigmoid_slope(other.args[0]) ** k
    return None


def _odds(expression: Expr) -> Expr | None:
    """sigmoid(x)/sigmoid(-x)."""
    factors = list(Mul.make_args(expression))
    for above in factors:
        for below in factors:
            if isinstance(above, sigmoid) and below == sigmoid(-above.args[0]) ** -1:
                return Mul(exp(above.args[0]), *(f for f in factors if f is not above and f is not below))
    return None


def _shares(expression: Expr) -> Expr | None:
    """exp(t)/(sum of c*exp(a))^n."""
    factors = list(Mul.make_args(expression))
    tops = [f for f in factors if isinstance(f, exp)]
    for below in factors:
        if not (below.is_Pow and below.exp.is_Integer and below.exp.is_negative and below.base.is_Add):
            continue
        parts = _exponentials(below.base.args)
        if parts is None or len(parts) < 2:
            continue
        n = -below.exp
        if len(parts) == 2 and parts[0][0] == parts[1][0] and parts[0][1] == -parts[1][1]:
            rest = Mul(*(f for f in factors if f is not below))
            a = parts[0][1]
            a = -a if a.could_extract_minus_sign() else a
            if not tops or n > 1:
                return rest * (sympy.sech(a) / (2 * parts[0][0])) ** n
        if len(tops) != 1:
            return None
        rest = Mul(*(f for f in factors if f is not below and f is not tops[0]))
        t = tops[0].args[0]
        if n == 1 and len(parts) == 2:
            for (c, a), (d, b) in (parts, parts[::-1]):
                if a == t:
                    return rest * sigmoid(a - b + _number(log(c / d))) / c
        return rest * exp(t - n * _log_total(parts))
    return None


def _tanh(expression: Expr) -> Expr | None:
    """sinh(x)/(exp(x) + exp(-x)), sinh(x)/cosh(x), expm1(u)/(exp(u) + 1)."""
    factors = list(Mul.make_args(expression))
    for top in factors:
        for below in factors:
            rest = Mul(*(f for f in factors if f is not top and f is not below))
            if isinstance(top, sinh) and below == cosh(top.args[0]) ** -1:
                return rest * functions.steep_tanh(top.args[0])
            if isinstance(top, sinh) and below.is_Pow and below.exp == -1 and below.base.is_Add:
                parts = _exponentials(below.base.args) or []
                x, c = top.args[0], parts[0][0] if parts else Integer(0)
                if len(parts) == 2 and set(parts) == {(c, x), (c, -x)}:
                    return rest * functions.steep_tanh(x) / (2 * c)
            if isinstance(top, sinh) and below == sympy.sech(top.args[0]):
                return rest * functions.steep_tanh(top.args[0])
            base, n = below.as_base_exp()
            if isinstance(top, expm1) and n.is_positive and base == sigmoid(-top.args[0]):
                return rest * functions.steep_tanh(top.args[0] / 2) * base ** (n - 1)
    return None


def _removable(expression: Expr) -> Expr | None:
    """expm1(u)/x, log1p(u)/x, sin(u)^n/x^n and tan(u)/x where u is a multiple of x; x/expm1(u), x/log1p(u)."""
    powers = expression.as_powers_dict()
    for top, n in powers.items():
        kind = QUOTIENT_OF.get(type(top))
        if kind is None or not n.is_Integer:
            continue
        u = top.args[0]
        coefficient, x = u.as_coeff_Mul()
        m = powers.get(x, Integer(0))
        if x.is_Number or not m.is_Integer or m * n >= 0:
            continue
        k = min(abs(n), abs(m)) * (1 if n > 0 else -1)
        moment = kind(Integer(0), u) * coefficient
        if isinstance(top, sympy.tan):
            moment = moment / cos(u)
        return expression * x**k * top**-k * moment**k
    return None


QUOTIENT_OF: dict[type, type] = {
    expm1: functions.exp_moment,
    log1p: functions.log_moment,
    sin: functions.cos_moment,
    sympy.tan: functions.cos_moment,
}


def _sign(expression: Expr) -> Expr | None:
    for factor in expression.args:
        if factor.is_Pow and factor.exp == -1 and isinstance(factor.base, sympy.Abs):
            x = factor.base.args[0]
            if x in expression.args:
                return Mul(sympy.sign(x), *(f for f in expression.args if f not in (x, factor)))
    return None


def _is_square_of(v: Expr, u: Expr) -> bool:
    """Whether v is u^2, to rounding."""
    (c, x), (d, y) = v.as_coeff_Mul(), (u**2).as_coeff_Mul()
    return bool(x == y and c.is_Number and d != 0 and abs(c / d - 1) <= SAME)


def _erfcx(expression: Expr) -> Expr | None:
    """erfc(u)*exp(u^2), and one over it."""
    powers = expression.as_powers_dict()
    for factor, n in powers.items():
        if not (isinstance(factor, functions.erfc) and n in (1, -1)):
            continue
        for other in expression.args:
            if isinstance(other, exp) and _is_square_of(n * other.args[0], factor.args[0]):
                return expression * factor**-n / other * functions.erfcx(factor.args[0]) ** n
    return None


def _log_erfc_bend(expression: Expr) -> Expr | None:
    """ierfcx(x)/erfcx(x)^2, which the second derivative of log(erfc(x)) has. Below 0 both overflow, and are the same
    but for 1/sqrt(pi)."""
    powers = expression.as_powers_dict()
    for factor, n in powers.items():
        if not isinstance(factor, functions.ierfcx) or isinstance(factor.args[0], functions.relu) or n != 1:
            continue
        x = factor.args[0]
        below = functions.erfcx(x)
        if powers.get(below) == -2:
            inverse, above = 1 / below, functions.relu(x)
            near = functions.ierfcx(above) / functions.erfcx(above) ** 2
            far = inverse * (inverse * functions.TWO_OVER_ROOT_PI / 2 - x)
            return expression / factor * below**2 * functions.where(functions.less(x, 0), far, near)
    return None


def _expm1_slope(expression: Expr) -> Expr | None:
    """exp(u)/expm1(u)^2."""
    factors = list(Mul.make_args(expression))
    for below in factors:
        base, n = below.as_base_exp()
        if not (isinstance(base, expm1) and n.is_Integer and n <= -2):
            continue
        u = base.args[0]
        for top in factors:
            if isinstance(top, exp) and sympy.expand(top.args[0] - u) == 0:
                rest = [factor for factor in factors if factor is not below and factor is not top]
                return Mul(base ** (n + 2), (2 * sinh(u / 2)) ** -2, *rest)
    return None


def _entropy(expression: Expr) -> Expr | None:
    for factor in expression.args:
        if isinstance(factor, log):
            x = factor.args[0]
            rest = [f for f in expression.args if f != factor]
            for power in rest:
                if power.is_Pow and power.base == x and power.exp.is_Integer and power.exp > 1:
                    return Mul(xlogy(x, x), x ** (power.exp - 1), *(f for f in rest if f != power))
            if all(part in rest for part in Mul.make_args(x)):
                return Mul(xlogy(x, x), *(f for f in rest if f not in Mul.make_args(x)))
    return None


PRODUCTS: tuple[Form, ...] = (
    _form(_sigmoid, "sigmoid", "1/(1 + exp(-x))", "sigmoid(x)", "its gradient is inf/inf at x = -800", HIGHAM),
    _form(_sigmoid_complement, "sigmoid_complement", "sigmoid(-x)*exp(x)", "sigmoid(x)", "is 0*inf at x = 800", HIGHAM),
    _form(_tanh, "tanh", "(exp(x) - exp(-x))/(exp(x) + exp(-x))", "tanh(x)", "is inf/inf at x = 800", KAHAN),
    _form(
        _sigmoid_slope,
        "sigmoid_slope",
        "sigmoid(x)*sigmoid(-x)",
        "exp(-|x|)/(1 + exp(-|x|))^2",
        "its gradient cancels at x = 1e-9",
        HIGHAM,
    ),
    _form(_odds, "odds", "sigmoid(x)/sigmoid(-x)", "exp(x)", "is 0/1 at x = -800", HIGHAM),
    _form(_shares, "share", "exp(a)/(exp(a) + exp(b))", "sigmoid(a - b)", "is inf/inf at a = 800", BLANCHARD),
    _form(_erfcx, "erfcx", "exp(x^2)*erfc(x)", "erfcx(x)", "is inf*0 at x = 28", CODY),
    _form(
        _log_erfc_bend,
        "log_erfc_bend",
        "ierfcx(x)/erfcx(x)^2",
        "(1/(sqrt(pi)*erfcx(x)) - x)/erfcx(x), x < 0",
        "is inf/inf at x = -27, in the second derivative of log(erfc(x))",
        DLMF.format("7.18.2"),
    ),
    _form(
        _expm1_slope,
        "expm1_slope",
        "exp(x)/(exp(x) - 1)^2",
        "1/(2*sinh(x/2))^2",
        "is inf/inf at x = 711, in the second derivative of log(exp(x) - 1)",
        DLMF.format("4.28.1"),
    ),
    _form(_removable, "removable", "sin(x)/x", "sinc(x)", "is 0/0 at x = 0, and its gradient cancels nearby", HIGHAM),
    _form(_sign, "sign", "x/|x|", "sign(x)", "is 0/0 at x = 0", "the derivative of |x| at 0 is 0 in this language"),
    _form(_entropy, "entropy", "x*log(x)", "xlogy(x, x)", "is 0*inf at x = 0", DLMF.format("4.4.14")),
)


# ----------------------------------------------------------------------------------------------------------------- sums


def _pair(expression: Expr) -> tuple[Expr, Expr] | None:
    return (expression.args[0], expression.args[1]) if len(expression.args) == 2 else None


def _complement(expression: Expr) -> Expr | None:
    """c - c*f(x), and c + c*f(x), where one of the two cancels."""
    number, rest = expression.as_coeff_Add()
    if number == 0 or rest.is_Add:
        return None
    coefficient, f = rest.as_coeff_Mul()
    ratio = coefficient / number
    for kind, scale, form in COMPLEMENTS:
        if f.func == kind and ratio == scale:
            return number * form(f.args[0])
    return None


COMPLEMENTS: tuple[tuple[type, Expr, Callable[[Expr], Expr]], ...] = (
    (sigmoid, Integer(-1), lambda x: sigmoid(-x)),
    (sigmoid, Integer(-2), lambda x: -functions.steep_tanh(x / 2)),
    (tanh, Integer(-1), lambda x: 2 * sigmoid(-2 * x)),
    (tanh, Integer(1), lambda x: 2 * sigmoid(2 * x)),
    (exp, Integer(-1), lambda x: -expm1(x)),
    (cos, Integer(-1), lambda x: 2 * sin(x / 2) ** 2),
    (functions.erf, Integer(-1), lambda x: functions.erfc(x)),
    (functions.erf, Integer(1), lambda x: functions.erfc(-x)),
    (functions.erfc, Integer(-1), lambda x: functions.erf(x)),
    (functions.erfc, -HALF, lambda x: functions.erfc(-x) / 2),
)


def _complement_of(kind: type) -> Fit:
    return lambda expression: _complement(expression) if any(isinstance(f, kind) for f in _heads(expression)) else None


def _heads(expression: Expr) -> list[Expr]:
    return [term.as_coeff_Mul()[1] for term in expression.args]


def _root_less(expression: Expr) -> Expr | None:
    """sqrt(1 + u) - 1 and 1 - sqrt(1 + u)."""
    number, rest = expression.as_coeff_Add()
    coefficient, root = rest.as_coeff_Mul()
    if not (root.is_Pow and root.exp == HALF and number != 0 and coefficient == -number and root.base.is_Add):
        return None
    one, u = root.base.as_coeff_Add()
    return coefficient * functions.root1pm1(u) if one == 1 else None


def _root_difference(expression: Expr) -> Expr | None:
    """sqrt(a) - sqrt(b) where a - b is simpler than both."""
    pair = _pair(expression)
    if pair is None:
        return None
    (c, r), (d, s) = (term.as_coeff_Mul() for term in pair)
    if c != -d or not all(f.is_Pow and f.exp == HALF for f in (r, s)):
        return None
    difference = sympy.expand(r.base - s.base)
    return c * difference / (r + s) if difference.is_Number else None


def _inverse_difference(expression: Expr) -> Expr | None:
    """1/a - 1/b where a - b is a number."""
    pair = _pair(expression)
    if pair is None:
        return None
    (c, r), (d, s) = (term.as_coeff_Mul() for term in pair)
    if c != -d:
        return None
    if s == 1:
        (c, r), (d, s) = (d, s), (c, r)
    if r == 1 and s.is_Pow and s.exp == -1 and s.base.is_Add:
        one, u = s.base.as_coeff_Add()
        return d * functions.inverse1pm1(u) if one == 1 else None
    if not all(f.is_Pow and f.exp == -1 for f in (r, s)):
        return None
    difference = sympy.expand(s.base - r.base)
    return c * difference / (r.base * s.base) if difference.is_Number else None


def _power_less(expression: Expr) -> Expr | None:
    """(1 + u)^y - 1."""
    number, rest = expression.as_coeff_Add()
    coefficient, power = rest.as_coeff_Mul()
    if number == 0 or coefficient != -number:
        return None
    if not (power.is_Pow or isinstance(power, functions.power)):
        return None
    base, exponent = power.args
    if not base.is_Add or exponent in (1, -1, HALF):
        return None
    one, u = base.as_coeff_Add()
    return coefficient * functions.power1pm1(u, exponent) if one == 1 and u != 0 else None


def _squares(expression: Expr) -> Expr | None:
    """a^2 - b^2 where a - b is a number."""
    pair = _pair(expression)
    if pair is None:
        return None
    (c, r), (d, s) = (term.as_coeff_Mul() for term in pair)
    if c != -d or not all(f.is_Pow and f.exp == 2 for f in (r, s)):
        return None
    difference = sympy.expand(r.base - s.base)
    return c * difference * (r.base + s.base) if difference.is_Number else None


def _sinh(expression: Expr) -> Expr | None:
    pair = _pair(expression)
    if pair is None:
        return None
    (c, r), (d, s) = (term.as_coeff_Mul() for term in pair)
    if c == -d and isinstance(r, exp) and isinstance(s, exp) and r.args[0] == -s.args[0]:
        a = r.args[0]
        return -2 * c * sinh(-a) if a.could_extract_minus_sign() else 2 * c * sinh(a)
    return None


def _sech(expression: Expr) -> Expr | None:
    number, rest = expression.as_coeff_Add()
    coefficient, square = rest.as_coeff_Mul()
    if number != 0 and coefficient == -number and square.is_Pow and square.exp == 2 and isinstance(square.base, tanh):
        return number * sympy.sech(square.base.args[0]) ** 2
    return None


def _log_difference(expression: Expr) -> Expr | None:
    """log(1 + u) - log(u)."""
    pair = _pair(expression)
    if pair is None:
        return None
    for one, other in (pair, pair[::-1]):
        (c, r), (d, s) = one.as_coeff_Mul(), other.as_coeff_Mul()
        if c == -d and isinstance(r, log1p) and isinstance(s, log) and r.args[0] == s.args[0]:
            return c * log1p(1 / s.args[0])
    return None


_SUM_NOTES = (
    (sigmoid, "complement", "1 - sigmoid(x)", "sigmoid(-x)", "is 0 at x = 40", HIGHAM),
    (tanh, "tanh_complement", "1 - tanh(x)", "2*sigmoid(-2*x)", "is 0 at x = 20", DLMF.format("4.35")),
    (exp, "expm1", "exp(x) - 1", "expm1(x)", "is 0 at x = 1e-17", HIGHAM),
    (cos, "cosine", "1 - cos(x)", "2*sin(x/2)^2", "is 0 at x = 1e-8", HIGHAM),
    (functions.erf, "erfc", "1 - erf(x)", "erfc(x)", "is 0 at x = 6", CODY),
    (functions.erfc, "erf", "1 - erfc(x)", "erf(x)", "is 0 at x = 1e-17", CODY),
)

SUMS: tuple[Form, ...] = (
    *(_form(_complement_of(kind), *notes) for kind, *notes in _SUM_NOTES),
    _form(_sech, "sech", "1 - tanh(x)^2", "1/cosh(x)^2", "is 0 at x = 20", DLMF.format("4.35")),
    _form(_sinh, "sinh", "exp(x) - exp(-x)", "2*sinh(x)", "is 0 at x = 1e-17", DLMF.format("4.28.1")),
    _form(_root_less, "root", "sqrt(1 + x) - 1", "x/(1 + sqrt(1 + x))", "is 0 at x = 1e-17", HIGHAM),
    _form(
        _root_difference,
        "root_difference",
        "sqrt(x + 1) - sqrt(x)",
        "1/(sqrt(x + 1) + sqrt(x))",
        "is 0 at x = 1e17",
        HIGHAM,
    ),
    _form(
        _inverse_difference,
        "inverse_difference",
        "1/x - 1/(x + 1)",
        "1/(x*(x + 1))",
        "is 0 at x = 1e17",
        HIGHAM,
    ),
    _form(_power_less, "power_less", "(1 + x)^y - 1", "expm1(y*log1p(x))", "is 0 at x = 1e-17", HIGHAM),
    _form(_squares, "squares", "(x + 1)^2 - x^2", "2*x + 1", "cancels at x = 1e9", HIGHAM),
    _form(_log_difference, "log1p_less", "log(1 + x) - log(x)", "log1p(1/x)", "is 0 at x = 1e17", HIGHAM),
)


# -------------------------------------------------------------------------------------------------- powers and the rest


def _hypot(expression: Expr) -> Expr | None:
    sides = _sides(expression.base) if expression.exp == HALF else None
    return None if sides is None else functions.hypot(*sides)


POWERS: tuple[Form, ...] = (
    PRODUCTS[0],
    *(form for form in PRODUCTS if form.fit is _shares),
    _form(_hypot, "hypot", "sqrt(x^2 + y^2)", "hypot(x, y)", "overflows at x = 1e155, and is 0 at 1e-170", KAHAN),
)


def _log_times(expression: Expr) -> Expr | None:
    if not isinstance(expression, xlogy) or not expression.args[1].is_positive:
        return None
    logarithm = _logarithm(expression.args[1])
    return None if isinstance(logarithm, log) else expression.args[0] * logarithm


def _exp_of_logarithm(expression: Expr) -> Expr | None:
    """exp(-softplus(-x))."""
    if isinstance(expression, exp):
        coefficient, inside = expression.args[0].as_coeff_Mul()
        if coefficient == -1 and isinstance(inside, softplus):
            return sigmoid(-inside.args[0])
    return None


def _tanh_of_softplus(expression: Expr) -> Expr | None:
    inside = expression.args[0]
    return functions.steep_tanh(inside) if isinstance(expression, tanh) and isinstance(inside, softplus) else None


def _power_of_exp(expression: Expr) -> Expr | None:
    if isinstance(expression, functions.power) and isinstance(expression.args[0], exp):
        return exp(expression.args[0].args[0] * expression.args[1])
    return None


OTHERS: tuple[Form, ...] = (
    _form(_log_times, "xlogy", "xlogy(y, sigmoid(x))", "-y*softplus(-x)", "is -inf at x = -750", MACHLER),
    _form(_exp_of_logarithm, "exp_log_sigmoid", "exp(-softplus(-x))", "sigmoid(x)", "loses x above 40", HIGHAM),
    _form(
        _tanh_of_softplus,
        "tanh_softplus",
        "x*tanh(softplus(x))",
        "the same, of another gradient",
        "its gradient 1 - tanh^2 times x loses digits at x = 10",
        DLMF.format("4.35"),
    ),
    _form(_power_of_exp, "power_of_exp", "exp(x)^y", "exp(x*y)", "overflows at x = 710 where y is small", HIGHAM),
)

WRITTEN_ONLY = frozenset({"stable.sech", "stable.sigmoid_slope"})
"""Rules for what a model says. In the gradients of tanh and sigmoid, which have these forms too, every layer would pay
for another pass over its array."""

EXPONENTS = Rule("stable.exponents", "exp(a)*exp(b)", "exp(a + b)", "is inf*0 at a = 800, b = -800", HIGHAM)
LOG_EXP = Rule("stable.log_exp", "log(exp(x))", "x", "overflows at x = 710", HIGHAM)
ROOT_OF_SQUARE = Rule("stable.root_of_square", "sqrt(x^2)", "|x|", "overflows at x = 1e155, and is 0 at 1e-170", KAHAN)
SQUARE_OF_ROOT = Rule(
    "stable.square_of_root",
    "sqrt(x)^2, x a sum of squares",
    "x",
    "has the derivative 0/0 at 0",
    "its definition",
)

POINTWISE_RULES: tuple[Rule, ...] = (
    *(form.rule for form in (*LOGARITHMS, *PRODUCTS, *SUMS, *POWERS[2:], *OTHERS)),
    EXPONENTS,
    LOG_EXP,
    ROOT_OF_SQUARE,
    SQUARE_OF_ROOT,
)

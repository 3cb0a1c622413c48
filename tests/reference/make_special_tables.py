"""Prints the coefficients that `compiler/emit/special_gamma.py` and `special_bessel.py` hold.

python tests/reference/make_special_tables.py

Each is a quotient of polynomials, the highest power first, fitted in 60 digits to the function over an interval: least
squares of the relative error at Chebyshev points, the denominator held in the weight from round to round (Sanathanan
and Koerner 1963). Beside each stands its largest relative error there, as fitted and as computed in doubles.
"""

from collections.abc import Callable, Sequence

import mpmath
import numpy as np

Function = Callable[[mpmath.mpf], mpmath.mpf]
ROUNDS = 6
CHECKED = 500
NEAR_0 = mpmath.mpf(10) ** -10


def points(low: mpmath.mpf, high: mpmath.mpf, count: int) -> list[mpmath.mpf]:
    """Chebyshev's points between low and high."""
    turns = [mpmath.cos(mpmath.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    return [(low + high) / 2 + (high - low) / 2 * turn for turn in turns]


def horner(coefficients: Sequence[mpmath.mpf], x: mpmath.mpf) -> mpmath.mpf:
    """The polynomial, the highest power first."""
    found = mpmath.mpf(0)
    for coefficient in coefficients:
        found = found * x + coefficient
    return found


def quotient(f: Function, low: mpmath.mpf, high: mpmath.mpf, above: int, below: int) -> list[list[mpmath.mpf]]:
    """Numerator and denominator of these degrees; the denominator ends in 1."""
    nodes = points(low, high, 4 * (above + below + 2))
    values = [f(x) for x in nodes]
    weights = [1 / value for value in values]
    for _ in range(ROUNDS):
        matrix, right = mpmath.matrix(len(nodes), above + below + 1), mpmath.matrix(len(nodes), 1)
        for i, (x, value, weight) in enumerate(zip(nodes, values, weights, strict=True)):
            for power in range(above + 1):
                matrix[i, power] = weight * x**power
            for power in range(1, below + 1):
                matrix[i, above + power] = -weight * value * x**power
            right[i] = weight * value
        found = list(mpmath.qr_solve(matrix, right)[0])
        table = [found[above::-1], [*found[:above:-1], mpmath.mpf(1)]]
        weights = [1 / (value * horner(table[1], x)) for x, value in zip(nodes, values, strict=True)]
    return table


def printed(name: str, f: Function, low: float | mpmath.mpf, high: float | mpmath.mpf, above: int, below: int) -> None:
    """The table's line, and how far it is from the function."""
    a, b = mpmath.mpf(low), mpmath.mpf(high)
    table = quotient(f, a, b, above, below)
    between = [a + (b - a) * (2 * i + 1) / (2 * CHECKED) for i in range(CHECKED)]
    exact = max(abs(horner(table[0], x) / horner(table[1], x) / f(x) - 1) for x in between)
    doubles = [[float(c) for c in part] for part in table]
    x = np.array([float(v) for v in between])
    computed = np.polyval(doubles[0], x) / np.polyval(doubles[1], x)
    rounded = max(abs(mpmath.mpf(c) / f(mpmath.mpf(v)) - 1) for c, v in zip(computed, x, strict=True))
    rows = ",\n".join("    (" + ", ".join(repr(c) for c in part) + ")" for part in doubles)
    print(f"# {mpmath.nstr(exact, 2)} as fitted, {mpmath.nstr(rounded, 2)} in doubles\n{name} = (\n{rows},\n)")


def root_of_digamma() -> mpmath.mpf:
    return mpmath.findroot(mpmath.digamma, mpmath.mpf("1.4616"))


def stirling_rest(w: mpmath.mpf) -> mpmath.mpf:
    """x times what Stirling's formula of log gamma(x) leaves, of w = 1/x^2."""
    x = 1 / mpmath.sqrt(w)
    half = mpmath.mpf(1) / 2
    return x * (mpmath.loggamma(x) - (x - half) * mpmath.log(x) + x - mpmath.log(2 * mpmath.pi) / 2)


def digamma_rest(w: mpmath.mpf) -> mpmath.mpf:
    """x^2 (log(x) - 1/(2x) - digamma(x)), of w = 1/x^2."""
    x = 1 / mpmath.sqrt(w)
    return x**2 * (mpmath.log(x) - 1 / (2 * x) - mpmath.digamma(x))


def ratio(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.besseli(1, x) / mpmath.besseli(0, x)


def log_i0(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.log(mpmath.besseli(0, x))


def log_rest(x: mpmath.mpf) -> mpmath.mpf:
    """What log(i0(x)) is more than x - log(2 pi x)/2, times x."""
    return x * (log_i0(x) - x + mpmath.log(2 * mpmath.pi * x) / 2)


def gap_rest(x: mpmath.mpf) -> mpmath.mpf:
    """x times what i1(x)/i0(x) is less than 1."""
    return x * (1 - ratio(x))


if __name__ == "__main__":
    mpmath.mp.dps = 70
    root = root_of_digamma() - 1
    high = float(root)
    print(f"# digamma is 0 at 1 + {high!r} + {float(root - mpmath.mpf(high))!r}")
    printed("LGAMMA_NEAR", lambda t: mpmath.loggamma(2 + t) / t, -0.5, 0.5, 6, 6)
    printed("LGAMMA_FAR", stirling_rest, NEAR_0, 1 / mpmath.mpf(4.5) ** 2, 4, 4)
    printed("DIGAMMA_NEAR", lambda t: mpmath.digamma(1 + t) / (t - root), 0, 1, 6, 6)
    printed("DIGAMMA_FAR", digamma_rest, NEAR_0, 1 / mpmath.mpf(4) ** 2, 4, 4)
    printed("LOG_I0_NEAR", lambda v: log_i0(mpmath.sqrt(v)) / v, NEAR_0, 64, 10, 10)
    printed("LOG_I0_MIDDLE", lambda t: log_rest(14 + 6 * t), -1, 1, 24, 0)
    printed("LOG_I0_FAR", lambda u: log_rest(1 / u), NEAR_0**0.4, mpmath.mpf(1) / 20, 5, 5)
    printed("GAP_NEAR", lambda x: 1 - ratio(x), 0, 8, 11, 11)
    printed("GAP_MIDDLE", lambda t: gap_rest(14 + 6 * t), -1, 1, 24, 0)
    printed("GAP_FAR", lambda u: gap_rest(1 / u), NEAR_0**0.4, mpmath.mpf(1) / 20, 5, 5)

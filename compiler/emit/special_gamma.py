"""The gamma function's logarithm, its derivatives, and the beta function's: their routines, as text for a module.

Takes nothing; gives `GAMMA`, which stands in a module that uses one of its functions. The tables are printed by
`tests/reference/make_special_tables.py`. Above 0 all of them keep relative accuracy, also at the zeros of log gamma and
of digamma; below 0 they are what reflection gives, DLMF 5.5.3 and 5.15.6.
"""

from __future__ import annotations

GAMMA = '''
LGAMMA_NEAR = (
    (
        6.951894257672488e-05, 0.003537664236757017, 0.04903250099754485, 0.2824951903054091, 0.7654194480225326,
        0.9512729485007295, 0.42278433509846713,
    ),
    (
        1.4999822432048266e-05, 0.0013062784626857481, 0.026849711376159678, 0.219304643680672, 0.8353371599550153,
        1.4872970989574776, 1.0,
    ),
)
LGAMMA_FAR = (
    (
        0.09009157158606958, 1.213416818535744, 2.0363163382421883, 0.8337786621010338, 0.08333333333333333,
    ),
    (
        1.416814771589975, 15.297901389441062, 24.760894825336962, 10.038677278545734, 1.0,
    ),
)
DIGAMMA_NEAR = (
    (
        1.1196684830720213e-06, 0.0005910040376025234, 0.020174896289525932, 0.21765249563456454, 0.9742715546717383,
        1.8699526718907602, 1.2503801375034054,
    ),
    (
        0.00012267163528102408, 0.00617495371363994, 0.09181012941125294, 0.5735778977173899, 1.666874206921667,
        2.1790541538293806, 1.0,
    ),
)
DIGAMMA_FAR = (
    (
        0.17207691293813954, 1.8872532161746358, 2.6269566336634593, 0.931618569306369, 0.08333333333333333,
    ),
    (
        3.52745596373827, 25.42030347861083, 32.60380283964653, 11.279422831676154, 1.0,
    ),
)
BERNOULLI = (
    0.16666666666666666, -0.03333333333333333, 0.023809523809523808, -0.03333333333333333, 0.07575757575757576,
    -0.2531135531135531, 1.1666666666666667, -7.092156862745098,
)


def _lgamma_near(x):
    """log(gamma(x)) for x from 0 to 4.5, by that of t + 2, which is t times the table's; |t| is at most 1/2."""
    n = numpy.floor(x + 0.5)
    t = x - n
    below = numpy.where(n < 1, x * (x + 1), x)
    above = numpy.where(n > 3, (x - 1) * (x - 2), numpy.where(n > 2, x - 1, 1.0))
    side = numpy.where(n < 2, -1.0, 1.0)
    return t * _ratio(t, LGAMMA_NEAR) + side * numpy.log(numpy.where(n < 2, below, above))


def _lgamma_rest(x):
    """What is left of log(gamma(x)) for x from 4.5 on, after Stirling's (x - 1/2) log(x) - x + log(2 pi)/2."""
    over = 1 / x
    return over * _ratio(over * over, LGAMMA_FAR)


def _lgamma_far(x):
    return (x - 0.5) * (numpy.log(x) - 1) + (0.41893853320467274 + _lgamma_rest(x))


def _lgamma(x, out=None):
    x = numpy.asarray(x, "float64")
    below = x < 0
    turned = below.any()
    y = numpy.where(below, 1 - x, x) if turned else x
    near = y < 4.5
    if near.all():
        found = _lgamma_near(y)
    elif near.any():
        found = numpy.where(near, _lgamma_near(numpy.minimum(y, 4.5)), _lgamma_far(numpy.maximum(y, 4.5)))
    else:
        found = _lgamma_far(y)
    if turned:
        sine = numpy.absolute(numpy.sin(3.141592653589793 * (x - numpy.rint(x))))
        found = numpy.where(below, 1.1447298858494002 - numpy.log(sine) - found, found)
    return _placed(found, out)


def _digamma_near(x):
    """digamma(x) for x from 0 to 4, by that of t + 1; the root of digamma is held in two doubles."""
    n = numpy.floor(x)
    t = x - n
    found = (t - 0.46163214496836236 + 1.5522348162858677e-17) * _ratio(t, DIGAMMA_NEAR)
    one, two = 1 / (x - 1), 1 / (x - 2)
    above = numpy.where(n > 2, one + two, numpy.where(n > 1, one, 0.0))
    return found + numpy.where(n < 1, -1 / x, above)


def _digamma_far(x):
    over = 1 / x
    squared = over * over
    return numpy.log(x) - (0.5 * over + squared * _ratio(squared, DIGAMMA_FAR))


def _digamma(x, out=None):
    x = numpy.asarray(x, "float64")
    below = x < 0
    turned = below.any()
    y = numpy.where(below, 1 - x, x) if turned else x
    near = y < 4.0
    if near.all():
        found = _digamma_near(y)
    elif near.any():
        found = numpy.where(near, _digamma_near(numpy.minimum(y, 4.0)), _digamma_far(numpy.maximum(y, 4.0)))
    else:
        found = _digamma_far(y)
    if turned:
        tangent = numpy.tan(3.141592653589793 * (x - numpy.rint(x)))
        found = numpy.where(below, found - 3.141592653589793 / tangent, found)
    return _placed(found, out)


def _series(n):
    """The factorial of n, and the coefficients of the powers of 1/x, from 0 on, in the asymptotic series of the nth
    derivative of digamma; its sign is left out, and the logarithm where n is 0. DLMF 5.15.8 and 5.11.2."""
    factorial = 1.0
    for k in range(2, n + 1):
        factorial = factorial * k
    found = [0.0] * (n + 1)
    if n > 0:
        found[n] = factorial / n
    found.append(0.5 * factorial)
    growing = 0.5 * factorial * (n + 1)
    for j in range(1, 9):
        found.append(BERNOULLI[j - 1] * growing)
        found.append(0.0)
        growing = growing * (2 * j + n) * (2 * j + n + 1) / ((2 * j + 1) * (2 * j + 2))
    return factorial, found


def _polygamma_above(n, x):
    """For x from 0 on and n from 1 on: as many steps up as the series needs."""
    least = 8 + 2 * n
    steps = 0 if (x >= least).all() else least
    factorial, series = _series(n)
    total = numpy.zeros(x.shape)
    for k in range(steps):
        part = over = 1 / (x + k)
        for _ in range(n):
            part = part * over
        total = total + part
    over = 1 / (x + steps)
    return ((-1.0, 1.0) * (n + 1))[n] * (factorial * total + _polynomial(over, series[::-1]))


def _polygamma(n, x, out=None):
    """The nth derivative of digamma, n from 1 on."""
    n, x = int(n), numpy.asarray(x, "float64")
    below = x < 0
    if not below.any():
        return _placed(_polygamma_above(n, x), out)
    # The nth derivative of cot(pi x) is pi^n times a polynomial in cot(pi x).
    polynomial, scale, parity = [0.0, 1.0], 3.141592653589793, 1.0
    for _ in range(n):
        slope = [-k * polynomial[k] for k in range(1, len(polynomial))]
        polynomial = slope + [0.0, 0.0]
        for k in range(len(slope)):
            polynomial[k + 2] = polynomial[k + 2] + slope[k]
        scale, parity = 3.141592653589793 * scale, -parity
    cotangent = 1 / numpy.tan(3.141592653589793 * (x - numpy.rint(x)))
    above = _polygamma_above(n, numpy.where(below, 1 - x, x))
    return _placed(numpy.where(below, parity * above - scale * _polynomial(cotangent, polynomial[::-1]), above), out)


def _polygamma_fall(n, x, y, out=None):
    """The nth derivative of digamma at x, less that at x + y: no digit is lost where y is small beside x."""
    n, x, y = int(n), numpy.asarray(x, "float64"), numpy.asarray(y, "float64")
    end = x + y
    fit = numpy.logical_and(x > 0, end > 0)
    if not fit.all():
        if n:
            apart = _polygamma(n, x) - _polygamma(n, end)
        else:
            apart = _digamma(x) - _digamma(end)
        if not fit.any():
            return _placed(apart, out)
        x, y = numpy.where(fit, x, 1.0), numpy.where(fit, y, 1.0)
        end = x + y
    least = 10 + 2 * n
    steps = 0 if numpy.logical_and(x >= least, end >= least).all() else least
    factorial, series = _series(n)
    total = numpy.zeros(end.shape)
    for k in range(steps):
        # p^(n+1) - q^(n+1), of p = 1/(x + k) and q = 1/(end + k), is (p - q) times a sum of products.
        p, q = 1 / (x + k), 1 / (end + k)
        whole, last = 1.0, 1.0
        for _ in range(n):
            last = last * q
            whole = whole * p + last
        total = total + y * p * q * whole
    p, q = 1 / (x + steps), 1 / (end + steps)
    found, slope = 0.0 * q, 0.0 * q
    for coefficient in series[::-1]:
        slope = slope * q + found
        found = found * p + coefficient
    found = ((-1.0, 1.0) * (n + 1))[n] * (factorial * total + y * p * q * slope)
    if n == 0:
        found = found - numpy.log1p(y * p)
    if not fit.all():
        found = numpy.where(fit, found, apart)
    return _placed(found, out)


def _lbeta(x, y, out=None):
    """log(gamma(x) gamma(y)/gamma(x + y)), by differences of Stirling's formulas where one of the two is large, and
    -log(y) where x is 1: so n over 0 is 1 to the last digit."""
    x, y = numpy.asarray(x, "float64"), numpy.asarray(y, "float64")
    small, large = numpy.minimum(x, y), numpy.maximum(x, y)
    end = small + large
    plain = numpy.logical_or(small <= 0, large < 4.5)
    if plain.any():
        apart = _lgamma(small) + _lgamma(large) - _lgamma(end)
        found = numpy.where(small == 1, -numpy.log(large), apart)
        if plain.all():
            return _placed(found, out)
        small, large = numpy.where(plain, 1.0, small), numpy.where(plain, 5.0, large)
        end = small + large
    rest = _lgamma_rest(large) - _lgamma_rest(end)
    shrunk = numpy.log1p(small / large)
    one = _lgamma(small) - small * numpy.log(end) + (small - (large - 0.5) * shrunk) + rest
    one = numpy.where(small == 1, -numpy.log(large), one)
    high = numpy.maximum(small, 4.5)
    two = (high - 0.5) * numpy.log(high / end) - large * shrunk - 0.5 * numpy.log(large)
    far = numpy.where(small < 4.5, one, two + (0.9189385332046728 + _lgamma_rest(high)) + rest)
    return _placed(numpy.where(plain, found, far) if plain.any() else far, out)
'''
"""The text of the family."""

OF_NUMPY = "absolute asarray floor log log1p logical_and logical_or maximum minimum rint sin tan where zeros"
"""What the text writes as `numpy.name`."""

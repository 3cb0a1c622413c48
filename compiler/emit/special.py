"""Functions that NumPy lacks, as text that stands in a module which uses them.

Gives for each such function the name of its routine, and the text of the routines of its family. They take arrays or
numbers, compute in double precision whatever the module's type, and write into `out` where it is given. What they
allocate is freed again: they are many times a pass over the array, and stand only where the formula as written fails.
"""

from __future__ import annotations

import re

from .. import functions
from . import special_bessel, special_gamma

COMMON = '''
def _placed(found, out):
    if out is None:
        return found
    numpy.copyto(out, found)
    return out


def _polynomial(x, table):
    """The highest power first."""
    found = table[0] * x + table[1]
    for coefficient in table[2:]:
        found *= x
        found += coefficient
    return found


def _ratio(x, table):
    return _polynomial(x, table[0]) / _polynomial(x, table[1])
'''
"""What all families need."""

ERROR = '''
ERF = (
    (1.85777706184603153e-1, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947),
    (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062),
)
ERFCX = (
    (
        2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 66.1191906371416295, 298.635138197400131,
        881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725,
    ),
    (
        1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019, 3290.79923573345963,
        4362.61909014324716, 3439.36767414372164, 1230.33935480374942,
    ),
)
ERFCX_FAR = (
    (
        1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
        1.60837851487422766e-2, 6.58749161529837803e-4,
    ),
    (
        1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2,
        2.33520497626869185e-3,
    ),
)


def _near(x):
    """erf(x) for |x| up to 15/32: Cody, Rational Chebyshev approximations for the error function, 1969."""
    return x * _ratio(x * x, ERF)


def _far(x):
    """exp(x^2)*erfc(x) for x from 15/32 on, by the same."""
    middle = _ratio(numpy.minimum(x, 4.0), ERFCX)
    over = 1 / numpy.maximum(x, 4.0)
    squared = over * over
    return numpy.where(x < 4.0, middle, over * (0.5641895835477563 - squared * _ratio(squared, ERFCX_FAR)))


def _erf(x, out=None):
    x = numpy.asarray(x, "float64")
    y = numpy.maximum(numpy.absolute(x), 0.46875)
    far = numpy.where(x < 0, -1.0, 1.0) * (1 - numpy.exp(-y * y) * _far(y))
    return _placed(numpy.where(numpy.absolute(x) < 0.46875, _near(numpy.clip(x, -1.0, 1.0)), far), out)


def _erfc(x, out=None):
    x = numpy.asarray(x, "float64")
    y = numpy.maximum(numpy.absolute(x), 0.46875)
    tail = numpy.exp(-y * y) * _far(y)
    near = 1 - _near(numpy.clip(x, -1.0, 1.0))
    return _placed(numpy.where(numpy.absolute(x) < 0.46875, near, numpy.where(x < 0, 2 - tail, tail)), out)


def _erfcx(x, out=None):
    x = numpy.asarray(x, "float64")
    y = numpy.maximum(numpy.absolute(x), 0.46875)
    grown = numpy.exp(numpy.minimum(x, 0.46875) ** 2)
    near = grown * (1 - _near(numpy.clip(x, -1.0, 1.0)))
    far = _far(y)
    return _placed(numpy.where(numpy.absolute(x) < 0.46875, near, numpy.where(x < 0, 2 * grown - far, far)), out)


def _ierfcx(x, out=None):
    """1/sqrt(pi) - x*exp(x^2)*erfc(x); where that cancels, by the continued fraction of the ratio of the two."""
    x = numpy.asarray(x, "float64")
    whole = _erfcx(x)
    y = numpy.maximum(x, 1.0)
    ratio = (numpy.sqrt(y * y + 502) - y) / 502
    for n in range(250, 0, -1):
        ratio = 0.5 / (y + (n + 1) * ratio)
    return _placed(numpy.where(x < 1.0, 0.5641895835477563 - x * whole, whole * ratio), out)


def _log_erfc(x, out=None):
    x = numpy.asarray(x, "float64")
    y = numpy.maximum(x, 0.46875)
    near = numpy.log1p(-_erf(numpy.minimum(x, 0.46875)))
    return _placed(numpy.where(x < 0.46875, near, numpy.log(_far(y)) - y * y), out)


def _log_half_erfc(x, out=None):
    x = numpy.asarray(x, "float64")
    y = numpy.maximum(x, 0.0)
    below = numpy.log1p(-0.5 * _erfc(numpy.maximum(-x, 0.0)))
    return _placed(numpy.where(x < 0, below, numpy.log(0.5 * _erfcx(y)) - y * y), out)
'''
"""The error function and what is made of it."""

MOMENT = '''
NODES = (
    (0.005299532504175033, 0.013576229705877048),
    (0.02771248846338371, 0.031126761969323947),
    (0.06718439880608412, 0.04757925584124639),
    (0.12229779582249849, 0.06231448562776694),
    (0.19106187779867811, 0.07479799440828837),
    (0.2709916111713863, 0.08457825969750127),
    (0.35919822461037054, 0.09130170752246179),
    (0.4524937450811813, 0.09472530522753425),
    (0.5475062549188188, 0.09472530522753425),
    (0.6408017753896295, 0.09130170752246179),
    (0.7290083888286137, 0.08457825969750127),
    (0.8089381222013219, 0.07479799440828837),
    (0.8777022041775016, 0.06231448562776694),
    (0.9328156011939158, 0.04757925584124639),
    (0.9722875115366163, 0.031126761969323947),
    (0.994700467495825, 0.013576229705877048),
)


def _exp_moment(n, x, out=None):
    """The nth derivative of (exp(x) - 1)/x. Near 0 it is an integral of what has one sign, by Gauss's rule; far from
    there, x f_n + n f_(n-1) is the nth derivative of exp(x) - 1. The others have the same two ways."""
    n, x = int(n), numpy.asarray(x, "float64")
    near = numpy.absolute(x) < 3.0
    small, large = numpy.where(near, x, 0.0), numpy.where(near, 3.0, x)
    inside = sum(w * t**n * numpy.exp(t * small) for t, w in NODES)
    found, grown = numpy.expm1(large) / large, numpy.exp(large)
    for k in range(1, n + 1):
        found = (grown - k * found) / large
    return _placed(numpy.where(near, inside, found), out)


def _cos_moment(n, x, out=None):
    """The nth derivative of sin(x)/x."""
    n, x = int(n), numpy.asarray(x, "float64")
    near = numpy.absolute(x) < 3.0
    small, large = numpy.where(near, x, 0.0), numpy.where(near, 3.0, x)
    turn = ((1.0, -1.0, -1.0, 1.0) * (n + 1))[n]
    if ((True, False) * (n + 1))[n]:
        inside = sum(turn * w * t**n * numpy.cos(t * small) for t, w in NODES)
    else:
        inside = sum(turn * w * t**n * numpy.sin(t * small) for t, w in NODES)
    sine, cosine = numpy.sin(large), numpy.cos(large)
    turns = (sine, cosine, -sine, -cosine) * (n + 1)
    found = sine / large
    for k in range(1, n + 1):
        found = (turns[k] - k * found) / large
    return _placed(numpy.where(near, inside, found), out)


def _log_moment(n, x, out=None):
    """The nth derivative of log(1 + x)/x."""
    n, x = int(n), numpy.asarray(x, "float64")
    near = numpy.logical_and(-0.7 < x, x < 2.0)
    small, large = numpy.where(near, x, 0.0), numpy.where(near, 2.0, x)
    factorial = 1.0
    found, falling = numpy.log1p(large) / large, 1 / (1 + large)
    for k in range(1, n + 1):
        found = (falling - k * found) / large
        falling = -k * falling / (1 + large)
        factorial = -k * factorial
    inside = sum(factorial * w * t**n / (1 + t * small) ** (n + 1) for t, w in NODES)
    return _placed(numpy.where(near, inside, found), out)
'''
"""What is 0/0 at 0, and its derivatives."""

_ERRORS: tuple[type, ...] = (functions.erf, functions.erfc, functions.erfcx, functions.ierfcx)
_ERRORS += (functions.log_erfc, functions.log_half_erfc)
_MOMENTS = (functions.exp_moment, functions.cos_moment, functions.log_moment)
_GAMMAS = (functions.lgamma, functions.digamma, functions.polygamma, functions.polygamma_fall, functions.lbeta)
_BESSELS = (functions.log_i0e, functions.i0_cumulant)

FAMILIES: dict[str, tuple[type, ...]] = {
    ERROR: _ERRORS,
    MOMENT: _MOMENTS,
    special_gamma.GAMMA: _GAMMAS,
    special_bessel.BESSEL: _BESSELS,
}
"""Each family's text, and the functions that have a routine in it: `_name` of the function `name`."""

ROUTINES: dict[type, str] = {kind: f"_{kind.__name__}" for family in FAMILIES.values() for kind in family}
"""The name of each routine."""

OF_NUMPY = frozenset(
    "absolute asarray clip copyto cos exp expm1 log log1p logical_and maximum minimum sin sqrt where".split()
    + special_gamma.OF_NUMPY.split()
    + special_bessel.OF_NUMPY.split()
)
"""What the texts write as `numpy.name`."""

DEFINED = frozenset(re.findall(r"^(?:def )?(\w+)(?:\(| = )", "\n".join([COMMON, *FAMILIES]), re.MULTILINE))
"""What the texts define in the module."""


def support(used: frozenset[str]) -> str:
    """The text of the families of which a routine is used; nothing where none is."""
    found = [text for text, family in FAMILIES.items() if any(ROUTINES[kind] in used for kind in family)]
    return "\n".join([COMMON, *found]) if found else ""

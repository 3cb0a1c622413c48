"""The logarithm of the modified Bessel function of order 0, and its derivatives: their routines, as text for a module.

Takes nothing; gives `BESSEL`, which stands in a module that uses one of its functions. The tables are printed by
`tests/reference/make_special_tables.py`. Derivatives from the second on are cumulants of w = 1 - cos(t), t uniform over
a turn, under the weight exp(-x w), of which i0(x) exp(-x) is the integral (DLMF 10.32.1). Every term of it is positive,
so that no digit is lost, and the trapezoidal rule over a period is exact to rounding with few nodes: Trefethen and
Weideman, The exponentially convergent trapezoidal rule, 2014.
"""

from __future__ import annotations

import math

TURN = 76
"""Nodes of a turn: the rule is exact to rounding up to x = 30, and half of them are the others' mirror images."""

WIDTH = 0.4
"""Between the nodes of s, where w = s^2/x: from x = 30 on the weight is exp(-s^2)/sqrt(1 - s^2/(2x)), soon 0."""


def _nodes() -> str:
    nodes = [2 * math.sin((2 * i + 1) * math.pi / (2 * TURN)) ** 2 for i in range(TURN // 2)]
    return "".join(f"    {node!r},\n" for node in nodes)


def _far_nodes() -> str:
    places = [WIDTH * i for i in range(17)]
    weights = [(1 if s == 0 else 2) * math.exp(-s * s) for s in places]
    return "".join(f"    ({s * s!r}, {weight!r}),\n" for s, weight in zip(places, weights, strict=True))


BESSEL = f'''
LOG_I0_NEAR = (
    (
        2.0565205509364954e-18, 1.0392296957551527e-14, 7.268515914057283e-12, 1.6745139686342766e-09,
        1.6901605411757801e-07, 8.596389334104617e-06, 0.00023733000142444642, 0.0036752572811637844,
        0.03163839664503918, 0.1405282901667503, 0.25,
    ),
    (
        2.18753317059371e-16, 3.5543454971613966e-13, 1.4358053533177293e-10, 2.2806606418087933e-08,
        1.7355924659889686e-06, 7.032076701517423e-05, 0.0016064266353028138, 0.021174086565091878,
        0.1586474646774135, 0.6246131606669997, 1.0,
    ),
)
LOG_I0_MIDDLE = (
    -6.603988174986322e-10, 1.3152034556556076e-09, 1.5812149766869338e-09, -3.737177346578719e-09,
    -2.375755671452704e-09, 2.9639434080353527e-09, 1.395813109673642e-08, -3.1959727545336724e-08,
    5.229585878498251e-08, -1.0973298541696116e-07, 2.3066121795750004e-07, -4.4897587103337055e-07,
    8.604445740519065e-07, -1.6612337830579198e-06, 3.2402172638846606e-06, -6.408087276728261e-06,
    1.2868685646154366e-05, -2.6209624620890976e-05, 5.401989066237862e-05, -0.00011242730105402577,
    0.00023585662621860396, -0.0004980907029294354, 0.0010578667208880988, -0.0022578685539147146, 0.1298402121035224,
)
LOG_I0_FAR = (
    (
        -2.117093757146082, 24.157297762777915, -33.087356636567755, 14.443135498450923, -2.367070123022817, 0.125,
    ),
    (
        -75.13721413433085, 301.2836614733028, -317.75940981555414, 124.74253114634804, -19.436560984182506, 1.0,
    ),
)
GAP_NEAR = (
    (
        -4.348762596561354e-13, 1.5314847959030102e-10, 1.0709171766618764e-09, 1.7133511111079662e-07,
        -8.595134761860764e-07, 4.9618589760960837e-05, -0.0003046056102971844, 0.005081305624967399,
        -0.0222120441780882, 0.163430111638129, -0.34581847742876126, 1.0,
    ),
    (
        2.0593889900493466e-10, 7.523224699840431e-09, 1.582835643527036e-07, 2.471329718249648e-06,
        2.722638233122124e-05, 0.0002784439946878897, 0.0016890848039724717, 0.01321915660548643, 0.03554839228390647,
        0.24052087292373706, 0.15418152257123915, 1.0,
    ),
)
GAP_MIDDLE = (
    -1.3542252644167674e-09, 2.698941082276704e-09, 3.2144017229351464e-09, -7.554271194973278e-09,
    -5.106910809000456e-09, 6.559577803557945e-09, 2.746059135946977e-08, -6.289149823601871e-08,
    1.0179961984327047e-07, -2.1418421076824758e-07, 4.5159904207190183e-07, -8.789596771264329e-07,
    1.6836866480568985e-06, -3.250050220065123e-06, 6.3395325055108385e-06, -1.2542554149157357e-05,
    2.520869723738743e-05, -5.1406057043075615e-05, 0.00010612124369082355, -0.00022128432940150922,
    0.0004652352202040318, -0.0009848685222725122, 0.0020971687011799075, -0.004488598936092118, 0.5096506122901897,
)
GAP_FAR = (
    (
        -17.57657482590595, 112.49026936029988, -139.24967135969538, 58.776976282698, -9.510877266609722, 0.5,
    ),
    (
        -62.47282578767956, 277.3162202305085, -304.6025018835618, 122.12189119869191, -19.27175453321943, 1.0,
    ),
)
TURN = (
{_nodes()})
TURN_FAR = (
{_far_nodes()})


def _log_i0e(x, out=None):
    """Up to x = 8 by log(i0(x)), to 20 and from there by what is left of Hankel's expansion."""
    x = numpy.absolute(numpy.asarray(x, "float64"))
    middle = x >= 8
    if not middle.any():
        return _placed(x * x * _ratio(x * x, LOG_I0_NEAR) - x, out)
    small = numpy.minimum(x, 8.0)
    small = small * small * _ratio(small * small, LOG_I0_NEAR) - small
    large = numpy.maximum(x, 8.0)
    rest = numpy.where(
        large < 20,
        _polynomial((numpy.minimum(large, 20.0) - 14) / 6, LOG_I0_MIDDLE),
        _ratio(1 / numpy.maximum(large, 20.0), LOG_I0_FAR),
    )
    return _placed(numpy.where(middle, rest / large - 0.5 * numpy.log(6.283185307179586 * large), small), out)


def _i0_gap(x):
    """1 - i1(x)/i0(x)."""
    middle = x >= 8
    if not middle.any():
        return _ratio(x, GAP_NEAR)
    large = numpy.maximum(x, 8.0)
    rest = numpy.where(
        large < 20,
        _polynomial((numpy.minimum(large, 20.0) - 14) / 6, GAP_MIDDLE),
        _ratio(1 / numpy.maximum(large, 20.0), GAP_FAR),
    )
    return numpy.where(middle, rest / large, _ratio(numpy.minimum(x, 8.0), GAP_NEAR))


def _turn_moments(x, n):
    """The integrals of w^0, ..., w^n times exp(-x w), but for a factor, where x is from 0 to 30."""
    found = [0.0] * (n + 1)
    for w in TURN:
        part = numpy.exp(-w * x)
        for k in range(n + 1):
            found[k] = found[k] + part
            part = part * w
    return found


def _turn_moments_far(x, n):
    """Those of (x w)^0, ..., (x w)^n, from 30 on."""
    found = [0.0] * (n + 1)
    for s2, weight in TURN_FAR:
        part = weight / numpy.sqrt(1 - s2 / (2 * x))
        for k in range(n + 1):
            found[k] = found[k] + part
            part = part * s2
    return found


def _cumulant(moments, n):
    """The nth cumulant, of moments of which the 0th need not be 1."""
    found = []
    for k in range(1, n + 1):
        value, choose = moments[k] / moments[0], 1.0
        for j in range(1, k):
            value = value - choose * found[j - 1] * (moments[k - j] / moments[0])
            choose = choose * (k - j) / j
        found.append(value)
    return found[n - 1]


def _i0_cumulant(n, x, out=None):
    n, x = int(n), numpy.asarray(x, "float64")
    if n == 1:
        return _placed(_i0_gap(x), out)
    small = _cumulant(_turn_moments(numpy.minimum(x, 30.0), n), n)
    far = numpy.maximum(x, 30.0)
    large = _cumulant(_turn_moments_far(far, n), n)
    for _ in range(n):
        large = large / far
    return _placed(numpy.where(x < 30, small, large), out)
'''
"""The text of the family."""

OF_NUMPY = "absolute asarray exp log maximum minimum sqrt where"
"""What the text writes as `numpy.name`."""

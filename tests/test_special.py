"""Gamma, beta and Bessel functions: their routines against 50 digits, their derivatives, and what is made of them.

The routines stand in no module of their own: the text that a module would hold is run, and compared with mpmath over
the whole range. A model that uses them agrees with the reference, over arrays and for a number, in both types.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt
import pytest
import sympy

from gradc.compiler import functions
from gradc.compiler.differentiate import partial
from gradc.compiler.emit import special
from gradc.compiler.functions import digamma, i0_cumulant, lbeta, lgamma, log_i0e, polygamma, polygamma_fall
from gradc.compiler.graph import placeholder
from gradc.compiler.scalar import evaluate

from .harness import Truth, compiled, distance, start

Array = npt.NDArray[np.float64]
ULP = mpmath.mpf(2) ** -52

ROUTINES: dict[str, Any] = {"numpy": np}
exec(special.support(frozenset(special.ROUTINES.values())), ROUTINES)

chance = np.random.default_rng(0)
ANY_SIZE = 10 ** chance.uniform(-300, 300, 300)
ZEROS = (1.0, 2.0, 1.46163214496836)
AT_ZEROS = np.concatenate([z + s * 10 ** chance.uniform(-15, -1, 60) for z in ZEROS for s in (1, -1)])
ABOVE = np.concatenate([chance.uniform(0, 5, 500), chance.uniform(5, 50, 200), ANY_SIZE, AT_ZEROS, np.arange(1.0, 12)])
BELOW = -chance.uniform(0, 30, 300)


def call(name: str, *arguments: Any) -> Array:
    with np.errstate(all="ignore"):
        found: Array = ROUTINES[name](*arguments)
    return found


def worst(found: Array, truth: Callable[..., Any], *points: Array, beside: float = 0.0) -> float:
    """The largest error in units of the last place: of the truth, or of `beside` where the truth is smaller."""
    with mpmath.workdps(50):
        largest = mpmath.mpf(0)
        for value, *point in zip(found, *points, strict=True):
            exact = truth(*map(mpmath.mpf, map(float, point)))
            scale = max(abs(exact), mpmath.mpf(beside))
            largest = max(largest, abs(mpmath.mpf(float(value)) - exact) / scale if scale else abs(mpmath.mpf(value)))
        return float(largest / ULP)


def real_lgamma(x: Any) -> Any:
    return mpmath.loggamma(x).real


def test_lgamma() -> None:
    assert worst(call("_lgamma", ABOVE), real_lgamma, ABOVE) < 6
    assert worst(call("_lgamma", BELOW), real_lgamma, BELOW, beside=1.0) < 6


def test_digamma() -> None:
    assert worst(call("_digamma", ABOVE), mpmath.digamma, ABOVE) < 6
    assert worst(call("_digamma", BELOW), mpmath.digamma, BELOW, beside=10.0) < 20


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_polygamma(n: int) -> None:
    held = ABOVE[(ABOVE > 1e-50) & (ABOVE < 1e50)]
    assert worst(call("_polygamma", n, held), lambda x: mpmath.polygamma(n, x), held) < 8
    scale = float(max(abs(call("_polygamma", n, np.array([-0.5, 0.5])))))
    few = BELOW[:60]
    assert worst(call("_polygamma", n, few), lambda x: mpmath.polygamma(n, x), few, beside=scale) < 20


PAIRS = 10 ** chance.uniform(-5, 8, (2, 500))


def test_lbeta() -> None:
    x, y = PAIRS
    found = call("_lbeta", x, y)

    def truth(x: Any, y: Any) -> Any:
        return mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y)

    assert worst(found, truth, x, y, beside=0.1) < 20
    assert (found == call("_lbeta", y, x)).all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_fall_of_polygamma(n: int) -> None:
    x, y = PAIRS
    found = call("_polygamma_fall", n, x, y)
    assert worst(found, lambda x, y: mpmath.polygamma(n, x) - mpmath.polygamma(n, x + y), x, y) < 8
    x, y = np.array([-0.5, 2.0, -2.5]), np.array([1.2, -4.4, 1.1])
    found = call("_polygamma_fall", n, x, y)
    assert worst(found, lambda x, y: mpmath.polygamma(n, x) - mpmath.polygamma(n, x + y), x, y) < 100


BESSEL = np.concatenate([chance.uniform(0, 30, 200), 10 ** chance.uniform(-10, 6, 200), [0.0, 8.0, 20.0]])


def log_i0(x: Any) -> Any:
    return mpmath.log(mpmath.besseli(0, x)) - x


def test_log_i0e() -> None:
    assert worst(call("_log_i0e", BESSEL), log_i0, BESSEL) < 10
    assert (call("_log_i0e", -BESSEL) == call("_log_i0e", BESSEL)).all()


def test_the_cumulants_of_i0() -> None:
    x = BESSEL[BESSEL < 1e3]

    def gap(x: Any) -> Any:
        return 1 - mpmath.besseli(1, x) / mpmath.besseli(0, x)

    def slope(x: Any) -> Any:
        ratio = 1 - gap(x)
        return 1 - ratio / x - ratio**2 if x else mpmath.mpf(1) / 2

    assert worst(call("_i0_cumulant", 1, x), gap, x) < 8
    assert worst(call("_i0_cumulant", 2, x), slope, x) < 40
    few = np.array([0.3, 2.0, 9.0, 29.0, 31.0, 300.0])
    assert worst(call("_i0_cumulant", 3, few), lambda t: mpmath.diff(log_i0, t, 3) * -1, few) < 200


def test_poles_and_ends() -> None:
    assert (call("_lgamma", np.array([0.0, -0.0, -1.0, -2.0, np.inf])) == np.inf).all()
    assert list(call("_digamma", np.array([0.0, -0.0]))) == [-np.inf, np.inf]
    assert (call("_polygamma", 1, np.array([0.0, -1.0, -7.0])) == np.inf).all()
    assert call("_polygamma", 1, np.array([np.inf]))[0] == 0
    assert np.isnan(call("_lgamma", np.array([np.nan]))).all()
    assert call("_lbeta", np.array([1.0]), np.array([1.0]))[0] == 0
    assert call("_log_i0e", np.array([0.0]))[0] == 0


def test_numbers_and_arrays_of_any_shape() -> None:
    for name in ("_lgamma", "_digamma", "_log_i0e"):
        grid = np.array([[0.3, 5.0], [2.5, 30.0]])
        found = call(name, grid)
        assert [[float(call(name, x)) for x in row] for row in grid] == found.tolist()
        out = np.empty((2, 2), "float32")
        assert call(name, grid.astype("float32"), out) is out


# ------------------------------------------------------------------------------------------------------- in expressions

_0, _1 = placeholder(0), placeholder(1)
FUNCTIONS: list[tuple[Any, Callable[..., Any], list[tuple[float, ...]]]] = [
    (lgamma(_0), real_lgamma, [(0.3,), (7.5,)]),
    (digamma(_0), mpmath.digamma, [(0.3,), (-2.5,)]),
    (polygamma(1, _0), lambda x: mpmath.polygamma(1, x), [(0.3,), (7.5,)]),
    (lbeta(_0, _1), lambda x, y: mpmath.log(mpmath.beta(x, y)), [(0.3, 2.5), (20.0, 1.5)]),
    (
        polygamma_fall(0, _0, _1),
        lambda x, y: mpmath.digamma(x) - mpmath.digamma(x + y),
        [(0.3, 2.5), (20.0, 1.5)],
    ),
    (log_i0e(_0), lambda x: log_i0(abs(x)), [(0.3,), (-2.0,)]),
    (i0_cumulant(1, _0), lambda x: 1 - mpmath.besseli(1, x) / mpmath.besseli(0, x), [(0.3,), (25.0,)]),
]


@pytest.mark.parametrize(("expression", "truth", "points"), FUNCTIONS, ids=[str(row[0]) for row in FUNCTIONS])
def test_a_function_means_what_it_says_and_has_its_derivative(
    expression: Any, truth: Callable[..., Any], points: list[tuple[float, ...]]
) -> None:
    for point in points:
        at = dict(zip((_0, _1), point, strict=False))
        exact = [mpmath.mpf(x) for x in point]
        assert evaluate(expression, at) == pytest.approx(float(truth(*exact)), rel=1e-14)
        for i in range(len(point)):
            with mpmath.workdps(30):
                slope = mpmath.diff(lambda x, i=i, e=exact: truth(*e[:i], x, *e[i + 1 :]), exact[i])
            assert evaluate(partial(expression, i), at) == pytest.approx(float(slope), rel=1e-13)


MODEL = """
input y[n]
param a > 0 = 2, b > 0 = 3, k = -0.5, e > 0 = 1
const c = 2.5
all = lgamma(a * y^2 + 1) + digamma(b + y^2) * trigamma(a) - lbeta(a + y^2, b) + log_i0e(k * y) + lbeta(a, b)
minimize mean(all) + lgamma(c) + digamma(c) + trigamma(c) + lbeta(c, 2) + log_i0e(c) + lgamma(e) + log_i0e(k)
output all
"""


def given(**options: Any) -> tuple[Any, types.ModuleType, dict[str, Array]]:
    found, module = compiled(MODEL, **options)
    return found.elaborated, module, {"y": np.random.default_rng(3).normal(size=40)}


@pytest.mark.parametrize("options", [{}, {"without": ("all",)}, {"dtype": "float32"}], ids=str)
def test_a_model_of_them_agrees_with_the_reference(options: dict[str, Any]) -> None:
    written, module, data = given(**options)
    theta = start(module, data)
    loss, gradient = module.bind(data)(theta)
    truth = Truth(written, module, data, np.asarray(theta, "float64"))
    near = 1e-13 if module.DTYPE == "float64" else 3e-5
    assert loss == pytest.approx(truth.loss_and_gradient[0], rel=near)
    assert distance(gradient, truth.loss_and_gradient[1]) < near
    assert distance(module.predict(theta, data)["all"], truth.outputs["all"]) < near
    precise = Truth(written, module, data, np.asarray(theta, "float64"), digits=50)
    assert distance(gradient, precise.loss_and_gradient[1]) < near


def test_three_ways_to_a_gradient() -> None:
    written, module, data = given()
    theta = start(module, data)
    at, slopes, error = Truth(written, module, data, theta).numeric()
    assert distance(module.bind(data)(theta)[1][at], slopes) < 1e-9 + error.max()


def test_every_function_has_a_routine_and_its_names_are_kept_free() -> None:
    assert functions.lgamma in special.ROUTINES
    assert {"_lgamma", "_digamma", "_polygamma", "BERNOULLI", "TURN", "ERF", "_ratio"} <= special.DEFINED


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_polygamma_of_one_number_far_below_0(order: int) -> None:
    """The gate of rewrites asks for it at extreme points; steps of 1 up from there would not end."""
    x = placeholder(0)
    meaning = evaluate(polygamma(sympy.Integer(order), x), {x: -7.25})
    assert meaning is not None
    assert abs(meaning - mpmath.polygamma(order, mpmath.mpf(-7.25))) <= 4 * ULP * abs(meaning)
    assert evaluate(polygamma(sympy.Integer(order), x), {x: -5e7 - 0.5}) is not None

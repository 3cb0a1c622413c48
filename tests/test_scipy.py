"""A session in `scipy.optimize.minimize` goes where SciPy goes with functions that others wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize, rosen, rosen_der, rosen_hess, rosen_hess_prod
from scipy.special import expit

import gradc
from gradc.runtime.errors import NoSuchDerivative, SeveralObjectives

pytestmark = pytest.mark.simplified

ROSENBROCK = """axis d: 5
param x[d] ~ normal(0, 1)
head = x[d = :-1]
minimize sum(100 * (x[d = 1:] - head^2)^2 + (1 - head)^2)
"""
START = np.array([1.3, 0.7, 0.8, 1.9, 1.2])


@pytest.fixture(scope="module")
def rosenbrock() -> gradc.Model:
    return gradc.compile(ROSENBROCK, derivatives=("hvp", "hessian"))


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "Newton-CG", "trust-ncg", "trust-exact", "TNC", "SLSQP"])
def test_the_same_steps_as_with_functions_of_scipy(method: str, rosenbrock: gradc.Model) -> None:
    session = gradc.Session(rosenbrock.module, {}, START)
    fun, x0 = gradc.scipy_function(session)
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    if method in ("Newton-CG", "trust-ncg"):
        ours, theirs = {"hessp": fun.hessp}, {"hessp": rosen_hess_prod}
    if method == "trust-exact":
        ours, theirs = {"hess": fun.hess}, {"hess": rosen_hess}
    found = minimize(fun, x0, jac=True, method=method, **ours)
    expected = minimize(rosen, START, jac=rosen_der, method=method, **theirs)
    assert found.success == expected.success
    assert found.nit == expected.nit
    assert found.x == pytest.approx(expected.x, rel=1e-5)
    assert session.theta.tolist() == START.tolist()
    fun.update(found.x)
    assert session.theta.tolist() == found.x.tolist()
    assert session.forward() == found.fun


def test_derivatives_are_those_of_scipy(rosenbrock: gradc.Model) -> None:
    fun, x0 = gradc.scipy_function(gradc.Session(rosenbrock.module, {}, START))
    value, gradient = fun(x0)
    assert value == pytest.approx(rosen(x0), rel=1e-14)
    assert gradient == pytest.approx(rosen_der(x0), rel=1e-13)
    assert fun.hess(x0) == pytest.approx(rosen_hess(x0), rel=1e-13)
    assert fun.hessp(x0, x0) == pytest.approx(rosen_hess_prod(x0, x0), rel=1e-13)
    assert gradient is not fun(x0)[1]


@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_logistic_regression_by_hand(sense: str) -> None:
    random = np.random.default_rng(0)
    x, l2 = random.normal(size=(80, 3)), 0.01
    y = (random.random(80) < expit(x @ [1.0, -2, 0.5] + 0.3)).astype(float)

    def by_hand(theta: Any) -> tuple[float, Any]:
        z = x @ theta[:3] + theta[3]
        value = np.mean(np.logaddexp(0, z) - y * z) + l2 * np.sum(theta[:3] ** 2)
        slope = (expit(z) - y) / len(y)
        return value, np.append(x.T @ slope + 2 * l2 * theta[:3], slope.sum())

    text = "input x[n, f], y[n]\nparam w[f] = 0, b = 0\nz = x @ w + b\nloss = mean(log(1 + exp(z)) - y * z)"
    text += " + 0.01 * sum(w^2)\n" + ("minimize loss\n" if sense == "minimize" else "maximize -loss\n")
    fun, x0 = gradc.scipy_function(gradc.Session(gradc.compile(text).module, {"x": x, "y": y}))
    found = minimize(fun, x0, jac=True, method="BFGS", options={"gtol": 1e-10})
    expected = minimize(by_hand, np.zeros(4), jac=True, method="BFGS", options={"gtol": 1e-10})
    assert found.x == pytest.approx(expected.x, rel=1e-8)
    assert found.fun == pytest.approx(expected.fun, rel=1e-14)


def test_a_module_of_float32_speaks_float64() -> None:
    model = gradc.compile(ROSENBROCK, dtype="float32")
    fun, x0 = gradc.scipy_function(gradc.Session(model.module, {}, START))
    value, gradient = fun(x0)
    assert isinstance(value, float)
    assert (x0.dtype, gradient.dtype) == (np.float64, np.float64)
    assert gradient == pytest.approx(rosen_der(x0), rel=1e-4)
    assert minimize(fun, x0, jac=True, method="L-BFGS-B").x == pytest.approx(np.ones(5), abs=1e-2)


def test_only_what_is_trained_is_moved() -> None:
    text = "input x[n]\nparam a = 1, b = 2, s > 0 = 3\n"
    text += "minimize f = mean((a * x - b)^2) + (s - 1)^2 over a, s\nminimize g = (b - 5)^2 over b\n"
    model = gradc.compile(text, derivatives=("hessian", "hvp"))
    session = gradc.Session(model.module, {"x": [1.0, 2.0]})
    with pytest.raises(SeveralObjectives):
        gradc.scipy_function(session)
    fun, x0 = gradc.scipy_function(session, "f")
    assert x0 == pytest.approx([1, np.log(3)])
    assert check_grad(lambda x: fun(x)[0], lambda x: fun(x)[1], x0) < 1e-6
    assert fun.hess(x0) == pytest.approx(np.array([[5, 0], [0, 2 * 3 * (3 - 1) + 2 * 9]]))
    assert fun.hessp(x0, [1, 2]) == pytest.approx(fun.hess(x0) @ [1, 2])
    fun.update(minimize(fun, x0, jac=True).x)
    assert {name: float(value) for name, value in session.values().items()} == pytest.approx(
        {"a": 1.2, "b": 2, "s": 1}, rel=1e-4
    )
    session.parameters["s"].requires_grad = False
    assert len(gradc.scipy_function(session, "f")[1]) == 1


def test_what_the_module_lacks_is_said() -> None:
    fun, x0 = gradc.scipy_function(gradc.Session(gradc.compile(ROSENBROCK).module, {}))
    with pytest.raises(NoSuchDerivative, match=r"no hvp: compile it with derivatives=\('hvp',\)"):
        fun.hessp(x0, x0)

"""Objectives over the factor of their columns: where the pass fires, and that it loses nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import gradc
from gradc.runtime import Diverged

from .harness import Truth, compiled, distance, sample, start

pytestmark = pytest.mark.simplified

LINE = "input x[n], y[n]\nparam a = 1, b = 2\n"
FIT = {
    "line": LINE + "minimize mean((a * x + b - y)^2)\n",
    "one set of columns": "input x[n, d]\nparam w[d] = 1\nminimize mean((x @ w)^2)\n",
    "maximized": LINE + "maximize -mean((a * x + b - y)^2)\n",
    "two residuals": LINE + "minimize sum((a * x + b - y) * (b * x - 2 * y + 3))\n",
    "several terms": LINE + "minimize 3 * mean((a * b * x + b - y)^2) + mean((a * x - b)^2) + mean(a * x) + b^2\n",
    "functions of sums": LINE + "minimize log(mean((a * x - y)^2)) + sqrt(sum((b * x - y)^2))\n",
    "bounded": "input x[n], y[n]\nparam a > 0 = 1, b in (-3, 3) = 0\nminimize mean((a * x + b - y)^2)\n",
    "basis": "input x[n], y[n]\nparam c[k: 4] ~ normal(0, 1)\nminimize sum((sum[k](c * x^index[k]) - y)^2)\n",
    "ridge": "input x[n, d], y[n]\nparam w[d] = 0, b = 0\nminimize mean((x @ w + b - y)^2) + 0.1 * sum(w^2)\n",
    "several outputs": "input x[n, d], y[n, o: 3]\nparam W[d, o] = 0.1, b[o] = 0\nminimize sum((x @ W + b - y)^2)\n",
    "through a function": LINE + "def square(r) = r^2\np = a * x - b\nminimize mean(square(p - y))\n",
}
OTHER = {
    "absolute": LINE + "minimize mean(abs(a * x + b - y))\n",
    "nonlinear": LINE + "minimize mean((exp(a * x) + b - y)^2)\n",
    "fourth power": LINE + "minimize mean((a * x + b - y)^4)\n",
    "weights from parameters": LINE + "minimize mean(sigmoid(b * x) * (a * x - y)^2)\n",
    "three in a product": LINE + "minimize mean((a * x - y) * (b * x - y) * (a + b * x))\n",
    "differences along the rows": LINE + "r = a * x + b - y\nminimize mean((r[n = 1:] - r[n = :-1])^2)\n",
    "a weight for each row": LINE + "minimize sum(exp(-x^2) * (a * x + b - y)^2)\n",
    "chosen by a sign": LINE + "minimize mean(if a * x > y then (a * x - y)^2 else (b * x - y)^2)\n",
}


def many(module: Any, rows: int) -> dict[str, npt.NDArray[Any]]:
    return sample(module, seed=3, lengths={"n": rows, "d": 6})


@pytest.mark.parametrize("name", FIT)
@pytest.mark.parametrize("rows", [50, 3000])
def test_it_has_the_value_and_the_gradient(name: str, rows: int) -> None:
    of, module = compiled(FIT[name], name)
    data = many(module, rows)
    theta = start(module, data)
    objective = module.bind(data)
    assert isinstance(objective, module._Factored)
    loss, gradient = objective(theta)
    truth = Truth(of.elaborated, module, data, theta)
    assert distance(loss, truth.loss_and_gradient[0]) < 1e-12
    assert distance(gradient, truth.loss_and_gradient[1]) < 1e-12
    passed_through = module.bind(data, block=17)
    assert isinstance(passed_through, module._Objective)
    assert distance(gradient, passed_through(theta)[1]) < 1e-12


@pytest.mark.parametrize("name", OTHER)
def test_it_is_left_alone(name: str) -> None:
    _, module = compiled(OTHER[name], name)
    assert not hasattr(module, "_FACTORED")


@pytest.mark.parametrize("name", FIT)
def test_it_can_be_switched_off(name: str) -> None:
    _, module = compiled(FIT[name], name, without=("factor",))
    assert not hasattr(module, "_FACTORED")


def test_few_rows_and_minibatches_pass_through() -> None:
    _, module = compiled(FIT["line"])
    assert isinstance(module.bind(many(module, 5)), module._Objective)
    assert isinstance(module.bind(many(module, 6)), module._Factored)
    _, wide = compiled(FIT["ridge"])
    assert isinstance(wide.bind(sample(wide, lengths={"n": 2000, "d": 300})), wide._Objective)


def test_new_data_are_taken_in() -> None:
    _, module = compiled(FIT["basis"])
    first, second = many(module, 100), {name: 2 * value for name, value in many(module, 100).items()}
    theta = start(module, first)
    objective = module.bind(first)
    objective(theta)
    objective.rebind(second)
    assert distance(objective(theta)[1], module.bind(second)(theta)[1]) == 0


def test_float32_is_as_near_as_passing_through() -> None:
    of, module = compiled(FIT["basis"], dtype="float32")
    data = {name: value.astype(np.float32) for name, value in many(module, 3000).items()}
    theta = start(module, data)
    truth = Truth(of.elaborated, module, data, theta.astype(np.float64)).loss_and_gradient
    for objective in (module.bind(data), module.bind(data, block=300)):
        loss, gradient = objective(theta)
        assert gradient.dtype == np.float32
        assert distance(loss, truth[0]) < 3e-6
        assert distance(gradient, truth[1]) < 3e-6


@pytest.mark.parametrize("degree", [3, 6, 9])
def test_an_ill_conditioned_fit_keeps_its_digits(degree: int) -> None:
    """At the optimum, a few roundings of |M|(|M| |c| + |y|), where the normal equations have no digit left."""
    text = f"input x[n], y[n]\nparam c[k: {degree + 1}] = 0\nminimize sum((sum[k](c * x^index[k]) - y)^2)\n"
    of, module = compiled(text)
    x = np.linspace(1, 4, 200)
    data = {"x": x, "y": np.sin(x)}
    powers = np.vander(x, degree + 1, increasing=True)
    best = np.linalg.lstsq(powers, data["y"], rcond=None)[0]
    exact = Truth(of.elaborated, module, data, best, digits=50).loss_and_gradient
    lengths = np.linalg.norm(powers, axis=0)
    bound = lengths * (lengths @ np.abs(best) + np.linalg.norm(data["y"])) * np.finfo(float).eps
    for objective in (module.bind(data), module.bind(data, block=200)):
        loss, gradient = objective(best)
        assert distance(loss, exact[0]) < 1e-6
        assert (np.abs(gradient - exact[1]) < 2 * bound).all()


def test_equal_columns_and_columns_of_zeros() -> None:
    of, module = compiled("input x[n], u[n], y[n]\nparam a = 1, b = 2, c = 3\nminimize mean((a*x + b*u + c - y)^2)\n")
    x = np.linspace(-1, 1, 40)
    for u in (x, 0 * x, 1 + 0 * x):
        data = {"x": x, "u": u, "y": np.cos(x)}
        theta = np.array([0.3, -0.4, 0.5])
        truth = Truth(of.elaborated, module, data, theta).loss_and_gradient
        loss, gradient = module.bind(data)(theta)
        assert distance(loss, truth[0]) < 1e-13
        assert distance(gradient, truth[1]) < 1e-13


def test_what_overflows_is_told_as_divergence() -> None:
    _, module = compiled(FIT["basis"])
    data = {"x": np.linspace(1, 2, 40) * 1e150, "y": np.ones(40)}
    session = gradc.Session(module, data, np.ones(4))
    with pytest.raises(Diverged, match="at step 0"):
        gradc.fit(session, gradc.SGD(session), epochs=3)


def test_a_step_does_not_see_the_rows() -> None:
    _, module = compiled(FIT["ridge"])
    few, several = module.bind(many(module, 100)), module.bind(many(module, 10_000))

    def sizes(objective: Any) -> list[int]:
        return [value.size for value in objective._fixed if isinstance(value, np.ndarray)]

    assert sizes(few) == sizes(several)
    assert not hasattr(several, "_blocks")


def test_a_line_is_a_matter_of_numbers() -> None:
    of, module = compiled(FIT["line"])
    assert "dot(" not in of.module[of.module.index("class _Factored") :].split("def __call__")[1].split("return")[0]
    data = many(module, 100)
    assert all(isinstance(value, float) for value in module.bind(data)._fixed)

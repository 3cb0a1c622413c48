"""Polynomials of the data multiplied out: on request alone, where it pays, and right to the digits that it keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gradc.compiler.elaborate import elaborate
from gradc.compiler.simplify.expand import MULTIPLIED, expand_rows
from gradc.compiler.simplify.gate import agree
from gradc.compiler.simplify.rewrites import Rewrites
from gradc.compiler.source import Source
from gradc.compiler.syntax import parse

from .harness import Truth, compiled, distance, load, start

pytestmark = pytest.mark.simplified

MIXTURE = """
axis k: 7
input x[n, d]
param alpha[k] ~ normal(0, 1), mu[k, d] ~ normal(0, 1), log_diag[k, d] = 0, low[k, d, d'] = 0
lower = where(index[d] > index[d'], low, 0)
diff = x - mu
white = exp(log_diag) * diff + sum[d'](lower * diff[d -> d'])
log_p = alpha + sum[d](log_diag) - 0.5 * sum[d](white^2)
minimize -sum[n](logsumexp[k](log_p))
"""
MODELS = {
    "mixture": MIXTURE,
    "isotropic": "axis k: 9\ninput x[n, d]\nparam mu[k, d] ~ normal(0, 1), s[k] > 0 = 1\n"
    "minimize -mean[n](logsumexp[k](-sum[d]((x - mu)^2) / (2*s^2) - log(s)))\n",
    "distances": "axis k: 9\ninput x[n, d]\nparam mu[k, d] ~ normal(0, 1)\n"
    "minimize mean[n](log(1 + sum[k](1 / (1 + sum[d]((x - mu)^2)))))\n",
    "quadratic form": "input x[n, d], y[n]\nparam A[d, d'] ~ normal(0, 1), b[d] ~ normal(0, 1)\n"
    "z = sum[d, d'](A * x * x[d -> d']) + x @ b\nminimize mean(log(1 + exp(z)) - y * z)\n",
}


def cloud(
    rows: int = 400, columns: int = 4, spread: float = 1.0, centre: float = 300.0, seed: int = 0
) -> dict[str, npt.NDArray[Any]]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, columns)) * spread ** np.linspace(0, 1, columns) + centre
    return {"x": x, "y": (random.random(rows) < 0.5) * 1.0}


def data_of(module: Any, **more: Any) -> dict[str, npt.NDArray[Any]]:
    return {name: value for name, value in cloud(**more).items() if name in module.INPUTS}


@pytest.mark.parametrize("name", MODELS)
def test_value_and_gradient_are_those_of_the_model(name: str) -> None:
    of, module = compiled(MODELS[name], fast_algebra=True)
    data = data_of(module, centre=300.0 if "mu" in module.PARAMETERS else 0.3)
    theta = start(module, data, seed=3)
    if "mu" in module.PARAMETERS:
        # Centres among the data, as they are after a few steps.
        values = module.unpack(theta, data)
        values["mu"] = data["x"][: values["mu"].shape[0]] + 0.1
        theta = module.pack(values, data)
    truth = Truth(of.elaborated, module, data, theta)
    objective = module.bind(data)
    loss, gradient = objective(theta)
    assert distance(loss, truth.loss_and_gradient[0]) < 1e-10
    assert distance(gradient, truth.loss_and_gradient[1]) < 1e-10
    plain = module.bind(data, block=400)(theta)
    assert distance(plain[0], truth.loss_and_gradient[0]) < 1e-12


def test_it_is_taken_where_it_pays() -> None:
    of, module = compiled(MIXTURE, fast_algebra=True)
    assert MULTIPLIED.name in {rewrite.rule for rewrite in of.rewrites.done}
    assert type(module.bind(data_of(module))).__name__ == "_Expanded"


def test_one_product_with_many_statistics_pays_less_than_two_with_few_columns() -> None:
    of, _ = compiled(MODELS["quadratic form"], fast_algebra=True)
    assert MULTIPLIED.name not in {rewrite.rule for rewrite in of.rewrites.done}


def test_it_is_no_default() -> None:
    of, module = compiled(MIXTURE)
    assert not hasattr(module, "_EXPANDED")
    assert MULTIPLIED.name not in {rewrite.rule for rewrite in of.rewrites.done}


def test_single_precision_does_not_take_it() -> None:
    assert not hasattr(compiled(MIXTURE, fast_algebra=True, dtype="float32")[1], "_EXPANDED")


def test_data_whose_products_lose_digits_refuse_it() -> None:
    _, module = compiled(MIXTURE, fast_algebra=True)
    kind = {spread: type(module.bind(data_of(module, spread=spread))).__name__ for spread in (1.0, 1e3, 1e5)}
    assert kind == {1.0: "_Expanded", 1e3: "_Expanded", 1e5: "_Objective"}
    constant = data_of(module)
    constant["x"][:, 1] = 5.0
    assert type(module.bind(constant)).__name__ == "_Objective"


def test_too_many_products_refuse_it() -> None:
    _, module = compiled(MIXTURE, fast_algebra=True)
    assert type(module.bind(data_of(module, columns=30))).__name__ == "_Expanded"
    assert type(module.bind(data_of(module, columns=60, rows=200))).__name__ == "_Objective"


def test_minibatches_pass_through() -> None:
    _, module = compiled(MIXTURE, fast_algebra=True)
    assert type(module.bind(data_of(module), block=32)).__name__ == "_Objective"


@pytest.mark.parametrize(
    "objective",
    [
        "sum(sin(x * w))",
        "sum((y / (1 + x @ w))^2)",
        "sum(abs(x @ w - y))",
        "mean(y)",
        "sum[n]((y * c - y[n = 0])^3)",
    ],
)
def test_what_is_no_polynomial_stays(objective: str) -> None:
    text = f"input x[n, d], y[n]\nparam w[d] = 1, c = 1\nminimize {objective} + c * sum(w)\n"
    program = elaborate(parse(Source("a.model", text)))
    assert expand_rows(program, Rewrites(gate=agree)) is program


def test_the_module_says_so() -> None:
    text = compiled(MIXTURE, fast_algebra=True)[0].module
    assert "from products of the centred data, which are computed once" in text
    assert load(text).bind(cloud()) is not None

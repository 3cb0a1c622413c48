"""Objectives that are sums of squares: that they are found, that nothing else is, and what the module gives of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gradc.__main__ import main
from gradc.compiler.pipeline import UnknownDerivative

from .harness import compiled, distance

Array = npt.NDArray[Any]

HEAD = "input x[n], y[n], s[n], z[n, k]\naxis k: 3\nparam a = 0.7, b > 0 = 0.4, w[k] ~ normal(0, 1)\nf = a * x + b\n"

SQUARES = {
    "mean((y - f)^2)": (7, 0),
    "sum((f - y)^2)": (7, 0),
    "0.5 * sum((y - f) * (y - f))": (7, 0),
    "(y - f) @ (y - f) / 2": (7, 0),
    "norm(y - f)^2": (7, 0),
    "mean(((y - f) / s)^2)": (7, 0),
    "sum((y - f)^2 / s^2)": (7, 0),
    "sum(s * (y - f)^2)": (7, 0),
    "mean((log(s) - f)^2) * 3": (7, 0),
    "mean((y - f)^2) + 0.1 * w @ w": (7, 3),
    "mean((y - f)^2) + 0.1 * a^2 + mean(w^2)": (7, 4),
    "sum((y - f)^2) / size[n] + norm(z @ w - s)^2": (14, 0),
    "mean((z * w - y)^2)": (21, 0),
    "sum(if s > 1 then (y - f)^2 else 0)": (7, 0),
    "mean(((y - f)^2 - 1)^2)": (7, 0),
    "mean((y - f)^4)": (7, 0),
    "mean((y - f)^2 / a^2)": (7, 0),
    "mean(sum[k](tanh(z * w)^2) + (y - f)^2)": (28, 0),
    "mean(0.5 * ((y - f) / 0.3)^2 + log(0.3))": (7, 0),
    "-(-sum((y - f)^2))": (7, 0),
}
"""An objective, how many residuals it has along the rows, and how many penalties."""

OTHERS = (
    "mean(abs(y - f))",
    "mean((y - f)^3)",
    "mean((y - f) * (x - f))",
    "-mean((y - f)^2)",
    "mean((y - f)^2) - 0.1 * w @ w",
    "mean((y - f)^2 / b)",
    "mean(log(b) + ((y - f) / b)^2 / 2)",
    "mean(exp(f) - y * f)",
    "sqrt(mean((y - f)^2))",
    "mean(if f > 0 then (y - f)^2 else 0)",
)


def data() -> dict[str, Array]:
    random = np.random.default_rng(3)
    return {
        "x": random.normal(size=7),
        "y": random.normal(size=7) + 2,
        "s": random.random(7) + 0.5,
        "z": random.normal(size=(7, 3)),
    }


@pytest.mark.parametrize("objective", SQUARES)
def test_an_objective_is_the_sum_of_its_squares(objective: str) -> None:
    """It and the squares differ by a number that no parameter changes, and the Jacobian gives its gradient.

    That the gradient is right other tests hold to PyTorch; the Jacobian alone is compared with differences.
    """
    _, module = compiled(f"{HEAD}minimize {objective}\n", derivatives=("residuals",))
    given, rows, penalties = data(), *SQUARES[objective]
    bound, residuals, seen = module.bind(given), module.bind_residuals(given), module.observations(given)
    theta = module.initial(seed=1)
    others = theta + np.array([0.3, -0.2, 0.1, 0.5, -0.4])
    found, slopes = residuals(theta)
    there, _ = residuals(others)
    scale = float(seen["scale"])
    assert found.shape == (rows + penalties,)
    assert slopes.shape == (rows + penalties, 5)
    assert seen["count"] == rows
    loss, gradient = bound(theta)
    gradient = gradient.copy()
    gap = bound(others)[0] - loss
    assert gap == pytest.approx(scale * (there @ there - found @ found), rel=1e-12)
    assert distance(2 * scale * found @ slopes, gradient) < 1e-13
    steps = 1e-5 * np.eye(5)
    differences = [(residuals(theta + h)[0] - residuals(theta - h)[0]) / 2e-5 for h in steps]
    assert distance(slopes, np.array(differences).T) < 1e-8


@pytest.mark.parametrize("objective", OTHERS)
def test_anything_else_has_no_residuals(objective: str) -> None:
    with pytest.raises(UnknownDerivative, match="it has no objective that is a sum of squares"):
        compiled(f"{HEAD}minimize {objective}\n", derivatives=("residuals",))


@pytest.mark.parametrize(
    ("objective", "observed", "weight"),
    [
        ("mean((y - f)^2)", "y", None),
        ("sum((f - log(y^2 + 1)) ^ 2)", "log", None),
        ("mean(((f - y) / s)^2)", "y", "s"),
        ("mean((y - x - f)^2)", "y - x", None),
        ("sum(if s > 1 then (f - y)^2 else 0)", "y", "s > 1"),
    ],
)
def test_a_residual_is_what_is_observed_minus_what_is_fitted(objective: str, observed: str, weight: str | None) -> None:
    _, module = compiled(f"{HEAD}minimize {objective}\n", derivatives=("residuals",))
    given, theta = data(), module.initial(seed=1)
    seen = module.observations(given)
    known = {"y": given["y"], "log": np.log(given["y"] ** 2 + 1), "y - x": given["y"] - given["x"]}[observed]
    weights = {None: np.ones(7), "s": given["s"] ** -2.0, "s > 1": (given["s"] > 1).astype(float)}[weight]
    fitted = 0.7 * given["x"] + 0.4
    assert distance(seen["observed 0"], known) < 1e-15
    assert distance(seen["weight 0"], weights) < 1e-15
    assert distance(module.residuals(theta, given)[0], np.sqrt(weights) * (known - fitted)) < 1e-13


@pytest.mark.parametrize("block", [None, 3])
def test_blocks_of_rows_fill_one_vector(block: int | None) -> None:
    _, module = compiled(f"{HEAD}minimize mean((z * w - y)^2) + 0.1 * w @ w\n", derivatives=("residuals",))
    given, theta = data(), module.initial(seed=1)
    found, slopes = module.bind_residuals(given, block=block)(theta)
    w = theta[2:]
    assert distance(found[:21].reshape(7, 3), given["y"][:, None] - given["z"] * w) < 1e-15
    assert distance(found[21:], np.sqrt(0.1 * 21) * w) < 1e-14
    wanted = np.zeros((7, 3, 5))
    for i in range(3):
        wanted[:, i, 2 + i] = -given["z"][:, i]
    assert distance(slopes[:21].reshape(7, 3, 5), wanted) < 1e-15


def test_one_of_several_objectives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"{HEAD}minimize near = mean((y - f)^2) over a\nmaximize far = -sum((x - f)^2)\nminimize e = mean(exp(f))\n"
    _, module = compiled(text, derivatives=("residuals",))
    given, theta = data(), module.initial(seed=1)
    _, slopes = module.residuals(theta, given, "near")
    assert distance(slopes[:, 0], -given["x"]) < 1e-15
    assert not slopes[:, 1:].any()
    assert float(module.observations(given, "far")["scale"]) == 1
    for call in (module.residuals, lambda theta, *rest: module.observations(*rest)):
        with pytest.raises(module.DataError, match="the objective 'e' is no sum of squares"):
            call(theta, given, "e")
    path = tmp_path / "m.model"
    path.write_text(text)
    assert main(["check", str(path), "--derivatives", "residuals", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["result"]["checks"]
    found = [(c["objective"], c["passed"]) for c in checks if c.get("derivative") == "residuals"]
    assert found == [("near", True), ("far", True)]
    assert main(["inspect", str(path), "--derivatives", "residuals"]) == 0
    told = capsys.readouterr().out
    assert "residual of near" in told
    assert "d (residual of near)/d a" in told

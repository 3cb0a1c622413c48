"""What a module with derivatives offers its users: closed forms, several objectives, types, memory, the command line.

The second derivatives are compared with differences of the module's own gradient, which other tests hold to PyTorch.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from gradc.__main__ import main
from gradc.compiler.derivatives import KINDS

from .harness import compiled, distance

Array = npt.NDArray[Any]

PAIR = """axis k: 3
input x[n, k], y[n]
param w[k] ~ normal(0, 1), b > 0 = 0.5, c = 0.3
p = tanh(x @ w) * b + c
minimize error = mean((p - y)^2) over w, b
maximize fit = mean(exp(-(p - y)^2)) + sum(cos(w)) * c over w, c
output p
"""


def data(rows: int = 7) -> dict[str, Array]:
    random = np.random.default_rng(0)
    return {"x": random.normal(size=(rows, 3)), "y": random.normal(size=rows)}


def differences(gradient: Any, theta: Array) -> Array:
    """The derivatives of a gradient by central differences, of the fourth order."""
    rows = []
    for i in range(theta.size):
        h = np.zeros_like(theta)
        h[i] = 1e-3
        near = gradient(theta + h)[1].copy() - gradient(theta - h)[1]
        far = gradient(theta + 2 * h)[1].copy() - gradient(theta - 2 * h)[1]
        rows.append((8 * near - far) / (12 * h[i]))
    return np.array(rows)


@pytest.mark.parametrize("block", [None, 2])
@pytest.mark.parametrize("name", ["error", "fit"])
def test_each_objective_has_its_own_over_what_it_trains(name: str, block: int | None) -> None:
    """Rows and columns of what it does not train are 0; one that is maximized has the derivatives of its negative."""
    _, module = compiled(PAIR, derivatives=("hessian", "hvp"))
    theta, given = module.initial(seed=1), data()
    expected = differences(module.bind(given, name), theta)
    absent = module.layout()["c" if name == "error" else "b"][0]
    expected[absent] = 0
    found = module.bind_hessian(given, name, block)(theta)
    assert distance(found, expected) < 1e-8
    assert (found == found.T).all()
    v = np.array([0.3, -1, 2, 0.7, 0.1])
    assert distance(module.bind_hvp(given, name, block)(theta, v), found @ v) < 1e-12


def test_which_objective_has_to_be_said() -> None:
    _, module = compiled(PAIR, derivatives=("hessian", "hvp"))
    with pytest.raises(module.DataError, match="several objectives: say which, of error, fit"):
        module.hessian(module.initial(), data())
    with pytest.raises(module.DataError, match="no objective 'loss'"):
        module.hvp(module.initial(), data(), np.zeros(5), "loss")


def test_single_precision_is_near_double() -> None:
    _, double = compiled(PAIR, derivatives=KINDS)
    _, single = compiled(PAIR, dtype="float32", derivatives=KINDS)
    theta, given, v = double.initial(seed=1), data(), np.array([0.3, -1, 2, 0.7, 0.1])
    for function, more in (("hessian", ("error",)), ("jacobian", ()), ("grad", ("fit",))):
        wide = getattr(double, function)(theta, given, *more)
        narrow = getattr(single, function)(theta.astype("float32"), given, *more)
        for a, b in zip(*(f.values() if isinstance(f, dict) else [f] for f in (wide, narrow)), strict=True):
            assert b.dtype == np.float32
            assert distance(b, a) < 1e-5
    assert distance(single.hvp(theta, given, v, "fit"), double.hvp(theta, given, v, "fit")) < 1e-5
    assert distance(single.jvp(theta, given, v)["p"], double.jvp(theta, given, v)["p"]) < 1e-5


def test_memory_that_is_given_is_written_to() -> None:
    _, module = compiled(PAIR, derivatives=("hessian", "hvp"))
    theta, given = module.initial(seed=1), data()
    hessian, hvp, out = module.bind_hessian(given, "error"), module.bind_hvp(given, "error"), np.empty((5, 5))
    assert hessian(theta, out=out) is out
    assert (out == hessian(theta)).all()
    assert (hessian(theta + 1, out=out) == hessian(theta + 1)).all()
    row = np.empty(5)
    assert hvp(theta, np.ones(5), out=row) is row
    for wrong in (np.empty((5, 4)), np.empty((5, 5), "float32"), np.empty((10, 5))[::2], [[0.0] * 5] * 5):
        with pytest.raises(module.DataError, match="contiguous float64 matrix of 5 rows and columns"):
            hessian(theta, out=wrong)
    with pytest.raises(module.DataError, match="direction is a vector of length 5"):
        hvp(theta, np.ones(4))


def test_noise_is_drawn_as_it_is_for_the_objective() -> None:
    text = "input x[n]\nnoise e[n] ~ normal(0, 1)\nparam w = 1\nminimize mean((w^2 * x - e)^2)\n"
    _, module = compiled(text, derivatives=("hessian",))
    given, theta = {"x": np.ones(5)}, np.array([0.7])
    objective, hessian = module.bind(given), module.bind_hessian(given)
    for step in (0, 3):
        objective.draw(2, step)
        hessian.draw(2, step)
        assert distance(hessian(theta), differences(objective, theta)) < 1e-8


# --------------------------------------------------------------------------------------------------------- closed forms

FORMS = {
    "quadratic": (
        "axis i: 3\nparam A[i, i'], x[i]\nminimize sum[i](x * (A @ x[i -> i']))\n",
        "x",
        "(A[i' -> i''] + A[i -> i'', i' -> i])[i'' -> i']",
    ),
    "least squares": (
        "axis k: 3\ninput x[n, k], y[n]\nparam w[k]\nminimize mean((x @ w - y)^2)\n",
        "w",
        "2 * (x @ x[k -> k']) / size[n]",
    ),
    "ridge": (
        "axis k: 3\nparam w[k]\nminimize 0.5 * sum(w^2)\n",
        "w",
        "if index[k] == index[k'] then 1 else 0",
    ),
    "logistic": (
        "axis k: 3\ninput x[n, k], y[n]\nparam w[k]\nz = x @ w\nminimize mean(softplus(z) - y * z)\n",
        "w",
        "sum[n](x * sigmoid(-z) * sigmoid(z) * x[k -> k']) / size[n]",
    ),
    "poisson": (
        "axis k: 3\ninput x[n, k], y[n]\nparam w[k]\nz = x @ w\nminimize sum(exp(z) - y * z)\n",
        "w",
        "sum[n](x * exp(z) * x[k -> k'])",
    ),
}


@pytest.mark.simplified
@pytest.mark.parametrize("name", FORMS)
def test_a_hessian_is_its_closed_form(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a textbook has it, and computed by one contraction, not a gradient at a time."""
    text, by, form = FORMS[name]
    path = tmp_path / "m.model"
    path.write_text(text)
    assert main(["inspect", str(path), "--derivatives", "hessian"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"d^2 loss/(d {by} d {by}) = {form}" in lines


# ----------------------------------------------------------------------------------------------------- the command line


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "pair.model"
    path.write_text(PAIR)
    return path


def test_check_compares_each_derivative(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(model), "--derivatives", ",".join(KINDS), "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["result"]["checks"]
    found = {(check["derivative"], check["objective"]) for check in checks if "derivative" in check}
    assert found == {
        *((kind, name) for kind in ("grad", "hessian", "hvp") for name in ("error", "fit")),
        *((kind, "p") for kind in ("jacobian", "jvp", "vjp")),
        ("residuals", "error"),
    }
    assert all(check["passed"] for check in checks)


def test_inspect_shows_each_derivative(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(model), "--derivatives", "hvp,jvp,jacobian"]) == 0
    told = capsys.readouterr().out
    labels = [line.partition("=")[0].strip() for line in told.splitlines()]
    assert {"d (d error * v)/d free(b)", "d (d (-fit) * v)/d c", "d p/d w", "d p * v"} <= set(labels)
    assert main(["inspect", str(model), "--derivatives", "hvp", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["result"]["derivatives"]

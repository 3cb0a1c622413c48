"""Where a NaN came from: models that go wrong in different ways, each with what is said of it in a golden file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

import gradc
from gradc.compiler import blame
from gradc.compiler.source import ModelError
from gradc.runtime import Diverged

from .generate import models
from .harness import sample, start

pytestmark = pytest.mark.simplified

GOLDEN = Path(__file__).parent / "golden" / "provenance"


@dataclass(frozen=True)
class Case:
    """A model, data, and parameters (as the model sees them, or as the vector holds them) at which it goes wrong."""

    model: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: Mapping[str, Any] = field(default_factory=dict)
    free: tuple[float, ...] | None = None
    dtype: str = "float64"
    rows: tuple[int, ...] | None = None
    line: Callable[[int], str] | None = None


N = np.arange(6.0)

CASES = {
    "log_of_negative": Case(
        """input x[n, feature], y[n]
param w[feature] = 0, b = 1

p = x @ w + b
rate = log(p)
minimize mean((rate - y)^2)
""",
        {"x": np.array([[1.0, 2], [3, 1], [2, -4]]), "y": np.ones(3)},
        {"w": np.array([0.5, 0.5]), "b": 0.25},
        line=lambda row: f"line {row + 2} of rates.csv",
    ),
    "zero_by_zero": Case(
        """input x[n]
param a = 1, b = 0

minimize mean((a * x) / (b * x))
""",
        {"x": np.array([1.0, 0, 2])},
        {"a": 1.0, "b": 3.0},
    ),
    "exp_overflows": Case(
        """input t[n], y[n]
param rate = 1, a = 1

minimize mean((a * exp(rate * t) - y)^2)
""",
        {"t": 100 * N, "y": N},
        {"rate": 2.0, "a": 1.0},
    ),
    "infinity_less_infinity": Case(
        """input x[n]
param w = 1

growth = x^3 * w^3
minimize mean((growth - 2 * growth)^2)
""",
        {"x": N},
        {"w": 1e130},
    ),
    "gradient_of_root": Case(
        """input x[n]
param w = 1, b = 0

d = abs(w * x - b)
minimize mean(sqrt(d))
""",
        {"x": np.array([3.0, 2, 5])},
        {"w": 1.0, "b": 2.0},
    ),
    "scan_explodes": Case(
        """input u[t]
param r = 2

x = scan t with h = 0.5:
    h = r * h * (1 - h) + u
    yield h

minimize mean(x^2)
""",
        {"u": np.zeros(40)},
        {"r": 7.0},
    ),
    "bounded_parameter": Case(
        """input x[n], y[n]
param s > 0 = 1, m = 0

minimize mean(((x - m) / s)^2) + log(s)
""",
        {"x": N, "y": N},
        free=(800.0, 0.0),
    ),
    "gather": Case(
        """axis word: 5
input token[n]: word, y[n]
param E[word] = 1

chosen = E[word = token]
minimize mean((log(chosen) - y)^2)
""",
        {"token": np.array([0, 3, 4, 1]), "y": np.zeros(4)},
        {"E": np.array([1.0, 2, 3, 4, -0.5])},
    ),
    "cholesky": Case(
        """axis d: 2
input x[n, d]
param K[d, d'] = 0

L = cholesky[d, d'](K)
minimize sum(L^2) + mean(x^2)
""",
        {"x": np.ones((3, 2))},
        {"K": np.array([[1.0, 2], [2, 1]])},
    ),
    "singular_in_a_batch": Case(
        """axis d: 2
input A[n, d, d'], y[n, d]
param w = 1

z = solve[d, d'](w * A, y)
minimize mean(z^2)
""",
        {"A": np.array([[[1.0, 0], [0, 1]], [[1, 2], [2, 4]]]), "y": np.ones((2, 2))},
        {"w": 1.0},
    ),
    "float32_overflows": Case(
        """input x[n]
param w = 1

minimize sum(exp(w * x))
""",
        {"x": N},
        {"w": 30.0},
        dtype="float32",
    ),
    "in_a_minibatch": Case(
        """input x[n], y[n]
param w = 1

z = w - x
minimize mean((sqrt(z) - y)^2)
""",
        {"x": np.array([0.0, 5, 1, 2, 9, 3]), "y": N},
        {"w": 6.0},
        rows=(3, 4, 0),
        line=lambda row: f"line {row + 2} of points.csv",
    ),
    "diverged": Case(
        """input x[n], y[n]
param w = 0, b = 0

minimize mean((w * x + b - y)^2)
""",
        {"x": N, "y": N},
        {"w": -1.3e155, "b": 4e154},
    ),
    "infinite_parameter": Case(
        """axis d: 3
input x[n, d]
param w[d] = 0

minimize mean((x @ w)^2)
""",
        {"x": np.ones((2, 3))},
        free=(1.0, np.nan, 2.0),
    ),
    "behind_a_function": Case(
        """input x[n]
param w = 1, shift = 0

def entropy(p) = -p * log(p)

minimize mean(entropy(w * x + shift))
""",
        {"x": N},
        {"w": 1.0, "shift": -0.5},
    ),
    "branch_not_taken": Case(
        """input x[n]
param w = 1

safe = if x > 0 then log(x) else 0
minimize mean(safe * w) + mean(1 / (w - x))
""",
        {"x": N},
        {"w": 3.0},
    ),
    "stable_form_then_worse": Case(
        """input x[n]
param w = 1

z = w * x
minimize mean(log(1 + exp(z))) + mean(acos(z / 4000))
""",
        {"x": 1000 * N},
        {"w": 1.0},
    ),
    "window": Case(
        """axis r: 2
input x[n, t]
param k[r] = 1

y = sum[r](window[t: r](x) * k)
minimize mean(log(y))
""",
        {"x": np.array([[1.0, 2, 3, 4], [1, 5, -7, 1]])},
        {"k": np.array([1.0, 1])},
    ),
    "noise": Case(
        """input x[n]
noise eps[n] ~ normal(0, 1)
param m = 0, s = 1

z = m + s * eps
minimize mean(log(z + x))
""",
        {"x": np.full(4, 0.25)},
        {"m": 0.0, "s": 1.0},
    ),
    "running_product": Case(
        """input x[t]
param w = 1

p = cumprod[t](w * x)
minimize sum(p)
""",
        {"x": np.full(30, 10.0)},
        {"w": 1e20},
    ),
}


def made(case: Case) -> tuple[gradc.Model, Any]:
    """The model and the vector."""
    model = gradc.compile(case.model, dtype=case.dtype)
    theta = np.array(case.free) if case.free is not None else model.module.pack(case.at, case.data)
    return model, theta


@pytest.mark.parametrize("name", CASES)
def test_where_it_came_from(name: str, golden: Callable[[Path, str], None]) -> None:
    case = CASES[name]
    model, theta = made(case)
    found = gradc.explain(model, theta, case.data, rows=case.rows, line=case.line)
    assert isinstance(found, gradc.Origin)
    golden(GOLDEN / f"{name}.txt", f"{found}\n")


@pytest.mark.parametrize("name", ["log_of_negative", "in_a_minibatch", "gather", "branch_not_taken", "window", "noise"])
def test_it_is_this_row(name: str) -> None:
    """Without the row, all is finite."""
    case = CASES[name]
    model, theta = made(case)
    module = model.module
    data = {**case.data, **module.noise(case.data)} if module.NOISE else dict(case.data)
    rows = np.arange(len(next(iter(data.values())))) if case.rows is None else np.array(case.rows)
    blamed = []
    while (found := gradc.explain(model, theta, data, rows=rows)) is not None:
        blamed.append(found.places["n"])
        rows = rows[rows != blamed[-1]]
    loss, gradient = module.bind({key: np.asarray(value)[rows] for key, value in data.items()})(theta)
    assert np.isfinite(loss)
    assert np.isfinite(gradient).all()
    assert 1 <= len(blamed) <= 3


def test_the_row_is_found_among_very_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all values together are too many, they are looked through in parts, if rows are for themselves."""
    monkeypatch.setattr(blame, "LARGEST", 10_000)
    x = np.ones(50_000)
    x[41_234] = -3.0
    model = gradc.compile("input x[n]\nparam w = 1\nminimize mean(log(w * x + 1))\n")
    found = gradc.explain(model, np.array([1.0]), {"x": x})
    assert found is not None
    assert found.places == {"n": 41_234}
    coupled = gradc.compile("input x[n]\nparam w = 1\nz = w * x - mean[n](w * x)\nminimize mean(log(z))\n")
    assert gradc.explain(coupled, np.array([1.0]), {"x": x}) is None


def test_nothing_is_explained_where_all_is_finite() -> None:
    model = gradc.compile("input x[n]\nparam w = 1\nminimize mean((w * x)^2)\n")
    assert gradc.explain(model, np.array([1.0]), {"x": N}) is None


def test_of_several_objectives_the_one_that_fails() -> None:
    text = "input x[n]\nparam a = 1, b = 1\n"
    text += "minimize f = mean((a * x - 1)^2) over a\nminimize g = mean(log(b * x)) over b\n"
    found = gradc.explain(gradc.compile(text), np.array([1.0, 1.0]), {"x": N - 2})
    assert found is not None
    assert (found.of, found.span.line, found.places) == ("g", 4, {"n": 0})


def test_a_training_tells_the_point_and_the_rows() -> None:
    """What `fit` raises is all that is needed; the row is one of the data, not of the minibatch."""
    model = gradc.compile("input x[n], y[n]\nparam w = 1\nminimize mean((log(w * x) - y)^2)\n")
    x = np.array([1.0, 2, 3, 4, 5, 6, 7, -8, 9, 10])
    session = gradc.Session(model.module, {"x": x, "y": N[0] * x})
    with pytest.raises(Diverged) as caught:
        gradc.fit(session, gradc.SGD(session, lr=1e-3), epochs=3, batch=3, seed=4)
    error = caught.value
    assert error.rows is not None
    assert 7 in error.rows
    assert error.at is not None
    found = gradc.explain(model, error.at, session.data, rows=error.rows)
    assert found is not None
    assert found.places == {"n": 7}


def test_the_line_of_the_file_is_told(tmp_path: Path) -> None:
    """Also where rows were left out and others held out."""
    path = tmp_path / "points.csv"
    rows = ["1,0", ",0", "2,0", "3,0", "-4,0", "5,0", "6,0", "7,0", "8,0"]
    path.write_text("x,y\n" + "".join(f"{row}\n" for row in rows))
    model = gradc.compile("input x[n], y[n]\nparam w = 1\nminimize mean((log(w * x) - y)^2)\n")
    told = 0
    for seed in range(5):
        data = gradc.read_data(model, path, on_nan="drop", validation=0.25, seed=seed)
        if -4 in data.inputs["x"]:
            found = gradc.explain(model, np.array([1.0]), data)
            assert found is not None
            assert "points.csv" in found.more[0]
            assert "line 6" in found.more[0]
            told += 1
    assert told > 0
    with pytest.raises(gradc.Diverged) as caught:
        model.fit(path, "sgd", epochs=1, on_nan="drop")
    assert "line 6" in caught.value.__notes__[0]


def test_gradients_by_rows_are_explained() -> None:
    text = "axis word: 5\ninput token[n]: word, y[n]\nparam E[word] = 1\n"
    model = gradc.compile(text + "minimize mean((sqrt(E[word = token]) - y)^2)\n", sparse=("E",))
    data = {"token": np.array([0, 3, 4, 1]), "y": np.zeros(4)}
    session = model.session(data, np.array([1.0, 2, 3, 0, 1]))
    with pytest.raises(gradc.Diverged) as caught:
        gradc.fit(session, gradc.SparseAdam(session), epochs=2)
    found = gradc.explain(model, caught.value, data)
    assert found is not None
    assert (found.gradient, found.of, found.places["n"]) == (True, "E", 1)


def test_the_point_is_the_one_behind_the_last_good_one() -> None:
    model = gradc.compile("input x[n]\nparam w = 1\nminimize mean((w * x)^4)\n")
    session = gradc.Session(model.module, {"x": N})
    with pytest.raises(Diverged) as caught:
        gradc.fit(session, gradc.SGD(session, lr=1.0), epochs=1000)
    error = caught.value
    assert error.at is not None
    assert abs(error.at[0]) > abs(error.theta[0])
    found = gradc.explain(model, error.at, session.data)
    assert found is not None
    assert found.span.line == 3
    assert math.isinf(found.value)


@settings(
    max_examples=12,
    phases=(Phase.generate,),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(models())
def test_generated_models_where_they_overflow(text: str) -> None:
    """An origin is told where the module fails and nowhere else, and its operands are finite."""
    try:
        model = gradc.compile(text)
    except ModelError:
        return
    module = model.module
    data = sample(module, seed=1)
    point = start(module, data, seed=2)
    for scale in (-30, 1e200):
        found = gradc.explain(model, scale * point, data)
        assert (found is not None) == fails(module, data, scale * point)
        if found is not None:
            assert all(math.isfinite(value) for _, value in found.operands)
            assert not math.isfinite(found.value)
            assert found.span.line >= 1
            assert found.diagnostic.help


def fails(module: Any, data: Mapping[str, Any], theta: Any) -> bool:
    """Whether a loss or a gradient is not finite, or a matrix is refused."""
    with np.errstate(all="ignore"):
        for name in module.OBJECTIVES:
            try:
                loss, gradient = module.bind(data, name)(theta)
            except module.DataError:
                return True
            if not (math.isfinite(loss) and np.isfinite(gradient).all()):
                return True
    return False

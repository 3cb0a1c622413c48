"""The runtime: SGD against stored PyTorch trajectories, gradients that accumulate, the loop, and what stops it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradc.runtime import SGD, Diverged, NothingToDifferentiate, SeedMissing, Session, fit
from gradc.runtime.fit import order

from .harness import compiled

REFERENCE = json.loads((Path(__file__).parent / "reference" / "sgd.json").read_text())
MODELS = Path(__file__).parent / "models"
X = np.array([0.05, 1.4, 1.5, 2.8, 1.1, 0.8, 0.3, -0.4, 0.6, 1.3, 2.1])
Y = np.array([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])
PRODUCTS = """
axis i: 2, j: 2
input Y[i, j]
param x1[i, j] = 2, w1[i, j] = 5, w2[i, j] = 6
x2 = x1*w1
y = x2*w2
L = Y - y
output L, y
"""


def thermometer(**options: Any) -> Session:
    _, module = compiled((MODELS / "thermometer.model").read_text(), **options)
    return Session(module, {"t_u": X, "t_c": Y})


def name(run: dict[str, Any]) -> str:
    return "-".join(f"{key}={value}" for key, value in run["options"].items() if value)


@pytest.mark.parametrize("run", REFERENCE["runs"], ids=name)
def test_sgd_walks_as_pytorch_does(run: dict[str, Any]) -> None:
    session = thermometer()
    optimizer = SGD(session, **run["options"])
    for expected in run["points"]:
        optimizer.zero_grad()
        session.backward()
        optimizer.step()
        np.testing.assert_allclose(session.theta, expected, rtol=1e-12)


@pytest.mark.parametrize("run", REFERENCE["runs"], ids=name)
def test_the_loop_walks_as_steps_do(run: dict[str, Any]) -> None:
    session = thermometer()
    found = fit(session, SGD(session, **run["options"]), epochs=20)
    np.testing.assert_allclose(found.theta, run["points"][-1], rtol=1e-12)


def test_a_restored_optimizer_goes_on_as_the_first() -> None:
    whole, cut = thermometer(), thermometer()
    one = SGD(whole, lr=1e-2, momentum=0.9)
    fit(whole, one, epochs=30)
    first = SGD(cut, lr=1e-2, momentum=0.9)
    fit(cut, first, epochs=10)
    second = SGD(cut, lr=1.0, momentum=0.9)
    second.load_state_dict(first.state_dict())
    fit(cut, second, epochs=20)
    assert (whole.theta == cut.theta).all()


@pytest.mark.parametrize("wrong", [{"lr": -1}, {"momentum": -0.1}, {"weight_decay": -1}, {"nesterov": True}])
def test_settings_that_pytorch_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"nesterov|must not"):
        SGD(thermometer(), **wrong)


# ------------------------------------------------------------------------------------------------------ backward passes


def products() -> Session:
    _, module = compiled(PRODUCTS)
    return Session(module, {"Y": np.full((2, 2), 10.0)})


def gradients(session: Session) -> list[float]:
    return [float(np.unique(p.grad)[0]) for p in session.parameters.values() if p.grad is not None]


def test_a_seed_of_ones_and_one_from_the_middle() -> None:
    session = products()
    session.backward(np.ones((2, 2)), "L")
    assert gradients(session) == [-30, -12, -10]
    session.zero_grad()
    session.backward(-np.ones((2, 2)), "y")
    assert gradients(session) == [-30, -12, -10]


def test_gradients_accumulate_until_they_are_zeroed() -> None:
    _, module = compiled("axis k: 3\nparam x[k] = 1\ny = 2*x\noutput y\n")
    session = Session(module, {})
    seed = np.array([1.0, 2.0, 2.0])
    session.backward(seed)
    np.testing.assert_array_equal(session.parameters["x"].grad, [2, 4, 4])
    session.backward(seed)
    np.testing.assert_array_equal(session.parameters["x"].grad, [4, 8, 8])
    session.zero_grad(set_to_none=False)
    np.testing.assert_array_equal(session.parameters["x"].grad, [0, 0, 0])
    session.zero_grad()
    assert session.parameters["x"].grad is None


def test_a_vector_needs_a_seed() -> None:
    with pytest.raises(SeedMissing, match=r"`L` has shape \(2, 2\), .* give a seed of that shape"):
        products().backward(name="L")


def test_a_start_that_is_not_clear() -> None:
    with pytest.raises(NothingToDifferentiate, match="name the output"):
        products().backward()
    with pytest.raises(NothingToDifferentiate, match="no differentiable output 'x2'; there are L, y"):
        products().backward(name="x2")


def test_a_frozen_parameter_has_no_gradient_and_stays() -> None:
    session = thermometer()
    session.parameters["w"].requires_grad = False
    session.backward()
    assert session.parameters["w"].grad is None
    fit(session, SGD(session, lr=1e-2, weight_decay=0.1), epochs=5)
    assert session.parameters["w"].value == 1
    assert session.parameters["b"].value != 0


# ------------------------------------------------------------------------------------------------------------- the loop


def test_minibatches_are_the_rows_in_the_order_of_the_seed() -> None:
    session = thermometer()
    found = fit(session, SGD(session, lr=1e-2), epochs=3, batch=4, seed=5)
    assert found.steps == 9
    theta, losses = np.array([1.0, 0.0]), []
    for epoch in range(3):
        total = 0.0
        rows = order(5, epoch, 11)
        assert sorted(rows) == list(range(11))
        for part in (rows[:4], rows[4:8], rows[8:]):
            residual = theta[0] * X[part] + theta[1] - Y[part]
            total += (residual**2).sum()
            theta = theta - 1e-2 * 2 * np.array([(residual * X[part]).mean(), residual.mean()])
        losses.append(total / 11)
    np.testing.assert_allclose(found.theta, theta, rtol=1e-13)
    np.testing.assert_allclose(found.losses, losses, rtol=1e-13)


def test_equal_seeds_give_equal_trainings() -> None:
    runs = []
    for seed in (1, 1, 2):
        session = thermometer()
        runs.append(fit(session, SGD(session, lr=1e-2), epochs=4, batch=3, seed=seed).theta)
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


@pytest.mark.parametrize("watched", [False, True])
def test_a_training_that_diverges_keeps_the_last_good_parameters(watched: bool) -> None:
    session = thermometer()
    seen: list[float] = []
    after = (lambda epoch, loss: seen.append(loss)) if watched else None
    with pytest.raises(Diverged, match=r"the loss is (inf|nan) at step \d+") as caught:
        fit(session, SGD(session, lr=10.0), epochs=1000, after=after)
    assert np.isfinite(session.theta).all()
    np.testing.assert_array_equal(session.theta, caught.value.theta)
    again = thermometer()
    found = fit(again, SGD(again, lr=10.0), epochs=caught.value.step - 1)
    np.testing.assert_array_equal(found.theta, session.theta)
    assert np.isfinite(seen).all()


def test_a_gradient_that_is_not_finite_names_its_parameter() -> None:
    _, module = compiled("input x[n]\nparam a = 1, b = 0\nminimize mean(a*x)^2 + sqrt(b + 0*a)\n")
    session = Session(module, {"x": np.ones(3)})
    with pytest.raises(Diverged, match="the gradient of b is not finite at step 0"):
        fit(session, SGD(session, lr=0.1), epochs=10)
    np.testing.assert_array_equal(session.theta, [1, 0])


def test_nothing_that_a_stretch_skips_is_lost() -> None:
    """The watched loop and the one that looks now and then take the same steps."""
    one, two = thermometer(), thermometer()
    plain = fit(one, SGD(one, lr=1e-2), epochs=150)
    watched = fit(two, SGD(two, lr=1e-2), epochs=150, after=lambda epoch, loss: None)
    np.testing.assert_array_equal(plain.theta, watched.theta)
    np.testing.assert_array_equal(plain.losses, watched.losses)

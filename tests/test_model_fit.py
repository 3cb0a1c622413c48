"""`model.fit`: what it gives is what the runtime's loop gives, from any kind of data; what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import polars
import pytest

import gradc

pytestmark = pytest.mark.simplified

X = np.linspace(0, 1, 20)
DATA = {"x": X, "y": 3 * X + 1}
LINE = "input x[n], y[n]\nparam w = 0, b = 0\np = w * x + b\nminimize mean((p - y)^2)\noutput p\n"
LINE += "metric worst = max(abs(p - y))\n"


@pytest.fixture(scope="module")
def line() -> gradc.Model:
    return gradc.compile(LINE)


def test_it_is_the_loop_of_the_runtime(line: gradc.Model) -> None:
    session = gradc.Session(line.module, DATA)
    optimizer = gradc.Adam(session, lr=0.05, betas=(0.8, 0.99))
    schedule = gradc.lr_scheduler.StepLR(optimizer, 10)
    expected = gradc.fit(session, optimizer, epochs=30, batch=6, seed=3, schedule=schedule, clip_norm=1.0)
    options = {"epochs": 30, "batch": 6, "seed": 3, "clip_norm": 1.0}
    by_name = line.fit(DATA, "adam:betas=0.8,0.99", lr=0.05, schedule="step:step_size=10", **options)
    made = line.fit(
        DATA,
        lambda s: gradc.Adam(s, lr=0.05, betas=(0.8, 0.99)),
        schedule=lambda o: gradc.lr_scheduler.StepLR(o, 10),
        **options,
    )
    for found in (by_name, made):
        assert found.session.theta.tobytes() == expected.theta.tobytes()
        assert found.losses["loss"].tobytes() == expected.losses.tobytes()
        assert found.loss == expected.losses[-1]
        assert found.epoch == 30


def test_it_finds_the_line_and_predicts(line: gradc.Model) -> None:
    found = line.fit(DATA, "lbfgs", epochs=20)
    assert {name: float(value) for name, value in found.values().items()} == pytest.approx({"w": 3, "b": 1}, rel=1e-5)
    assert found.predict({"x": [0.0, 2.0]})["p"] == pytest.approx([1, 7], rel=1e-5)
    assert found.metrics(DATA)["worst"] < 1e-4


def test_any_kind_of_data(line: gradc.Model, tmp_path: Path) -> None:
    expected = line.fit(DATA, epochs=5).session.theta
    path = tmp_path / "line.npz"
    np.savez(path, **DATA)
    for data in (pandas.DataFrame(DATA), polars.DataFrame(DATA), path, str(path)):
        assert line.fit(data, epochs=5).session.theta.tobytes() == expected.tobytes()


def test_start_and_after(line: gradc.Model) -> None:
    told: list[tuple[int, float]] = []
    found = line.fit(DATA, "sgd", lr=0.1, epochs=3, start={"w": 3.0}, after=lambda *each: told.append(each))
    assert [epoch for epoch, _ in told] == [1, 2, 3]
    assert [loss for _, loss in told] == found.losses["loss"].tolist()
    assert told[0][1] == pytest.approx(1.0)  # the line lies 1 below


def test_validation_keeps_the_best_and_patience_ends(line: gradc.Model) -> None:
    other = {"x": X, "y": 1.5 * X + 1}
    found = line.fit(DATA, "sgd", lr=0.1, epochs=500, validation=other, patience=7)
    assert found.held_out is not None
    held = found.held_out["loss"]
    assert len(held) == found.epoch + 7 == len(found.losses["loss"])
    assert held.argmin() == found.epoch - 1
    (value, _) = line.module.bind(other)(found.session.theta)
    assert value == held.min()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optimizer": "adm"}, "did you mean adam"),
        ({"optimizer": "adam:beta=1"}, "no option 'beta'"),
        ({"schedule": "step"}, "needs step_size"),
        ({"optimizer": "sgd", "lr": -1.0}, "lr"),
        ({"batch": 0}, "at least one row"),
    ],
)
def test_wrong_options(line: gradc.Model, options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        line.fit(DATA, epochs=2, **options)


def test_wrong_data(line: gradc.Model, tmp_path: Path) -> None:
    with pytest.raises(gradc.DataError, match="there is no column 'y'"):
        line.fit({"x": X}, epochs=2)
    with pytest.raises(TypeError, match="float"):
        line.fit(3.0, epochs=2)
    path = tmp_path / "line.csv"
    path.write_text("x,z\n1,2\n")
    with pytest.raises(gradc.DataError, match="there is no column 'y'"):
        line.fit(path, epochs=2)


def test_a_divergence_says_where_it_came_from(line: gradc.Model) -> None:
    with pytest.raises(gradc.Diverged) as caught:
        line.fit(DATA, "sgd", lr=50.0, epochs=10_000)
    (note,) = caught.value.__notes__
    assert "model:" in note
    assert "beyond the largest float64" in note


def test_a_matrix_that_a_step_made_singular_is_explained() -> None:
    text = "axis d: 3\ninput x[n, d]\nparam s = 1\nK = sum[n](x * x[d -> d']) * s\n"
    model = gradc.compile(text + "minimize s^2 + logdet[d, d'](K)\n")
    with pytest.raises(model.module.DataError) as caught:
        model.fit({"x": np.eye(3)}, "sgd", lr=0.6, epochs=5)
    assert "logdet" in caught.value.__notes__[0]
    assert "no determinant above 0" in caught.value.__notes__[0]

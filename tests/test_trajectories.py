"""Whole trainings against PyTorch's own, stored, and against published figures.

The published figures are those of a textbook's first training: a thermometer of unknown units, fitted in float32.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradc

REFERENCE = json.loads((Path(__file__).parent / "reference" / "trajectories.json").read_text())
EXAMPLES = Path(__file__).parents[1] / "examples"
X = np.array([0.5, 14, 15, 28, 11, 8, 3, -4, 6, 13, 21])
Y = np.array([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])
PUBLISHED = (39.538250, 18.696901, 12.456582, 10.581183, 10.017575, 9.848182, 9.797276, 9.781981, 9.777378, 9.776002)

WAYS = pytest.mark.parametrize("without", [(), ("factor",)], ids=["factor", "blocks"])
"""Squares of what is linear are computed over a factor of the columns, or, without that pass, row by row."""


def session(
    model: str, data: dict[str, Any], start: list[float], dtype: str = "float64", without: tuple[str, ...] = ()
) -> gradc.Session:
    module = gradc.compile(EXAMPLES / model / f"{model}.model", dtype=dtype, without=without).module
    return gradc.Session(module, data, np.array(start, dtype))


def walked(session: gradc.Session, run: dict[str, Any], near: float) -> None:
    """A training, stopped after every few steps, is where PyTorch's was, each parameter relative to itself."""
    optimizer = gradc.SGD(session, lr=run["lr"])
    for loss, point in zip(run["losses"], run["points"], strict=True):
        done = gradc.fit(session, optimizer, epochs=run["every"])
        assert done.losses[-1] == pytest.approx(loss, rel=near)
        np.testing.assert_allclose(session.theta, point, rtol=near, atol=0)


def test_the_thermometer_as_published() -> None:
    found = session("thermometer", {"t_u": X * 0.1, "t_c": Y}, [1, 0], "float32")
    done = gradc.fit(found, gradc.SGD(found, lr=1e-2), epochs=1000)
    np.testing.assert_allclose(done.losses[99::100], PUBLISHED, atol=2e-5, rtol=0)
    assert [f"{value:.4f}" for value in found.theta] == ["17.9473", "32.9443"]


def test_one_step_as_published() -> None:
    found = session("thermometer", {"t_u": X * 0.1, "t_c": Y}, [1, 0], "float32")
    gradc.fit(found, gradc.SGD(found, lr=1e-5), epochs=1)
    assert [f"{value:.4f}" for value in found.theta] == ["1.0013", "0.0010"]


def test_the_exchanged_roles_as_published() -> None:
    found = session("thermometer", {"t_u": Y * 0.1, "t_c": X}, [1, 0], "float32")
    done = gradc.fit(found, gradc.SGD(found, lr=1e-2), epochs=5000)
    assert done.losses[-1] == pytest.approx(2.927648, abs=2e-5)
    assert [f"{value:.4f}" for value in found.theta] == ["5.3671", "-17.3012"]


@WAYS
@pytest.mark.parametrize("name", ["thermometer", "exchanged"])
def test_a_line_walks_as_in_pytorch(name: str, without: tuple[str, ...]) -> None:
    data = {"t_u": X * 0.1, "t_c": Y} if name == "thermometer" else {"t_u": Y * 0.1, "t_c": X}
    walked(session("thermometer", data, [1, 0], without=without), REFERENCE[name], 1e-12)


@WAYS
def test_the_cubic_walks_as_in_pytorch(without: tuple[str, ...]) -> None:
    run = REFERENCE["cubic"]
    x = np.array(run["x"])
    walked(session("cubic", {"x": x, "y": np.sin(x)}, run["start"], without=without), run, 1e-10)

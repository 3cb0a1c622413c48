"""The objectives of ADBench, written in the language, against the values and gradients that ADBench has.

The models stand in examples/adbench; the data in data/adbench, with where they come from. A gradient there is PyTorch's
in float64, and agrees with complex steps within 1e-13.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from .harness import compiled, distance

HERE = Path(__file__).parent
TOLERANCE = 1e-10

Array = npt.NDArray[Any]


def stored(name: str) -> dict[str, Array]:
    with np.load(HERE / "data" / "adbench" / f"{name}.npz") as found:
        return dict(found)


def module_of(name: str, lengths: str = "") -> types.ModuleType:
    """The model's module; `lengths` stands for its first statement, which declares the axes."""
    text = (HERE.parent / "examples" / "adbench" / f"{name}.model").read_text()
    if lengths:
        (declared,) = [line for line in text.splitlines() if line.startswith("axis ")]
        text = text.replace(declared, lengths)
    return compiled(text, name)[1]


def agrees(
    module: types.ModuleType,
    data: Mapping[str, Array],
    at: Mapping[str, Array],
    objective: float,
    gradients: Mapping[str, Array],
) -> Array:
    """The value and every gradient are those that are given; the point as the vector of parameters."""
    layout = module.layout(data)
    assert list(layout) == list(at) == list(gradients)
    theta = np.concatenate([np.ravel(value) for value in at.values()])
    value, gradient = module.bind(data)(theta)
    assert value == pytest.approx(float(objective), rel=TOLERANCE)
    for name, (where, _) in layout.items():
        assert distance(gradient[where], np.ravel(gradients[name])) < TOLERANCE, name
    return theta


def test_bundle_adjustment() -> None:
    found = stored("ba_jittered")
    module = module_of("ba")
    data = {"seen_by": found["obs"][:, 0], "seen": found["obs"][:, 1], "feature": found["feats"]}
    at = {"cameras": found["cams"], "points": found["X"], "w": found["w"]}
    gradients = {"cameras": found["dloss_dcams"], "points": found["dloss_dX"], "w": found["dloss_dw"]}
    theta = agrees(module, data, at, found["loss"], gradients)
    outputs = module.predict(theta, data)
    assert distance(outputs["residual"], found["reproj_err"]) < TOLERANCE
    assert distance(outputs["weight"], found["w_err"]) < TOLERANCE


@pytest.mark.parametrize(("name", "lengths"), [("d2_K5", "k: 5, d: 2, p: 3"), ("d10_K25", "k: 25, d: 10, p: 55")])
def test_mixture(name: str, lengths: str) -> None:
    found = stored(f"gmm_1k_{name}")
    at = {"alpha": found["alphas"], "mu": found["means"], "icf": found["icf"]}
    gradients = {"alpha": found["grad_alphas"], "mu": found["grad_means"], "icf": found["grad_icf"]}
    agrees(module_of("gmm", f"axis {lengths}"), {"x": found["x"]}, at, found["objective"], gradients)


def test_lstm() -> None:
    found = stored("lstm_l2_c1024_first100")
    data = {"sequence": found["sequence"].astype(np.float64), "state": found["state"]}
    at = {"main": found["main_params"], "extra": found["extra_params"]}
    gradients = {"main": found["grad_main_params"], "extra": found["grad_extra_params"]}
    agrees(module_of("lstm"), data, at, found["objective"], gradients)

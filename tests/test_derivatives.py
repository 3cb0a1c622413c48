"""Derivatives beyond the gradient, in the module and in the language: against PyTorch, the reference and differences.

What PyTorch says stands in reference/derivatives.npz, with the script that wrote it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from .harness import ALL_OFF, compiled, distance
from .test_properties import everything_agrees

Array = npt.NDArray[Any]

TOLERANCE = 1e-10
KINDS = ("grad", "vjp", "jvp", "hvp", "hessian", "jacobian")


def _stored() -> dict[str, dict[str, Array]]:
    found: dict[str, dict[str, Array]] = {}
    with np.load(Path(__file__).parent / "reference" / "derivatives.npz") as file:
        for key in file.files:
            name, _, part = key.partition("/")
            found.setdefault(name, {})[part] = file[key]
    return found


CASES = _stored()


def asked(text: str) -> tuple[str, ...]:
    """All derivatives that the model has."""
    return KINDS if "output" in text else ("grad", "hvp", "hessian")


def part(case: dict[str, Array], prefix: str) -> dict[str, Array]:
    """The entries of a case under a prefix, by the name behind its dot."""
    return {key.partition(".")[2]: value for key, value in case.items() if key.startswith(f"{prefix}.")}


# ------------------------------------------------------------------------------------------------------ against PyTorch


def test_there_are_enough() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize("without", [(), ALL_OFF], ids=["simplified", "plain"])
@pytest.mark.parametrize("name", CASES)
def test_against_pytorch(name: str, without: tuple[str, ...]) -> None:
    case = CASES[name]
    text, theta, v, data = str(case["model"]), case["theta"], case["v"], part(case, "data")
    _, module = compiled(text, name, without=without, derivatives=asked(text))
    loss, gradient = module.bind(data)(theta)
    assert distance(loss, case["loss"]) <= TOLERANCE
    assert distance(gradient, case["grad"]) <= TOLERANCE
    assert distance(module.grad(theta, data), case["grad"]) <= TOLERANCE
    assert distance(module.hessian(theta, data), case["hessian"]) <= TOLERANCE
    assert distance(module.hvp(theta, data, v), case["hvp"]) <= TOLERANCE
    outputs = part(case, "output")
    if not outputs:
        return
    predicted, jacobian, moved = module.predict(theta, data), module.jacobian(theta, data), module.jvp(theta, data, v)
    for output, value in outputs.items():
        assert distance(predicted[output], value) <= TOLERANCE
        assert distance(jacobian[output], case[f"jacobian.{output}"]) <= TOLERANCE
        assert distance(moved[output], case[f"jvp.{output}"]) <= TOLERANCE


# ---------------------------------------------------------------------------------------------------- in the language


@pytest.mark.parametrize("without", [(), ALL_OFF], ids=["simplified", "plain"])
@pytest.mark.parametrize("axes", ["", "[k]"], ids=["number", "array"])
def test_a_value_and_what_it_is_differentiated_by_may_have_the_same_axes(axes: str, without: tuple[str, ...]) -> None:
    """The seed that stands for the value, and the variable that stands for `w`, are two."""
    text = (
        f"axis k: 3\ninput x[n]\nparam w{axes} > 0 = 0.7\npushed = jvp[w](tanh(w * w), 2 * w)\n"
        "pulled = vjp[w](tanh(w * w), 2 * w)\noutput pushed, pulled\nminimize mean(x) + sum(pushed)\n"
    )
    _, module = compiled(text, without=without)
    data = {"x": np.ones(4)}
    theta = module.initial(data)
    for value in module.predict(theta, data).values():
        assert distance(value, np.full_like(value, 4 * 0.49 / np.cosh(0.49) ** 2)) <= TOLERANCE


@pytest.mark.parametrize("call", ["jvp[h](sin(h) * q, b)", "vjp[h](sin(h) * q, b)", "sum(jacobian[h](sin(h) * q))"])
@pytest.mark.parametrize("axes", ["", "[k]"])
def test_a_computed_value_and_a_cotangent_of_its_axes_are_two(call: str, axes: str) -> None:
    everything_agrees(
        f"axis k: 3\ninput q{axes}\nparam w{axes} = 0.3, b{axes} = 0.2\nh = 2 * w\nminimize sum({call})^2\n"
    )

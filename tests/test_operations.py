"""Operations and compositions against PyTorch: the value, the gradient by every operand, a Hessian-vector product.

The table is reference/operations.py; what PyTorch says of it, in float64, stands in reference/operations.json with the
script that wrote it. Where we differ from PyTorch on purpose, a row says why and what is expected instead.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from .harness import compiled, distance

REFERENCE = Path(__file__).parent / "reference"
TOLERANCE = 1e-10
LEAST = 120

Array = npt.NDArray[Any]


def _table() -> types.ModuleType:
    """The table stands beside the script that reads it, and is no part of a package."""
    spec = importlib.util.spec_from_file_location("operations", REFERENCE / "operations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


OPERATIONS: tuple[Any, ...] = _table().OPERATIONS
STORED = {case["name"]: case for case in json.loads((REFERENCE / "operations.json").read_text())["cases"]}


def numbers(values: Any) -> Array:
    """Nested lists as an array; words stand for what JSON cannot say."""
    return np.array(values, dtype=np.float64)


def given(row: Any) -> dict[str, Array]:
    """The inputs of the row's model."""
    stored = STORED[row.name]
    found: dict[str, Array] = {"weight": numbers(stored["weight"]).reshape(row.result)}
    for name, operand in row.operands.items():
        if not operand.trained:
            kind = np.int64 if operand.index else np.bool_ if operand.domain == "bool" else np.float64
            found[name] = np.array(stored["operands"][name], dtype=kind).reshape(operand.shape)
    return found


def theta(row: Any) -> Array:
    return np.concatenate([np.ravel(STORED[row.name]["operands"][n]) for n, o in row.operands.items() if o.trained])


def near(found: Array, truth: Array) -> bool:
    """To the tolerance, relative to the largest entry; what is 0 may be off by the rounding of numbers near 1."""
    return bool(np.abs(found - truth).max(initial=0) <= TOLERANCE * max(np.abs(truth).max(initial=0), 1e-3))


def agrees(module: types.ModuleType, row: Any, vector: Array, order: str) -> None:
    """The vector holds what is expected by every parameter, to the tolerance; infinite where that is."""
    for name, (at, shape) in module.layout(given(row)).items():
        truth, found = numbers(STORED[row.name][order][name]), vector[at].reshape(shape)
        bounded = np.isfinite(truth)
        np.testing.assert_array_equal(found[~bounded], truth[~bounded], err_msg=name)
        assert near(found[bounded], truth[bounded]), (name, found, truth)


def module_of(row: Any, *derivatives: str) -> types.ModuleType:
    return compiled(row.model(), "operation", derivatives=derivatives)[1]


def rows(*simplified: str) -> list[Any]:
    """Every row. `x * log(x)` at 0 is a form that a pass recognises, as are those whose names have the given words."""
    needs = [pytest.mark.simplified]
    of_passes = ("log x at 0", *simplified)
    return [
        pytest.param(row, id=row.name, marks=needs if any(words in row.name for words in of_passes) else [])
        for row in OPERATIONS
    ]


@pytest.mark.parametrize("row", rows())
def test_value_and_gradients(row: Any) -> None:
    module, data, point = module_of(row), given(row), theta(row)
    order = [row.to.index(axis) for axis in module.OUTPUTS["f"]["axes"]]
    value = numbers(STORED[row.name]["value"]).reshape(row.result)
    assert distance(module.predict(point, data)["f"], value.transpose(order)) < TOLERANCE
    loss, gradient = module.bind(data)(point)
    assert loss == pytest.approx(np.sum(data["weight"] * value), rel=TOLERANCE, abs=1e-12)
    agrees(module, row, gradient, "gradient")


@pytest.mark.parametrize("row", rows("square of a norm at 0"))
def test_hessian_vector_product(row: Any) -> None:
    module, data = module_of(row, "hvp"), given(row)
    directions = STORED[row.name]["direction"]
    direction = np.concatenate([np.ravel(directions[name]) for name in module.layout(data)])
    agrees(module, row, module.hvp(theta(row), data, direction), "second")


def test_data_may_have_any_strides() -> None:
    _, module = compiled("axis k: 4\ninput x[n, k]\nparam w[k] = 1\nminimize sum(tanh(x * w)^2)\noutput f = x @ w\n")
    x, w = np.random.default_rng(0).normal(size=(5, 4)), np.arange(1.0, 5.0)
    loss, gradient = module.bind({"x": x})(w)
    for turned in (
        x[::-1].copy()[::-1],
        np.asfortranarray(x),
        np.repeat(x, 2, axis=1)[:, ::2],
        x[:, ::-1].copy()[:, ::-1],
    ):
        found = module.bind({"x": turned})(w)
        assert found[0] == loss
        np.testing.assert_array_equal(found[1], gradient)
        np.testing.assert_array_equal(module.predict(w, {"x": turned})["f"], x @ w)


@pytest.mark.parametrize("text", ["sum[n](x * a)", "max[n](x * a)", "mean[n](x * a)", "x @ a"])
def test_an_empty_axis_is_told(text: str) -> None:
    """An axis has at least one position: of none there is no maximum and no mean."""
    _, module = compiled(f"axis k: 2\ninput x[n, k]\nparam a[k] = 1\nminimize sum({text})\n")
    with pytest.raises(module.DataError, match="'x' is empty along axis 'n'"):
        module.bind({"x": np.zeros((0, 2))})


def test_the_table_is_whole() -> None:
    assert [row.name for row in OPERATIONS] == list(STORED)
    assert len(OPERATIONS) >= LEAST
    assert all(row.differs for row in OPERATIONS if row.instead)
    text: Mapping[str, str] = {row.name: row.model() for row in OPERATIONS}
    assert len(set(text.values())) > LEAST

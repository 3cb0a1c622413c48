"""An LSTM, a convolution network and a transformer block against modules of PyTorch that have the same weights.

The models are those of examples/, with shorter axes. What PyTorch says stands in reference/networks.npz, with the
script that wrote it and tells how PyTorch's weights are ours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from .harness import ALL_OFF, compiled, distance

HERE = Path(__file__).parent
TOLERANCE = 1e-9

Array = npt.NDArray[Any]


def stored(name: str) -> dict[str, Array]:
    with np.load(HERE / "reference" / "networks.npz") as file:
        return {key.partition("/")[2]: file[key] for key in file.files if key.startswith(f"{name}/")}


def part(found: dict[str, Array], prefix: str) -> dict[str, Array]:
    """The entries under a prefix, by the name behind it."""
    return {key.removeprefix(f"{prefix}."): value for key, value in found.items() if key.startswith(f"{prefix}.")}


@pytest.mark.parametrize("without", [(), ALL_OFF], ids=["simplified", "plain"])
@pytest.mark.parametrize("name", ["lstm", "convnet", "attention"])
def test_against_modules_of_pytorch(name: str, without: tuple[str, ...]) -> None:
    found = stored(name)
    text = (HERE.parent / "examples" / name / f"{name}.model").read_text()
    (declared,) = (line for line in text.splitlines() if line.startswith("axis "))
    _, module = compiled(text.replace(declared, str(found["axes"])), name, without=without)
    data, weights = part(found, "data"), part(found, "weight")
    layout = module.layout(data)
    assert {key: shape for key, (_, shape) in layout.items()} == {key: w.shape for key, w in weights.items()}
    theta = np.concatenate([weights[key].ravel() for key in layout])

    loss, gradient = module.bind(data)(theta)
    assert loss == pytest.approx(float(found["loss"]), rel=TOLERANCE)
    (output,) = part(found, "output")
    axes = str(found[f"axes.{output}"]).split()
    order = [axes.index(axis) for axis in module.OUTPUTS[output]["axes"]]
    value = module.predict(theta, data)[output]
    assert distance(value, found[f"output.{output}"].transpose(order)) < TOLERANCE
    pulled = module.vjp(theta, data, {output: found[f"seed.{output}"].transpose(order)})
    for key, (at, shape) in layout.items():
        assert distance(gradient[at].reshape(shape), found[f"gradient.{key}"]) < TOLERANCE, key
        assert distance(pulled[at].reshape(shape), found[f"pulled.{key}"]) < TOLERANCE, key

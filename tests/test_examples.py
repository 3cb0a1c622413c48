"""The examples come to the losses that are known for them.

What is known is in reference/examples.json, with the script that made it: the best loss by another way than gradient
descent in gradc, a bound that follows from how the data were made, and walks of models written with PyTorch's modules.
Whole trainings stand in the READMEs, which test_docs.py runs; that each example passes `check` is in test_cli_check.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradc
from gradc.__main__ import main

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
MODELS = [path for path in sorted(EXAMPLES.glob("*/*.model")) if path.parent.name == path.stem]
REFERENCE = json.loads((Path(__file__).parent / "reference" / "examples.json").read_text())

OPTIMA: dict[str, tuple[str, float, dict[str, float]]] = {
    "poisson": (
        "--data doctors.csv --epochs 500 --lr 1e-3 --momentum 0.9",
        1e-9,
        dict.fromkeys(("base", "slope", "curve", "smoking", "fading"), 1e-4),
    ),
    "gaussian_process": (
        "--data nile.csv --epochs 200 --lr 3e-3 --momentum 0.9",
        1e-8,
        dict.fromkeys(("scale", "length", "noise"), 1e-4),
    ),
    "factors": ("--data train.csv --epochs 300 --lr 1 --momentum 0.9", 1e-4, {}),
    # Four steps of Runge and Kutta a year are not the equations themselves.
    "hares": (
        "--data pelts.csv --map pelts=hare,lynx --epochs 300 --lr 3e-3 --momentum 0.9",
        1e-5,
        dict.fromkeys(("birth", "death", "hunted", "fed", "first", "spread"), 1e-3),
    ),
}
"""How an example is trained, how near its loss comes to the best, relatively, and each parameter to where that is."""

SHORT: dict[str, tuple[str, float]] = {
    "attention": ("--data train.npz --epochs 6 --batch 8 --lr 3 --momentum 0.9", 0.49),
    "autoencoder": (
        "--data ../digits/train.npz --epochs 30 --batch 50 --lr 1 --momentum 0.9",
        REFERENCE["bounds"]["autoencoder"]["train"],
    ),
    "characters": (
        "--data train.npz --epochs 12 --batch 50 --lr 1e-2 --momentum 0.9",
        REFERENCE["bounds"]["characters"]["test"] + 1.2,
    ),
    "convnet": ("--data train.npz --epochs 12 --batch 30 --lr 0.03 --momentum 0.9", 0.5),
    "density": (
        "--data train.csv --epochs 600 --lr 0.02 --momentum 0.9",
        REFERENCE["bounds"]["density"]["train"] + 0.005,
    ),
    "lstm": ("--data sonnets.npz --epochs 9 --batch 19 --lr 2 --momentum 0.9", REFERENCE["bounds"]["lstm"]["train"]),
    "words": (
        "--data pairs.npz --epochs 15 --batch 200 --lr 0.1 --momentum 0.9",
        REFERENCE["bounds"]["words"]["train"] + 0.06,
    ),
}
"""How an example is trained for a short time, and what its loss is below then."""


def trained(name: str, options: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the folder of a training says of it."""
    monkeypatch.chdir(EXAMPLES / name)
    assert main(["train", f"{name}.model", *options.split(), "--out", str(folder)]) == 0
    run: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return run


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
def test_each_example_has_a_readme_of_its_own(model: Path) -> None:
    readme = (model.parent / "README.md").read_text(encoding="utf-8")
    assert f"$ gradc train {model.name} " in readme


@pytest.mark.parametrize("name", OPTIMA)
def test_a_training_comes_to_the_best(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options, near, known = OPTIMA[name]
    best = REFERENCE["optima"][name]
    assert trained(name, options, tmp_path, monkeypatch)["loss"] == pytest.approx(best["loss"], rel=near)
    with np.load(tmp_path / "parameters.npz") as found:
        for parameter, close in known.items():
            np.testing.assert_allclose(found[parameter], best["parameters"][parameter], rtol=close)


@pytest.mark.parametrize("name", SHORT)
def test_a_short_training_is_below_what_is_known(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options, bound = SHORT[name]
    assert trained(name, options, tmp_path, monkeypatch)["loss"] < bound


def test_the_level_of_the_nile_as_scipy_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained("gaussian_process", OPTIMA["gaussian_process"][0], tmp_path, monkeypatch)
    output = str(tmp_path / "level.npz")
    assert main(["predict", str(tmp_path), "--data", "nile.csv", "--map", "when=year", "-o", output]) == 0
    with np.load(output) as found:
        for name, values in REFERENCE["optima"]["gaussian_process"]["outputs"].items():
            np.testing.assert_allclose(found[name], values, rtol=1e-4)


# --------------------------------------------------------------------------------------------------------------- walks


def start(shapes: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """The parameters that the script draws."""
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    flat = np.split(0.3 * np.sin(1 + np.arange(sum(sizes), dtype=float) ** 1.5), np.cumsum(sizes)[:-1])
    return {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), flat, strict=True)}


def seen(values: np.ndarray) -> list[float]:
    """The sums of an array with the script's three vectors."""
    flat = values.ravel()
    return [float(flat @ np.cos((k + 1) * np.arange(len(flat), dtype=float) ** 1.5)) for k in range(3)]


DATA = {
    "autoencoder": ("digits", "train.npz"),
    "density": ("density", "train.csv"),
    "lstm": ("lstm", "sonnets.npz"),
    "words": ("words", "pairs.npz"),
}
OUTPUT = {"attention": "z", "autoencoder": "back", "density": "density"}
AXES = {"lstm": ("n", "t", "symbol"), "characters": ("n", "t", "symbol")}
"""The order in which PyTorch has the axes of an output, where it is another."""


@pytest.mark.parametrize("name", REFERENCE["walks"])
def test_an_example_walks_as_its_like_in_pytorch(name: str) -> None:
    walk = REFERENCE["walks"][name]
    module = gradc.compile(EXAMPLES / name / f"{name}.model").module
    read = gradc.read_data(module, EXAMPLES.joinpath(*DATA.get(name, (name, "train.npz"))))
    data = {name: array[: walk["rows"]] for name, array in read.inputs.items()}
    parameters = start(walk["shapes"])
    session = gradc.Session(module, data, module.pack(parameters, data))
    outputs = module.predict(session.theta, data)
    if name != "words":  # which does not give its scores
        output = OUTPUT.get(name, "logits")
        axes = module.OUTPUTS[output]["axes"]
        aligned = outputs[output].transpose([axes.index(axis) for axis in AXES.get(name, axes)])
        assert seen(aligned) == pytest.approx(walk["output"], rel=1e-9, abs=1e-9)
    session.forward()
    session.backward()
    gradients = module.unpack(session.grad, data)
    for parameter, values in walk["gradients"].items():
        assert seen(gradients[parameter]) == pytest.approx(values, rel=1e-9, abs=1e-9), parameter
    losses = gradc.fit(session, gradc.SGD(session, lr=walk["lr"], momentum=0.9), epochs=10).losses
    np.testing.assert_allclose(losses, walk["losses"], rtol=1e-9)


def test_the_rivals_as_in_pytorch() -> None:
    known = REFERENCE["rivals"]
    module = gradc.compile(EXAMPLES / "gan" / "gan.model").module
    rows = known["rows"]
    with np.load(EXAMPLES / "gan" / "ring.npz") as ring:
        data = {"real": ring["real"][:rows].astype(float)}
    data["seed"] = np.sin(np.arange(8.0 * rows) ** 1.5).reshape(rows, 8)
    theta = module.pack(start(known["shapes"]), data)
    for name, objective in known["objectives"].items():
        loss, gradient = module.bind(data, name)(theta)
        assert loss == pytest.approx(objective["loss"], rel=1e-12)
        gradients = module.unpack(gradient, data)
        for parameter in known["shapes"]:
            values = objective["gradients"].get(parameter, [0, 0, 0])
            assert seen(gradients[parameter]) == pytest.approx(values, rel=1e-9, abs=1e-12), parameter


def test_the_points_of_the_gan_lie_in_all_clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained("gan", "--data ring.npz --epochs 100 --batch 50 --lr 0.05 --momentum 0.5", tmp_path, monkeypatch)
    output = str(tmp_path / "fake.npz")
    assert main(["predict", str(tmp_path), "--data", "ring.npz", "-o", output]) == 0
    angle = np.arange(8) * np.pi / 4
    centres = 2 * np.stack([np.cos(angle), np.sin(angle)], -1)
    with np.load(output) as found:
        distance = np.linalg.norm(found["fake"][:, None] - centres, axis=-1)
    near = np.bincount(distance.argmin(1)[distance.min(1) < 0.8], minlength=8)
    assert near.min() > 50
    assert near.sum() > 0.6 * 2000
